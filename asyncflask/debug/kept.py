"""The tracebacks whose frames have a console, for a while."""

from __future__ import annotations

import secrets
import time
from contextvars import Context

from .console import Console
from .raised import Namespace

LIMIT = 10  # tracebacks
LIFETIME = 3600.0  # seconds since a traceback was last used


class KeptTraceback:
    """The names of the frames of one traceback, and the consoles that were opened in them."""

    def __init__(self, context: Context) -> None:
        #: What names it; whoever has not been sent the page cannot know it.
        self.secret = secrets.token_urlsafe(32)
        #: To be filled while the traceback is collected.
        self.namespaces: list[Namespace] = []
        self._context = context
        self._consoles: dict[int, Console] = {}
        self.used = time.monotonic()

    def console(self, number: object) -> Console | None:
        """That of a frame, by its number on the page."""
        if type(number) is not int or not 0 <= number < len(self.namespaces):
            return None
        if number not in self._consoles:
            self._consoles[number] = Console(self.namespaces[number], self._context.copy())
        return self._consoles[number]


class KeptTracebacks:
    """At most so many of the last ones, for at most so long."""

    def __init__(self, limit: int = LIMIT, lifetime: float = LIFETIME) -> None:
        self.limit = limit
        self.lifetime = lifetime
        self._kept: dict[str, KeptTraceback] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, kept: KeptTraceback) -> None:
        """Keep it, and forget the oldest for it."""
        self.expire()
        self._kept[kept.secret] = kept
        while len(self._kept) > self.limit:
            del self._kept[next(iter(self._kept))]

    def get(self, secret: object) -> KeptTraceback | None:
        """The one of that secret, unless it is forgotten."""
        self.expire()
        kept = self._kept.get(secret) if isinstance(secret, str) else None
        if kept is not None:
            kept.used = time.monotonic()
        return kept

    def expire(self) -> float | None:
        """Forget those that are too old.

        :return: seconds until the next one is; None if there are none.
        """
        now = time.monotonic()
        for secret in [name for name, kept in self._kept.items() if now - kept.used >= self.lifetime]:
            del self._kept[secret]
        return min((kept.used + self.lifetime - now for kept in self._kept.values()), default=None)

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()
