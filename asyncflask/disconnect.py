"""Noticing that the client has gone while the server still works for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any

from .concurrency import Walk, outside
from .typing import Message, Receive, Send

#: Bytes that are taken from the server ahead of who asks for them.
KEPT_SIZE = 512 * 1024


class Connection:
    """The client while something is under way for it.

    Servers tell of its leaving in `receive` only, where the rest of a body may
    come first. So what is received here is kept for the one who asks for it, up
    to `KEPT_SIZE` bytes; then that one has to read on, and is told.

    :param receive: the server's.
    :param send: the server's.
    """

    _watcher: asyncio.Task[None] | None = None

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._kept = 0
        self._taken = asyncio.Event()
        self._task = asyncio.current_task()
        self._is_cancelled = False
        #: Whether the client has gone.
        self.lost = False

    def watch(self, context: Context | None) -> None:
        """Begin to look out for the client's leaving.

        :param context: the server's.
        """
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), context=context)

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"].endswith(".disconnect"):
                self.lose(message)
                self._messages.put_nowait(message)
                return
            self._messages.put_nowait(message)
            self._kept += self.weigh(message)
            while self._kept > KEPT_SIZE:
                self._taken.clear()
                await self._taken.wait()

    def weigh(self, message: Message) -> int:
        """The bytes that a message keeps."""
        return len(message.get("body", b""))

    def lose(self, message: Message) -> None:
        """The client has gone."""
        self.lost = True
        self.cancel()

    def cancel(self) -> None:
        """Cancel what is under way, once."""
        if not self._is_cancelled:
            self._is_cancelled = True
            assert self._task is not None
            self._task.cancel()

    async def receive(self) -> Message:
        """The `receive` for those who read meanwhile."""
        message = await self._messages.get()
        self._kept -= self.weigh(message)
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

    async def take_back_cancellation(self) -> None:
        """Let the task go on: what was to be cancelled in it has ended."""
        if self._is_cancelled and self._task is not None:
            self._is_cancelled = False
            try:
                await asyncio.sleep(0)  # it may be on its way still
            except asyncio.CancelledError:
                if self._task.cancelling() > 1:
                    raise  # somebody else's, too
            finally:
                self._task.uncancel()


@asynccontextmanager
async def until_disconnect(ctx: Any, receive: Receive, send: Send) -> AsyncIterator[Connection]:
    """Cancel the task inside of the block, once, when the client goes away."""
    connection = Connection(receive, send)
    connection.watch(ctx._walk.server_context)
    ctx.request.body.use(connection.receive)
    try:
        yield connection
    finally:
        connection.stop()
        ctx._lost = connection.lost
        await connection.take_back_cancellation()


def watch_client(ctx: Any, walk: Walk) -> None:
    """A view has begun to wait: cancel it, once, when its client goes away.

    While its body arrives, whoever reads that is told; and two at a time cannot receive. So a view that takes
    its body itself (``stream=True``) is looked after from the last chunk on.
    """
    request = ctx.request
    if request._receive is None or not ctx.app.config["CANCEL_ON_DISCONNECT"]:
        return
    connection = ctx._connection = Connection(request._receive, _nowhere)
    if not request.has_body or request.body.complete:
        connection.watch(walk.server_context)
    else:
        request.body.on_complete = partial(connection.watch, walk.server_context)


async def end_watch(ctx: Any) -> None:
    """What is looked after has ended."""
    connection = ctx._connection
    if connection is not None:
        interruption = None
        try:
            await ctx._walk.to_loop()
        except asyncio.CancelledError as cancelled:
            interruption = cancelled  # that has waited for the thread
        connection.stop()
        ctx._lost = connection.lost
        ctx._connection = None
        if ctx.request._opened_body is not None:
            ctx.request._opened_body.on_complete = None
        await connection.take_back_cancellation()
        if interruption is not None:
            raise interruption


async def _nowhere(message: Message) -> None:
    raise AssertionError("nothing is sent before the view has ended")
