"""The connections of one event loop to Redis, and what goes over them."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Any, TypeVar, cast

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ..errors import ChannelsUnavailable
from ..hub import Hub, Subscriber
from ..loops import spawn
from ..message import START, Message, Order, id_of, order_of
from ..pages import Page, pages
from ..settings import Settings
from . import scripts
from .reader import Reader
from .trouble import Patience, is_trouble, unavailable
from .writer import Draft, Writer

T = TypeVar("T")

#: Seconds after which connections are closed that nobody uses.
LINGER = 10.0

#: Seconds between two looks whether somebody still uses them, when the loop ends.
GRACE = 0.01

#: Streams in one command.
CHUNK = 200

#: Messages of a name that are read at once.
PAGE = 200


@dataclass(frozen=True)
class Keys:
    """What things are called in Redis, see `scripts`."""

    prefix: str

    @property
    def clock(self) -> str:
        return f"{self.prefix}:clock"

    def channel(self, name: str) -> str:
        return f"{self.prefix}:{name}"

    def name(self, channel: bytes) -> str:
        return channel.decode()[len(self.prefix) + 1 :]

    def stream(self, name: str) -> str:
        return f"{self.prefix}:stream:{name}"

    def set(self, key: str) -> str:
        return f"{self.prefix}:set:{key}"


class Link:
    """A client, a `Writer` and a `Reader`. It closes itself when nobody has used it for a while.

    :param client: a `redis.asyncio.Redis`.
    :param on_idle: is told when it is about to close.
    """

    def __init__(
        self,
        client: Any,
        settings: Settings,
        keys: Keys,
        loads: Callable[[str], Any],
        on_idle: Callable[[Link], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._keys = keys
        self._loads = loads
        self._on_idle = on_idle
        self._hub = Hub(settings.max_names)
        self.writer = Writer(self._send, settings.timeout)
        self._reader = Reader(
            self._hub,
            self._make_connection,
            self._take,
            keys.channel,
            self._missed,
            self.now,
            settings.timeout,
        )
        self._epoch = b""
        self._asking = 0
        self._has_closed = False
        self._was_used = True
        self._keeper: Task[None] = spawn(self._keep())

    # -- connections ----------------------------------------------------------------------------

    def _make_connection(self) -> Any:
        """A connection for the reader: the client's kind, but one that waits for as long as it takes."""
        pool = self._client.connection_pool
        options = {key: value for key, value in pool.connection_kwargs.items() if "maint" not in key}
        options.setdefault("socket_connect_timeout", self._settings.timeout)
        options |= {"socket_timeout": None, "health_check_interval": 0, "retry": Retry(NoBackoff(), 0)}
        return pool.connection_class(**{**options, "protocol": 2, "decode_responses": False})

    async def _keep(self) -> None:
        try:
            is_used = True
            while is_used:
                await asyncio.sleep(LINGER)
                is_used = self._is_used()
        except asyncio.CancelledError:
            await self._outlast_others()
            raise
        finally:
            self._on_idle(self)
            self._has_closed = True
            with suppress(RedisError, OSError):
                await self._client.aclose()

    async def _outlast_others(self) -> None:
        """The loop ends: all tasks are cancelled, and some of them have something to say at their end."""
        for _ in range(int(self._settings.timeout / GRACE)):
            await asyncio.sleep(GRACE)
            if not self._asking:
                return

    def _is_used(self) -> bool:
        was_used, self._was_used = self._was_used, False
        return bool(was_used or self._asking or self._hub.topics) or not self.writer.is_idle

    def end(self) -> None:
        """End the subscriptions."""
        self._hub.end()

    async def close(self) -> None:
        """Publish what is to be published, and end all the rest."""
        self.end()
        await self.writer.finish()
        await self._reader.close()
        self._keeper.cancel()
        await asyncio.wait([self._keeper])

    async def ask(self, call: Callable[[Any], Awaitable[T]]) -> T:
        """Ask Redis for something, again if it is away. So this is for what may be done twice.

        :raises ChannelsUnavailable: when it stays away, or refuses.
        """
        if self._has_closed:
            raise ChannelsUnavailable("The connections to Redis are closed: the server ends.")
        self._was_used = True
        self._asking += 1
        patience = Patience()
        trouble: Exception | None = None
        try:
            async with asyncio.timeout(self._settings.timeout):
                while True:
                    try:
                        return await call(self._client)
                    except Exception as error:
                        if not is_trouble(error):
                            raise
                        trouble = error
                    await patience.wait()
        except TimeoutError:
            raise unavailable(trouble) from trouble
        except RedisError as error:
            raise unavailable(error) from error
        finally:
            self._asking -= 1
            del trouble  # or it would refer to itself through its traceback

    # -- publishing -----------------------------------------------------------------------------

    async def _send(self, drafts: list[Draft], is_repeated: bool) -> list[Order]:
        self._was_used = True
        settings = self._settings
        arguments: list[Any] = [settings.history, int(settings.history_seconds * 1000), int(is_repeated)]
        for draft in drafts:
            arguments += [self._keys.channel(draft.name), draft.token, draft.payload]
        keys = [self._keys.clock, *(self._keys.stream(draft.name) for draft in drafts)]
        return [order_of(id.decode()) for id in await scripts.PUBLISH.run(self._client, keys, arguments)]

    # -- listening ------------------------------------------------------------------------------

    async def subscribe(self, subscriber: Subscriber, names: Sequence[str]) -> Order:
        """See `Backend.subscribe`."""
        self._was_used = True
        base: Order | None = None
        while base is None and any(name not in self._hub.topics for name in names):
            base = await self.now()
        order = self._hub.add(subscriber, names, base or START)
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._reader.listen(names)
        except TimeoutError as error:
            self.unsubscribe(subscriber, names)
            raise unavailable(None) from error
        except BaseException:
            self.unsubscribe(subscriber, names)
            raise
        return order

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        self._hub.remove(subscriber, names)
        self._reader.update()

    def _take(self, channel: bytes, data: bytes) -> None:
        name = self._keys.name(channel)
        if data:
            id, epoch, payload = data.split(b" ", 2)
            self._be_in(epoch)
            self._hub.put(self._message(name, id, payload))
        else:
            self._hub.ring(name)

    def _missed(self, positions: Mapping[str, Order]) -> AsyncIterator[Page]:
        return pages(self._read_after_a_break, positions, PAGE)

    # -- the history ----------------------------------------------------------------------------

    async def now(self) -> Order:
        """The id of the last message of all."""
        arguments = [int(self._settings.history_seconds * 1000), token_hex(6)]
        clock = await self.ask(lambda client: scripts.CLOCK.run(client, [self._keys.clock], arguments))
        id, epoch = clock.split(b" ")
        self._be_in(epoch)
        return order_of(id.decode())

    def _be_in(self, epoch: bytes) -> None:
        if epoch != self._epoch:
            if self._epoch:
                self._hub.begin_anew()
            self._epoch = epoch

    async def last(self, name: str, count: int) -> list[Message]:
        """The last messages of a name, the last one first."""
        command = ("XREVRANGE", self._keys.stream(name), "+", "-", "COUNT", count)
        entries = await self.ask(lambda client: client.execute_command(*command))
        return [self._message(name, id, fields[b"d"]) for id, fields in entries]

    async def _read_after_a_break(self, positions: Mapping[str, Order], count: int) -> dict[str, Page]:
        # Those of a name that is quiet have expired long ago, and have been heard.
        return await self.read_each(positions, count, may_have_expired=False)

    async def read_each(
        self, positions: Mapping[str, Order], count: int, may_have_expired: bool = True
    ) -> dict[str, Page]:
        """What is kept of each name after a position, see `ReadEach`."""
        names = list(positions)
        found: dict[str, Page] = {}
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            keys = [self._keys.stream(name) for name in chunk]
            arguments = [count, *(id_of(positions[name]) for name in chunk)]
            run = partial(scripts.READ.run, keys=keys, arguments=arguments)
            now, *read = cast(Any, await self.ask(run))
            expired = int(now) - self._settings.history_seconds * 1000 if may_have_expired else 0
            for name, (length, has_before, entries) in zip(chunk, read, strict=True):
                after = positions[name]
                is_cut = length >= self._settings.history or after[0] < expired
                has_gap = after > START and is_cut and not has_before
                messages = [self._message(name, id, cast(Any, fields)[1]) for id, fields in entries]
                found[name] = Page(messages, len(entries) == count, {name} if has_gap else set())
        return found

    def _message(self, name: str, id: bytes, payload: bytes) -> Message:
        return Message(name, order_of(id.decode()), payload, self._loads)
