"""Where sync code waits for a coroutine.

In a thread that is a `Wait`: the coroutine runs on a loop, and the thread runs its sync functions meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from functools import wraps
from queue import Empty
from typing import Any, TypeVar, cast

from .bridge import bridged, can_wait, wait
from .callables import as_coroutine, is_awaitable
from .current import _inner_walk, active_walk, adopt, inner_walk
from .loop_thread import background_loop, is_running_loop
from .pool import WorkerPool
from .walk import TO_LOOP, TO_THREAD, Walk
from .worker import Worker, borrowed, current_worker

T = TypeVar("T")

_NO_CONTEXT = Context()


def run_sync(coroutine: Coroutine[Any, Any, T], pool: WorkerPool | None = None) -> T:
    """Run one of the framework's coroutines from sync code and return its result.

    It runs right here as long as it meets sync callables only. For an async one
    it goes to the loop of the request that this thread works for, else to the
    background loop, while this thread waits and runs its sync callables. On a
    loop's own thread nothing can wait: there async callables run as far as they
    get without waiting.

    :raises RuntimeError: on an event loop's thread, when something has to wait.
    """
    walk = Walk(_NO_CONTEXT, pool)
    walk.in_thread = True
    outer = active_walk()
    walk.loop = None if outer is None else outer.loop
    token = _inner_walk.set(walk)
    try:
        if is_running_loop():
            if can_wait():
                return cast(T, wait(inner_walk(pool).run(coroutine)))
            return _step_on_loop(coroutine, walk)
        coroutine.send(None)  # with nothing async in it, this is all there is to do
    except StopIteration as end:
        return cast(T, end.value)
    finally:
        _inner_walk.reset(token)
    return _wait_for(coroutine, pool, walk)


def call_from_sync(pool: WorkerPool | None, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a user function, sync or async, from sync code, and return its result.

    :raises RuntimeError: on an event loop's thread, when the function is async and has to wait.
    """
    result = func(*args, **kwargs)
    if not is_awaitable(result):
        return result
    if isinstance(result, Coroutine):
        if not is_running_loop():
            return _wait_for(result, pool)
        return wait(result) if can_wait() else _step_on_loop(result)
    return call_from_sync(pool, as_coroutine, result)


def _step_on_loop(coroutine: Coroutine[Any, Any, T], walk: Walk | None = None) -> T:
    """Run a coroutine on the loop's own thread, where it cannot wait."""
    try:
        asked = coroutine.send(None)
        while walk is not None and (asked is TO_LOOP or asked is TO_THREAD):
            walk.in_thread = asked is TO_THREAD
            asked = coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    if isinstance(asked, asyncio.Future):
        asked._asyncio_future_blocking = False
    coroutine.close()
    raise RuntimeError(
        f"{getattr(coroutine, '__qualname__', coroutine)!r} has to wait for something, but it was called by"
        " sync code on the event loop, which cannot wait. Use the asynchronous form there ('await"
        " render_template_async(...)', 'async with app.app_context():'), or make the function that"
        " leads here a plain 'def'."
    )


