"""What may be said, and how fast."""

from __future__ import annotations

import asyncio
from time import monotonic

from asyncflask import json

MAX_NAME_LENGTH = 30
MAX_TEXT_LENGTH = 2000
MAX_KEY_LENGTH = 40


class Unacceptable(ValueError):
    """What a visitor has sent is not taken; the text says why, to the visitor."""


def take_name(name: str) -> str:
    """A name as it is shown.

    :raises Unacceptable: when it is none.
    """
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise Unacceptable(f"A name has 1 to {MAX_NAME_LENGTH} letters.")
    return name


def take_message(name: str, data: str | bytes) -> dict[str, str]:
    """Read what a browser has sent; anything may come.

    The ``key`` of a message is its author's, who knows by it that the message has come back, and need not be
    sent again.

    :param name: whose browser it is.
    :returns: the message.
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
    return {"type": "message", "name": name, "text": sendable(text), "key": sendable(key)}


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
