"""Sending a body that is an iterator.

As WSGI servers do, the first chunk is taken before anything is sent (PEP 3333, "The start_response()
Callable"), so that what fails until then can be answered with an error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import Any

from ..concurrency import Walk, current_walk
from ..concurrency.inbox import inbox_of
from ..typing import Message, Send

#: Bytes of a stream that may wait for the server to take them while the iterator goes on, each chunk counted
#: with `_OVERHEAD`.
AHEAD_SIZE = 128 * 1024
_OVERHEAD = 32

#: After so many messages others have a turn: neither iterator nor server need ever wait, and then it were not
#: noticed either that the client has gone.
_TURN = 16


def encoded(chunk: Any) -> bytes:
    """A chunk as bytes."""
    body: bytes = chunk.encode() if isinstance(chunk, str) else chunk
    return body


async def send_async(chunks: AsyncIterable[Any], send: Send, start: Message | None) -> None:
    """Send the chunks of an async iterator, each by itself.

    :param start: what starts the response, sent when the first chunk is there.
    """
    count = 0
    async for chunk in chunks:
        if start is not None:
            await send(start)
            start = None
        if chunk:
            body = chunk if type(chunk) is bytes else encoded(chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        count += 1
        if count == _TURN:
            count = 0
            await asyncio.sleep(0)
    if start is not None:
        await send(start)


async def send_sync(chunks: Iterable[Any], send: Send, start: Message | None) -> None:
    """Send the chunks of a sync iterator, which is stepped in the walk's thread.

    The first one leaves by itself. For the others the iterator stays in its thread, and a task on the loop
    sends what has come meanwhile, joined. When `AHEAD_SIZE` bytes wait for the server, the iterator rests
    until half of them are gone.

    :param start: as for `send_async`.
    """
    walk = current_walk()
    await walk.to_thread()
    iterator = iter(chunks)
    first = next(iterator, None)
    await walk.to_loop()
    if start is not None:
        await send(start)
    if first is None:
        return
    if first:
        await send({"type": "http.response.body", "body": encoded(first), "more_body": True})
    outflow = Outflow(walk, send)
    try:
        await outflow.take_from(iterator)
    finally:
        await outflow.end()


class Outflow:
    """Chunks on their way from a thread to the server.

    :param walk: the walk of the response, now on the loop.
    :param send: takes them.
    """

    def __init__(self, walk: Walk, send: Send) -> None:
        self._walk = walk
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._inbox = inbox_of(self._loop)
        self._chunks: deque[bytes] = deque()
        # Bytes, the former counted by the thread alone and the latter by the loop.
        self._put = self._taken = 0
        self._is_over = False
        # Whether the task is to be told of the next chunk, and what it waits for.
        self._is_idle = False
        self._something: asyncio.Future[None] | None = None
        # What waits for the chunks to become fewer.
        self._room: asyncio.Future[None] | None = None
        self._task = self._loop.create_task(self._send_all(), context=walk.server_context)
        # The thread waits for it, so to say: a cancellation of the walk ends it.
        walk.blocked_on |= {self._task}

    async def take_from(self, iterator: Iterator[Any]) -> None:
        """Take what the iterator gives, until its end or that of the sending."""
        walk, task = self._walk, self._task
        await walk.to_thread()
        for chunk in iterator:
            if chunk:
                self._add(encoded(chunk))
            if task.done():
                break
            if self._put - self._taken > AHEAD_SIZE:
                await walk.to_loop()
                await self._has_room()
                await walk.to_thread()

    def _add(self, chunk: bytes) -> None:
        self._put += len(chunk) + _OVERHEAD
        self._chunks.append(chunk)
        if self._is_idle:
            self._is_idle = False
            self._inbox.put(self._wake)

    def _wake(self) -> None:
        if self._something is not None and not self._something.done():
            self._something.set_result(None)

    async def _has_room(self) -> None:
        if not self._task.done() and self._put - self._taken > AHEAD_SIZE // 2:
            self._room = self._loop.create_future()
            await self._room

    async def _send_all(self) -> None:
        try:
            await self._send_what_comes()
        finally:
            if self._room is not None and not self._room.done():
                self._room.set_result(None)

    async def _send_what_comes(self) -> None:
        count = 0
        while True:
            while self._chunks:
                await self._send({"type": "http.response.body", "body": self._take(), "more_body": True})
                if self._room is not None and self._put - self._taken <= AHEAD_SIZE // 2:
                    if not self._room.done():
                        self._room.set_result(None)
                    self._room = None
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)
            if self._is_over:
                return
            self._something = self._loop.create_future()
            self._is_idle = True
            if not self._chunks:  # one may have come just before
                await self._something
            self._is_idle = False

    def _take(self) -> bytes:
        """What waits, up to half of `AHEAD_SIZE`."""
        taken = [self._chunks.popleft()]
        size = len(taken[0]) + _OVERHEAD
        while self._chunks and size < AHEAD_SIZE // 2:
            taken.append(self._chunks.popleft())
            size += len(taken[-1]) + _OVERHEAD
        self._taken += size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    async def end(self) -> None:
        """Send what is left, and wait for that.

        :raises BaseException: what `send` has raised.
        """
        walk, task = self._walk, self._task
        try:
            await walk.to_loop()
            self._is_over = True
            self._wake()
            await task
        finally:
            walk.blocked_on -= {task}
            if not task.done():
                task.cancel()
