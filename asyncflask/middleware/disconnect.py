"""Noticing that the client has gone while the server still works for it."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from ..body import MEMORY_SIZE
from ..concurrency import current_walk, outside
from ..typing import Message, Receive, Send
from ..wrappers import Request

if TYPE_CHECKING:
    from ..ctx import RequestContext


class Connection:
    """The client while something is under way for it.

    Servers tell of its leaving in `receive` only, where the rest of a body may
    come first. So what is received here is kept for the one who asks for it, up
    to `MEMORY_SIZE` bytes; then that one has to read on, and is told.

    :param receive: the server's.
    :param send: the server's.
    :param context: the server's; see `Walk.outside`.
    """

    _watcher: asyncio.Task[None] | None = None

    def __init__(self, receive: Receive, send: Send, context: Context) -> None:
        self._receive = receive
        self._send = send
        self._context = context
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._kept = 0
        self._taken = asyncio.Event()
        self._task = asyncio.current_task()
        self._is_cancelled = False
        #: Whether the client has gone.
        self.lost = False

    def watch(self) -> None:
        """Begin to look out for the client's leaving."""
        loop = asyncio.get_running_loop()
        self._watcher = loop.create_task(self._watch(), context=self._context)

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"].endswith(".disconnect"):
                self.lose(message)
                self._messages.put_nowait(message)
                return
            self._messages.put_nowait(message)
            self._kept += self.weigh(message)
            while self._kept > MEMORY_SIZE:
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

    def take_back_cancellation(self) -> None:
        """Let the task go on: what was to be cancelled in it has ended."""
        if self._is_cancelled and self._task is not None:
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
    connection.watch()
    request.body.use(connection.receive)
    try:
        yield connection
    except asyncio.CancelledError:
        connection.take_back_cancellation()
        raise
    finally:
        connection.stop()


@types.coroutine
def cancelled_on_disconnect(
    ctx: RequestContext, coroutine: Coroutine[Any, Any, Any], asked: Any
) -> Generator[Any, Any, Any]:
    """Await what is left of a view that has begun to wait; cancel it, once, when the client goes away.

    :param asked: what it waits for.
    """
    request = ctx.request
    connection: Connection | None = None
    body = request._opened_body
    # Whoever still reads the body is told there; and two at a time cannot receive.
    if (
        ctx.app.config["CANCEL_ON_DISCONNECT"]
        and request._receive is not None
        and (not request.has_body if body is None else body.complete)
    ):
        context = yield from server_context().__await__()
        connection = Connection(request._receive, _nowhere, context)
        connection.watch()
    try:
        while True:
            try:
                value = yield asked
            except BaseException as error:
                asked = coroutine.throw(error)
            else:
                asked = coroutine.send(value)
    except StopIteration as end:
        return end.value
    finally:
        if connection is not None:
            connection.stop()
            connection.take_back_cancellation()
            ctx.lost = connection.lost


async def _nowhere(message: Message) -> None:
    raise AssertionError("nothing is sent before the view has ended")
