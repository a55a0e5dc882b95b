"""The body of a request: received from the server, kept, parsed.

Sync code cannot wait for a client without holding a thread, and an attribute
such as ``request.form`` cannot be awaited. So the body is received on the event
loop before the first user function that may want it (`Body.receive`). Up to
`MEMORY_SIZE` bytes stay in memory; what is larger goes to disk, the parts of a
multipart form while they arrive. A route declared with ``stream=True`` takes
the chunks itself, as they come (`BodyStream`).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

import anyio.to_thread
from starlette.datastructures import Headers as StarletteHeaders
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from werkzeug.datastructures import FileStorage, Headers
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header

from .concurrency import async_to_sync
from .typing import Receive

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

    __slots__ = ("_chunks", "_file", "_receive", "_request", "complete", "parts", "refused", "size")

    def __init__(self, request: Request, receive: Receive) -> None:
        self._request = request
        self._receive = receive
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        #: Whether the last chunk has arrived.
        self.complete = False
        #: Bytes received so far.
        self.size = 0
        #: The form and the files of a large multipart body, which is not kept otherwise.
        self.parts: tuple[FormItems, FileItems] | None = None
        #: What is wrong with the body, raised when user code reads it.
        self.refused: Exception | None = None

    async def receive(self) -> None:
        """Receive what has not arrived yet, and keep it.

        What a client did wrong is kept for the moment when the body is read, as
        Flask does: a view that does not read it is not disturbed.

        :raises ClientDisconnected: when the client goes away before the end.
        """
        if self.complete or self.refused is not None or self.is_announced_too_large():
            return
        try:
            while chunk := await self.next_chunk():
                if self._file is not None:
                    await anyio.to_thread.run_sync(self._file.write, chunk)
                    continue
                self._chunks.append(chunk)
                if self.size > MEMORY_SIZE:
                    if self._request.mimetype == "multipart/form-data":
                        self.parts = await _parse_multipart(self._request, self._kept_and_coming())
                        break
                    self._file = await anyio.to_thread.run_sync(TemporaryFile)
                    await anyio.to_thread.run_sync(self._file.writelines, self._chunks)
                    self._chunks.clear()
        except ClientDisconnected:
            self.close()
            raise
        except (BadRequest, RequestEntityTooLarge) as error:
            self.refused = error

    async def next_chunk(self) -> bytes:
        """The next chunk, empty at the end. No more is asked of the server than is taken from here.

        :raises RequestEntityTooLarge: past ``MAX_CONTENT_LENGTH``, with or without a Content-Length.
        :raises ClientDisconnected: when the client goes away before the end.
        """
        limit = self._request.max_content_length
        while not self.complete:
            if limit is not None and self.size > limit:
                raise RequestEntityTooLarge()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected()
            chunk: bytes = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            self.size += len(chunk)
            if limit is not None and self.size > limit:
                self._chunks.append(chunk)  # for a view that raises the limit and reads on
                raise RequestEntityTooLarge()
            if chunk:
                return chunk
        return b""

    async def _kept_and_coming(self) -> AsyncIterator[bytes]:
        while self._chunks:
            yield self._chunks.pop(0)
        while chunk := await self.next_chunk():
            yield chunk

    def is_announced_too_large(self) -> bool:
        limit, length = self._request.max_content_length, self._request.content_length
        return limit is not None and length is not None and length > limit

    def open(self, stream: bool) -> IO[bytes]:
        """The body as a file.

        :param stream: whether the route asked for the chunks as they arrive.
        :raises RequestEntityTooLarge: when it is larger than allowed.
        :raises RuntimeError: when it was not kept.
        """
        if self.is_announced_too_large():
            raise RequestEntityTooLarge()
        limit = self._request.max_content_length
        if isinstance(self.refused, RequestEntityTooLarge) and self.parts is None:
            if limit is not None and self.size > limit:
                raise self.refused
            self.refused = None  # the view has raised the limit since
        if self.refused is not None:
            raise self.refused
        if stream and not self.complete:
            return cast(IO[bytes], BodyStream(self))
        if not self.complete:
            self.receive_from_sync()
            return self.open(stream)
        if self.parts is not None:
            raise RuntimeError(
                "The raw bytes of a multipart body this large are not kept, only its parts are: use"
                " request.form and request.files, or declare the route with stream=True and read"
                " request.stream."
            )
        if self._file is not None:
            self._file.seek(0)
            return cast(IO[bytes], AsyncReadable(self._file))
        return MemoryStream(b"".join(self._chunks))

    def receive_from_sync(self) -> None:
        """Receive the rest while the calling thread waits.

        :raises RuntimeError: on the event loop, which cannot wait.
        """
        if self.complete:
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            async_to_sync(self.receive, None)()
            return
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
            for _, file in self.parts[1]:
                file.close()


class MemoryStream(io.BytesIO):
    """A body in memory, to be read like a file or with ``async for``."""

    async def __aiter__(self) -> AsyncIterator[bytes]:  # type: ignore[override]
        while chunk := self.read(65536):
            yield chunk


class AsyncReadable(io.BufferedReader):
    """A body on disk, to be read like a file or with ``async for``."""

    async def __aiter__(self) -> AsyncIterator[bytes]:  # type: ignore[override]
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
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            read: Callable[[], Coroutine[Any, Any, bytes]] = self.next_chunk
            chunk: bytes = async_to_sync(read, None)()
        else:
            raise RuntimeError(
                "request.stream cannot be read like a file on the event loop, which cannot wait: use"
                " 'async for chunk in request.stream'."
            )
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

    async def __aiter__(self) -> AsyncIterator[bytes]:  # type: ignore[override]
        while chunk := await self._arriving.next_chunk():
            yield chunk


def parse_multipart_sync(request: Request, stream: IO[bytes]) -> tuple[FormItems, FileItems]:
    """Parse a multipart body that has arrived already.

    :raises BadRequest: when it is malformed.
    :raises RequestEntityTooLarge: past ``MAX_FORM_MEMORY_SIZE`` or ``MAX_FORM_PARTS``.
    """

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := stream.read(65536):
            yield chunk

    coroutine = _parse_multipart(request, chunks(), spool_size=float("inf"))
    try:
        # Nothing in it waits: the chunks are there, and with no size to spool at no file is written.
        coroutine.send(None)
    except StopIteration as end:
        return cast(tuple[FormItems, FileItems], end.value)
    raise AssertionError("unreachable: parsing bytes in memory waited")


async def _parse_multipart(
    request: Request, chunks: AsyncIterator[bytes], spool_size: float = MEMORY_SIZE
) -> tuple[FormItems, FileItems]:
    parser = _MultipartParser(request, chunks)
    parser.spool_max_size = cast(int, spool_size)
    try:
        items = (await parser.parse()).multi_items()
    except (MultiPartException, KeyError, UnicodeError) as error:
        raise BadRequest(f"The multipart body is malformed: {getattr(error, 'message', error)}") from error
    form: FormItems = []
    files: FileItems = []
    for name, value in items:
        if isinstance(value, UploadFile):
            headers = Headers([(key.title(), text) for key, text in value.headers.items()])
            storage = FileStorage(
                cast(IO[bytes], value.file),
                value.filename,
                name,
                headers.get("Content-Type"),
                headers=headers,
            )
            files.append((name, storage))
        else:
            form.append((name, value))
    return form, files


class _MultipartParser(MultiPartParser):
    """Starlette's parser with Flask's limits, and with names and texts read as Werkzeug reads them."""

    def __init__(self, request: Request, chunks: AsyncIterator[bytes]) -> None:
        content_type = request.headers.get("Content-Type", "")
        no_limit = float("inf")
        super().__init__(
            StarletteHeaders({"content-type": content_type}),
            cast(Any, chunks),
            max_files=no_limit,
            max_fields=no_limit,
        )
        self._max_parts = request.max_form_parts
        self._max_memory = request.max_form_memory_size
        self._parts = 0

    def on_headers_finished(self) -> None:
        part = self._current_part
        self._parts += 1
        if self._max_parts is not None and self._parts > self._max_parts:
            raise RequestEntityTooLarge()
        disposition = (part.content_disposition or b"").decode("utf-8", "replace")
        _, options = parse_options_header(disposition)
        if "name" not in options:
            raise MultiPartException('A part has no Content-Disposition header with a "name".')
        part.field_name = options["name"]
        if "filename" not in options:
            part.file = None
            return
        # Starlette makes the file; that the name is there as it wants it is all it needs to know.
        part.content_disposition = b'form-data; name="-"; filename="-"'
        name = part.field_name
        super().on_headers_finished()
        part.field_name = name
        assert part.file is not None
        part.file.filename = options["filename"]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None:
            if self._max_memory is not None and len(part.data) + end - start > self._max_memory:
                raise RequestEntityTooLarge()
            part.data.extend(data[start:end])
        else:
            super().on_part_data(data, start, end)

    def on_part_end(self) -> None:
        part = self._current_part
        if part.file is None:
            self.items.append((part.field_name, part.data.decode(_charset(part.item_headers), "replace")))
        else:
            super().on_part_end()


def _charset(headers: list[tuple[bytes, bytes]]) -> str:
    """A part's own charset where it is one of those that a browser may send (RFC 7578 section 4.5)."""
    for name, value in headers:
        if name == b"content-type":
            charset = parse_options_header(value.decode("latin-1"))[1].get("charset", "").lower()
            if charset in {"ascii", "us-ascii", "utf-8", "iso-8859-1"}:
                return charset
    return "utf-8"
