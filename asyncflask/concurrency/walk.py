"""One coroutine, two places.

What the framework does for a request is written once, as coroutines. A `Walk`
steps such a coroutine on the event loop while it meets `async def` callables,
and in a worker thread from the moment it meets a sync one. The two sides hand
it to each other: a coroutine may be stepped by any thread, one at a time, and
so may the `contextvars.Context` that it runs in. Therefore

- the number of thread hops is the number of changes between sync and async
  callables, not the number of callables;
- a context variable set in a sync hook is seen by an async view, and back;
- nothing set during a request is left in the server's own context.

In a thread the framework awaits nothing but the switch back to the loop.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextvars import Context, copy_context
from threading import get_ident
from typing import Any, Protocol, TypeVar, cast

from .bridge import bridged
from .callables import is_async, is_awaitable
from .completion import Completion, awaited
from .inbox import inbox_of
from .pool import WorkerPool
from .worker import Job, Worker, current_worker

T = TypeVar("T")

TO_THREAD = object()
TO_LOOP = object()
_PLACES = (TO_THREAD, TO_LOOP)

_ENDED, _RAISED, _ASKED = range(3)
_NOTHING: tuple[int, Any] = (_ENDED, None)


@types.coroutine
def switch(place: object) -> Generator[object, Any, Any]:
    return (yield place)


class Waiting(Protocol):
    """Whoever wants to know that something has to wait."""

    def begin_waiting(self, walk: Walk) -> None: ...


class Walk:
    """Drive a coroutine in a context of its own, on the loop and in a thread in turn.

    The methods are for the code inside of the coroutine.

    :param context: the context that every step runs in.
    :param pool: the threads for sync callables.
    :param worker: the thread for them if it is settled already.
    """

    #: The loop that the walk runs on, once that was asked for.
    loop: Any = None
    #: The thread that this walk's sync callables run in, once the first has run.
    worker: Worker | None = None
    #: Whether the coroutine is being stepped in that thread right now.
    in_thread = False
    #: Whether it is a server's request.
    is_served = False
    #: A copy of the context that the server has called the application in, see `outside`.
    server_context: Context | None = None
    #: Whether sync code called by async functions may have to wait, see `bridge`.
    is_bridged = False
    #: What `run_in_worker` is running for this walk.
    jobs: AbstractSet[Job] = frozenset()
    #: Told, once, when the coroutine has to wait for something on the loop.
    on_wait: Waiting | None = None
    #: What is to be done when the response has been sent.
    afterwards: Sequence[Callable[[], None]] = ()
    #: Whether it has been cancelled while it was in its thread.
    is_cancelled = False
    #: Whether its end has been reached.
    is_over = False
    _is_abandoned = False
    #: Tasks that a sync callable of this walk is waiting for.
    blocked_on: AbstractSet[asyncio.Task[Any]] = frozenset()
    _claimed = False
    _thread: int | None = None
    _job_ended: Completion | None = None
    _outcome: tuple[int, Any] = _NOTHING

    def __init__(self, context: Context, pool: WorkerPool | None, worker: Worker | None = None) -> None:
        self._context = context
        self._pool = pool
        if worker is not None:
            self.worker = worker

    # -- for the code inside of the coroutine ---------------------------------------------------

    async def call(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `func` where it belongs: ``async def`` on the loop, anything else in the thread.

        An awaitable that a sync callable returns (a decorator around an async
        view does that) is awaited on the loop.
        """
        if is_async(func):
            if self.in_thread:
                await switch(TO_LOOP)
            coroutine = func(*args, **kwargs)
            return await bridged(coroutine) if self.is_bridged else await coroutine
        if not self.in_thread:
            await switch(TO_THREAD)
        result = func(*args, **kwargs)
        return await self.awaited(result) if is_awaitable(result) else result

    async def awaited(self, result: Awaitable[T]) -> T:
        """Await on the loop what a sync callable has returned in the thread."""
        try:
            await self.to_loop()
        except BaseException:
            if isinstance(result, Coroutine):
                result.close()  # cancelled before it has begun
            raise
        if self.is_bridged and isinstance(result, Coroutine):
            return cast(T, await bridged(result))
        return await result

    async def to_loop(self) -> None:
        """Go on on the event loop. Every `receive` and `send` of the server wants that."""
        if self.in_thread:
            await switch(TO_LOOP)

    async def to_thread(self) -> None:
        """Go on in a worker thread."""
        if not self.in_thread:
            await switch(TO_THREAD)

    async def settled(self) -> None:
        """Wait until the sync callables that `run_in_worker` runs for this walk now have ended.

        :raises CancelledError: when that is over, for a cancellation that has arrived meanwhile.
        """
        if not self.jobs:
            return
        await self.to_loop()
        running = set(self.jobs)
        interruption = None
        while running & self.jobs:
            self._job_ended = Completion(self.loop)
            interruption = await awaited(self._job_ended.wait()) or interruption
        if interruption is not None:
            raise interruption

    def end_job(self, work: Job) -> None:
        self.jobs = self.jobs - {work}
        if self._job_ended is not None:
            self._job_ended.set()

    # -- the driver -----------------------------------------------------------------------------

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Walk:
        """Give the walk its coroutine; await what this returns, once, to run it.

        :param coroutine: every framework function in it calls user code through `call`.
        """
        self._coroutine = coroutine
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            asked = self.begin(self._coroutine)
        except StopIteration as end:
            return end.value  # it has never waited for anything
        return (yield from self.go_on(asked))

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        """The first step of `run`, for those who would rather not await what never waits.

        :returns: what the coroutine waits for, to be given to `go_on`.
        :raises StopIteration: with its result, when it has ended.
        """
        self._coroutine = coroutine
        self._thread = get_ident()
        try:
            return self._context.run(coroutine.send, None)
        except BaseException:
            self.is_over = True
            del self._context  # which refers to the walk: only the garbage collector would find the two
            raise

    @types.coroutine
    def go_on(self, asked: object) -> Generator[Any, None, Any]:
        """The steps after the first one."""
        try:
            if self.is_served and self.server_context is None:
                self.server_context = copy_context()
            if self.loop is None:
                self.loop = asyncio.get_running_loop()
            _, value = yield from self._drive(asked)
            return value
        finally:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        del self._context
        if self._claimed:
            self._claimed = False
            cast(Worker, self.worker).release()

    @types.coroutine
    def _drive(self, asked: object = None) -> Generator[Any, None, tuple[int, Any]]:
        """Do what the coroutine asks for until it ends, or asks to go back to the task that it came from."""
        step, send, throw = self._context.run, self._coroutine.send, self._coroutine.throw
        error: BaseException | None = None
        while True:
            if asked is TO_THREAD:
                outcome, error = yield from self._step_in_thread()
                if outcome[0] is _ENDED:
                    return outcome
            elif asked is not TO_LOOP:
                if self.on_wait is not None:
                    waiting, self.on_wait = self.on_wait, None
                    waiting.begin_waiting(self)
                try:
                    yield asked  # a future that user code waits for: the task's business
                except GeneratorExit as closed:
                    self._abandon(closed)
                    raise
                except BaseException as interruption:
                    error = interruption
            try:
                if error is None:
                    asked = step(send, None)
                else:
                    thrown, error = error, None
                    asked = step(throw, thrown)
            except StopIteration as end:
                return _ENDED, end.value

    def _step_in_thread(self) -> Generator[Any, None, tuple[tuple[int, Any], BaseException | None]]:
        self.in_thread = True
        self._thread_steps = Completion(self.loop)
        try:
            if self.worker is not None:
                self.worker.submit(self._work)
            else:
                cast(WorkerPool, self._pool).submit(self._work)
        except RuntimeError as no_thread:
            self.in_thread = False
            return (_ASKED, TO_LOOP), no_thread
        cancelled = yield from self._thread_steps.wait(self.cancel_blocked)
        self.in_thread = False
        kind, value = outcome = self._outcome
        if kind is _RAISED:
            self._outcome = _NOTHING  # or the exception would hold itself through its traceback
            try:
                raise value
            finally:
                del value, outcome
        if kind is _ENDED and cancelled is not None:
            raise cancelled
        if kind is _ASKED and value is not TO_LOOP:
            return outcome, RuntimeError("Something was awaited in a worker thread.")
        return outcome, cancelled

    def claim_worker(self) -> None:
        """Make the calling thread the one that this walk comes back to, before it can take another job."""
        if not self._claimed:
            self._claimed = True
            worker = current_worker()
            assert worker is not None
            self.worker = worker
            worker.claim()

    def cancel_blocked(self) -> None:
        self.is_cancelled = True
        for task in self.blocked_on:
            task.cancel()

    def _work(self) -> None:
        """The worker's part: step until the coroutine asks for the loop, or ends. Never raises."""
        self.worker = current_worker()
        try:
            asked = self._context.run(self._coroutine.send, None)
        except StopIteration as end:
            self._outcome = (_ENDED, end.value)
        except BaseException as error:
            self._outcome = (_RAISED, error)
        else:
            self._outcome = (_ASKED, asked)
            self.claim_worker()
        try:
            inbox_of(self.loop).put(self._thread_steps.set)
        except RuntimeError as loop_closed:
            if self._outcome[0] is _ASKED:
                self._abandon(loop_closed)

    def _abandon(self, error: BaseException) -> None:
        """The loop is gone: run what clean-up there is here and now, without it."""
        self.in_thread = True
        try:
            asked = self._context.run(self._coroutine.throw, error)
            while asked in _PLACES:
                asked = self._context.run(self._coroutine.send, None)
            self.in_thread = False  # an async callable waits: what is left has to go without
            self._is_abandoned = True
            self._context.run(self._coroutine.close)
        except BaseException:
            return


class ServedWalk(Walk):
    """The walk of a server's request. Who makes it sets `_context` and `_pool`: a class without an
    ``__init__`` in Python has its instances in two thirds of the time."""

    is_served = True
    __init__ = object.__init__
