"""Channels: what is published under a name goes to all who listen to it, in this process and in others.

``app.channels`` is where an application has them. The rooms: ``message`` (what travels), ``subscription``
(one who listens), ``presence`` and ``groups``, ``websockets`` and ``events`` (the way to a browser); and
behind ``backend`` either ``memory`` or ``redis``, with what is common to them in ``hub`` (who listens),
``pages`` (the history, in order) and ``loops``.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from weakref import proxy

from ..concurrency.loop_thread import is_running_loop
from .backend import Backend
from .calling import from_anywhere
from .errors import ChannelsUnavailable, InvalidName, MessagesLost, MessageTooLarge, SlowReader
from .groups import Group
from .loops import PerLoop
from .memory import MemoryBackend
from .message import Message, Order, check_name, encode, id_of, order_of
from .presence import Presence, Rounds, Visit, Watch
from .settings import Settings
from .subscription import Subscription, WhenFull, check_names
from .websockets import pump

if TYPE_CHECKING:
    from ..protocols import Application
    from ..sse import EventSourceResponse

__all__ = [
    "Backend",
    "Channels",
    "ChannelsUnavailable",
    "Group",
    "InvalidName",
    "MemoryBackend",
    "Message",
    "MessageTooLarge",
    "MessagesLost",
    "Presence",
    "Settings",
    "SlowReader",
    "Subscription",
    "Visit",
    "pump",
]


class Channels:
    """The channels of an application: ``app.channels``.

    Where messages go through is configured by ``CHANNELS_URL``: the memory of this process (None, the
    default, or ``memory://``), or a Redis server (``redis://127.0.0.1:6379/0``, with the extra
    ``asyncflask[redis]``). A backend of your own is assigned: ``app.channels.backend = ...``, before anything
    is published. The limits are those of `Settings`.

    :param app: the application; referred to weakly.
    """

    # Made when they are first needed. By setdefault: all threads are to get the same.
    _backend: Backend | None = None
    _settings: Settings | None = None

    def __init__(self, app: Application) -> None:
        self._app: Application = cast("Application", proxy(app))
        self.rounds = PerLoop(lambda: Rounds(self))
        self.watches: PerLoop[dict[str, Watch]] = PerLoop(dict)

    @property
    def _channels(self) -> Channels:
        return self  # for `from_anywhere`

    @property
    def settings(self) -> Settings:
        """The limits, read from the configuration when they are first needed."""
        return self._settings or self.__dict__.setdefault("_settings", Settings.of(self._app.config))

    @property
    def backend(self) -> Backend:
        """Where messages go through.

        :raises ValueError: for a ``CHANNELS_URL`` that is none.
        :raises ModuleNotFoundError: when the package redis is needed, and not installed.
        """
        if self._backend is None:
            self.__dict__.setdefault("_backend", self._make_backend(self._app.config.get("CHANNELS_URL")))
        return cast(Backend, self._backend)

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self._backend = backend

    def prepare(self) -> None:
        """Import what is needed, and notice a wrong ``CHANNELS_URL``, before the first request."""
        assert self.backend is not None

    def _make_backend(self, url: str | None) -> Backend:
        if not url or url == "memory://":
            return MemoryBackend(self.settings, self.loads)
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError(
                f"CHANNELS_URL is 'memory://', 'redis://...', 'rediss://...' or 'unix://...', not {url!r}."
            )
        from .redis import RedisBackend

        return RedisBackend(url, self.settings, self.loads)

    def dumps(self, value: Any) -> str:
        """JSON, as the application has it."""
        text: str = self._app.json.dumps(value)
        return text

    def loads(self, text: str) -> Any:
        return self._app.json.loads(text)

    def call_from_sync(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._app.call_from_sync(function, *args, **kwargs)

    # -- publishing -----------------------------------------------------------------------------

    def publish(self, name: str, data: Any) -> Any:
        """Publish something to all who listen to a name.

        In async code it begins at once; ``await`` it to know that it is done, and to have an exception raised
        that would be logged otherwise. In sync code (a ``def`` view, a command) it is done when this returns.
        What one process publishes keeps its order.

        :param name: 1 to 200 characters that can be seen, such as ``room:5``.
        :param data: a string, bytes, or anything that ``app.json`` dumps.
        :returns: the id of the message, a string; in async code to be awaited.
        :raises InvalidName: when it is no name (400, if nobody catches it).
        :raises MessageTooLarge: when it has more than ``CHANNELS_MAX_MESSAGE_SIZE`` bytes (413).
        :raises ChannelsUnavailable: when Redis is away for longer than ``CHANNELS_TIMEOUT`` seconds (503).
        """
        payload = self._encode(check_name(name), data)
        if is_running_loop():
            return _Publishing(self.backend.publish(name, payload))
        return self.call_from_sync(self._publish, name, payload)

    async def _publish(self, name: str, payload: bytes) -> str:
        return id_of(await self.backend.publish(name, payload))

    def _encode(self, name: str, data: Any) -> bytes:
        payload = encode(data, self._app.json)
        if len(payload) > self.settings.max_message_size:
            raise MessageTooLarge(
                f"A message to {name!r} has {len(payload)} bytes, and may have"
                f" {self.settings.max_message_size} (CHANNELS_MAX_MESSAGE_SIZE). Put what is large where it"
                " can be fetched from, and publish its address."
            )
        return payload

    def group(self, name: str) -> Group:
        """The group of that name: names that are published to together."""
        return Group(self, check_name(name))

    # -- listening ------------------------------------------------------------------------------

    def subscribe(
        self,
        *names: str,
        after: str | None = None,
        history: int = 0,
        buffer: int | None = None,
        when_full: WhenFull = "wait",
    ) -> Subscription:
        """Listen to names: ``async with app.channels.subscribe("news") as messages: async for message in
        messages:``.

        :param names: up to 100 of them; their messages come in the order of publishing.
        :param after: the id of a message, of any of these names: begin with what has been published after it
            and is kept. ``"0"`` for all that is kept.
        :param history: begin with so many of the last messages that are kept.
        :param buffer: how many messages are ready for the reader; ``CHANNELS_BUFFER``, 100, unless given.
        :param when_full: what to do with more, when the reader is slow. ``"wait"``: they wait in the history,
            and are read from there when the reader comes to them. Nobody else waits, and nothing is lost,
            unless the reader comes to be more than ``CHANNELS_HISTORY`` messages behind: then `SlowReader` is
            raised. ``"drop"``: the oldest are dropped, and counted in ``dropped``: for what is out of date
            soon, such as a position or a price. ``"disconnect"``: `SlowReader` is raised at once.
        :raises InvalidName: for what is no name, and no id.
        :raises ChannelsUnavailable: on entering, when Redis is away, or the process listens to more than
            ``CHANNELS_MAX_NAMES`` names.
        """
        if when_full not in ("wait", "drop", "disconnect"):
            raise ValueError(f"when_full is 'wait', 'drop' or 'disconnect', not {when_full!r}.")
        size = self.settings.buffer if buffer is None else buffer
        if size < 1 or history < 0:
            raise ValueError(
                "A subscription has a buffer of 1 or more messages, and 0 or more of the history."
            )
        order = None if after is None else order_of(after)
        return Subscription(self.backend, check_names(names), order, history, size, when_full)

    @from_anywhere
    async def history(self, *names: str, after: str | None = None, count: int = 100) -> list[Message]:
        """Messages that are kept, in the order of publishing.

        :param names: of which names.
        :param after: the first that come after this id; None for the last of all.
        :param count: how many, at most.
        :returns: in async code to be awaited.
        """
        listed = check_names(names)
        if after is None:
            return await self.backend.last(listed, count) if count > 0 else []
        found: list[Message] = []
        order = order_of(after)
        while len(found) < count:
            page = await self.backend.read(listed, order, count - len(found))
            found += page.messages
            if not page.more:
                break
            order = page.messages[-1].order
        return found[:count]

    def presence(self, name: str) -> Presence:
        """Who is there, under a name."""
        return Presence(self, check_name(name))

    def event_stream(self, *names: str, **options: Any) -> EventSourceResponse:
        """A response that sends what is published as Server-Sent Events, see `events.event_stream`."""
        from .events import event_stream  # knows of requests

        return event_stream(self.subscribe, *names, **options)

    async def end(self) -> None:
        """End the subscriptions on the running event loop: who listens has nothing more to wait for. What is
        published still is. The application does it when its lifespan ends, a drain may do it before."""
        if self._backend is not None:
            self._backend.end()

    async def close(self) -> None:
        """End what belongs to the running event loop: subscriptions end, what is to be published is,
        connections are closed. The application does it when its lifespan ends. Without a lifespan it happens
        when the loop ends (`asyncio.run`), or ten seconds after the last use."""
        if self._backend is not None:
            await self._backend.close()


class _Publishing:
    """A message that is being published: its id, when it is awaited."""

    __slots__ = ("_published",)

    def __init__(self, published: Future[Order]) -> None:
        self._published = published

    def __await__(self) -> Any:
        return id_of((yield from self._published.__await__()))
