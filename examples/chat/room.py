"""A room, as one process sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from asyncflask import json

from .messages import Draft, Message, order

#: The messages of a room that are kept.
HISTORY = 1000

#: The people of a room whose names are told; of more only the number is.
MAX_NAMES = 100


class Room:
    """The last messages of a room, and who is there.

    There is no queue for each visitor: all of them read the same messages, each at its own pace, and wait
    when they have read the last one. So a browser that does not read costs no memory.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: deque[Message] = deque(maxlen=HISTORY)
        self.people: list[str] = []
        self._changed = asyncio.Event()

    @property
    def last_id(self) -> str:
        """The id of the last message, ``0-0`` before there is one."""
        return self.messages[-1].id if self.messages else "0-0"

    def add(self, messages: Iterable[Message]) -> None:
        """Append messages, except those that are there already."""
        last = order(self.last_id)
        new = [message for message in messages if message.order > last]
        if new:
            self.messages.extend(new)
            self._wake()

    def set_people(self, names: Iterable[str]) -> None:
        """Say who is there."""
        people = sorted(set(names), key=str.casefold)
        if people != self.people:
            self.people = people
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def news(self, after: str = "0-0") -> AsyncIterator[str]:
        """What a browser is sent: the messages after one, "ready" after the last, and then what happens.

        :param after: the id of the last message that the browser has.
        """
        last = order(after)
        people: list[str] | None = None
        ready = False
        while True:
            changed = self._changed  # before looking, so that nothing happens unnoticed in between
            for message in [message for message in self.messages if message.order > last]:
                yield message.line
                last = message.order
            if not ready:
                yield json.dumps({"type": "ready"})
                ready = True
            if people != self.people:
                people = self.people
                yield json.dumps({"type": "people", "names": people[:MAX_NAMES], "count": len(people)})
            await changed.wait()


class Rooms(Protocol):
    """Where the rooms are kept."""

    def open(self) -> AbstractAsyncContextManager[None]:
        """What is done around the time that the application is served."""

    def visit(self, room: str, name: str) -> AbstractAsyncContextManager[Room]:
        """Be in a room, under a name."""

    async def post(self, room: Room, draft: Draft) -> None:
        """Say something in a room where one is."""
