"""When Redis is away: what that looks like, and how long to wait before trying again."""

from __future__ import annotations

import asyncio
import logging
from random import uniform

from redis.exceptions import AuthenticationError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..errors import ChannelsUnavailable

logger = logging.getLogger(__name__)

_TROUBLE = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError, TimeoutError)

FIRST, LAST = 0.02, 1.0


class Patience:
    """Waits at first not at all, and longer and longer; at random, so that not all processes come at once."""

    def __init__(self) -> None:
        self._next = 0.0

    async def wait(self) -> None:
        await asyncio.sleep(uniform(self._next / 2, self._next))
        self._next = min(max(FIRST, self._next * 2), LAST)

    def reset(self) -> None:
        self._next = 0.0


def is_trouble(error: BaseException | None) -> bool:
    """Whether Redis may do in a moment what it has not done now. One that can only be read from was a replica
    until now; the password will not become right."""
    return error is None or (isinstance(error, _TROUBLE) and not isinstance(error, AuthenticationError))


def unavailable(error: BaseException | None) -> ChannelsUnavailable:
    """The exception for who has asked for something; why is logged, for a client is not told."""
    what = "is not to be reached" if is_trouble(error) else "has refused"
    why = f": {error}".rstrip(".") if str(error or "") else ""
    logger.warning("Redis %s%s", what, why)
    return ChannelsUnavailable(f"Redis {what}{why}.")
