"""The body of a request: received from the server, kept, parsed.

Sync code cannot wait for a client without holding a thread, and an attribute
such as ``request.form`` cannot be awaited. So the body is received on the event
loop before the first user function that may want it (`Body.receive`). Up to
`MEMORY_SIZE` bytes stay in memory; what is larger goes to disk, the parts of a
multipart form while they arrive. A route declared with ``stream=True`` takes
the chunks itself, as they come (`BodyStream`).
"""

from __future__ import annotations

import io
import weakref
from collections.abc import AsyncIterator, Callable
from copy import copy
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

import anyio.to_thread
from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData
from werkzeug.wrappers import Request as RequestBase

from .bridge import can_wait
from .concurrency import outside
from .typing import Message, Receive
from .waiting import async_to_sync, is_running_loop

if TYPE_CHECKING:
    from .wrappers import Request

#: Bytes of a body, and of each uploaded file, that are kept in memory.
MEMORY_SIZE = 512 * 1024

FormItems = list[tuple[str, str]]
FileItems = list[tuple[str, FileStorage]]


async def nothing_to_receive() -> dict[str, Any]:
    """The `receive` of a request that was made without a server."""
    return {"type": "http.request", "body": b"", "more_body": False}


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
    #: Whether there may be a limit to its size that it has not been held against.
    is_limited = True
    #: Whether there may be files to close.
    is_on_disk = False
    #: Called, once, when the last chunk has arrived.
    on_complete: Callable[[], None] | None = None
    _file: IO[bytes] | None = None
    _failed: BaseException | None = None
    _next: Message | None = None
    _replayed = False
    _replay_ended = False

    def __init__(self, request: Request, receive: Receive) -> None:
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

    async def receive_directly(self, limit: int | None) -> None:
        """`receive`, for a caller in the server's own context, before the request's has been made. What goes
        wrong is raised by the next `receive`, where the request can be torn down.

        :param limit: the request's `max_content_length`.
        """
        try:
            if limit is None:
                self.is_limited = False
                message = await self._receive()
                chunk: bytes = message.get("body", b"")
                if message.get("more_body", False) or len(chunk) > MEMORY_SIZE or "body" not in message:
                    self._next = message
                else:  # nearly all bodies are like that
                    self._chunks.append(chunk)
                    self.size = len(chunk)
                    self.complete = True
                    return
            await self.receive(directly=True)
        except BaseException as error:
            self._failed = error

    async def receive(self, *, directly: bool = False) -> None:
        """Receive what has not arrived yet, and keep it.

        What a client did wrong is kept for the moment when the body is read, as
        Flask does: a view that does not read it is not disturbed.

        :param directly: the caller is in the server's own context.
        :raises ClientDisconnected: when the client goes away before the end.
        """
        if self._failed is not None:
            failed, self._failed = self._failed, None
            try:
                raise failed
            finally:
                del failed  # whose traceback refers to this frame
        if self.refused is not None:
            self._allow()
        if self.complete or self.refused is not None or self.is_announced_too_large():
            return
        try:
            while not self.complete and (chunk := await self.next_chunk(directly=directly)):
                if self._file is not None:
                    await anyio.to_thread.run_sync(self._file.write, chunk)
                    continue
                self._chunks.append(chunk)
                if self.size > MEMORY_SIZE:
                    if self._request.mimetype == "multipart/form-data" and not self._request.passes_body_on:
                        await self._receive_multipart()
                        break
                    self._file = await anyio.to_thread.run_sync(TemporaryFile)
                    self.is_on_disk = True
                    await anyio.to_thread.run_sync(self._file.writelines, self._chunks)
                    self._chunks.clear()
        except ClientDisconnected:
            self.close()
            raise
        except (BadRequest, RequestEntityTooLarge) as error:
            self.refused = error.with_traceback(None)  # whose frames refer to the body

    async def next_chunk(self, *, directly: bool = False) -> bytes:
        """The next chunk, empty at the end. No more is asked of the server than is taken from here.

        :param directly: the caller is in the server's own context.
        :raises RequestEntityTooLarge: past ``MAX_CONTENT_LENGTH``, with or without a Content-Length.
        :raises ClientDisconnected: when the client goes away before the end.
        """
        if self.complete:
            return b""
        limit = self._request.max_content_length
        while not self.complete:
            if limit is not None and self.size > limit:
                raise RequestEntityTooLarge()
            if self._next is not None:
                message, self._next = self._next, None
            else:
                message = await (self._receive() if directly else outside(self._receive))
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
            await anyio.to_thread.run_sync(feed, self._chunks.pop(0))
        while chunk := await self.next_chunk():
            await anyio.to_thread.run_sync(feed, chunk)
        feed(None)

    def is_announced_too_large(self) -> bool:
        limit = self._request.max_content_length
        if limit is None:
            return False
        length = self._request.content_length
        return length is not None and length > limit

    def require(self) -> None:
        """Make sure that the body is here, or say what is wrong with it.

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
            self.receive_from_sync()
            self.require()

    def _allow(self) -> None:
        """Forget that the body was too large if the limit has been raised since."""
        limit = self._request.max_content_length
        if (
            isinstance(self.refused, RequestEntityTooLarge)
            and self.parts is None
            and (limit is None or self.size <= limit)
        ):
            self.refused = None
            if self._file is not None:  # where what came before is
                self._file.writelines(self._chunks)
                self._chunks.clear()

    def content(self) -> bytes | None:
        """The whole body if it is in memory, else None; errors as from `require`."""
        if self.is_limited or not self.complete or self.refused is not None:
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
            return cast(IO[bytes], BodyStream(self))
        self.require()
        if self.parts is not None:
            raise RuntimeError(
                "The raw bytes of a multipart body this large are not kept, only its parts are: use"
                " request.form and request.files, or declare the route with stream=True and read"
                " request.stream."
            )
        if self._file is not None:
            self._file.seek(0)
            return cast(IO[bytes], AsyncReadable(cast(Any, self._file)))
        return MemoryStream(b"".join(self._chunks))

    def receive_from_sync(self) -> None:
        """Receive the rest while the calling thread waits.

        :raises RuntimeError: on the event loop, which cannot wait.
        """
        if self.complete:
            return
        if is_running_loop() and not can_wait():
            self._cannot_receive()
        else:
            async_to_sync(self.receive, None)()

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


class MemoryStream(io.BytesIO):
    """A body in memory, to be read like a file or with ``async for``."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self.read(65536):
            yield chunk


