"""Where sessions are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Store(Protocol):
    """Keeps sessions: under an id, keys with values that are texts. Each method is done at once, whatever
    others do with the same session. What cannot be done now raises `SessionUnavailable`."""

    async def open(self, id: str, lifetime: float) -> Mapping[str, str] | None:
        """What a session has; it lasts `lifetime` seconds from now on. None when there is none."""

    async def begin(
        self, id: str, values: Mapping[str, str], lifetime: float, instead_of: str | None
    ) -> None:
        """Keep a new session, and delete the one with the id `instead_of`."""

    async def write(
        self, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> bool:
        """Change some keys of a session, if it is still there.

        :returns: whether it was. A session that is empty is there, until it is deleted.
        """

    async def move(
        self, old: str, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> None:
        """Keep a session under another id, and change some keys. If it is not there any more the new one has
        these keys only."""

    async def delete(self, id: str) -> None:
        """Delete a session."""
