"""Knowing that the server begins to end.

The lifespan protocol tells of it when all connections are closed, which is too late for a stream that ends
when it is told to: servers wait for it. So the signals that servers end at are listened to as well.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stopping_signals(told: Callable[[], None]) -> Iterator[None]:
    """Inside of the block, have `told` called on the running loop when the server is told to end.

    A server's own handlers go on to work: they are called after. Those of a server that is not in the main
    thread, or has none, stay as they are.
    """
    loop = asyncio.get_running_loop()
    chained: dict[signal.Signals, tuple[Any, Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.getsignal(number)
            if callable(previous):
                handler = _first(loop, told, previous)
                chained[number] = handler, previous
                signal.signal(number, handler)
    try:
        yield
    finally:
        for number, (handler, previous) in chained.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, previous)


def _first(loop: asyncio.AbstractEventLoop, told: Callable[[], None], then: Callable[..., Any]) -> Any:
    def handle(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(told)
        then(number, frame)

    return handle
