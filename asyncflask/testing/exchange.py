"""One request and its response, as the application's server would see them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES

from ..app import Flask
from ..typing import Message, Scope
from .call import prepare_call


def read_input(environ: Mapping[str, Any]) -> bytes:
    """The body of a request, of which only the environ is given."""
    stream = environ.get("wsgi.input")
    length = str(environ.get("CONTENT_LENGTH") or "")
    if stream is None or not (length.isdigit() or environ.get("wsgi.input_terminated")):
        return b""
    body: bytes = stream.read(int(length)) if length.isdigit() else stream.read()
    if stream.seekable():
        stream.seek(0)  # a redirect may send it again
    return body


class Exchange:
    """One request to an ASGI application, made by a thread that runs the sync callables meanwhile."""

    #: How many pieces of a streaming response may wait to be read, and how long (in seconds) the next one
    #: may take to come before the response is handed out as a stream.
    READ_AHEAD = 64
    PATIENCE = 0.05

    def __init__(self, app: Flask, loop: asyncio.AbstractEventLoop | None, scope: Scope, body: bytes) -> None:
        self._body: bytes | None = body
        self._pieces: deque[bytes] = deque()
        self._start: Message | None = None
        self._streamed = False
        self._buffered = True
        self._changed: asyncio.Event | None = None
        self._closed = False
        self._wait = prepare_call(app, loop, scope, self._receive, self._send)
        self._wait.start()

    # -- what the application sees --------------------------------------------------------------

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._until(lambda: self._closed)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._streamed = self._streamed or message.get("more_body", False)
            if not message.get("body"):
                return
            self._pieces.append(message["body"])
            self._wait.wake()
            if not self._buffered:
                await self._until(lambda: len(self._pieces) < self.READ_AHEAD or self._closed)

    async def _until(self, condition: Callable[[], bool]) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # -- what the client does -------------------------------------------------------------------

    def run(self, buffered: bool) -> tuple[Iterable[bytes], str, Headers]:
        """Wait for the response: for the whole of it, or, unless `buffered`, until no more comes soon."""
        self._buffered = buffered
        if buffered:
            self._wait.serve()
        else:
            self._wait.serve(lambda: bool(self._pieces))
            while not self._wait.done and len(self._pieces) < self.READ_AHEAD:
                if not self._wait.serve(patience=self.PATIENCE):
                    break
        if self._wait.done:
            self._wait.result()
        if self._start is None:
            raise AssertionError("The application ended without a response.")
        status = self._start.get("asyncflask.status") or _status(self._start["status"])
        # No list unless it is asked for, even when all of it is there: for Flask's client that is a stream.
        body: Iterable[bytes] = Stream(self) if self._streamed else iter(self._pieces)
        if buffered:
            body = list(self._pieces)
        return body, status, _headers(self._start)

    def next_piece(self) -> bytes | None:
        """The next piece of a stream, None at its end."""
        self._wait.serve(lambda: bool(self._pieces))
        if self._pieces:
            piece = self._pieces.popleft()
            self._tell()
            return piece
        self._wait.result()
        return None

    def disconnect(self) -> None:
        """Go away, and let the application come to its end."""
        if not self._wait.done:
            self._closed = True
            self._tell()
            self._wait.serve()

    @property
    def is_over(self) -> bool:
        return self._wait.done

    def _tell(self) -> None:
        if self._changed is not None:
            self._wait.loop.call_soon_threadsafe(self._changed.set)


class Stream:
    """The body of a response that is still under way."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        piece = self._exchange.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self._exchange.disconnect()

    def __del__(self) -> None:
        if self._exchange.is_over:
            return
        # The application may need a thread to come to its end, and this one has not offered itself.
        threading.Thread(target=self._exchange.disconnect, daemon=True).start()


def _status(code: int) -> str:
    return f"{code} {HTTP_STATUS_CODES.get(code, 'UNKNOWN').upper()}"


def _headers(start: Message) -> Headers:
    names = {name.lower(): name for name in start.get("asyncflask.names", ())}
    headers = Headers()
    for raw_name, raw_value in start.get("headers", ()):
        name = raw_name.decode("latin-1")
        headers.add(names.get(name, name.title()), raw_value.decode("latin-1"))
    return headers
