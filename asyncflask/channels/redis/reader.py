"""Hearing from Redis: one connection for all who listen on an event loop, which comes back when it breaks."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Event, Task
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from itertools import count
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from ..errors import ChannelsUnavailable
from ..hub import Hub
from ..loops import first_of, spawn
from ..message import Order
from ..pages import Page
from .trouble import Patience

#: Seconds between two questions whether Redis is there, when there is nothing to hear. It has as long to
#: answer.
PING = 10.0

#: Messages that are handed over before those who listen have a chance to read them, or all of their buffers
#: would be full, and each of them would read on by itself in the history.
BURST = 16

#: Names in one command.
CHUNK = 500

logger = logging.getLogger(__name__)


class Reader:
    """Subscribes to the names of a hub, and to no others; hands over what comes.

    What was published while there was no connection is read from the history before the hub is given anything
    else. The connection is there while the hub has names.

    :param hub: the names, and who listens to them.
    :param connect: makes a connection.
    :param take: what to do with a message: its channel and data.
    :param channel_of: the channel of a name.
    :param missed: reads what has come after the last that the hub has, see `pages`.
    :param now: the id of the last message of all.
    :param timeout: seconds that connecting may take.
    """

    def __init__(
        self,
        hub: Hub,
        connect: Callable[[], Any],
        take: Callable[[bytes, bytes], None],
        channel_of: Callable[[str], str],
        missed: Callable[[Mapping[str, Order]], AsyncIterator[Page]],
        now: Callable[[], Awaitable[Order]],
        timeout: float,
    ) -> None:
        self._hub = hub
        self._connect = connect
        self._take = take
        self._channel_of = channel_of
        self._missed = missed
        self._now = now
        self._timeout = timeout
        self._task: Task[None] | None = None
        #: The names that Redis has been told, on this connection.
        self._told: set[str] = set()
        #: How often that was, and has not been confirmed, by channel.
        self._unconfirmed: Counter[bytes] = Counter()
        self._changed = Event()
        self._confirmed = Event()
        self._is_up = False
        self._has_heard = False

    @property
    def is_idle(self) -> bool:
        return self._task is None or self._task.done()

    async def listen(self, names: Iterable[str]) -> None:
        """Return when Redis sends what is published under these names of the hub."""
        self.update()
        names = list(names)
        while not self._hears(names):
            self._confirmed.clear()
            await self._confirmed.wait()

    def update(self) -> None:
        """The names of the hub have changed."""
        self._changed.set()
        if self.is_idle and self._hub.topics:
            self._task = spawn(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _hears(self, names: Iterable[str]) -> bool:
        return self._is_up and all(
            name in self._told and not self._unconfirmed[self._channel_of(name).encode()] for name in names
        )

    async def _run(self) -> None:
        patience = Patience()
        was_up = False
        while self._hub.topics:
            connection = self._connect()
            try:
                async with asyncio.timeout(self._timeout):
                    await connection.connect()
                self._has_heard = False
                self._told.clear()
                self._unconfirmed.clear()
                await first_of(self._tell(connection), self._hear(connection, was_up, patience))
            except (RedisError, OSError, TimeoutError, ChannelsUnavailable) as error:
                if self._hub.topics:
                    logger.warning("The connection to Redis is lost: %s", error)
            finally:
                was_up = was_up or self._is_up
                self._is_up = False
                await connection.disconnect(nowait=True)
            if self._hub.topics:
                await patience.wait()

    async def _tell(self, connection: Any) -> None:
        """Tell Redis to which names to listen, until they are none, and ask now and then if it is there."""
        loop = asyncio.get_running_loop()
        next_ping = loop.time() + PING
        while self._hub.topics:
            self._changed.clear()
            wanted = self._hub.topics.keys()
            await self._send(connection, "UNSUBSCRIBE", self._told - wanted)
            await self._send(connection, "SUBSCRIBE", wanted - self._told)
            try:
                async with asyncio.timeout_at(next_ping):
                    await self._changed.wait()
            except TimeoutError:
                if not self._has_heard:
                    raise RedisConnectionError(f"Redis has not answered for {PING:g} seconds.") from None
                self._has_heard = False
                next_ping = loop.time() + PING
                await connection.send_command("PING")

    async def _send(self, connection: Any, command: str, names: set[str]) -> None:
        listed = list(names)
        for start in range(0, len(listed), CHUNK):
            chunk = listed[start : start + CHUNK]
            channels = [self._channel_of(name) for name in chunk]
            if command == "SUBSCRIBE":
                self._told.update(chunk)
                self._unconfirmed.update(channel.encode() for channel in channels)
            else:
                self._told.difference_update(chunk)
            await connection.send_command(command, *channels)

    async def _hear(self, connection: Any, was_up: bool, patience: Patience) -> None:
        """Hand over what Redis sends; after a break first what was missed."""
        early = []
        while not self._told or self._unconfirmed.total():
            early += self._messages(await connection.read_response())
        if was_up:
            await self._catch_up()
        self._is_up = True
        self._confirmed.set()
        patience.reset()
        for number in count():
            if number % BURST == BURST - 1:
                await asyncio.sleep(0)
            for channel, data in early or self._messages(await connection.read_response()):
                self._take(channel, data)
            early = []

    def _messages(self, reply: Any) -> list[tuple[bytes, bytes]]:
        """The message that a reply is, if it is one."""
        self._has_heard = True
        kind = reply[0]
        if kind == b"message":
            return [(reply[1], reply[2])]
        if kind == b"subscribe":
            self._unconfirmed[reply[1]] -= 1
            if not self._unconfirmed[reply[1]]:
                del self._unconfirmed[reply[1]]
                self._confirmed.set()
        return []

    async def _catch_up(self) -> None:
        self._hub.go_back(await self._now())
        async for page in self._missed({name: topic.last for name, topic in self._hub.topics.items()}):
            self._has_heard = True
            for name in page.gaps:
                self._hub.lose(name)
            for number, message in enumerate(page.messages):
                if number % BURST == BURST - 1:
                    await asyncio.sleep(0)
                self._hub.put(message)
        self._hub.ring_all()