class Wait:
    """A coroutine that runs on a loop while a thread waits for it and runs its sync callables.

    :param coroutine: what to run, in a copy of the calling thread's context.
    :param pool: the threads for further sync callables.
    :param worker: the thread that will `serve`.
    :param walk: what drives the coroutine, if that has begun.
    :param loop: the running loop; unless given, that of the request that the thread works for, else the
        background loop.
    """

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        pool: WorkerPool | None,
        worker: Worker,
        loop: asyncio.AbstractEventLoop | None = None,
        walk: Walk | None = None,
    ) -> None:
        self._outer = active_walk()
        if loop is None and self._outer is not None:
            loop = self._outer.loop
        if loop is None or not loop.is_running():
            loop = background_loop.loop
        self.loop = loop
        self.context = copy_context()
        self.task: asyncio.Task[Any] | None = None
        self.done = False
        self._exit: BaseException | None = None
        self._coroutines: tuple[Coroutine[Any, Any, Any], ...] = (coroutine,)
        self._pool = pool
        self._worker = worker
        self._walk = walk or Walk(self.context, pool)

    def start(self) -> None:
        """Let it run."""
        self.loop.call_soon_threadsafe(self._start, context=Context())

    def _start(self) -> None:
        walk = self._walk
        walk._context, walk.worker, walk.in_thread = self.context, self._worker, False
        if self._outer is not None:
            walk.server_context = self._outer.server_context
        self.context.run(_inner_walk.set, walk)
        (coroutine,) = self._coroutines
        if self._outer is not None and self._outer.is_bridged:
            walk.is_bridged = True
            coroutine = as_coroutine(bridged(coroutine))
            self._coroutines = (coroutine, *self._coroutines)
        self.task = self.loop.create_task(self._run(walk.run(coroutine)))
        if self._outer is not None:
            self._outer.blocked_on |= {self.task}
            if self._outer.is_cancelled:
                self.task.cancel()
        self.task.add_done_callback(self._end)

    async def _run(self, walk: Walk) -> Any:
        try:
            return await walk
        except (KeyboardInterrupt, SystemExit) as error:
            self._exit = error  # for the thread that waits; from a task it would end the loop
        finally:
            # The jobs that it leaves behind are those of the request that waits for it.
            while walk.jobs:
                with suppress(asyncio.CancelledError):
                    await walk.settled()

    def _end(self, task: asyncio.Task[Any]) -> None:
        if self._outer is not None:
            self._outer.blocked_on -= {task}
        for coroutine in self._coroutines:
            coroutine.close()  # or one that was cancelled before it began would be missed
        self.done = True
        self.wake()

    def cancel(self) -> None:
        """Cancel the coroutine. Callable from any thread."""
        self.loop.call_soon_threadsafe(lambda: self.task is not None and self.task.cancel())

    def wake(self) -> None:
        """Let `serve` look at its condition."""
        self._worker.submit(_noop)

    def serve(self, until: Callable[[], bool] | None = None, patience: float | None = None) -> bool:
        """Run jobs until the coroutine has ended, or `until` holds.

        :param patience: seconds to wait for the next job; then it returns False.
        :raises RuntimeError: when the loop stops before.
        """
        with borrowed(self._worker):
            self._worker.begin_waiting()
            try:
                return self._serve(until, patience)
            finally:
                self._worker.end_waiting()

    def _serve(self, until: Callable[[], bool] | None, patience: float | None) -> bool:
        while not self.done and not (until is not None and until()):
            try:
                job = self._worker.jobs.get(timeout=1.0 if patience is None else patience)
            except Empty:
                if not self.loop.is_running():
                    raise RuntimeError("The event loop stopped while a thread waited for it.") from None
                if patience is not None:
                    return False
            else:
                job()
        return True

    def result(self) -> Any:
        """What the coroutine returned, or raised."""
        if self._exit is not None:
            raise self._exit
        assert self.task is not None
        return self.task.result()


def _wait_for(coroutine: Coroutine[Any, Any, T], pool: WorkerPool | None, walk: Walk | None = None) -> T:
    wait = Wait(coroutine, pool, current_worker() or Worker(), walk=walk)
    wait.start()
    try:
        wait.serve()
    except KeyboardInterrupt:
        wait.cancel()  # its clean-up is to run before the interrupt goes on
        wait.serve()
        raise
    adopt(wait.context)
    return cast(T, wait.result())


def _noop() -> None:
    pass


def async_to_sync(func: Callable[..., Coroutine[Any, Any, T]], pool: WorkerPool | None) -> Callable[..., Any]:
    """A function that runs the coroutine function `func` and waits for its result, see `run_sync`.

    On an event loop's thread it returns the coroutine itself, which the
    framework awaits when it is the return value of a view, hook or handler.
    """

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        coroutine = func(*args, **kwargs)
        if not is_running_loop():
            return _wait_for(coroutine, pool)
        return wait(coroutine) if can_wait() else coroutine

    return wrapper
