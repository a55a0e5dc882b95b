"""What threads have to tell an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from weakref import WeakKeyDictionary

from .worker import Job


class Inbox:
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


_inboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = WeakKeyDictionary()


def inbox_of(loop: asyncio.AbstractEventLoop) -> Inbox:
    inbox = _inboxes.get(loop)
    if inbox is None:
        inbox = _inboxes[loop] = Inbox(loop)
    return inbox