class AsyncReadable(io.BufferedReader):
    """A body on disk, to be read like a file or with ``async for``."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await anyio.to_thread.run_sync(self.read, 65536):
            yield chunk


class _Arriving(io.RawIOBase):
    """The chunks of a body, as they arrive, under the interface of a raw file."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._rest = b""

    def readable(self) -> bool:
        return True

    async def next_chunk(self) -> bytes:
        if self._rest:
            chunk, self._rest = self._rest, b""
            return chunk
        return await self._body.next_chunk()

    def readinto(self, buffer: Any) -> int:
        if is_running_loop() and not can_wait():
            raise RuntimeError(
                "request.stream cannot be read like a file on the event loop, which cannot wait: use"
                " 'async for chunk in request.stream'."
            )
        chunk: bytes = async_to_sync(self.next_chunk, None)()
        size = min(len(buffer), len(chunk))
        buffer[:size] = chunk[:size]
        self._rest = chunk[size:]
        return size


class BodyStream(io.BufferedReader):
    """The body while it arrives: ``async for chunk in request.stream`` in async code, the methods
    of a file in sync code, where each waits for the client in the worker thread."""

    def __init__(self, body: Body) -> None:
        self._arriving = _Arriving(body)
        super().__init__(self._arriving)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._arriving.next_chunk():
            yield chunk


