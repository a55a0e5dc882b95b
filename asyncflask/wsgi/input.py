"""``wsgi.input`` (PEP 3333, "Input and Error Streams"): of a server that speaks ASGI, and read for it."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

from werkzeug.exceptions import ClientDisconnected

from ..body.receiving import AHEAD_SIZE, go_on
from ..concurrency import in_context
from ..concurrency.loop_thread import is_running_loop
from ..concurrency.waiting import async_to_sync
from ..concurrency.walk import TO_LOOP, switch
from ..typing import Message, Receive, Scope

#: Bytes that are read of a ``wsgi.input`` at a time.
CHUNK = 64 * 1024


class Input(io.RawIOBase):
    """The body that a server gives, as a file for threads. What nobody has read of it is received as ever.

    :param scope: the request.
    :param receive: the server's.
    :param context: what the server is called in.
    """

    def __init__(self, scope: Scope, receive: Receive, context: Context) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._length = headers.get(b"content-length")
        #: Whether there is a body (RFC 9112 section 6.3).
        self.is_announced = self._length is not None or b"transfer-encoding" in headers
        #: Whether the client waits for a word that it is wanted (RFC 9110 section 10.1.1).
        self.is_awaited = b"expect" in headers
        self._receive = receive
        self._context = context.copy()  # another may be within the context itself
        self._rest = b""
        # A message that has been asked for, with what it waits for.
        self._begun: tuple[Any, Any] | None = None
        # Whether the server has said that it was all, and whether those who receive have been told.
        self._is_at_end = self._has_told_end = False
        #: Whether the client has gone while a thread was reading.
        self.is_cut = False

    # -- for coroutines ---------------------------------------------------------------------------

    async def receive(self) -> Message:
        """An ASGI ``receive`` for what is left."""
        if self._rest or (self._is_at_end and not self._has_told_end):
            rest, self._rest = self._rest, b""
            self._has_told_end = self._is_at_end
            return {"type": "http.request", "body": rest, "more_body": not self._is_at_end}
        message = await self.from_server()
        self._has_told_end = self._is_at_end
        return message

    def begin(self) -> None:
        """Take what is there already. What is not, is waited for by who wants it."""
        steps = self.from_server().__await__()
        try:
            self._begun = steps, next(steps)
        except StopIteration as end:
            if end.value["type"] == "http.request":
                self._rest = end.value.get("body", b"")

    async def from_server(self) -> Message:
        """The server's next message."""
        if not is_running_loop():
            await switch(TO_LOOP)
        if self._begun is not None:
            (steps, asked), self._begun = self._begun, None
            return await go_on(steps, asked)
        message: Message = await in_context(self._context, self._receive)
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_at_end = True
        return message

    # -- where nobody reads it, see `UnreadBody` ---------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self._is_at_end or not self.is_announced

    def is_small(self) -> bool:
        """Whether it may be there without having been asked for."""
        length = self._length
        return not self.is_awaited and (length is None or (length.isdigit() and int(length) <= AHEAD_SIZE))

    async def drain(self, size: int, seconds: float) -> None:
        """Take what still comes, and forget it, up to so many bytes and seconds."""
        if self.is_awaited:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_at_end and size > 0:
                    size -= len((await self.from_server()).get("body", b""))

    # -- for threads ------------------------------------------------------------------------------

    def _more(self) -> bool:
        """Wait for more, unless this is the end."""
        if self._is_at_end:
            return False
        message: Message = async_to_sync(self.from_server, None)()
        if message["type"] == "http.disconnect":
            self.is_cut = True
            raise ClientDisconnected()
        self._rest += message.get("body", b"")
        return True

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, all by default; fewer at the end only.

        :raises ClientDisconnected: when the client goes away before the end.
        """
        wanted = sys.maxsize if size is None or size < 0 else size
        pieces = [self._take(wanted)]
        while (wanted := wanted - len(pieces[-1])) and self._more():
            pieces.append(self._take(wanted))
        return b"".join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """A line, or so many bytes of it; errors as from `read`."""
        start = 0
        while (end := self._rest.find(b"\n", start)) < 0:
            start = len(self._rest)
            if (size is not None and 0 <= size <= start) or not self._more():
                end = len(self._rest) - 1
                break
        return self._take(end + 1 if size is None or size < 0 else min(end + 1, size))

    def readinto(self, buffer: Any) -> int:
        while not self._rest and self._more():
            pass
        chunk = self._take(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _take(self, size: int) -> bytes:
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class StreamReader:
    """Reads the body from the ``wsgi.input`` of an environ: a server's, or a middleware's own.

    :param environ: it says where the body ends (``CONTENT_LENGTH``, ``wsgi.input_terminated``).
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        stream = environ.get("wsgi.input")
        length = str(environ.get("CONTENT_LENGTH") or "")
        #: Bytes to come, None where only the stream knows.
        self._left: int | None = 0
        if stream is not None:
            if length.isascii() and length.isdigit():
                self._left = int(length)
            elif environ.get("wsgi.input_terminated"):
                self._left = None
        self._read = partial(bytes) if stream is None else stream.read

    def next_message(self) -> Message:
        """The next piece, as an ASGI message. It waits for it.

        :raises ClientDisconnected: when the stream says so in any way, or ends too early.
        """
        left = self._left
        data: bytes = self._read(CHUNK if left is None else min(left, CHUNK)) if left != 0 else b""
        if left is None:
            return {"type": "http.request", "body": data, "more_body": bool(data)}
        if left and not data:
            return {"type": "http.disconnect"}
        self._left = left - len(data)
        return {"type": "http.request", "body": data, "more_body": self._left > 0}
