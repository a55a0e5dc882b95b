"""Threads that the system does not give, that are all at work, and that a fork leaves behind."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from asyncflask import Flask, request, websocket
from asyncflask.concurrency import pool as pool_module
from asyncflask.concurrency.pool import WorkerPool

from .loops import eventually
from .server import APP_NAME, Server


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the system give that many threads to pools."""
    allowed = 0
    given: list[threading.Thread] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if "-worker_" in thread.name or "test_" in thread.name:
            if sum(other.is_alive() for other in given) >= allowed:
                raise RuntimeError("can't start new thread")
            given.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)

    def allow(number: int) -> None:
        nonlocal allowed
        allowed = number

    return allow


def make_app() -> Flask:
    app = Flask(APP_NAME, static_folder=None)

    @app.before_request
    def sync_hook() -> None:
        """For which each request has a thread to come back to."""

    @app.get("/wait")
    async def wait() -> str:
        await asyncio.sleep(3600)
        return "waited"

    @app.get("/fast")
    def fast() -> str:
        return threading.current_thread().name

    return app


@pytest.mark.parametrize("given", [1, 3])
def test_requests_share_what_threads_the_system_gives(
    allow: Callable[[int], None], given: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    allow(given)
    with Server(app, timeout_graceful_shutdown=0.1) as server, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(server.connect()).send_request("GET", "/wait")
        for _ in range(5):
            assert server.get("/fast").status == 200
        assert len(app.worker_pool.threads) == given
    logged = [record for record in caplog.records if record.name == pool_module.__name__]
    assert [record.getMessage() for record in logged if "no more than" in record.getMessage()]
    assert len(logged) == 1


def test_threads_are_asked_for_again_later(
    allow: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = WorkerPool(4, "test")
    free = threading.Event()
    allow(1)
    for _ in range(5):
        pool.submit(lambda: free.wait(10) and None)
    eventually(lambda: len(pool.queue) == 4, "one has been taken")
    assert len(pool.threads) == 1
    allow(4)
    pool.submit(lambda: None)
    assert len(pool.threads) == 1
    monkeypatch.setattr(pool_module, "PATIENCE", 0)
    pool.submit(lambda: None)
    eventually(lambda: len(pool.threads) == 4, "more have been started")
    free.set()
    pool.stop(wait=True)
    assert not pool.queue


# -- all at work ------------------------------------------------------------------------------------------


class Held:
    """An application whose only thread is held by one request, with jobs that wait for it behind."""

    def __init__(self, **config: object) -> None:
        self.free = threading.Event()
        self.bodies: list[int] = []
        app = self.app = Flask(APP_NAME, static_folder=None)
        app.config.update(WORKER_THREADS=1, **config)

        @app.get("/hold")
        def hold() -> str:
            self.free.wait(10)
            return "held"

        @app.post("/upload")
        def upload() -> str:
            self.bodies.append(len(request.get_data()))
            return "taken"

        @app.get("/async")
        async def on_the_loop() -> str:
            return "async"

        @app.get("/blocking-false", blocking=False)
        def also_on_the_loop() -> str:
            return "loop"

        @app.websocket("/ws")
        async def ws() -> None:
            await websocket.send("accepted")


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Iterator[tuple[Held, Server]]:
    held = Held(**getattr(request, "param", {}))
    with Server(held.app) as server, ExitStack() as stack:
        for waiting in range(-1, 3):
            client = stack.enter_context(server.connect())
            client.send_request("GET", "/hold")
            eventually(lambda n=waiting: len(held.app.worker_pool.queue) >= n, "it is in line")
        eventually(lambda: len(held.app.worker_pool.queue) == 3, "all are in line")
        yield held, server
        held.free.set()


@pytest.mark.parametrize("held", [{"WORKER_QUEUE_LIMIT": 3}], indirect=True)
def test_more_than_may_wait_are_refused_before_their_body(held: tuple[Held, Server]) -> None:
    app, server = held
    with server.connect() as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n")
        refused = client.response()
    assert refused.status == 503
    assert int(refused.get("retry-after") or 0) >= 1
    assert refused.get("connection") == "close"
    assert app.bodies == []
    app.free.set()
    eventually(lambda: not app.app.worker_pool.queue, "the queue is empty")
    assert server.request("POST", "/upload", body=b"12345").body == b"taken"
    assert app.bodies == [5]


@pytest.mark.parametrize("held", [{"WORKER_QUEUE_LIMIT": 3}], indirect=True)
@pytest.mark.parametrize("path", ["/async", "/blocking-false", "/nothing-here"])
def test_what_needs_no_thread_is_answered_all_the_same(held: tuple[Held, Server], path: str) -> None:
    assert held[1].get(path).status == (404 if path == "/nothing-here" else 200)


def test_a_burst_that_threads_are_there_for_is_served() -> None:
    """What has been handed to a thread that is on its way does not wait."""
    held = Held(WORKER_QUEUE_LIMIT=1)
    held.app.config["WORKER_THREADS"] = 8
    held.free.set()
    with Server(held.app) as server, ExitStack() as stack:
        for _ in range(20):
            clients = [stack.enter_context(server.connect()) for _ in range(6)]
            for client in clients:
                client.send_request("GET", "/hold")
            assert [client.response().status for client in clients] == [200] * 6


@pytest.mark.parametrize(
    "hook", ["before_request", "after_request", "teardown_request", "teardown_appcontext"]
)
def test_an_async_view_with_a_sync_hook_needs_a_thread(hook: str) -> None:
    held = Held(WORKER_QUEUE_LIMIT=1)
    getattr(held.app, hook)(lambda value=None: value)
    with Server(held.app) as server, server.connect() as first, server.connect() as second:
        for client in (first, second):
            client.send_request("GET", "/hold")
        eventually(lambda: held.app.worker_pool.queue.is_full, "the queue is full")
        assert server.get("/async").status == 503
        held.free.set()
        assert second.response().body == b"held"
        assert server.get("/async").body == b"async"


def test_a_websocket_that_needs_a_thread_is_refused() -> None:
    held = Held(WORKER_QUEUE_LIMIT=1)
    held.app.before_websocket(lambda: None)
    with Server(held.app) as server, server.connect() as first, server.connect() as second:
        for client in (first, second):
            client.send_request("GET", "/hold")
        eventually(lambda: held.app.worker_pool.queue.is_full, "the queue is full")
        handshake = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert server.get("/ws", headers=handshake).status == 503
        held.free.set()
        eventually(lambda: not held.app.worker_pool.queue, "the queue is empty")
        with server.connect() as client:
            client.send_request("GET", "/ws", headers=handshake)
            assert client.head().status == 101


def test_without_a_limit_all_are_served(held: tuple[Held, Server]) -> None:
    app, server = held
    with server.connect() as client:
        client.send_request("POST", "/upload", body=b"123")
        eventually(lambda: len(app.app.worker_pool.queue) == 4, "it is in line")
        app.free.set()
        assert client.response().body == b"taken"


def test_how_long_requests_wait_is_measured(held: tuple[Held, Server]) -> None:
    app, _ = held
    queue = app.app.worker_pool.queue
    before = queue.taken
    time.sleep(0.05)
    assert queue.longest() >= 0.05
    app.free.set()
    eventually(lambda: queue.taken == before + 3, "all have been taken")
    assert queue.seconds >= 0.05
    assert queue.longest() == 0


@pytest.mark.parametrize("debug", [True, False])
def test_in_debug_mode_a_long_wait_is_logged_now_and_then(
    debug: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(DEBUG=debug)
    monkeypatch.setattr(held.app.logger, "level", logging.DEBUG)
    with Server(held.app) as server, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(server.connect()).send_request("GET", "/hold")
        eventually(lambda: len(held.app.worker_pool.queue) == 3, "all are in line")
        time.sleep(0.15)
        held.free.set()
        eventually(lambda: not held.app.worker_pool.queue, "the queue is empty")
    logged = [r.getMessage() for r in caplog.records if "for a thread" in r.getMessage()]
    assert len(logged) == (1 if debug else 0)


# -- after a fork -----------------------------------------------------------------------------------------


FORKING = """
    import asyncio, os, signal, sys
    from asyncflask import Flask, request

    app = Flask(__name__)

    @app.route("/sync")
    def sync_view(): return "sync"

    @app.route("/async")
    async def async_view():
        await asyncio.sleep(0)
        return "async"

    @app.before_request
    async def hook(): pass

    def use():
        client = app.test_client()
        assert client.get("/sync").text == "sync"
        assert client.get("/async").text == "async"
        async def one(): await asyncio.sleep(0); return 1
        with app.app_context():
            assert app.ensure_sync(one)() == 1
        async def main():
            await app.sync_to_async(lambda: None)()
            async with app.test_client() as client:
                assert (await client.get("/sync")).text == "sync"
        asyncio.run(main())

    def in_child(work):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)  # or a child that hangs would be left behind
            try:
                work()
                os._exit(0)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

PLACES = {
    "the main thread": "use(); code = in_child(use)",
    "a child's child": "use(); code = in_child(lambda: sys.exit(1) if in_child(use) else use())",
    "a thread of the pool": """
        @app.route("/fork")
        def fork(): return str(in_child(use))
        code = int(app.test_client().get("/fork").text)
    """,
    "sync code that an async view waits for": """
        @app.route("/fork")
        async def fork(): return str(await app.sync_to_async(in_child)(use))
        code = int(app.test_client().get("/fork").text)
    """,
    "with a background task under way": """
        app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 30
        @app.route("/begin")
        def begin():
            app.add_background_task(asyncio.sleep, 3600)
            return "begun"
        app.test_client().get("/begin")
        def lifespan():
            async def main():
                async with app.lifespan_context(): pass
            asyncio.run(main())
        code = in_child(lifespan)
    """,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("place", PLACES)
def test_a_child_process_has_threads_of_its_own(place: str) -> None:
    code = textwrap.dedent(FORKING) + textwrap.dedent(PLACES[place]) + "\nos._exit(code)\n"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
