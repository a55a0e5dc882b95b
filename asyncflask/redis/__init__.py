"""What channels and sessions in Redis have in common. The extra ``asyncflask[redis]`` has the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import redis.asyncio as redis_asyncio
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Channels and sessions in Redis need the package redis: pip install asyncflask[redis]",
        name=error.name,
    ) from error
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .script import Script
from .trouble import Patience, is_trouble, reason

__all__ = [
    "Patience",
    "Script",
    "Server",
    "check_url",
    "connection_like",
    "is_trouble",
    "make_client",
    "reason",
]

#: A URL, such as ``redis://127.0.0.1:6379/0``, ``rediss://...`` (TLS) or ``unix://...``; or a function that
#: makes a `redis.asyncio.Redis` when it is called on an event loop, for Redis Sentinel for example.
Server = str | Callable[[], Any]


def make_client(server: Server, max_connections: int, timeout: float) -> Any:
    """A client for the running event loop.

    :param timeout: seconds that connecting, an answer, and waiting for a connection may take each; for a URL.
    """
    if not isinstance(server, str):
        return server()
    pool = redis_asyncio.BlockingConnectionPool.from_url(
        server,
        max_connections=max_connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),  # what may be sent again is not for the client to say
    )
    return redis_asyncio.Redis.from_pool(pool)


def connection_like(client: Any, timeout: float) -> Any:
    """A connection of the client's kind that is nobody else's, and waits for answers for as long as it takes.

    :param timeout: seconds that connecting may take, unless the client has its own.
    """
    pool = client.connection_pool
    options = {key: value for key, value in pool.connection_kwargs.items() if "maint" not in key}
    options.setdefault("socket_connect_timeout", timeout)
    options |= {"socket_timeout": None, "health_check_interval": 0, "retry": Retry(NoBackoff(), 0)}
    return pool.connection_class(**{**options, "protocol": 2, "decode_responses": False})


def check_url(server: Server) -> None:
    """Notice a wrong URL early.

    :raises ValueError: for one.
    """
    if isinstance(server, str):
        redis_asyncio.ConnectionPool.from_url(server)
