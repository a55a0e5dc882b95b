"""Fixtures for pytest, made of the ``app`` fixture of a project: ``client``, ``async_client`` and ``runner``.

They are there when ``conftest.py`` says so, and has the application::

    import pytest
    from my_project import create_app

    pytest_plugins = ["asyncflask.testing.plugin"]


    @pytest.fixture
    def app():
        return create_app({"TESTING": True})

The clients run the lifespan of the application around the test. ``async_client`` is for tests that are
``async def``, whether anyio (``@pytest.mark.anyio``, on asyncio) or pytest-asyncio runs them.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from ..app import Flask
from .async_client import AsyncFlaskClient
from .client import FlaskClient
from .runner import FlaskCliRunner


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    """A test client, within ``with``: `request`, `session` and `g` of the last request can be looked at."""
    with app.test_client() as client:
        yield client


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """A runner for the application's commands."""
    return app.test_cli_runner()


@pytest.fixture
def async_client(request: pytest.FixtureRequest) -> AsyncFlaskClient:
    """A test client with its requests to be awaited, on the event loop of the test."""
    test = getattr(request.node, "function", None)
    if not inspect.iscoroutinefunction(test):
        raise pytest.UsageError(
            "'async_client' is for tests that are 'async def', and are run by anyio ('@pytest.mark.anyio') or"
            " by pytest-asyncio ('@pytest.mark.asyncio'): in other tests use 'client'."
        )
    by_anyio = "anyio_backend" in request.fixturenames
    value = request.getfixturevalue("_client_of_anyio" if by_anyio else "_client_of_asyncio")
    if not isinstance(value, AsyncFlaskClient):
        raise pytest.UsageError(
            "Nothing runs this test, which is 'async def': mark it with '@pytest.mark.anyio', or install"
            " pytest-asyncio and mark it with '@pytest.mark.asyncio'."
        )
    return value


async def _running(app: Flask) -> AsyncIterator[AsyncFlaskClient]:
    async with app.test_client() as client:
        yield client


@pytest.fixture
async def _client_of_anyio(app: Flask) -> AsyncIterator[AsyncFlaskClient]:
    async for client in _running(app):
        yield client


def _fixture_of_asyncio() -> Callable[..., Any]:
    try:
        import pytest_asyncio  # optional
    except ImportError:
        return pytest.fixture
    return pytest_asyncio.fixture


@_fixture_of_asyncio()
async def _client_of_asyncio(app: Flask) -> AsyncIterator[AsyncFlaskClient]:
    async for client in _running(app):
        yield client
