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

from ...loops import PerLoop
from ...redis import Script, Server, check_url, make_client
from ..backend import Backend
from ..hub import Subscriber
from ..message import Message, Order
from ..pages import Page, pages
from ..settings import Settings
from . import scripts
from .link import Keys, Link

#: Connections for commands, on each event loop.
CONNECTIONS = 8


class RedisBackend(Backend):
    """Keeps all in Redis. Any number of event loops of the process may use it; each has its connections.

    :param server: a URL, or what makes a client, see `Server`.
    :param settings: the limits.
    :param loads: decodes JSON.
    :raises ValueError: for a URL that is none.
    """

    def __init__(
        self,
        server: Server,
        settings: Settings | None = None,
        loads: Callable[[str], Any] = json.loads,
    ) -> None:
        self._settings = settings or Settings()
        self._server = server
        self._loads = loads
        self._keys = Keys(self._settings.prefix)
        self._links = PerLoop(self._make_link)
        check_url(server)

    def _make_link(self) -> Link:
        client = make_client(self._server, CONNECTIONS, self._settings.timeout)
        return Link(client, self._settings, self._keys, self._loads, self._forget)

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

    async def _change(self, script: Script, key: str, *arguments: Any) -> Any:
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
