"""A message: what may be in it, how it is encoded, and its id.

The encoding is one letter and the data: ``t`` and a string in UTF-8, ``b`` and bytes, ``j`` and JSON of any
other value, as ``app.json`` dumps it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from .errors import InvalidName

#: An id as something to compare: milliseconds since 1970, and a number within them.
Order = tuple[int, int]

START: Order = (0, 0)
_ID = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)
_LAST = 2**64 - 1


class JSON(Protocol):
    """What `encode` and `Message` need of a JSON provider."""

    def dumps(self, obj: Any) -> str: ...

    def loads(self, s: str) -> Any: ...


class Message:
    """A message that has been published.

    :ivar name: where.
    :ivar order: the id, as something to compare.
    """

    __slots__ = ("_content", "_loads", "_payload", "name", "order")

    def __init__(self, name: str, order: Order, payload: bytes, loads: Callable[[str], Any]) -> None:
        self.name = name
        self.order = order
        self._payload = payload
        self._loads = loads
        self._content: str | bytes | None = None

    @property
    def id(self) -> str:
        """Like Redis' ids of a stream, ``1700000000000-0``. It is greater than that of all messages before,
        of any name."""
        return id_of(self.order)

    @property
    def content(self) -> str | bytes:
        """What a browser is sent: a string or bytes as they were published, anything else as JSON text. It is
        decoded once, however many listen."""
        content = self._content
        if content is None:
            data = self._payload[1:]
            content = self._content = data if self._payload[:1] == b"b" else data.decode()
        return content

    @property
    def data(self) -> Any:
        """What was published. JSON is decoded each time: a value belongs to the one who asks for it."""
        content = self.content
        return self._loads(content) if self._payload[:1] == b"j" else content  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<Message {self.id} of {self.name!r}>"


def encode(data: Any, json: JSON) -> bytes:
    """Data as it travels. Halves of characters, which a client may send as JSON, become question marks."""
    if isinstance(data, str):
        return b"t" + data.encode(errors="replace")
    if isinstance(data, bytes | bytearray | memoryview):
        return b"b" + bytes(data)
    return b"j" + json.dumps(data).encode(errors="replace")


def before(order: Order) -> Order:
    """The id before an id."""
    milliseconds, number = order
    return (milliseconds, number - 1) if number else (max(0, milliseconds - 1), _LAST)


def id_of(order: Order) -> str:
    return f"{order[0]}-{order[1]}"


def order_of(id: str) -> Order:
    """An id as something to compare; ``"0"`` is the beginning of all.

    :raises InvalidName: when it is none.
    """
    if id == "0":
        return START
    found = _ID.fullmatch(id) if isinstance(id, str) else None
    order = (int(found[1]), int(found[2])) if found else None
    if order is None or max(order) > _LAST:
        shown = f"{id[:40]}..." if isinstance(id, str) and len(id) > 40 else id
        raise InvalidName(f"{shown!r} is no id of a message: it looks like '1700000000000-0'.")
    return order


def check_name(name: Any) -> str:
    """A name if it is one: 1 to 200 characters that can be seen, such as ``room:5`` or ``Küche``.

    :raises InvalidName: when it is none.
    """
    if isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() and " " not in name:
        return name
    shown = f"{name[:40]}..." if isinstance(name, str) and len(name) > 40 else name
    raise InvalidName(f"{shown!r} is no name of a channel: it has 1 to 200 characters, and no spaces.")
