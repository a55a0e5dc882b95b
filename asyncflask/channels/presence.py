"""Who is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from .calling import from_anywhere
from .errors import ChannelsUnavailable, MessageTooLarge
from .loops import spawn
from .message import Message

if TYPE_CHECKING:
    from .owner import Owner

#: Seconds between two looks at who is there, however many come and go.
PAUSE = 0.05

#: Those who are there: what is told of each, by key. One who is there twice, in two windows for example, has
#: two.
People = dict[str, list[Any]]


class Visit:
    """Somebody's being there.

    :param presence: where.
    :param key: who.
    :param meta: what is told.
    """

    def __init__(self, presence: Presence, key: str, meta: Any) -> None:
        self._presence = presence
        self._key = key
        self._id = token_hex(8)
        self.member = self._encode(meta)

    def _encode(self, meta: Any) -> bytes:
        return self._presence.encode([self._id, self._key, meta])

    async def update(self, meta: Any) -> None:
        """Have something else told: "busy", or what is being typed."""
        member, self.member = self.member, self._encode(meta)
        await self._presence.change(member, self.member)


class Presence:
    """Who is there, under a name: in a room, on a page. Made by `Channels.presence`.

    :param channels: whose it is.
    :param name: the name. It need not be one to which something is published.
    """

    def __init__(self, channels: Owner, name: str) -> None:
        self._channels = channels
        self._set = f" presence {name}"

    @asynccontextmanager
    async def track(self, key: str, meta: Any = None) -> AsyncIterator[Visit]:
        """Be there for as long as the block lasts::

            async with app.channels.presence("room:5").track(user.name, {"status": "busy"}):
                ...

        :param key: who: a name, the id of a user.
        :param meta: what is told of the visit, any JSON.
        :raises ChannelsUnavailable: when Redis is away. Later it may be: then they are there again when it
            is.
        """
        visit = Visit(self, key, meta)
        rounds = self._channels.rounds.get()
        rounds.add(self._set, visit)
        try:
            await self._channels.backend.add(
                self._set, [visit.member], self._channels.settings.presence_seconds
            )
            yield visit
        finally:
            rounds.remove(self._set, visit)
            with suppress(ChannelsUnavailable):  # it is noticed later then
                await self._channels.backend.discard(self._set, [visit.member])

    async def change(self, member: bytes, other: bytes) -> None:
        await self._channels.backend.add(self._set, [other], self._channels.settings.presence_seconds)
        await self._channels.backend.discard(self._set, [member])

    @from_anywhere
    async def list(self) -> People:
        """Who is there: what is told of each visit, by key."""
        return people(await self._channels.backend.members(self._set), self._channels.loads)

    async def watch(self) -> AsyncIterator[People]:
        """Who is there, at once and whenever that has changed. Those who watch the same name on one event
        loop look together, and no more often than is needed. While Redis is away nothing is new."""
        watches = self._channels.watches.get()
        watch = watches.get(self._set)
        if watch is None or watch.has_ended:
            watch = watches[self._set] = Watch(self._channels, self._set)
        watch.begin()
        try:
            seen: list[bytes] | None = None
            while not watch.has_ended:
                changed = watch.changed
                if watch.members is not None and watch.members != seen:
                    seen = watch.members
                    yield people(seen, self._channels.loads)
                else:
                    await changed.wait()
        finally:
            if watch.leave() and watches.get(self._set) is watch:
                del watches[self._set]

    def encode(self, visit: Sequence[Any]) -> bytes:
        data = self._channels.dumps(visit).encode(errors="replace")
        limit = self._channels.settings.max_message_size
        if len(data) > limit:
            raise MessageTooLarge(f"What is told of a visit has {len(data)} bytes, and may have {limit}.")
        return data


def people(members: Iterable[bytes], loads: Callable[[str], Any]) -> People:
    """Members of a set as they are told."""
    found: People = {}
    for _, key, meta in sorted(
        (loads(member.decode()) for member in members), key=lambda visit: (visit[1], visit[0])
    ):
        found.setdefault(key, []).append(meta)
    return found


class Rounds:
    """Goes round the visits on an event loop, and says of each that it is there still.

    :param channels: whose they are.
    """

    def __init__(self, channels: Owner) -> None:
        self._channels = channels
        self._visits: dict[str, set[Visit]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, key: str, visit: Visit) -> None:
        self._visits.setdefault(key, set()).add(visit)
        if self._task is None or self._task.done():
            self._task = spawn(self._run())

    def remove(self, key: str, visit: Visit) -> None:
        self._visits[key].remove(visit)
        if not self._visits[key]:
            del self._visits[key]
        if not self._visits and self._task is not None:
            self._task.cancel()

    def _members(self, key: str) -> set[bytes]:
        return {visit.member for visit in self._visits.get(key, ())}

    async def _run(self) -> None:
        seconds = self._channels.settings.presence_seconds
        while True:
            await asyncio.sleep(seconds / 3)
            for key in list(self._visits):
                try:
                    await self._renew(key, seconds)
                except ChannelsUnavailable:
                    break  # which is logged

    async def _renew(self, key: str, seconds: float) -> None:
        there = self._members(key)
        await self._channels.backend.add(key, there, seconds)
        gone = there - self._members(key)
        if gone:  # while they were said to be there
            await self._channels.backend.discard(key, gone)


class Watch:
    """What those who watch a set on an event loop look at together. A `Subscriber`.

    :param channels: whose it is.
    :param key: the set.
    """

    def __init__(self, channels: Owner, key: str) -> None:
        self._channels = channels
        self._key = key
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None
        self._rung = asyncio.Event()
        #: Who is there; None until that is known.
        self.members: list[bytes] | None = None
        #: Is set when something has changed, and replaced by another one.
        self.changed = asyncio.Event()
        self.has_ended = False

    def begin(self) -> None:
        self._watchers += 1
        if self._task is None:
            self._task = spawn(self._look())

    def leave(self) -> bool:
        """Whether that was the last who watched."""
        self._watchers -= 1
        if not self._watchers and self._task is not None:
            self._task.cancel()
            self._channels.backend.unsubscribe(self, [self._key])
        return not self._watchers

    async def _look(self) -> None:
        is_subscribed = False
        while not self.has_ended:
            self._rung.clear()
            try:
                if not is_subscribed:
                    await self._channels.backend.subscribe(self, [self._key])
                    is_subscribed = True
                members = sorted(await self._channels.backend.members(self._key))
            except ChannelsUnavailable:
                pass  # which is logged
            else:
                if members != self.members:
                    self.members = members
                    self._wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._channels.settings.presence_seconds / 3):
                    await self._rung.wait()
            await asyncio.sleep(PAUSE)

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    def lose(self) -> None:
        self._rung.set()

    def end(self) -> None:
        self.has_ended = True
        self._rung.set()
        self._wake()

    def put(self, message: Message) -> None:
        pass

    def begin_anew(self) -> None:
        pass
