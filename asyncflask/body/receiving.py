"""Receiving the body of a request.

A small one is received ahead, before the request begins (`receive_ahead`). A larger one is received when user
code first asks for it, so that hooks, decorators and sync views can refuse it before that: in a worker thread
by waiting, in an async hook through the greenlet bridge; and at the latest before an async view is called. Up
to `MEMORY_SIZE` bytes stay in memory, what is larger goes to disk, the parts of a multipart form while they
arrive. A route declared with ``stream=True`` takes the chunks itself, as they come.
"""

from __future__ import annotations

import asyncio
import threading
import types
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from copy import copy
from functools import partial
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

import anyio.to_thread
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge, RequestTimeout

from ..concurrency import Walk, outside
from ..concurrency.bridge import can_wait
from ..concurrency.loop_thread import is_running_loop
from ..concurrency.waiting import async_to_sync
from ..typing import Message, Receive
from .multipart import MultipartForm
from .streams import AsyncReadable, BodyStream, MemoryStream

if TYPE_CHECKING:
    from ..protocols import Received

#: Bytes of a body that is received before its request begins. With `MEMORY_SIZE` it is what a client can have
#: kept for nothing.
AHEAD_SIZE = 64 * 1024

#: Bytes of a body that are kept in memory.
MEMORY_SIZE = 1024 * 1024

#: Bytes of all bodies together that are kept in memory while they arrive, besides `AHEAD_SIZE` of each.
SHARED_MEMORY_SIZE = 32 * 1024 * 1024


async def nothing_to_receive() -> dict[str, Any]:
    """The `receive` of a request that was made without a server."""
    return {"type": "http.request", "body": b"", "more_body": False}


