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

#: Some servers set their handlers when the lifespan has begun; so many seconds after that they have.
LATER = 0.5


@contextmanager
def stopping_signals(told: Callable[[], None]) -> Iterator[None]:
    """Inside of the block, have `told` called on the running loop when the server is told to end.

    A server's own handlers go on to work: they are called after. Those of a server that is not in the main
    thread, or has none, stay as they are: where nobody handles a signal it ends the process, and a handler
    would keep it from that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    chains = [_Chain(number, loop, told) for number in (signal.SIGTERM, signal.SIGINT)]

    def put_first() -> None:
        for chain in chains:
            chain.put_first()

    put_first()
    timers = [loop.call_soon(put_first), loop.call_later(LATER, put_first)]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for chain in chains:
            chain.undo()


class _Chain:
    """The handlers of a signal, with one of ours before each of the server's."""

    def __init__(
        self, number: signal.Signals, loop: asyncio.AbstractEventLoop, told: Callable[[], None]
    ) -> None:
        self._number = number
        self._loop = loop
        self._told: Callable[[], None] | None = told
        self._handlers: list[tuple[Any, Any]] = []

    def put_first(self) -> None:
        """Have the handler that there is now called after ours."""
        handler = signal.getsignal(self._number)
        if callable(handler) and not any(handler is first for first, _ in self._handlers):
            first = self._before(handler)
            self._handlers.append((first, handler))
            signal.signal(self._number, first)

    def _before(self, then: Callable[..., Any]) -> Any:
        def handle(number: int, frame: FrameType | None) -> None:
            if self._told is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._told)
            then(number, frame)

        return handle

    def undo(self) -> None:
        """Put back the server's handlers, unless somebody has put others there since."""
        self._told = None
        for first, handler in reversed(self._handlers):
            if signal.getsignal(self._number) is first:
                signal.signal(self._number, handler)
