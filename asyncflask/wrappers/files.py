"""Sending a file: a small one is read in one go, of others the blocks as the server takes them."""

from __future__ import annotations

import os
from io import BufferedReader, BytesIO
from typing import IO, Any

from werkzeug.wrappers import Response
from werkzeug.wsgi import FileWrapper, _RangeWrapper

from ..concurrency import Walk, current_walk
from ..typing import Message, Scope, Send

#: Bytes of a file that is read in one go, before its response starts.
SMALL_SIZE = 256 * 1024


class LargeBlocks(FileWrapper):
    """``wsgi.file_wrapper``. A class: gunicorn asks whether a body is one of these."""

    def __init__(self, file: IO[bytes], buffer_size: int = 8192) -> None:
        # Every block is a change of threads: make them larger than Werkzeug's default.
        super().__init__(file, max(buffer_size, 256 * 1024))


#: By exact type: what an application derives from them may do anything.
_FILE_WRAPPERS = (FileWrapper, LargeBlocks)


def is_plain_file(body: Any) -> bool:
    """Whether a body is what `send_file` makes of a file, the whole or a range of it. Files of other kinds
    may be anything: a pipe, something that waits for a network."""
    if type(body) is _RangeWrapper:
        body = body.iterable
    return type(body) in _FILE_WRAPPERS and type(body.file) in (BufferedReader, BytesIO)


async def read_small(response: Response, walk: Walk, scope: Scope) -> None:
    """Make a small file the body of its response, and close one that is not to be sent at all: in the walk's
    thread, where it has been opened as a rule."""
    body: Any = response.response
    if not is_plain_file(body):
        return
    is_sent = scope["method"] != "HEAD" and response.status_code != 304
    length = response.content_length
    if is_sent and (length is None or length > SMALL_SIZE):
        return
    await walk.to_thread()
    try:
        response.response = [_read(body, length) if is_sent else b""]
    finally:
        body.close()


def _read(body: Any, length: int | None) -> bytes:
    assert length is not None
    blocks: list[bytes] = []
    left = length
    for block in body:
        blocks.append(block)
        left -= len(block)
        if left <= 0:  # it may have grown since
            break
    return b"".join(blocks)[:length]


async def send_file(response: Response, scope: Scope, send: Send, start: Message | None) -> bool:
    """Send the file that is the body of a response, and close it.

    No thread rests for it while a client is slow, unless functions are to be called in the request's own.

    :param start: what starts the response, sent when the first block is there.
    :returns: whether the response is complete.
    """
    walk = current_walk()
    body: Any = response.response
    length = response.content_length
    is_free = walk.is_torn_down and not response._on_close
    iterator = iter(body)
    sent = 0
    is_over = False
    while not is_over:
        await walk.to_thread()
        path = None if sent else _path_of(body, length, scope)
        block = b"" if path is not None else next(iterator, b"")
        sent += len(block)
        is_over = not block or sent == length
        if is_over:
            body.close()
        await walk.to_loop()
        if is_free:
            walk.release_worker()
        if start is not None:
            await send(start)
            start = None
        if path is not None:
            await send({"type": "http.response.pathsend", "path": path})
            return True
        if block:
            await send({"type": "http.response.body", "body": block, "more_body": True})
    return False


def _path_of(body: Any, length: int | None, scope: Scope) -> str | None:
    """The path of a whole file, for a server that sends it itself (ASGI extension "Path Send")."""
    if "http.response.pathsend" not in (scope.get("extensions") or ()) or type(body) not in _FILE_WRAPPERS:
        return None
    file: Any = body.file
    if type(file) is not BufferedReader or not isinstance(file.name, str | os.PathLike) or file.tell():
        return None
    path = os.path.abspath(file.name)
    try:
        opened, there = os.fstat(file.fileno()), os.stat(path)
    except OSError:
        return None
    is_same = os.path.samestat(opened, there) and there.st_size == length
    return path if is_same else None