class MultipartForm:
    """A multipart body, parsed piece by piece; files of more than `MEMORY_SIZE` bytes go to disk.

    Werkzeug's decoder does the parsing: unlike python-multipart it takes a preamble and a part
    without a body (RFC 2046 section 5.1.1), and names and texts come out as under Flask.

    :param request: whose content type names the boundary, and whose limits hold.
    :raises BadRequest: when there is no boundary.
    """

    def __init__(self, request: Request) -> None:
        boundary = request.mimetype_params.get("boundary")
        if not boundary:
            raise BadRequest("The Content-Type of the multipart body has no boundary.")
        self.form: FormItems = []
        self.files: FileItems = []
        self._max_field = request.max_form_memory_size
        # A request class may have a place of its own for files; by default they are spooled.
        own = request.__class__._get_file_stream is not RequestBase._get_file_stream
        self._request = request if own else None
        self._decoder = MultipartDecoder(
            boundary.encode("latin-1", "replace"),
            max_form_memory_size=self._max_field,
            max_parts=request.max_form_parts,
        )
        self._part: Field | File | None = None
        self._text = bytearray()
        self._file: IO[bytes] | None = None

    def feed(self, data: bytes | None) -> None:
        """Parse the next piece, None at the end.

        :raises BadRequest: when the body is malformed, or ends too early.
        :raises RequestEntityTooLarge: past ``MAX_FORM_MEMORY_SIZE`` or ``MAX_FORM_PARTS``.
        """
        # In pieces, since the decoder holds what it buffers against the limit for a field.
        pieces = [None] if data is None else [data[at : at + 65536] for at in range(0, len(data), 65536)]
        try:
            for piece in pieces:
                self._decoder.receive_data(piece)
                while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
                    self._take(event)
        except (ValueError, LookupError) as error:
            raise BadRequest(f"The multipart body is malformed: {error}") from error

    def _take(self, event: Event) -> None:
        if isinstance(event, Field | File):
            self._part = event
            self._text = bytearray()
            if isinstance(event, File):
                content_type = event.headers.get("Content-Type")
                if self._request is None:
                    self._file = cast(IO[bytes], SpooledTemporaryFile(max_size=MEMORY_SIZE))  # noqa: SIM115
                else:
                    self._file = self._request._get_file_stream(
                        total_content_length=self._request.content_length,
                        filename=event.filename,
                        content_type=content_type,
                        content_length=None,
                    )
                storage = FileStorage(
                    self._file, event.filename, event.name, content_type, headers=event.headers
                )
                self.files.append((event.name, storage))
        elif isinstance(event, Data):
            if isinstance(self._part, File):
                assert self._file is not None
                self._file.write(event.data)
                if not event.more_data:
                    self._file.seek(0)
                return
            if self._max_field is not None and len(self._text) + len(event.data) > self._max_field:
                raise RequestEntityTooLarge()
            self._text += event.data
            if not event.more_data:
                assert self._part is not None
                self.form.append(
                    (self._part.name, self._text.decode(_charset(self._part.headers), "replace"))
                )

    def close(self) -> None:
        for _, file in self.files:
            file.close()


def parse_multipart(request: Request, stream: IO[bytes]) -> MultipartForm:
    """Parse a multipart body that is there already; errors as from `MultipartForm`."""
    form = MultipartForm(request)
    data = stream.read(65536)
    if not data:
        return form  # a form without any part, to those who send no boundary for that
    try:
        while data:
            form.feed(data)
            data = stream.read(65536)
        form.feed(None)
    except BaseException:
        form.close()
        raise
    return form


def _charset(headers: Headers) -> str:
    """A part's own charset where it is one of those that a browser may send (RFC 7578 section 4.5)."""
    _, options = parse_options_header(headers.get("Content-Type"))
    charset = options.get("charset", "").lower()
    return charset if charset in {"ascii", "us-ascii", "utf-8", "iso-8859-1"} else "utf-8"