class _SharedMemory:
    """What bodies under way keep in memory. A client that stalls keeps it as long as it likes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, size: int) -> bool:
        """Whether there is room for it; then it is taken."""
        with self._lock:
            if self._taken + size > SHARED_MEMORY_SIZE:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size


_shared_memory = _SharedMemory()


@types.coroutine
def in_time(receive: Receive, seconds: float | None) -> Generator[Any, Any, Message]:
    """Await a server's `receive` for no longer than that. When it need not wait, no clock is asked.

    :raises RequestTimeout: when nothing has come.
    """
    steps = receive().__await__()
    try:
        asked = next(steps)
    except StopIteration as end:
        return cast(Message, end.value)
    return (yield from _waiting(steps, asked, seconds).__await__())


async def _waiting(steps: Any, asked: Any, seconds: float | None) -> Message:
    try:
        async with asyncio.timeout(seconds):
            return await _go_on(steps, asked)
    except TimeoutError:
        raise RequestTimeout() from None


@types.coroutine
def _go_on(steps: Any, asked: Any) -> Generator[Any, Any, Message]:
    """What follows on the first step."""
    while True:
        try:
            yield asked
        except BaseException as error:
            if not hasattr(steps, "throw"):
                raise
            step: Callable[[], Any] = partial(steps.throw, error)
        else:
            step = partial(next, steps)
        try:
            asked = step()
        except StopIteration as end:
            return cast(Message, end.value)


class Body:
    """Receives one request's body, once.

    :param request: whose limits hold, and whose content type says how to parse.
    :param receive: the server's ASGI ``receive``.
    """

    #: Whether the last chunk has arrived.
    complete = False
    #: Bytes received so far.
    size = 0
    #: The form and the files of a large multipart body, which is not kept otherwise.
    parts: MultipartForm | None = None
    #: What is wrong with the body, raised when user code reads it.
    refused: Exception | None = None
    #: Whether there may be files to close.
    is_on_disk = False
    #: Called, once, when the last chunk has arrived.
    on_complete: Callable[[], None] | None = None
    _file: IO[bytes] | None = None
    # Bytes in `_chunks`.
    _kept = 0
    # Ends the waiting for what is received ahead, and the task that it has ended.
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.Task[Any] | None = None
    _replayed = False
    _replay_ended = False

    def __init__(self, request: Received, receive: Receive) -> None:
        self._request = weakref.proxy(request)  # which refers to its body
        self._receive = receive
        self._chunks: list[bytes] = []

    def use(self, receive: Receive) -> None:
        """Receive from somewhere else from now on."""
        self._receive = receive

    async def replay(self) -> Message:
        """An ASGI ``receive`` that gives the body from its beginning, for an application that a view gave."""
        if self.parts is not None:
            raise RuntimeError(
                "The raw bytes of a multipart body this large are not kept: declare a route that returns an"
                " ASGI application with stream=True."
            )
        if self._file is not None:
            if not self._replayed:
                self._file.seek(0)
                self._replayed = True
            chunk: bytes = await anyio.to_thread.run_sync(self._file.read, 65536)
            if chunk:
                return {"type": "http.request", "body": chunk, "more_body": True}
            if not self._replay_ended:
                self._replay_ended = True
                return {"type": "http.request", "body": b"", "more_body": False}
        elif not self._replayed:
            self._replayed = True
            if self._chunks or self.complete:
                return {
                    "type": "http.request",
                    "body": b"".join(self._chunks),
                    "more_body": not self.complete,
                }
        message = await outside(self._receive)
        if message["type"] == "http.request" and not self._replay_ended:
            self._replay_ended = True
            if self.complete:  # the server's word that there is no body: it has been passed on
                return await outside(self._receive)
            self.complete = True  # for the request: what comes is the application's alone
        return message

    async def receive_ahead(self, walk: Walk) -> None:
        """Receive a small body, before its request has begun.

        :param walk: the request's, which tells of what has to wait: most bodies are there already.
        :raises ClientDisconnected: when the client goes away before the end.
        :raises RequestTimeout: when it sends nothing for ``BODY_TIMEOUT`` seconds.
        """
        while not self.complete:
            walk.on_wait = self
            try:
                message = await self._receive()
            except asyncio.CancelledError:
                if self._stalled is None:
                    raise
                self._stalled.uncancel()
                raise RequestTimeout() from None
            finally:
                walk.on_wait = None
                if self._timer is not None:
                    self._timer.cancel()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected()
            chunk: bytes = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            self.size += len(chunk)
            self._chunks.append(chunk)
            if self.complete or self.size > AHEAD_SIZE or self._is_too_large():
                return

    def begin_waiting(self, walk: Walk) -> None:
        """What is received ahead is not there yet. Called by the walk."""
        timeout = self._request.body_timeout
        if timeout is not None:
            self._timer = walk.loop.call_later(timeout, self._stop_waiting, asyncio.current_task())

    def _stop_waiting(self, task: asyncio.Task[Any]) -> None:
        self._stalled = task
        task.cancel()

    def _is_too_large(self) -> bool:
        limit = self._request.max_content_length
        return limit is not None and self.size > limit

    def is_small(self) -> bool:
        """Whether it may be received ahead: it is not announced as a larger one, nor does the client wait for
        a word that it is wanted (RFC 9110 section 10.1.1), which `receive` would give."""
        headers = self._request.raw_headers
        if b"expect" in headers:
            return False
        length = headers.get(b"content-length")
        return length is None or (length.isdigit() and int(length) <= AHEAD_SIZE)

    async def receive(self, as_form: bool = True) -> None:
        """Receive what has not arrived yet, and keep it.

        What a client did wrong is kept for the moment when the body is read, as
        Flask does: a view that does not read it is not disturbed.

        :param as_form: of a large multipart form keep the parts only.
        :raises ClientDisconnected: when the client goes away before the end.
        :raises RequestTimeout: when it sends nothing for ``BODY_TIMEOUT`` seconds.
        """
        if self.refused is not None:
            self._allow()
        if self.complete or self.refused is not None or self.is_announced_too_large():
            return
        as_form = as_form and self._request.has_plain_form()
        taken = 0
        try:
            while not self.complete and (chunk := await self.next_chunk()):
                self._chunks.append(chunk)
                self._kept += len(chunk)
                if self._kept <= AHEAD_SIZE:
                    continue
                if self._kept <= MEMORY_SIZE and _shared_memory.take(len(chunk)):
                    taken += len(chunk)
                    continue
                if as_form and self._file is None:
                    await self._receive_multipart()
                    break
                await anyio.to_thread.run_sync(self._write)
                _shared_memory.give_back(taken)
                taken = 0
            if self._file is not None and self._chunks:
                await anyio.to_thread.run_sync(self._write)
        except (ClientDisconnected, RequestTimeout):
            self.close()
            raise
        except (BadRequest, RequestEntityTooLarge) as error:
            self.refused = error.with_traceback(None)  # whose frames refer to the body
        finally:
            _shared_memory.give_back(taken)

    def _write(self) -> None:
        """Put what is in memory on the disk."""
        if self._file is None:
            self._file = TemporaryFile()  # noqa: SIM115
            self.is_on_disk = True
        self._file.writelines(self._chunks)
        self._chunks.clear()
        self._kept = 0

    async def next_chunk(self) -> bytes:
        """The next chunk, empty at the end. No more is asked of the server than is taken from here.

        :raises RequestEntityTooLarge: past ``MAX_CONTENT_LENGTH``, with or without a Content-Length.
        :raises ClientDisconnected: when the client goes away before the end.
        :raises RequestTimeout: when it sends nothing for ``BODY_TIMEOUT`` seconds.
        """
        limit, timeout = self._request.max_content_length, self._request.body_timeout
        while not self.complete:
            if limit is not None and self.size > limit:
                raise RequestEntityTooLarge()
            message = await outside(partial(in_time, self._receive, timeout))
            if message["type"] == "http.disconnect":
                raise ClientDisconnected()
            chunk: bytes = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            if self.complete and self.on_complete is not None:
                self.on_complete()
            self.size += len(chunk)
            if limit is not None and self.size > limit:
                self._chunks.append(chunk)  # for a view that raises the limit and reads on
                raise RequestEntityTooLarge()
            if chunk:
                return chunk
        return b""

    async def _receive_multipart(self) -> None:
        self.parts = MultipartForm(self._request)
        self.is_on_disk = True
        feed = self.parts.feed
        while self._chunks:
            await anyio.to_thread.run_sync(feed, b"".join(self._chunks))
            self._chunks.clear()
            size = 0
            # Several at a time: each is a way to a thread and back.
            while size < AHEAD_SIZE * 4 and (chunk := await self.next_chunk()):
                self._chunks.append(chunk)
                size += len(chunk)
        feed(None)

    async def drain(self, size: int, seconds: float) -> None:
        """Take what still comes, and forget it, up to so many bytes and seconds."""
        if b"expect" in self._request.raw_headers and not self.size:
            return  # it comes when it is asked for
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.complete and size > 0:
                    message = await self._receive()
                    size -= len(message.get("body", b""))
                    self.size += len(message.get("body", b""))
                    self.complete = not message.get("more_body", False)

    def is_announced_too_large(self) -> bool:
        limit = self._request.max_content_length
        if limit is None:
            return False
        length = self._request.content_length
        return length is not None and length > limit

    def require(self, as_form: bool = False) -> None:
        """Make sure that the body is here, or say what is wrong with it.

        :param as_form: of a large multipart form keep the parts only.
        :raises RequestEntityTooLarge: when it is larger than allowed.
        :raises BadRequest: when it is malformed.
        :raises RuntimeError: on the event loop, when it has not been received.
        """
        limit = self._request.max_content_length
        if limit is None and self.complete and self.refused is None:
            return
        if self.is_announced_too_large() or (limit is not None and self.complete and self.size > limit):
            raise RequestEntityTooLarge()
        if self.refused is not None:
            self._allow()
        if self.refused is not None:
            # A copy: the frames that one passes refer to the body, which refers to the first.
            raise copy(self.refused) from self.refused.__cause__
        if not self.complete:
            self.receive_from_sync(as_form)
            self.require(as_form)

    def _allow(self) -> None:
        """Forget that the body was too large if the limit has been raised since."""
        limit = self._request.max_content_length
        if (
            isinstance(self.refused, RequestEntityTooLarge)
            and self.parts is None
            and (limit is None or self.size <= limit)
        ):
            self.refused = None

    def content(self) -> bytes | None:
        """The whole body if it is in memory, else None; errors as from `require`."""
        if not self.complete or self.refused is not None or self._request.max_content_length is not None:
            self.require()
        if self.parts is not None or self._file is not None:
            return None
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def open(self, stream: bool) -> IO[bytes]:
        """The body as a file; errors as from `require`.

        :param stream: whether the route asked for the chunks as they arrive.
        :raises RuntimeError: when it was not kept.
        """
        if stream and not self.complete and not self.is_announced_too_large():
            return cast(IO[bytes], BodyStream(self.next_chunk))
        self.require()
        if self.parts is not None:
            raise RuntimeError(
                "The raw bytes of a multipart body this large are not kept, only its parts are: use"
                " request.form and request.files, or declare the route with stream=True and read"
                " request.stream."
            )
        if self._file is not None:
            if self._chunks:
                self._write()  # what came last, before the limit was raised
            self._file.seek(0)
            return cast(IO[bytes], AsyncReadable(cast(Any, self._file)))
        return MemoryStream(b"".join(self._chunks))

    def receive_from_sync(self, as_form: bool = False) -> None:
        """Receive the rest while the calling thread waits.

        :raises RuntimeError: on the event loop, which cannot wait.
        """
        if self.complete:
            return
        if is_running_loop() and not can_wait():
            self._cannot_receive()
        else:
            async_to_sync(self.receive, None)(as_form)

    def _cannot_receive(self) -> None:
        if self._request.routing_exception is not None:
            self.complete = True  # nothing is received for a request that leads nowhere
            return
        raise RuntimeError(
            "The body of this request has not been received. In an 'async def' function first"
            " 'await request.receive_body()', or take 'async for chunk in request.stream'."
        )

    def close(self) -> None:
        """Close the files that hold the body and its parts."""
        if self._file is not None:
            self._file.close()
        if self.parts is not None:
            self.parts.close()
