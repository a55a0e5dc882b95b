"""Channels in Redis: the same for all processes, on any number of machines, that use one server.

A message is added to a stream and published to a channel at once, by a script. The stream is the truth, the
channel is how those who listen hear of it without asking. A process subscribes to those names that somebody
listens to in it, on one connection. When that breaks, it reads from the streams what it has missed. `scripts`
says what is where.
"""

from __future__ import annotations

import json
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, cast

try:
    import redis.asyncio as redis_asyncio
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Channels in Redis need the package redis: pip install asyncflask[redis]", name=error.name
    ) from error
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..backend import Backend
from ..hub import Subscriber
from ..loops import PerLoop
from ..message import Message, Order
from ..pages import Page, pages
from ..settings import Settings
from . import scripts
from .link import Keys, Link

#: Connections for commands, on each event loop.
CONNECTIONS = 8


class RedisBackend(Backend):
    """Keeps all in Redis. Any number of event loops of the process may use it; each has its connections.

    :param server: a URL, such as ``redis://127.0.0.1:6379/0``, ``rediss://...`` or ``unix://...``; or a
        function that makes a `redis.asyncio.Redis` when it is called on an event loop, for Redis Sentinel for
        example.
    :param settings: the limits.
    :param loads: decodes JSON.
    :raises ValueError: for a URL that is none.
    """

    def __init__(
        self,
        server: str | Callable[[], Any],
        settings: Settings | None = None,
        loads: Callable[[str], Any] = json.loads,
    ) -> None:
        self._settings = settings or Settings()
        self._server = server
        self._loads = loads
        self._keys = Keys(self._settings.prefix)
        self._links = PerLoop(self._make_link)
        if isinstance(server, str):
            redis_asyncio.ConnectionPool.from_url(server)  # a wrong one is to be noticed here

    def _make_link(self) -> Link:
        return Link(self._connect(), self._settings, self._keys, self._loads, self._forget)

    def _connect(self) -> Any:
        if not isinstance(self._server, str):
            return self._server()
        timeout = self._settings.timeout
        pool = redis_asyncio.BlockingConnectionPool.from_url(
            self._server,
            max_connections=CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # what may be sent again is not for the client to say
        )
        return redis_asyncio.Redis.from_pool(pool)

    def _forget(self, link: Link) -> None:
        if self._links.peek() is link:
            self._links.pop()

    def publish(self, name: str, payload: bytes) -> Future[Order]:
        return self._links.get().writer.publish(name, payload)

    async def subscribe(self, subscriber: Subscriber, names: Sequence[str]) -> Order:
        return await self._links.get().subscribe(subscriber, names)

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        link = self._links.peek()
        if link is not None:
            link.unsubscribe(subscriber, names)

    async def now(self) -> Order:
        return await self._links.get().now()

    async def read(self, names: Sequence[str], after: Order, count: int) -> Page:
        link = self._links.get()
        return await anext(pages(link.read_each, dict.fromkeys(names, after), count))

    async def last(self, names: Sequence[str], count: int) -> list[Message]:
        found = [message for name in names for message in await self._links.get().last(name, count)]
        return sorted(found, key=attrgetter("order"))[-count:]

    async def add(self, key: str, members: Iterable[bytes], seconds: float) -> None:
        await self._change(scripts.ADD, key, int(seconds * 1000), *members)

    async def discard(self, key: str, members: Iterable[bytes]) -> None:
        await self._change(scripts.DISCARD, key, *members)

    async def members(self, key: str) -> list[bytes]:
        return cast(list[bytes], await self._change(scripts.MEMBERS, key))

    async def _change(self, script: scripts.Script, key: str, *arguments: Any) -> Any:
        run = partial(script.run, keys=[self._keys.set(key)], arguments=[self._keys.channel(key), *arguments])
        return await self._links.get().ask(run)

    def end(self) -> None:
        link = self._links.peek()
        if link is not None:
            link.end()

    async def close(self) -> None:
        link = self._links.pop()
        if link is not None:
            await link.close()
