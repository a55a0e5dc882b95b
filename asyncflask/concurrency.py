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
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial, wraps
from inspect import CO_COROUTINE, iscoroutinefunction
from queue import Empty
from threading import get_ident
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio

from .bridge import bridged, can_wait, wait
from .globals import _cv_request
from .threads import Job, Worker, WorkerPool, background_loop, borrowed, current_worker

T = TypeVar("T")

_TO_THREAD = object()
_TO_LOOP = object()
_TO_OWN_TASK = object()
_BACK_TO_TASK = object()
_PLACES = (_TO_THREAD, _TO_LOOP, _TO_OWN_TASK, _BACK_TO_TASK)

_ENDED, _RAISED, _ASKED = range(3)
_NOTHING: tuple[int, Any] = (_ENDED, None)
_NO_CONTEXT = Context()

#: A walk that runs for sync code which waits for it, in the place of the request's own.
_inner_walk: ContextVar[Walk | None] = ContextVar("asyncflask.inner_walk", default=None)


def active_walk() -> Walk | None:
    """The walk that the calling code is part of, if any."""
    walk = _inner_walk.get()
    if walk is None:
        ctx = _cv_request.get(None)
        if ctx is not None:
            walk = ctx.walk
    return walk


def current_walk() -> Walk:
    """The walk that the calling framework coroutine is part of."""
    walk = _inner_walk.get()
    if walk is None:
        walk = _cv_request.get().walk
    assert walk is not None, "called outside of a walk"
    return walk


@types.coroutine
def _switch(place: object) -> Generator[object, Any, Any]:
    return (yield place)


def is_async(func: Callable[..., Any]) -> bool:
    """Whether calling `func` gives a coroutine: an ``async def`` function or method, a partial of
    one, or an object whose ``__call__`` is one."""
    try:
        flags: int = func.__code__.co_flags
        return flags & CO_COROUTINE != 0
    except AttributeError:
        while isinstance(func, partial):
            func = func.func
        if isinstance(func, type):
            return False
        return iscoroutinefunction(func) or iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004


def is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


class _Inbox:
    """What threads have finished for an event loop.

    Waking the loop costs a system call, so a thread that finishes while a
    wake-up is already on its way adds itself to that one.
    """

    __slots__ = ("_context", "_finished", "_loop", "_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # Of its own: two loops could not be in one at the same time.
        self._context = Context()
        self._finished: deque[Job] = deque()
        self._scheduled = False

    def put(self, finish: Job) -> None:
        """Call `finish` on the loop. Raises RuntimeError when the loop is closed."""
        self._finished.append(finish)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._drain, context=self._context)
            except RuntimeError:
                self._scheduled = False
                raise

    def _drain(self) -> None:
        # Cleared before the queue is read, or what arrives in between would wait for the next wake-up.
        self._scheduled = False
        while self._finished:
            self._finished.popleft()()


_inboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Inbox] = WeakKeyDictionary()


def _inbox(loop: asyncio.AbstractEventLoop) -> _Inbox:
    inbox = _inboxes.get(loop)
    if inbox is None:
        inbox = _inboxes[loop] = _Inbox(loop)
    return inbox


class _Completion:
    """Something that ends once, waited for on the loop to the end: a cancellation does not reach it."""

    __slots__ = ("_future", "_loop", "done")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future = loop.create_future()
        self.done = False

    def set(self) -> None:
        self.done = True
        if not self._future.done():
            self._future.set_result(None)

    def wait(self, on_cancel: Callable[[], None] | None = None) -> Generator[Any, None, BaseException | None]:
        """Returns the cancellation that arrived meanwhile, for the caller to raise in its time."""
        try:
            yield from self._future
        except asyncio.CancelledError as cancelled:
            if on_cancel is not None:
                on_cancel()
            yield from self._outlast_cancellation().__await__()
            return cancelled
        return None

    async def _outlast_cancellation(self) -> None:
        # An anyio scope cancels again on every pass of the loop unless it is shielded off.
        with anyio.CancelScope(shield=True):
            while not self.done:
                self._future = self._loop.create_future()
                try:
                    await self._future
                except asyncio.CancelledError:
                    continue


