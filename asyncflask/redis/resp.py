"""The wire format of Redis, version 2 (https://redis.io/docs/latest/develop/reference/protocol-spec/).

redis-py's parser waits for each line, which takes a coroutine each. For what is asked by each request that is
most of the time, so here is what scripts need, on bytes that have come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError, ResponseError

#: What `parse` returns for a reply of which a part has not come yet.
INCOMPLETE: Any = object()


def pack(arguments: Sequence[str | bytes | int]) -> bytes:
    """A command."""
    pieces = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        pieces.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(pieces)


def parse(data: bytes | bytearray, start: int) -> tuple[Any, int]:
    """The reply that begins at `start`, and where it ends. An error is an exception, not raised.

    :raises ValueError: for what is no reply.
    """
    end = data.find(b"\r\n", start)
    if end < 0:
        return INCOMPLETE, start
    kind, line, position = data[start], data[start + 1 : end], end + 2
    if kind == 36:  # $
        length = int(line)
        if length < 0:
            return None, position
        end = position + length + 2
        return (bytes(data[position : end - 2]), end) if end <= len(data) else (INCOMPLETE, start)
    if kind == 58:  # :
        return int(line), position
    if kind == 42:  # *
        items = []
        for _ in range(int(line)):
            item, position = parse(data, position)
            if item is INCOMPLETE:
                return INCOMPLETE, start
            items.append(item)
        return items, position
    if kind == 43:  # +
        return bytes(line), position
    if kind == 45:  # -
        text = line.decode("utf-8", "replace")
        return (NoScriptError if text.startswith("NOSCRIPT") else ResponseError)(text), position
    raise ValueError(f"Redis has sent what is no reply: {bytes(data[start : start + 20])!r}")
