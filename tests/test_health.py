"""Alive, ready, draining."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest
from lifecycle.server import Server

from asyncflask import Flask, abort, current_app
from asyncflask.health import Health


@pytest.fixture
def app() -> Flask:
    return Flask("health", static_folder=None)


def ready(app: Flask) -> tuple[int, Any]:
    response = app.test_client().get("/readyz")
    return response.status_code, response.json


def test_answers(app: Flask) -> None:
    health = Health(app)
    client = app.test_client()
    for path, status in (("/healthz", "alive"), ("/readyz", "ready")):
        response = client.get(path)
        assert (response.status_code, response.json["status"]) == (200, status)
        assert response.mimetype == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        head = client.head(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.content_length == response.content_length
        refused = client.post(path)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
        assert client.get(f"{path}/x").status_code == 404
    assert app.extensions["health"] is health


def test_the_application_is_not_asked(app: Flask) -> None:
    """A probe is not logged in, and its host is an address."""
    asked = []

    @app.before_request
    def log_in() -> None:
        asked.append(1)
        abort(401)

    app.config["TRUSTED_HOSTS"] = ["example.org"]
    Health(app)
    client = app.test_client()
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert asked == []
    assert client.get("/", headers={"Host": "example.org"}).status_code == 401


def test_other_paths(app: Flask) -> None:
    Health(app, path=None, ready_path="/internal/ready")
    client = app.test_client()
    assert client.get("/internal/ready").status_code == 200
    assert client.get("/healthz").status_code == 404
    with pytest.raises(ValueError, match="'/ready', not 'ready'"):
        Health(Flask("other"), ready_path="ready")


def test_below_a_prefix(app: Flask) -> None:
    Health(app)

    async def ask(path: str) -> int:
        transport = httpx.ASGITransport(app, root_path="/shop")
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get(path)).status_code

    assert asyncio.run(ask("/shop/healthz")) == 200


def test_checks(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    health = Health(app, timeout=0.2)
    broken: set[str] = set()

    @health.check
    async def in_async() -> None:
        assert current_app.name == "health"
        if "in_async" in broken:
            raise ConnectionError("a secret address")

    @health.check(name="sync")
    def in_sync() -> bool:
        assert current_app.name == "health"
        assert threading.current_thread() is not threading.main_thread()
        return "sync" not in broken

    @health.check(timeout=0.05)
    async def slow() -> None:
        if "slow" in broken:
            await asyncio.sleep(0.3)

    names = ("in_async", "sync", "slow")
    assert ready(app) == (200, {"status": "ready", "checks": dict.fromkeys(names, "ok")})
    for name, outcome in zip(names, ("failed", "failed", "timeout"), strict=True):
        broken.add(name)
        caplog.clear()
        checks = {**dict.fromkeys(names, "ok"), name: outcome}
        assert ready(app) == (503, {"status": "not ready", "checks": checks})
        assert name in caplog.text
        broken.clear()
        time.sleep(0.4)
    assert ready(app)[0] == 200
    with pytest.raises(ValueError, match="There is a check 'sync' already"):
        health.check(in_sync, name="sync")


def test_questions_do_not_pile_up(app: Flask) -> None:
    """A check that hangs keeps one thread, however often it is asked."""
    health = Health(app, timeout=0.05)
    go_on = threading.Event()
    begun = []

    @health.check
    def hangs() -> None:
        begun.append(1)
        go_on.wait(10)

    async def main() -> None:
        for _ in range(3):
            answers = await asyncio.gather(*(health.is_ready() for _ in range(5)))
            assert answers == [(False, {"status": "not ready", "checks": {"hangs": "timeout"}})] * 5
        assert len(begun) == 1
        go_on.set()
        await asyncio.sleep(0.1)
        assert await health.is_ready() == (True, {"status": "ready", "checks": {"hangs": "ok"}})
        assert len(begun) == 2

    asyncio.run(main())


def test_a_question_that_is_given_up_leaves_the_check_to_the_others(app: Flask) -> None:
    health = Health(app)

    @health.check
    async def slow() -> None:
        await asyncio.sleep(0.2)

    async def main() -> None:
        first = asyncio.create_task(health.is_ready())
        await asyncio.sleep(0.05)
        second = asyncio.create_task(health.is_ready())
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second)[0]
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_draining(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    health = Health(app, delay=0.3)
    events: list[str] = []

    @health.on_drain
    def fails() -> None:
        events.append(f"sync in {current_app.name}")
        raise ValueError("oh")

    @health.on_drain
    async def in_async() -> None:
        events.append("async")

    async def main() -> None:
        async def listen() -> None:
            async with app.channels.subscribe("a") as messages:
                events.append("listens")
                async for _ in messages:
                    pass
            events.append("has ended")

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.01)
        started = time.monotonic()
        draining = asyncio.create_task(health.drain())
        await asyncio.sleep(0.01)
        assert await health.is_ready() == (False, {"status": "draining"})
        assert (await health.is_alive())[0]
        assert events == ["listens"]
        await health.drain()  # again
        assert time.monotonic() - started < 0.2
        await draining
        assert 0.3 <= time.monotonic() - started < 1
        await listening

    asyncio.run(main())
    assert events == ["listens", "sync in health", "async", "has ended"]
    assert "ValueError: oh" in caplog.text


def test_one_that_becomes_draining_while_it_is_checked_is_not_ready(app: Flask) -> None:
    health = Health(app, delay=0)

    @health.check
    async def slow() -> None:
        await asyncio.sleep(0.1)

    async def main() -> None:
        asking = asyncio.create_task(health.is_ready())
        await asyncio.sleep(0.01)
        await health.drain()
        assert await asking == (False, {"status": "draining"})

    asyncio.run(main())


def test_served(app: Flask) -> None:
    """Over a real server, websockets and streams end when it drains; requests are answered on."""
    health = Health(app, delay=0.2)

    @app.get("/")
    async def home() -> str:
        return "Hello"

    @app.get("/events")
    async def events() -> Any:
        return app.channels.event_stream("a")

    with (
        Server(app) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client,
    ):
        assert client.get("/readyz").status_code == 200
        with client.stream("GET", "/events") as stream:
            draining = asyncio.run_coroutine_threadsafe(health.drain(), server.loop)
            deadline = time.monotonic() + 5
            while client.get("/readyz").status_code == 200:
                assert time.monotonic() < deadline
            assert client.get("/").text == "Hello"
            assert list(stream.iter_lines())[-1] == ""
        draining.result(5)
        assert client.get("/").text == "Hello"
        assert server.errors == []
