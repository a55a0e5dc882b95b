"""Event loops to run a test on, with an eye on what is left when it is over."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

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


def eventually(condition: Callable[[], Any], what: str, timeout: float = 10) -> None:
    """Wait until a condition holds, from sync code."""
    wake = threading.Event()
    for _ in range(int(timeout / 0.005)):
        if condition():
            return
        wake.wait(0.005)
    raise Hang(f"After {timeout} seconds still not: {what}")


async def soon(condition: Callable[[], Any], what: str, timeout: float = 10) -> None:
    """Wait until a condition holds, on the loop."""
    for _ in range(int(timeout / 0.002)):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise Hang(f"After {timeout} seconds still not: {what}")
