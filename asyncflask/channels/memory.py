"""Channels in the memory of this process: for one process, and for tests. It does what Redis does."""

from __future__ import annotations

import asyncio
import json
from asyncio import Future
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from heapq import merge
from itertools import islice
from operator import attrgetter
from threading import Lock
from time import monotonic, time_ns
from typing import Any

from .backend import Backend
from .errors import ChannelsUnavailable
from .hub import Hub, Subscriber
from .loops import PerLoop
from .message import START, Message, Order
from .pages import Page
from .settings import Settings


class Stream:
    """The messages of a name that are kept.

    :ivar dropped: the last that is not kept any more.
    :ivar expires: when they are forgotten, by the monotonic clock.
    """

    def __init__(self, length: int) -> None:
        self.messages: deque[Message] = deque(maxlen=length)
        self.dropped = START
        self.expires = 0.0

    def append(self, message: Message) -> None:
        if len(self.messages) == self.messages.maxlen:
            self.dropped = self.messages[0].order
        self.messages.append(message)

    def after(self, order: Order) -> Iterable[Message]:
        return (message for message in self.messages if message.order > order)


class MemoryBackend(Backend):
    """Keeps all in memory. Any number of event loops and threads of the process may use it.

    :param settings: the limits.
    :param loads: decodes JSON.
    """

    def __init__(self, settings: Settings | None = None, loads: Callable[[str], Any] = json.loads) -> None:
        self._settings = settings or Settings()
        self._loads = loads
        self._lock = Lock()
        self._last = START
        #: By the time of their last message. What was there before they were forgotten is in `_forgotten`.
        self._streams: OrderedDict[str, Stream] = OrderedDict()
        self._forgotten = START
        #: The members of sets, with the time until which they are in.
        self._sets: dict[str, dict[bytes, float]] = {}
        self._hubs = PerLoop(lambda: Hub(self._settings.max_names))

    def publish(self, name: str, payload: bytes) -> Future[Order]:
        loop = asyncio.get_running_loop()
        published: Future[Order] = loop.create_future()
        with self._lock:
            milliseconds = time_ns() // 1_000_000
            last, count = self._last  # ids grow, also when the clock goes back
            self._last = (milliseconds, 0) if milliseconds > last else (last, count + 1)
            message = Message(name, self._last, payload, self._loads)
            self._keep(message)
            self._call(name, partial(_put, message))
        # Not at once: who publishes one message after the other is to let others read them.
        loop.call_soon(_settle, published, message.order)
        return published

    def _keep(self, message: Message) -> None:
        stream = self._streams.get(message.name) or Stream(self._settings.history)
        stream.append(message)
        stream.expires = monotonic() + self._settings.history_seconds
        self._streams[message.name] = stream
        self._streams.move_to_end(message.name)
        self._forget()

    def _forget(self) -> None:
        """Let go of streams that are too old or too many, those first to which nothing was added for long."""
        now = monotonic()
        while self._streams:
            name, stream = next(iter(self._streams.items()))
            if stream.expires > now and len(self._streams) <= self._settings.max_names:
                return
            del self._streams[name]
            self._forgotten = max(self._forgotten, stream.messages[-1].order)

    def _call(self, name: str, call: Callable[[Hub, str], None]) -> None:
        """Tell those who listen, on their loops; while the lock is held, so that all hear the same order."""
        running = asyncio.get_running_loop()
        for loop, hub in self._hubs.items():
            if name in hub.topics:
                try:
                    (loop.call_soon if loop is running else loop.call_soon_threadsafe)(call, hub, name)
                except RuntimeError:
                    continue  # it has just been closed

    async def subscribe(self, subscriber: Subscriber, names: Sequence[str]) -> Order:
        with self._lock:  # what was published before is behind the callbacks that are on their way
            self._hubs.get().add(subscriber, names, self._last)
            return self._last

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        hub = self._hubs.peek()
        if hub is not None:
            hub.remove(subscriber, names)
            if not hub.topics:
                self._hubs.pop()

    async def now(self) -> Order:
        return self._last

    async def read(self, names: Sequence[str], after: Order, count: int) -> Page:
        with self._lock:
            self._forget()
            streams = {name: self._streams[name] for name in names if name in self._streams}
            found = list(
                islice(merge(*(s.after(after) for s in streams.values()), key=attrgetter("order")), count + 1)
            )
            gaps = {name for name, stream in streams.items() if START < after < stream.dropped}
            if START < after < self._forgotten:
                gaps |= {name for name in names if name not in streams}
        return Page(found[:count], len(found) > count, gaps)

    async def last(self, names: Sequence[str], count: int) -> list[Message]:
        with self._lock:
            self._forget()
            found = [m for name in names if name in self._streams for m in self._streams[name].messages]
        return sorted(found, key=attrgetter("order"))[-count:]

    async def add(self, key: str, members: Iterable[bytes], seconds: float) -> None:
        with self._lock:
            self._make_room(key)
            there = self._sets.setdefault(key, {})
            new = self._expire(there)
            for member in members:
                new |= member not in there
                there[member] = max(monotonic() + seconds, there.get(member, 0))
            self._changed(key, there, new)

    async def discard(self, key: str, members: Iterable[bytes]) -> None:
        with self._lock:
            there = self._sets.get(key, {})
            gone = [member for member in members if there.pop(member, None) is not None]
            self._changed(key, there, bool(gone))

    async def members(self, key: str) -> list[bytes]:
        with self._lock:
            there = self._sets.get(key, {})
            self._changed(key, there, self._expire(there))
            return list(there)

    def _make_room(self, key: str) -> None:
        limit = self._settings.max_names
        if key in self._sets or len(self._sets) < limit:
            return
        for other, there in list(self._sets.items()):
            self._changed(other, there, self._expire(there))
        if len(self._sets) >= limit:
            raise ChannelsUnavailable(f"There are {limit} sets in memory, and CHANNELS_MAX_NAMES is {limit}.")

    def _expire(self, there: dict[bytes, float]) -> bool:
        now = monotonic()
        gone = [member for member, until in there.items() if until <= now]
        for member in gone:
            del there[member]
        return bool(gone)

    def _changed(self, key: str, there: Mapping[bytes, float], changed: bool) -> None:
        if not there:
            self._sets.pop(key, None)
        if changed:
            self._call(key, Hub.ring)

    def end(self) -> None:
        hub = self._hubs.peek()
        if hub is not None:
            hub.end()

    async def close(self) -> None:
        self.end()
        self._hubs.pop()


def _settle(published: Future[Order], order: Order) -> None:
    if not published.done():
        published.set_result(order)


def _put(message: Message, hub: Hub, name: str) -> None:
    hub.put(message)
