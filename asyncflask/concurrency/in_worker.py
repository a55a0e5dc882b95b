"""Where a coroutine waits for sync code in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar, cast

from .current import active_walk, adopt, walk_of_this_loop
from .inbox import inbox_of
from .pool import WorkerPool
from .walk import Walk

T = TypeVar("T")


class _Call:
    """A call in a thread, that a coroutine waits for.

    :param loop: where it is waited for.
    :param walk: the request that it is part of.
    :param call: what to call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, walk: Walk | None, call: partial[Any]) -> None:
        self.ended: asyncio.Future[Any] = loop.create_future()
        self.context = copy_context()
        self._inbox = inbox_of(loop)
        self._walk = walk
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None

    #: Whether the walk will come back to the thread that runs it.
    settles = False

    def submit(self, walk: Walk, pool: WorkerPool) -> None:
        """Let the walk's own thread run it, or, at the same time as what is in there, another one."""
        walk.jobs = walk.jobs | {self}
        if walk.worker is None and len(walk.jobs) == 1:
            self.settles = True
        if walk.worker is not None and (len(walk.jobs) == 1 or not pool.has_room()):
            walk.worker.submit(self)
        else:
            pool.submit(self)

    def __call__(self) -> None:
        if self.settles and self._walk is not None and self._walk.worker is None:
            self._walk.claim_worker()
        if not self.ended.cancelled():
            try:
                self._value = self.context.run(self._call)
            except StopIteration as error:
                # A future cannot carry it: it would end the coroutine that waits.
                self._error = RuntimeError(
                    f"{self._call.func!r} raised StopIteration; return from it instead."
                )
                self._error.__cause__ = error
            except BaseException as error:
                self._error = error
        with suppress(RuntimeError):  # the loop is closed, and with it everyone who waits
            self._inbox.put(self._finish)

    def _finish(self) -> None:
        if self._walk is not None:
            self._walk.end_job(self)
        if self.ended.done():
            return
        if self._error is None:
            self.ended.set_result(self._value)
        else:
            self.ended.set_exception(self._error)
            self._error = None  # or it would refer to itself through its traceback


async def run_in_worker(pool: WorkerPool, func: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Await a sync callable in a thread, from any coroutine.

    Within a request it is the request's own thread unless that is busy. The
    callable sees the caller's context variables, and what it sets is seen after
    it. A cancellation (`asyncio.timeout`, say) takes effect at once, and the
    thread finishes by itself.

    :param pool: the threads to take otherwise.
    """
    loop = asyncio.get_running_loop()
    walk = walk_of_this_loop(loop)
    work = _Call(loop, walk, partial(func, *args, **kwargs))
    if walk is None:
        outer = active_walk()
        pool.submit(work, None if outer is None else outer.worker)
    else:
        work.submit(walk, pool)
    try:
        return cast(T, await work.ended)
    except asyncio.CancelledError:
        if walk is not None:
            walk.cancel_blocked()  # the job may be waiting for a coroutine
        raise
    finally:
        if not work.ended.cancelled():
            adopt(work.context)


def sync_to_async(func: Callable[..., Any], pool: WorkerPool) -> Callable[..., Any]:
    """A coroutine function that runs the sync `func` in a thread, see `run_in_worker`."""

    async def in_worker(*args: Any, **kwargs: Any) -> Any:
        return await run_in_worker(pool, func, *args, **kwargs)

    return in_worker
