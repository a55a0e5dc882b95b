"""What may be said, and how fast."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from functools import cached_property
from time import monotonic

from asyncflask import json

MAX_NAME_LENGTH = 30
MAX_TEXT_LENGTH = 2000
MAX_KEY_LENGTH = 40


class Unacceptable(ValueError):
    """What a visitor has sent is not taken; the text says why, to the visitor."""


@dataclass(frozen=True)
class Draft:
    """A message, not yet in a room.

    `key` is its author's, who knows by it that the message has come back, and need not be sent again.
    """

    name: str
    text: str
    key: str


@dataclass(frozen=True)
class Message(Draft):
    """A message in a room.

    `id` is two numbers: the milliseconds since 1970, and a count within these (``1700000000000-0``). It is
    how Redis names the entries of a stream, and greater than all before, also after a restart.
    """

    id: str

    @cached_property
    def order(self) -> tuple[int, int]:
        return order(self.id)

    @cached_property
    def line(self) -> str:
        """What browsers are sent; made once for all of them."""
        return json.dumps({"type": "message", **asdict(self)})


def order(id: str) -> tuple[int, int]:
    """An id as something to compare.

    :raises ValueError: when it is none.
    """
    milliseconds, _, count = id.partition("-")
    return int(milliseconds), int(count)


def take_name(name: str) -> str:
    """A name as it is shown.

    :raises Unacceptable: when it is none.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise Unacceptable(f"A name has 1 to {MAX_NAME_LENGTH} letters.")
    return name


def take_draft(name: str, data: str | bytes) -> Draft:
    """Read what a browser has sent; anything may come.

    :param name: whose browser it is.
    :raises Unacceptable: when it is no message.
    """
    try:
        values = json.loads(data)
        text, key = values["text"], values["key"]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise Unacceptable("That is no message.") from None
    if not isinstance(text, str) or not isinstance(key, str) or len(key) > MAX_KEY_LENGTH:
        raise Unacceptable("That is no message.")
    text = text.strip()
    if not 0 < len(text) <= MAX_TEXT_LENGTH:
        raise Unacceptable(f"A message has 1 to {MAX_TEXT_LENGTH} characters.")
    return Draft(name, sendable(text), sendable(key))


def sendable(text: str) -> str:
    """Replace halves of characters, which JSON may hold and UTF-8 may not."""
    return text.encode(errors="replace").decode()


class Pace:
    """Keeps someone waiting who writes too fast. Nothing is dropped: what is not read yet waits, too.

    :param rate: messages a second, in the long run.
    :param burst: messages at once, after a while of silence.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._left = burst
        self._at = monotonic()

    async def wait(self) -> None:
        """Wait until one more may be taken."""
        now = monotonic()
        self._left = min(self.burst, self._left + (now - self._at) * self.rate) - 1
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self.rate)
