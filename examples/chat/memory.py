"""Rooms in the memory of this process, as long as it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from time import time_ns

from .messages import Draft, Message, order
from .room import Room

#: Rooms that are kept. Of more, those are forgotten that nobody is in, or has entered for the longest time.
MAX_ROOMS = 100


class MemoryRooms:
    """See `Rooms`."""

    def __init__(self) -> None:
        #: Each with how often somebody is there under a name, in two windows for example.
        self._rooms: dict[str, tuple[Room, Counter[str]]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def visit(self, room: str, name: str) -> AsyncIterator[Room]:
        entered, people = self._rooms.pop(room) if room in self._rooms else (Room(room), Counter())
        self._rooms[room] = entered, people  # as the last
        people[name] += 1
        entered.set_people(people)
        self._forget()
        try:
            yield entered
        finally:
            people -= Counter([name])
            entered.set_people(people)

    async def post(self, room: Room, draft: Draft) -> None:
        now, (last, count) = time_ns() // 1_000_000, order(room.last_id)
        id = f"{now}-0" if now > last else f"{last}-{count + 1}"
        room.add([Message(**asdict(draft), id=id)])

    def _forget(self) -> None:
        empty = [name for name, (_, people) in self._rooms.items() if not people]
        for name in empty[: max(0, len(self._rooms) - MAX_ROOMS)]:
            del self._rooms[name]
