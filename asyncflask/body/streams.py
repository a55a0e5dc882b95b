"""The body as a file."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.to_thread

from ..concurrency.bridge import can_wait
from ..concurrency.loop_thread import is_running_loop
from ..concurrency.waiting import async_to_sync


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

    def __init__(self, next_chunk: Callable[[], Awaitable[bytes]]) -> None:
        self._next_chunk = next_chunk
        self._rest = b""

    def readable(self) -> bool:
        return True

    async def next_chunk(self) -> bytes:
        if self._rest:
            chunk, self._rest = self._rest, b""
            return chunk
        return await self._next_chunk()

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

    def __init__(self, next_chunk: Callable[[], Awaitable[bytes]]) -> None:
        self._arriving = _Arriving(next_chunk)
        super().__init__(self._arriving)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._arriving.next_chunk():
            yield chunk
