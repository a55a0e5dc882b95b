"""Sessions in Redis: the same for all processes, on any number of machines, that use one server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..loops import PerLoop
from ..redis import Script, Server, check_url, reason
from ..redis.pipeline import Pipeline, PipelineError
from .errors import SessionUnavailable
from .server_side import ServerSessionInterface

#: A session is a hash. This field is in all of them, so that one that is empty is there; no key of a user's
#: is likely to be the same.
MARK = b"\0"

#: KEYS: a session. ARGV: for how many milliseconds it is kept from now on. Returns its fields and values.
OPEN = Script(
    """
local found = redis.call('HGETALL', KEYS[1])
if #found > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return found
"""
)

_WRITE = """
local last = 3 + 2 * ARGV[2]
for i = 4, last, 2 do redis.call('HSET', session, ARGV[i], ARGV[i + 1]) end
for i = last + 1, #ARGV do redis.call('HDEL', session, ARGV[i]) end
redis.call('PEXPIRE', session, ARGV[1])
return 1
"""

#: These write a session. KEYS: it, and another one. ARGV: for how many milliseconds it is kept, a number of
#: fields to set, the mark, these fields each with its value, fields to remove. This one returns 0 if the
#: session is not there.
WRITE = Script(
    """
local session = KEYS[1]
if redis.call('EXISTS', session) == 0 then return 0 end
"""
    + _WRITE
)

#: A new one, instead of the other one if there is one.
BEGIN = Script(
    """
local session = KEYS[1]
if KEYS[2] then redis.call('DEL', KEYS[2]) end
redis.call('HSET', session, ARGV[3], '')
"""
    + _WRITE
)

#: That which was the other one until now.
MOVE = Script(
    """
local session = KEYS[1]
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], session) end
redis.call('HSET', session, ARGV[3], '')
"""
    + _WRITE
)

DELETE = Script("return redis.call('DEL', KEYS[1])")


class RedisStore:
    """Keeps each session in a hash. Any number of event loops may use it; each has a connection of its own.

    :param server: a URL, or what makes a client, see `asyncflask.redis.Server`.
    :param prefix: what keys in Redis begin with.
    :param timeout: seconds that Redis may take.
    """

    def __init__(self, server: Server, prefix: str, timeout: float) -> None:
        check_url(server)
        self._prefix = prefix
        self._pipelines = PerLoop(lambda: Pipeline(server, timeout))

    async def _run(self, script: Script, ids: Iterable[str | None], *arguments: Any) -> Any:
        keys = [f"{self._prefix}:{id}" for id in ids if id is not None]
        try:
            return await self._pipelines.get().run(script, keys, arguments)
        except PipelineError as error:
            raise SessionUnavailable(reason(error.cause)) from None

    async def open(self, id: str, lifetime: float) -> Mapping[str, str] | None:
        found = await self._run(OPEN, [id], _milliseconds(lifetime))
        if not found:
            return None
        pairs = zip(found[::2], found[1::2], strict=True)
        return {_text(key): _text(value) for key, value in pairs if key != MARK}

    async def begin(
        self, id: str, values: Mapping[str, str], lifetime: float, instead_of: str | None
    ) -> None:
        await self._run(BEGIN, [id, instead_of], *_arguments(values, (), lifetime))

    async def write(
        self, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> bool:
        return bool(await self._run(WRITE, [id], *_arguments(values, removed, lifetime)))

    async def move(
        self, old: str, id: str, values: Mapping[str, str], removed: Iterable[str], lifetime: float
    ) -> None:
        await self._run(MOVE, [id, old], *_arguments(values, removed, lifetime))

    async def delete(self, id: str) -> None:
        await self._run(DELETE, [id])


def _arguments(values: Mapping[str, str], removed: Iterable[str], lifetime: float) -> list[Any]:
    pairs = [_bytes(item) for pair in values.items() for item in pair]
    return [_milliseconds(lifetime), len(values), MARK, *pairs, *map(_bytes, removed)]


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


class RedisSessionInterface(ServerSessionInterface):
    """Keeps sessions in Redis: ``app.session_interface = RedisSessionInterface("redis://127.0.0.1:6379/0")``.
    Needs the extra ``asyncflask[redis]``. What it does beyond that is `ServerSessionInterface`'s.

    :param server: a URL: ``redis://...``, ``rediss://...`` (TLS) or ``unix://...``; or a function that makes
        a `redis.asyncio.Redis` when it is called on an event loop, for Redis Sentinel for example.
    :param prefix: what keys in Redis begin with. Applications that share users have the same, and the same
        secret key and cookie name; others need another one.
    :param timeout: seconds that Redis may take to answer before it counts as away.
    :param options: as for `ServerSessionInterface`.
    :raises ValueError: for a URL that is none.
    """

    def __init__(
        self, server: Server, *, prefix: str = "session", timeout: float = 2.0, **options: Any
    ) -> None:
        super().__init__(RedisStore(server, prefix, timeout), **options)
