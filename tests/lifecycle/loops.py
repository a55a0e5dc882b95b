"""Event loops to run a test on, with an eye on what is left when it is over, and ways to cancel there."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import uvloop

T = TypeVar("T")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Hang(AssertionError):
    """Something has not come to its end in time."""


def run_on(kind: str, main: Callable[[], Coroutine[Any, Any, T]], timeout: float = 20) -> T:
    """Run a coroutine on a new loop, in a thread, so that a test can tell of a hang instead of hanging.

    Afterwards no task may be left, and the loop must have had nothing to complain about: an exception
    that nobody retrieved, a callback that failed.

    :param kind: one of `LOOPS`.
    :param timeout: seconds until it counts as a hang.
    """
    outcome: Future[T] = Future()
    complaints: list[str] = []
    left: list[str] = []
    loop = LOOPS[kind]()
    loop.set_exception_handler(lambda _, context: complaints.append(repr(context)))

    async def whole() -> T:
        try:
            return await main()
        finally:
            await asyncio.sleep(0)
            left.extend(str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task())

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            outcome.set_result(loop.run_until_complete(whole()))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name=f"test-{kind}", daemon=True)
    thread.start()
    try:
        result = outcome.result(timeout)
    except TimeoutError:
        if outcome.done():
            raise
        raise Hang(f"Not over after {timeout} seconds:\n{_describe(loop)}") from None
    thread.join(5)
    gc.collect()
    assert not complaints, complaints
    assert not left, left
    return result


def _describe(loop: asyncio.AbstractEventLoop) -> str:
    return "\n".join(str(task) for task in asyncio.all_tasks(loop))


def eventually(condition: Callable[[], Any], what: str, timeout: float = 4) -> None:
    """Wait until a condition holds, from sync code."""
    wake = threading.Event()
    for _ in range(int(timeout / 0.005)):
        if condition():
            return
        wake.wait(0.005)
    raise Hang(f"After {timeout} seconds still not: {what}")


async def soon(condition: Callable[[], Any], what: str, timeout: float = 4) -> None:
    """Wait until a condition holds, on the loop."""
    for _ in range(int(timeout / 0.002)):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise Hang(f"After {timeout} seconds still not: {what}")


class Cancelling:
    """Ways to cancel what a coroutine does, at a moment of the test's choice."""

    def __init__(self, way: str) -> None:
        self.way = way
        self._now = asyncio.Event()

    def cancel(self) -> None:
        self._now.set()

    async def around(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        """Run the coroutine until it ends; whether it ended because it was cancelled."""
        canceller = asyncio.create_task(self._cancel_when_told(asyncio.create_task(self._inner(coroutine))))
        return await canceller

    async def _inner(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        if self.way == "scope":
            with anyio.CancelScope() as self._scope:
                await coroutine
            return bool(self._scope.cancelled_caught)
        if self.way == "timeout":
            try:
                async with asyncio.timeout(None) as self._timeout:
                    await coroutine
            except TimeoutError:
                return True
            return False
        try:
            await coroutine
        except asyncio.CancelledError:
            return True
        return False

    async def _cancel_when_told(self, task: asyncio.Task[bool]) -> bool:
        told = asyncio.create_task(self._now.wait())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not task.done():
            if self.way == "scope":
                self._scope.cancel()
            elif self.way == "timeout":
                self._timeout.reschedule(asyncio.get_running_loop().time())
            else:
                task.cancel()
                while self.way == "repeatedly" and not task.done():
                    await asyncio.sleep(0.001)
                    task.cancel()
        with suppress(asyncio.CancelledError):
            return await task
        return True


WAYS = ["once", "repeatedly", "scope", "timeout"]
