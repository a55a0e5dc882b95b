"""Noticing that the client has gone while the server still works for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from functools import partial

from ..body import MEMORY_SIZE
from ..concurrency import current_walk, outside
from ..typing import Message, Receive, Send
from ..wrappers import Request


class Connection:
    """The client during a streaming response.

    Servers tell of its leaving in `receive` only, where the rest of the body may
    come first. So what is received here is kept for the one who reads the body,
    up to `MEMORY_SIZE` bytes; then that one has to read on, and is told.

    :param receive: the server's.
    :param send: the server's.
    :param context: the server's; see `Walk.outside`.
    """

    def __init__(self, receive: Receive, send: Send, context: Context) -> None:
        self._receive = receive
        self._send = send
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._kept = 0
        self._taken = asyncio.Event()
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._watcher: asyncio.Task[None] | None = loop.create_task(self._watch(), context=context)
        #: Whether the client has gone, which has cancelled the task.
        self.lost = False

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            self._messages.put_nowait(message)
            if message["type"] == "http.disconnect":
                self.lost = True
                assert self._task is not None
                self._task.cancel()
                return
            self._kept += len(message.get("body", b""))
            while self._kept > MEMORY_SIZE:
                self._taken.clear()
                await self._taken.wait()

    async def receive(self) -> Message:
        """The `receive` for those who read the body meanwhile."""
        message = await self._messages.get()
        self._kept -= len(message.get("body", b""))
        self._taken.set()
        return message

    async def send(self, message: Message) -> None:
        """The `send` for the response."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.stop()  # once the response is complete, servers say that the client has gone
        await outside(partial(self._send, message))

    def stop(self) -> None:
        """Watch no longer."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None  # which refers back to this, as long as it keeps how it has ended

    def take_back_cancellation(self) -> None:
        if self.lost and self._task is not None:
            self._task.uncancel()


async def server_context() -> Context:
    """A copy of the context that the server has called the application in, also kept with the walk."""

    async def copied() -> Context:
        return copy_context()

    walk = current_walk()
    if walk.server_context is None:
        walk.server_context = await walk.outside(copied())
    return walk.server_context


@asynccontextmanager
async def until_disconnect(request: Request, receive: Receive, send: Send) -> AsyncIterator[Connection]:
    """Cancel the task inside of the block, once, when the client goes away."""
    connection = Connection(receive, send, await server_context())
    request.body.use(connection.receive)
    try:
        yield connection
    except asyncio.CancelledError:
        connection.take_back_cancellation()
        raise
    finally:
        connection.stop()
