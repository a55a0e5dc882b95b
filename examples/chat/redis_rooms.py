"""Rooms in Redis: the same for all processes, on any number of machines, that use one server.

The messages of a room are a stream, which is the truth; a channel is only the bell. A process that hears it
reads on in the stream from where it is. So nothing is lost or out of order when a ring is not heard, because
Redis restarts for example: the next one makes up for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from secrets import token_hex
from time import time
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from .messages import Draft, Message
from .room import HISTORY, Room

#: The channel. What is published there is the name of the room where something has happened.
BELL = "chat:bell"

#: Seconds between two looks around: to say again who is here, and to see who is gone.
ROUND = 10
#: Seconds that someone counts as present without a word from the process, which may have crashed.
PRESENCE = 3 * ROUND
#: Seconds after which a room is forgotten where nobody has said anything.
LIFETIME = 30 * 24 * 60 * 60

CONNECTIONS = 16

logger = logging.getLogger(__name__)


class RedisRooms:
    """See `Rooms`. Only the rooms that someone visits by this process are in its memory.

    :param url: of the server: ``redis://127.0.0.1:6379/0``.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Redis
        #: Each with the visits by this process.
        self._rooms: dict[str, tuple[Room, set[str]]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        pool = BlockingConnectionPool.from_url(
            self._url, decode_responses=True, max_connections=CONNECTIONS, health_check_interval=ROUND
        )
        async with Redis.from_pool(pool) as self._redis:
            await self._redis.ping()  # a wrong address is to be noticed at the start
            tasks = [asyncio.create_task(forever(work)) for work in (self._listen, self._look_around)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    @asynccontextmanager
    async def visit(self, room: str, name: str) -> AsyncIterator[Room]:
        entered, visits = self._rooms.setdefault(room, (Room(room), set()))
        visit = f"{token_hex(8)}:{name}"
        visits.add(visit)
        try:
            await self._announce(entered, [visit])
            await self._refresh(entered)
            yield entered
        finally:
            visits.remove(visit)
            if not visits:
                del self._rooms[room]
            with suppress(RedisError):  # it is seen later then
                await self._leave(entered, visit)

    async def post(self, room: Room, draft: Draft) -> None:
        fields: Any = asdict(draft)
        async with self._redis.pipeline() as pipe:
            pipe.xadd(messages_key(room), fields, maxlen=HISTORY)
            pipe.expire(messages_key(room), LIFETIME)
            pipe.publish(BELL, room.name)
            await pipe.execute()

    async def _refresh(self, room: Room) -> None:
        """Take over what has happened in a room."""
        async with self._redis.pipeline() as pipe:
            pipe.xrange(messages_key(room), min=f"({room.last_id}")
            pipe.zrangebyscore(people_key(room), time(), "inf")
            entries, visits = await pipe.execute()
        room.add(Message(**fields, id=id) for id, fields in entries)
        room.set_people(visit.partition(":")[2] for visit in visits)

    async def _announce(self, room: Room, visits: Iterable[str]) -> None:
        """Say that some are there, for the next `PRESENCE` seconds."""
        async with self._redis.pipeline() as pipe:
            pipe.zremrangebyscore(people_key(room), "-inf", time())
            pipe.zadd(people_key(room), dict.fromkeys(visits, time() + PRESENCE))
            pipe.expire(people_key(room), PRESENCE)
            pipe.publish(BELL, room.name)
            await pipe.execute()

    async def _leave(self, room: Room, visit: str) -> None:
        async with self._redis.pipeline() as pipe:
            pipe.zrem(people_key(room), visit)
            pipe.publish(BELL, room.name)
            await pipe.execute()

    async def _listen(self) -> None:
        """Go and see whenever the bell rings."""
        async with self._redis.pubsub() as bell:
            await bell.subscribe(BELL)
            async for ring in bell.listen():
                # Once subscribed, also anew: what happened before was not heard.
                names = list(self._rooms) if ring["type"] == "subscribe" else [ring["data"]]
                for name in names:
                    if name in self._rooms:
                        await self._refresh(self._rooms[name][0])

    async def _look_around(self) -> None:
        await asyncio.sleep(ROUND)
        for room, visits in list(self._rooms.values()):
            if visits:
                await self._announce(room, visits)


def messages_key(room: Room) -> str:
    """Where the stream of a room is."""
    return f"chat:{room.name}:messages"


def people_key(room: Room) -> str:
    """Where a sorted set is of those who are in a room: each visit, with the time until which it counts."""
    return f"chat:{room.name}:people"


async def forever(work: Callable[[], Awaitable[Any]]) -> None:
    """Do something again and again, even if it fails: Redis may be away for a while."""
    while True:
        try:
            await work()
        except Exception as error:
            logger.warning("%r; trying again", error)
            await asyncio.sleep(1)
