"""Where messages go through: the memory of this process, or Redis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Iterable, Sequence

from .hub import Subscriber
from .message import Message, Order
from .pages import Page


class Backend(ABC):
    """One for all event loops of the process. Names are taken as they are; what is published is encoded.

    All methods are called on an event loop. What cannot be done raises `ChannelsUnavailable`.
    """

    @abstractmethod
    def publish(self, name: str, payload: bytes) -> Future[Order]:
        """Begin to publish. What is published on one loop keeps its order.

        :returns: has the id when it is done.
        """

    @abstractmethod
    async def subscribe(self, subscriber: Subscriber, names: Sequence[str]) -> Order:
        """Let someone listen; what is published afterwards is given to the subscriber, in order.

        :returns: what comes later than this is.
        """

    @abstractmethod
    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Let someone listen no longer."""

    @abstractmethod
    async def now(self) -> Order:
        """The id of the last message of any name."""

    @abstractmethod
    async def read(self, names: Sequence[str], after: Order, count: int) -> Page:
        """Messages that are kept, after an id: `count` of them, or more when there are several names."""

    @abstractmethod
    async def last(self, names: Sequence[str], count: int) -> list[Message]:
        """The last messages that are kept, in order."""

    @abstractmethod
    async def add(self, key: str, members: Iterable[bytes], seconds: float) -> None:
        """Put members into a set for some seconds, or keep them there for longer. Who listens to the set's
        name is told by `Subscriber.ring` if that has changed it."""

    @abstractmethod
    async def discard(self, key: str, members: Iterable[bytes]) -> None:
        """Take members out of a set."""

    @abstractmethod
    async def members(self, key: str) -> list[bytes]:
        """Who is in a set."""

    @abstractmethod
    def end(self) -> None:
        """End the subscriptions of the running loop."""

    @abstractmethod
    async def close(self) -> None:
        """End what belongs to the running loop: subscriptions, connections, tasks. Being used again, it
        begins anew."""
