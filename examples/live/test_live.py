"""Tests of the dashboard, to be copied with it: ``pytest examples/live``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncflask import Flask
from examples.live import create_app

pytest_plugins = ["asyncflask.testing.plugin"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def app() -> Flask:
    app = create_app({"INTERVAL": 0.01, "KEPT": 5})
    app.testing = True
    return app


async def events_of(app: Flask) -> AsyncIterator[Any]:
    """The data of the events that a browser gets; it leaves when the iteration is closed."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    gone = asyncio.Event()
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            queue.put_nowait(message["body"])

    scope = {"type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": []}
    task = asyncio.ensure_future(app({**scope, "scheme": "http", "http_version": "1.1"}, receive, send))
    try:
        while True:
            for line in (await queue.get()).decode().splitlines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
    finally:
        gone.set()
        await asyncio.wait([task], timeout=5)


@pytest.mark.anyio
async def test_events(app: Flask, async_client: Any) -> None:
    events = events_of(app)
    first, second = await anext(events), await anext(events)
    assert second["at"] > first["at"]
    assert first.keys() == {"at", "cpu", "lag", "requests", "viewers"}
    assert second["viewers"] == 1
    await events.aclose()
    await asyncio.sleep(0.05)
    assert (await async_client.get("/recent")).get_json()[-1]["viewers"] == 0


@pytest.mark.anyio
async def test_work_on_the_loop_makes_it_late(async_client: Any) -> None:
    for path, is_late in (("/work/waiting", False), ("/work/loop", True)):
        await asyncio.sleep(0.06)  # until the older measurements are gone
        assert (await async_client.post(path)).status_code == 204
        await asyncio.sleep(0.02)
        lag = max(one["lag"] for one in (await async_client.get("/recent")).get_json())
        assert (lag > 300) is is_late


def test_page(client: Any) -> None:
    page = client.get("/").text
    assert page.count("data-plot=") == 4
    assert client.get("/static/live.js").status_code == 200
