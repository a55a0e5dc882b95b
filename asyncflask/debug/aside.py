"""Code that may hang, called where it can be left behind."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

MAX_STUCK = 8  # threads that do not come back, in this process; with more of them nothing is called any more

_NAME = "asyncflask-debug"


class TimeIsUp(Exception):
    """The call has not come back in time."""


class _Stop(BaseException):
    """Raised in the thread of a call that has taken too long."""


def interrupt(thread: threading.Thread, exception: type[BaseException]) -> None:
    """Raise an exception in a thread, as soon as it runs Python code."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(exception))


class Aside:
    """Calls functions one after the other in a thread of its own, each for a bounded time.

    Use it with ``with``, or its thread lasts. One that does not come back is told to stop, which a loop in
    Python obeys; if it waits in C code it is left behind.

    :param seconds: that one call may take.
    :param total: seconds that all of them may take.
    :param context: the context to call in.
    """

    _stuck: set[threading.Thread] = set()

    def __init__(self, seconds: float, total: float, context: Context | None = None) -> None:
        self.seconds = seconds
        self.left = total
        self._context = context
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def call(self, func: Callable[[], T]) -> T:
        """What `func` returns.

        :raises TimeIsUp: when it takes too long, or there is no time left for it.
        :raises BaseException: what it raises.
        """
        self._stuck.difference_update([thread for thread in self._stuck if not thread.is_alive()])
        if self.left <= 0 or len(self._stuck) >= MAX_STUCK:
            raise TimeIsUp
        if self._thread is None:
            self._jobs: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
            self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
            context = Context() if self._context is None else self._context.copy()
            arguments = (context, self._jobs, self._results)
            self._thread = threading.Thread(target=_work, args=arguments, name=_NAME, daemon=True)
            self._thread.start()
        started = time.monotonic()
        self._jobs.put(func)
        try:
            value, error = self._results.get(timeout=min(self.seconds, self.left))
        except Empty:
            self._give_up()
            raise TimeIsUp from None
        finally:
            self.left -= time.monotonic() - started
        if error is not None:
            raise error
        result: T = value
        return result

    def _give_up(self) -> None:
        thread, self._thread = self._thread, None
        assert thread is not None
        self._jobs.put(None)
        interrupt(thread, _Stop)
        thread.join(0.05)
        if thread.is_alive():
            self._stuck.add(thread)


def _work(
    context: Context,
    jobs: SimpleQueue[Callable[[], Any] | None],
    results: SimpleQueue[tuple[Any, BaseException | None]],
) -> None:
    try:
        while (job := jobs.get()) is not None:
            try:
                results.put((context.run(job), None))
            except BaseException as error:
                results.put((None, error.with_traceback(None)))
    except _Stop:
        pass  # it came when the call was over


async def in_thread(func: Callable[[], T], seconds: float) -> T:
    """Call a function in a thread of its own while the loop goes on.

    :param seconds: how long to wait for it.
    :raises TimeIsUp: when it takes longer; the thread is told to stop.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def set_result(value: Any, error: BaseException | None) -> None:
        if not future.done():
            future.set_result(value) if error is None else future.set_exception(error)

    def work() -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            try:
                outcome = func(), None
            except Exception as error:
                outcome = None, error
            loop.call_soon_threadsafe(set_result, *outcome)
        except (_Stop, RuntimeError):
            pass  # nobody waits any more: it took too long, or the loop is closed

    thread = threading.Thread(target=work, name=_NAME, daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError:
        interrupt(thread, _Stop)
        raise TimeIsUp from None
