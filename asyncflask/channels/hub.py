"""Who listens to what, on one event loop: a message that comes for the process goes to each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .errors import ChannelsUnavailable
from .message import START, Message, Order


class Subscriber(Protocol):
    """Someone who listens. None of this may wait."""

    def put(self, message: Message) -> None:
        """A message has been published."""

    def ring(self) -> None:
        """A set has changed, see `Backend.add`."""

    def lose(self) -> None:
        """Messages have been lost."""

    def end(self) -> None:
        """There is nothing more to come."""

    def begin_anew(self) -> None:
        """What is to come may have smaller ids than what has come."""


class Topic:
    """A name that somebody listens to.

    :param last: the last message that has come, or came before anybody listened.
    """

    __slots__ = ("last", "subscribers")

    def __init__(self, last: Order) -> None:
        self.last = last
        self.subscribers: dict[Subscriber, None] = {}


class Hub:
    """The names that somebody on this event loop listens to.

    :param limit: how many they may be.
    """

    def __init__(self, limit: int) -> None:
        self.topics: dict[str, Topic] = {}
        self._limit = limit

    def add(self, subscriber: Subscriber, names: Iterable[str], base: Order) -> Order:
        """Let someone listen to names.

        :param base: what was published before is not for those to whom a name is new.
        :returns: what comes later than this is given to the subscriber.
        :raises ChannelsUnavailable: when these are too many names.
        """
        names = list(names)
        if len(self.topics) + sum(name not in self.topics for name in names) > self._limit:
            raise ChannelsUnavailable(
                f"This process listens to {len(self.topics)} names, and CHANNELS_MAX_NAMES is {self._limit}."
            )
        for name in names:
            self.topics.setdefault(name, Topic(base)).subscribers[subscriber] = None
        return max((self.topics[name].last for name in names), default=base)

    def remove(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Let someone listen to names no longer."""
        for name in names:
            topic = self.topics.get(name)
            if topic is not None:
                topic.subscribers.pop(subscriber, None)
                if not topic.subscribers:
                    del self.topics[name]

    def put(self, message: Message) -> None:
        """A message has come. One that has come before is not given to anybody again."""
        topic = self.topics.get(message.name)
        if topic is None or message.order <= topic.last:
            return
        topic.last = message.order
        for subscriber in list(topic.subscribers):  # one that is too slow leaves
            subscriber.put(message)

    def ring(self, name: str) -> None:
        """A set has changed."""
        if name in self.topics:
            for subscriber in list(self.topics[name].subscribers):
                subscriber.ring()

    def ring_all(self) -> None:
        """Any set may have changed."""
        for name in list(self.topics):
            self.ring(name)

    def lose(self, name: str) -> None:
        """Messages of a name have been lost."""
        if name in self.topics:
            for subscriber in list(self.topics[name].subscribers):
                subscriber.lose()

    def go_back(self, now: Order) -> None:
        """Redis has come back with less than it had: a replica has taken over that had not been told all."""
        for name, topic in list(self.topics.items()):
            if topic.last > now:
                topic.last = now
                self.lose(name)

    def begin_anew(self) -> None:
        """Redis has come back with nothing. The ids of what is to come may be smaller than those before."""
        for topic in self.topics.values():
            topic.last = START
            for subscriber in topic.subscribers:
                subscriber.begin_anew()

    def end(self) -> None:
        """Tell all that there is nothing more to come."""
        for topic in list(self.topics.values()):
            for subscriber in list(topic.subscribers):
                subscriber.end()
