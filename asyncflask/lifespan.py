"""From the server's start to its end (ASGI specification, "Lifespan Protocol")."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, cast

from .concurrency.in_worker import run_in_worker
from .concurrency.pool import WorkerPool
from .observed import changed
from .typing import ASGIApp, Message

if TYPE_CHECKING:
    from .mounting import Mount
    from .protocols import Application

_ENDED: Any = object()


@asynccontextmanager
async def serving(app: Application) -> AsyncIterator[Mapping[str, Any] | None]:
    """Everything that an application does around the time that it is served.

    What fails at the start stops the server; what fails at the end is logged, and the rest is done
    all the same.

    :returns: the state for requests.
    """
    state: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_stop_worker_pool, app)
        stack.push_async_callback(channels, app, "close")
        if app.config.get("CHANNELS_URL"):
            app.channels.prepare()
        if app._lifespan is not None:
            left = await _entered(stack, app, app._lifespan(app))
            state.update(left or {})
        stack.push_async_callback(app.background_tasks.finish)  # those that the shutdown has begun
        by_application: dict[int, list[Mount]] = {}
        for mount in app.mounts:
            by_application.setdefault(id(mount.app), []).append(mount)
        for mounts in by_application.values():
            await _entered(stack, app, mounted(mounts))
        stack.push_async_callback(_each, app, app.after_serving_funcs)
        for func in app.before_serving_funcs:
            await call(app, func)
        for generator_function in app.while_serving_gens:
            await _entered(stack, app, _generator(app, generator_function))
        stack.push_async_callback(app.background_tasks.finish)
        stack.push_async_callback(channels, app, "end")  # tasks that listen are not to be waited for
        yield state


async def channels(app: Application, what: str) -> None:
    """Call a method of the channels, if they are in use and nobody has put something else in their place."""
    module = sys.modules.get("asyncflask.channels")
    there = app.__dict__.get("channels")
    if module is not None and isinstance(there, module.Channels):
        await getattr(there, what)()


async def _stop_worker_pool(app: Application) -> None:
    pool = app.__dict__.pop("worker_pool", None)
    if pool is not None:
        last = WorkerPool(1, f"{app.name}-shutdown")
        try:
            await run_in_worker(last, pool.stop, True)
        finally:
            last.stop()


@asynccontextmanager
async def lent(app: Application, outer: Any = None) -> AsyncIterator[Mapping[str, Any] | None]:
    """The lifespan of an application for another one, `outer`, that it is mounted in."""
    async with app.lifespan_context(outer) as state:
        app._lent_state = state or None
        changed()
        try:
            yield state
        finally:
            app._lent_state = None


async def _entered(stack: AsyncExitStack, app: Application, manager: Any) -> Any:
    """Enter it; at the end its failures are logged."""
    value = await manager.__aenter__()

    async def leave() -> None:
        try:
            await manager.__aexit__(None, None, None)
        except Exception:
            app.logger.exception("Exception while the application was shutting down")

    stack.push_async_callback(leave)
    return value


async def _each(app: Application, functions: list[Callable[[], Any]]) -> None:
    for func in functions:
        try:
            await call(app, func)
        except Exception:
            app.logger.exception("Exception while the application was shutting down")


async def call(app: Application, func: Callable[..., Any], *args: Any) -> Any:
    """Call a function, sync or async, within an application context."""
    async with app.app_context():
        return await app.ensure_async(func)(*args)


@asynccontextmanager
async def _generator(app: Application, function: Callable[[], Any]) -> AsyncIterator[None]:
    """A ``while_serving`` generator as a context manager: up to its yield, and from there on."""
    generator = function()

    def step() -> Any:
        return next(cast(Iterator[Any], generator), _ENDED)

    async def async_step() -> Any:
        return await anext(cast(AsyncIterator[Any], generator), _ENDED)

    step_once = async_step if isasyncgenfunction(function) else step
    if await call(app, step_once) is _ENDED:
        raise RuntimeError(f"{function!r} is registered with 'while_serving' and has to yield once.")
    yield
    if await call(app, step_once) is not _ENDED:
        raise RuntimeError(f"{function!r} is registered with 'while_serving' and yields more than once.")


def check_generator(function: Callable[[], Any]) -> None:
    """Raise TypeError unless it is a generator function, sync or async."""
    if not (isasyncgenfunction(function) or isgeneratorfunction(function)):
        raise TypeError(
            f"{function!r} has no 'yield'. 'while_serving' takes a generator function: what is before its"
            " 'yield' runs when the server starts, what is after it when the server ends."
        )


@asynccontextmanager
async def mounted(mounts: list[Mount]) -> AsyncIterator[None]:
    """The lifespan of another ASGI application, which the server would not know of. One that has none,
    and says so by an exception, goes without.

    :param mounts: where it is mounted; they keep the state that it leaves.
    :raises Exception: what its startup raised.
    """
    app = mounts[0].app
    state: dict[str, Any] = {}
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    task = asyncio.create_task(_run(app, scope, to_app, from_app))

    async def exchange(event: str) -> bool:
        """Tell of an event; whether the application has answered that it is through with it."""
        await to_app.put({"type": f"lifespan.{event}"})
        reply = asyncio.create_task(from_app.get())
        await asyncio.wait({task, reply}, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            reply.cancel()
            return False
        message = reply.result()
        if message["type"] == f"lifespan.{event}.failed":
            await asyncio.wait({task}, timeout=1)
            error = task.exception() if task.done() and not task.cancelled() else None
            raise error or RuntimeError(f"lifespan.{event}.failed: {message.get('message', '')}")
        return True

    has_lifespan = await exchange("startup")
    if has_lifespan:
        for mount in mounts:
            mount.state = state
    elif not task.cancelled():
        task.exception()  # retrieved: it is how an application says that it has no lifespan
    try:
        yield
    finally:
        for mount in mounts:
            mount.state = None
        if has_lifespan and not task.done():
            await exchange("shutdown")
        if not task.done():
            task.cancel()
        await asyncio.wait({task})
        if has_lifespan and not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _run(
    app: ASGIApp, scope: dict[str, Any], to_app: asyncio.Queue[Message], from_app: asyncio.Queue[Message]
) -> None:
    await app(scope, to_app.get, from_app.put)
