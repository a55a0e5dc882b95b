"""A subscription: messages as they come, for one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from .backend import Backend
from .errors import ChannelsUnavailable, MessagesLost, SlowReader
from .message import START, Message, Order, before, check_name, id_of
from .pages import Page

T = TypeVar("T")

#: What is done when the reader is so slow that its buffer is full.
WhenFull = Literal["wait", "drop", "disconnect"]

#: Names of one subscription.
MAX_NAMES = 100

#: Seconds between two attempts to read on, while Redis is away.
RETRY = 0.5


class Subscription:
    """Messages of some names, in the order of publishing. Made by `Channels.subscribe`, for one reader::

        async with app.channels.subscribe("news") as messages:
            async for message in messages:
                ...

    The iteration ends when the server does. There is no queue without bounds: `size` messages are ready for
    the reader, and what happens to more is `when_full`'s to say.

    :param backend: where they come from.
    :param names: the names.
    :param after: begin with what is kept after this id; None for what comes from now on.
    :param history: begin with so many of the last that are kept.
    :param size: how many messages are ready for the reader.
    :param when_full: see `Channels.subscribe`.
    """

    def __init__(
        self,
        backend: Backend,
        names: Sequence[str],
        after: Order | None,
        history: int,
        size: int,
        when_full: WhenFull,
    ) -> None:
        self._backend = backend
        self._names = list(names)
        self._after = after
        self._history = history
        self._size = size
        self._when_full = when_full
        self._buffer: deque[Message] = deque()
        #: The last that was put into the buffer, or was before all that is to be.
        self._position = START
        #: What is later than that is not put into the buffer, but read from the history when the buffer is
        #: empty.
        self._is_behind = False
        self._is_reading = False
        self._has_ended = False
        self._failure: tuple[type[MessagesLost], str] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._last = START
        #: Messages that were dropped because the reader is slow.
        self.dropped = 0
        #: Whether messages after the id that it was to begin with are not kept any more. They may not
        #: have been many, or none: it is said rather once too often.
        self.gap = False

    @property
    def names(self) -> tuple[str, ...]:
        """What it listens to."""
        return tuple(self._names)

    @property
    def last_id(self) -> str:
        """The id of the last message that was read, or at first, what comes before all messages of this
        subscription. Who goes on ``after`` it misses nothing."""
        return id_of(self._last)

    async def __aenter__(self) -> Self:
        self._is_behind = self._after is not None
        base = await self._backend.subscribe(self, self._names)
        try:
            if self._after is not None:
                self._last = self._position = self._after
                if self._after > base and self._after > (now := await self._backend.now()):
                    # Of another Redis perhaps, or made up. It would hold back all that comes.
                    self._last = self._position = now
                    self.gap = True
                await self._read_on(is_first=True)
            elif self._history:
                await self._begin_with_history()
            else:
                self._last = self._position = base
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no longer. The iteration ends."""
        self._backend.unsubscribe(self, self._names)
        self._buffer.clear()
        self.end()

    async def add(self, *names: str) -> None:
        """Listen to more names from now on.

        :raises InvalidName: for what is no name.
        :raises ValueError: when they become too many.
        """
        new = [name for name in check_names(names, len(self._names)) if name not in self._names]
        if not new:
            return
        self._names += new
        try:
            await self._backend.subscribe(self, new)
        except BaseException:
            self.remove(*new)
            raise
        if self._has_ended:
            self._backend.unsubscribe(self, self._names)

    def remove(self, *names: str) -> None:
        """Listen to some names no longer; what has come before may still be read."""
        self._backend.unsubscribe(self, [name for name in names if name in self._names])
        self._names = [name for name in self._names if name not in names]

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        """The next message.

        :raises SlowReader: when its reader is too slow, and ``when_full`` says so.
        :raises MessagesLost: when messages in between are lost.
        """
        while not self._buffer:
            if self._failure is not None:
                (kind, text), self._failure = self._failure, None
                raise kind(text)
            if self._has_ended:
                raise StopAsyncIteration
            if self._is_behind:
                await self._try_to_read_on()
            else:
                await self._wait()
        message = self._buffer.popleft()
        self._last = message.order
        return message

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- the history ----------------------------------------------------------------------------

    async def _try_to_read_on(self) -> None:
        try:
            await self._read_on()
        except ChannelsUnavailable:
            await asyncio.sleep(RETRY)  # who waits for messages waits for Redis, too

    async def _read_on(self, is_first: bool = False) -> None:
        """Take what comes next from the history, and go over to what comes live when that is all."""
        position = self._position
        self._is_behind = False
        page = await self._while_it_goes_on(self._backend.read(self._names, position, self._size), position)
        if page.gaps and is_first:
            self.gap = True
        elif page.gaps:
            self._fail(
                SlowReader, "The reader is so slow that messages it has not read are not kept any more."
            )
            return
        self._take_over(page, position)

    async def _begin_with_history(self) -> None:
        now = await self._backend.now()
        messages = await self._while_it_goes_on(self._backend.last(self._names, self._history), now)
        self._last = before(messages[0].order) if messages else now
        self._take_over(Page(messages), now)

    async def _while_it_goes_on(self, reading: Coroutine[Any, Any, T], position: Order) -> T:
        """Read what has been. What comes meanwhile is put into the buffer: it may be later than that."""
        self._is_reading = True
        try:
            return await reading
        except BaseException:
            self._buffer.clear()
            self._position, self._is_behind = position, True
            raise
        finally:
            self._is_reading = False

    def _take_over(self, page: Page, position: Order) -> None:
        """Have what was read in the buffer, and what came live after it."""
        live, self._buffer = self._buffer, deque(page.messages)
        self._position = page.messages[-1].order if page.messages else position
        if page.more or self._is_behind:
            self._is_behind = True  # what came meanwhile is in the history, too
        else:
            self._buffer += [message for message in live if message.order > self._position]
            self._position = self._buffer[-1].order if self._buffer else self._position

    # -- what the hub calls ---------------------------------------------------------------------

    def put(self, message: Message) -> None:
        if self._is_behind or message.order <= self._position or self._has_ended:
            return
        if len(self._buffer) >= self._size:
            if self._when_full == "wait" or self._is_reading:
                self._is_behind = True
                return
            if self._when_full == "disconnect":
                self._fail(SlowReader, f"The reader is so slow that {self._size} messages wait for it.")
                return
            self._buffer.popleft()
            self.dropped += 1
        self._buffer.append(message)
        self._position = message.order
        self._wake()

    def ring(self) -> None:
        pass

    def lose(self) -> None:
        if self._when_full == "drop":
            self.gap = True
        elif not self._is_behind:  # or it finds out by itself whether these are missing
            self._fail(MessagesLost, "Redis was away for so long that messages are not kept any more.")

    def begin_anew(self) -> None:
        self._position = START

    def end(self) -> None:
        self._has_ended = True
        self._wake()

    def _fail(self, kind: type[MessagesLost], text: str) -> None:
        self._failure = kind, text
        self._buffer.clear()
        self._backend.unsubscribe(self, self._names)
        self.end()


def check_names(names: Sequence[str], have: int = 0) -> list[str]:
    """The names, each once.

    :raises InvalidName: for what is no name.
    :raises ValueError: when they are none, or too many.
    """
    found = list(dict.fromkeys(check_name(name) for name in names))
    if not found:
        raise ValueError("Say to which names to listen: 'subscribe(\"news\")'.")
    if have + len(found) > MAX_NAMES:
        raise ValueError(f"A subscription has at most {MAX_NAMES} names, not {have + len(found)}.")
    return found
