"""Sessions in the memory of the process: for one process, and for tests."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from .server_side import ServerSessionInterface


class MemoryStore:
    """Any number of threads and event loops may use it.

    :param max_sessions: how many are kept; with more the one goes that was not used for the longest time.
    """

    def __init__(self, max_sessions: int) -> None:
        self.max_sessions = max_sessions
        self._sessions: OrderedDict[str, tuple[dict[str, str], float]] = OrderedDict()
        self._lock = Lock()

    async def open(self, id: str, lifetime: float) -> Mapping[str, str] | None:
        with self._lock:
            values = self._get(id)
            if values is None:
                return None
            self._put(id, values, lifetime)
            return values.copy()

    async def begin(
        self, id: str, values: Mapping[str, str], lifetime: float, instead_of: str | None
    ) -> None:
        with self._lock:
            self._sessions.pop(instead_of or "", None)
            self._put(id, dict(values), lifetime)

    async def write(
        self, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> bool:
        with self._lock:
            kept = self._get(id)
            if kept is None:
                return False
            self._put(id, _changed(kept, values, removed), lifetime)
            return True

    async def move(
        self, old: str, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> None:
        with self._lock:
            kept = self._get(old) or {}
            self._sessions.pop(old, None)
            self._put(id, _changed(kept, values, removed), lifetime)

    async def delete(self, id: str) -> None:
        with self._lock:
            self._sessions.pop(id, None)

    def _get(self, id: str) -> dict[str, str] | None:
        values, until = self._sessions.get(id, ({}, 0.0))
        return values if until > time.monotonic() else None

    def _put(self, id: str, values: dict[str, str], lifetime: float) -> None:
        self._sessions[id] = values, time.monotonic() + lifetime
        self._sessions.move_to_end(id)
        if len(self._sessions) > self.max_sessions:
            self._sessions.popitem(last=False)


def _changed(kept: dict[str, str], values: Mapping[str, str], removed: Iterable[str]) -> dict[str, str]:
    return {**{key: text for key, text in kept.items() if key not in set(removed)}, **values}


class MemorySessionInterface(ServerSessionInterface):
    """Keeps sessions in the memory of the process, where they are lost when it ends. With several processes
    behind one address use `asyncflask.sessions.redis.RedisSessionInterface`, which is the same otherwise.

    :param max_sessions: how many are kept; with more the one goes that was not used for the longest time.
        10,000 unless given.
    :param options: as for `ServerSessionInterface`.
    """

    def __init__(self, max_sessions: int = 10_000, **options: Any) -> None:
        super().__init__(MemoryStore(max_sessions), **options)
