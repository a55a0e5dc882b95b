"""The same tests for both stores, and Redis to be had."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from asyncflask import Flask
from asyncflask.sessions import MemorySessionInterface, ServerSessionInterface
from tests.channels.conftest import redis_server, shared_redis

__all__ = ["redis_server", "shared_redis"]

#: Each test has keys of its own in Redis.
_prefixes = count()

MakeInterface = Callable[..., ServerSessionInterface]


@pytest.fixture(params=["memory", "redis"])
def make_interface(request: pytest.FixtureRequest) -> MakeInterface:
    """Makes session interfaces; those of Redis share their sessions."""
    if request.param == "memory":
        return MemorySessionInterface
    from asyncflask.sessions.redis import RedisSessionInterface

    url, prefix = request.getfixturevalue("shared_redis").url, f"test-{next(_prefixes)}"
    return lambda **options: RedisSessionInterface(url, prefix=prefix, **options)


def new_app(interface: Any = None, **config: Any) -> Flask:
    app = Flask("sessions", static_folder=None)
    app.secret_key = "a secret"
    app.config.update(config)
    if interface is not None:
        app.session_interface = interface
    return app


def cookie_of(client: Any) -> str | None:
    """The value of the session's cookie."""
    cookie = client.get_cookie("session")
    return None if cookie is None else cookie.value