class _OwnTask(asyncio.Task[Any]):
    """A task that ends before its loop does."""

    def cancel(self, msg: Any | None = None) -> bool:
        # A timeout inside of it comes from the running loop. Whoever cancels all tasks of a loop that is to
        # be closed does it from outside, and waits for them.
        return super().cancel(msg) if self.get_loop().is_running() else False


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
    _job_ended: asyncio.Future[None] | None = None
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
                await _switch(_TO_LOOP)
            coroutine = func(*args, **kwargs)
            return await bridged(coroutine) if self.is_bridged else await coroutine
        if not self.in_thread:
            await _switch(_TO_THREAD)
        result = func(*args, **kwargs)
        if is_awaitable(result):
            try:
                await _switch(_TO_LOOP)
            except BaseException:
                if isinstance(result, Coroutine):
                    result.close()  # cancelled before it has begun
                raise
            if self.is_bridged and isinstance(result, Coroutine):
                return await bridged(result)
            return await result
        return result

    async def to_loop(self) -> None:
        """Go on on the event loop. Every `receive` and `send` of the server wants that."""
        if self.in_thread:
            await _switch(_TO_LOOP)

    async def to_thread(self) -> None:
        """Go on in a worker thread."""
        if not self.in_thread:
            await _switch(_TO_THREAD)

    async def uncancelled(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a part of the walk in a task that nobody else can cancel.

        A cancellation that arrives meanwhile is raised when it is over. Code in
        it can still use timeouts of its own.
        """
        interrupted = None
        try:
            await self.to_loop()
        except BaseException as error:
            interrupted = error  # it has waited for the thread, and now has to wait for this
        await _switch(_TO_OWN_TASK)
        try:
            return await coroutine
        finally:
            if not self._is_abandoned:
                await self.to_loop()
                await _switch(_BACK_TO_TASK)
            if interrupted is not None:
                raise interrupted

    async def settled(self) -> None:
        """Wait until the sync callables that `run_in_worker` runs for this walk now have ended."""
        if self.jobs:
            await self.to_loop()
            running = set(self.jobs)
            while running & self.jobs:
                self._job_ended = self.loop.create_future()
                await self._job_ended

    def start_job(self, work: _Job, pool: WorkerPool) -> None:
        """Run a job of this walk: in its own thread, or at the same time as the one that is in there."""
        self.jobs = self.jobs | {work}
        if self.worker is None and len(self.jobs) == 1:
            work.settles = True
        if self.worker is not None and (len(self.jobs) == 1 or not pool.has_room()):
            self.worker.submit(work)
        else:
            pool.submit(work)

    def end_job(self, work: Job) -> None:
        self.jobs = self.jobs - {work}
        if self._job_ended is not None and not self._job_ended.done():
            self._job_ended.set_result(None)

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
            if asked is _TO_THREAD:
                outcome, error = yield from self._step_in_thread()
                if outcome[0] is _ENDED:
                    return outcome
            elif asked is _TO_OWN_TASK:
                outcome, error = yield from self._step_in_own_task()
                if outcome[0] is _ENDED:
                    return outcome
            elif asked is _BACK_TO_TASK:
                return _ASKED, None
            elif asked is not _TO_LOOP:
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
        self._thread_steps = _Completion(self.loop)
        try:
            if self.worker is not None:
                self.worker.submit(self._work)
            else:
                cast(WorkerPool, self._pool).submit(self._work)
        except RuntimeError as no_thread:
            self.in_thread = False
            return (_ASKED, _TO_LOOP), no_thread
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
        if kind is _ASKED and value is not _TO_LOOP:
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
            _inbox(self.loop).put(self._thread_steps.set)
        except RuntimeError as loop_closed:
            if self._outcome[0] is _ASKED:
                self._abandon(loop_closed)

    def _step_in_own_task(self) -> Generator[Any, None, tuple[tuple[int, Any], BaseException | None]]:
        completion = _Completion(self.loop)
        task = _OwnTask(as_coroutine(self._drive(_TO_LOOP)), loop=self.loop)
        task.add_done_callback(lambda _: completion.set())
        cancelled = yield from completion.wait()
        return task.result(), cancelled

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


async def outside(make: Callable[[], Awaitable[T]]) -> T:
    """Await the server's `receive` or `send` in the server's context.

    A server may start the next request of a connection from within them; it
    would inherit what this one has set.
    """
    walk = active_walk()
    if walk is None:
        return await make()
    if walk.server_context is None and walk.is_served:
        await _switch(_TO_LOOP)  # where `go_on` makes it
    if walk.server_context is None:
        return await make()
    return cast(T, await _in_context(walk.server_context, make))


async def _made_outside(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


@types.coroutine
def _in_context(context: Context, make: Callable[[], Awaitable[Any]]) -> Generator[Any, Any, Any]:
    coroutine = _made_outside(make)
    step: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        try:
            asked = context.run(step)
        except StopIteration as end:
            return end.value
        try:
            step = partial(coroutine.send, (yield asked))
        except BaseException as error:
            step = partial(coroutine.throw, error)


def leave_inner_walk() -> Context:
    """A copy of the current context for a walk of its own."""
    context = copy_context()
    context.run(_inner_walk.set, None)
    return context


def inner_walk(pool: WorkerPool | None) -> Walk:
    """A walk for one of the framework's coroutines within other async code."""
    context = copy_context()
    walk = Walk(context, pool, lent_worker())
    outer = active_walk()
    if outer is not None:
        walk.server_context = outer.server_context
    context.run(_inner_walk.set, walk)
    return walk


async def as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


class _Job:
    """A call in a thread, that a coroutine waits for.

    :param loop: where it is waited for.
    :param walk: the request that it is part of.
    :param call: what to call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, walk: Walk | None, call: partial[Any]) -> None:
        self.ended: asyncio.Future[Any] = loop.create_future()
        self.context = copy_context()
        self._inbox = _inbox(loop)
        self._walk = walk
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None

    #: Whether the walk will come back to the thread that runs it.
    settles = False

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
    walk = _walk_of_this_loop(loop)
    work = _Job(loop, walk, partial(func, *args, **kwargs))
    if walk is None:
        outer = active_walk()
        pool.submit(work, None if outer is None else outer.worker)
    else:
        walk.start_job(work, pool)
    try:
        return cast(T, await work.ended)
    except asyncio.CancelledError:
        if walk is not None:
            walk.cancel_blocked()  # the job may be waiting for a coroutine
        raise
    finally:
        if not work.ended.cancelled():
            _adopt(work.context)


def _walk_of_this_loop(loop: asyncio.AbstractEventLoop) -> Walk | None:
    walk = active_walk()
    if walk is None:
        return None
    if walk.loop is None and walk._thread == get_ident():
        walk.loop = loop  # not asked for before its first step has ended: that takes a system call
    # While a walk is in its thread, that thread runs user code which may be waiting for us. A task may also
    # live longer than the walk that it was started in.
    return None if walk.loop is not loop or walk.in_thread or walk.is_over else walk


def lent_worker() -> Worker | None:
    """The thread that what runs on this loop now should use for sync callables, if that is settled."""
    walk = _walk_of_this_loop(asyncio.get_running_loop())
    return None if walk is None or walk.jobs else walk.worker


def _adopt(context: Context) -> None:
    """Set here what was set in a copy of this context."""
    for variable, value in context.items():
        if variable is not _inner_walk and variable.get(_NOTHING) is not value:
            variable.set(value)


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
        while walk is not None and (asked is _TO_LOOP or asked is _TO_THREAD):
            walk.in_thread = asked is _TO_THREAD
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


def is_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


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
    _adopt(wait.context)
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
