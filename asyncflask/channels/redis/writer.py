"""Publishing to Redis: in order, many at once, and each message once although connections break."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any

from ..errors import ChannelsUnavailable
from ..loops import spawn
from ..message import Order
from .trouble import Patience, is_trouble, unavailable

#: Messages sent at once.
BATCH = 100

#: Messages that may wait for Redis.
QUEUE = 10_000


@dataclass
class Draft:
    """A message that is not yet published.

    :param token: tells it from all others.
    :param deadline: when it is given up, by the loop's clock.
    """

    name: str
    payload: bytes
    token: str
    deadline: float
    published: Future[Order]


class Writer:
    """Publishes what it is given, one batch after the other. Its task is there while it has something to do.

    :param send: publishes drafts, and returns their ids. It is told when they have been sent before, with an
        unknown end.
    :param timeout: seconds after which a message is given up.
    """

    def __init__(self, send: Callable[[list[Draft], bool], Awaitable[list[Order]]], timeout: float) -> None:
        self._send = send
        self._timeout = timeout
        self._queue: deque[Draft] = deque()
        self._task: Task[None] | None = None
        self._tokens = (f"{process}{number:x}" for process in [token_hex(6)] for number in count())

    def publish(self, name: str, payload: bytes) -> Future[Order]:
        """Begin to publish a message."""
        loop = asyncio.get_running_loop()
        published: Future[Order] = loop.create_future()
        if len(self._queue) >= QUEUE:
            raise ChannelsUnavailable(f"{QUEUE} messages wait for Redis already.")
        draft = Draft(name, payload, next(self._tokens), loop.time() + self._timeout, published)
        self._queue.append(draft)
        if self._task is None or self._task.done():
            self._task = spawn(self._run())
        return published

    @property
    def is_idle(self) -> bool:
        return self._task is None or self._task.done()

    async def finish(self) -> None:
        """Wait until all is published, or given up."""
        while not self.is_idle:
            await asyncio.wait([self._task])  # type: ignore[type-var]

    async def _run(self) -> None:
        batch: list[Draft] = []
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                await self._publish(batch)
        finally:  # also when the loop ends
            for draft in [*batch, *self._queue]:
                draft.published.cancel()
            self._queue.clear()

    async def _publish(self, batch: list[Draft]) -> None:
        is_repeated = False
        patience = Patience()
        while batch:
            try:
                async with asyncio.timeout_at(batch[0].deadline):
                    ids = await self._send(batch, is_repeated)
            except Exception as error:
                is_repeated = True
                batch = _give_up(batch, error)
                if batch:
                    await patience.wait()
            else:
                for draft, id in zip(batch, ids, strict=True):
                    _settle(draft.published, id)
                return


def _give_up(batch: list[Draft], error: Exception) -> list[Draft]:
    """Give up those for which it is too late; the others."""
    now = asyncio.get_running_loop().time()
    for draft in batch:
        if draft.deadline <= now or not is_trouble(error):
            _settle(draft.published, error=unavailable(error))
    return [draft for draft in batch if not draft.published.done()]


def _settle(published: Future[Order], id: Any = None, error: Exception | None = None) -> None:
    if published.done():
        return
    if error is None:
        published.set_result(id)
    else:
        published.set_exception(error)
