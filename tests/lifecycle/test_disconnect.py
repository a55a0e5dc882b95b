"""Clients that leave: what waits for them is cancelled, what waits for a thread is not begun."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import wraps
from threading import Semaphore
from typing import Any

import pytest
from websockets.sync.client import connect

from asyncflask import Flask, current_app, g, request, websocket

from .loops import eventually
from .server import APP_NAME, Client, Server

#: Seconds that what is not cancelled would take.
LONG = 8.0


class Log(list[str]):
    async def wait(self, name: str) -> str:
        """Wait for long, and note the end."""
        self.append(f"{name} begun")
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.append(f"{name} cancelled")
            raise
        self.append(f"{name} ended")
        return name


@pytest.fixture
def log() -> Log:
    return Log()


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """As extensions of Flask have them."""

    @wraps(view)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        g.user = "ann"
        return current_app.ensure_sync(view)(*args, **kwargs)

    return decorated


def make_app(log: Log) -> Flask:
    app = Flask(APP_NAME, static_folder=None)

    def waits(name: str) -> bool:
        return request.path == f"/{name}"

    @app.before_request
    async def before() -> None:
        if waits("before") or waits("before-sync"):
            await log.wait("hook")

    @app.after_request
    async def after(response: Any) -> Any:
        if waits("after") or waits("after-sync"):
            await log.wait("hook")
        return response

    @app.errorhandler(404)
    async def missing(error: Any) -> str:
        return await log.wait("handler")

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        async def close() -> None:
            await asyncio.sleep(0.01)  # not cut short by what has ended the request
            log.append(f"teardown {type(error).__name__}")

        if request.path != "/fine":
            app.ensure_sync(close)()

    @app.route("/view", methods=["GET", "POST"])
    async def view() -> str:
        return await log.wait("view")

    @app.route("/decorated", methods=["GET", "POST"])
    @login_required
    async def decorated() -> str:
        return await log.wait("view")

    @app.get("/twice-decorated")
    @login_required
    @login_required
    async def twice() -> str:
        return await log.wait("view")

    @app.get("/sync-waits")
    def sync_waits() -> str:
        value: str = app.ensure_sync(log.wait)("view")
        return value

    @app.websocket("/ws")
    @login_required
    async def ws() -> None:
        await websocket.accept()
        await log.wait("view")

    @app.teardown_websocket
    def end_websocket(error: BaseException | None) -> None:
        log.append("teardown")

    async def quick() -> str:
        return ""

    for name in ("fine", "before", "after"):
        app.add_url_rule(f"/{name}", name, quick)
    for name in ("before-sync", "after-sync"):
        app.add_url_rule(f"/{name}", name, lambda: "")
    return app


WAITING = [
    ("GET", "/view", "view"),
    ("POST", "/view", "view"),
    ("GET", "/decorated", "view"),
    ("POST", "/decorated", "view"),
    ("GET", "/twice-decorated", "view"),
    ("GET", "/sync-waits", "view"),
    ("GET", "/before", "hook"),
    ("GET", "/before-sync", "hook"),
    ("GET", "/after", "hook"),
    ("GET", "/after-sync", "hook"),
    ("GET", "/nothing", "handler"),
]


@pytest.mark.parametrize(("method", "path", "what"), WAITING)
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_what_waits_is_cancelled_and_torn_down(
    log: Log, method: str, path: str, what: str, loop: str
) -> None:
    with Server(make_app(log), loop=loop) as server:
        with server.connect() as client:
            client.send_request(method, path, body=b"body" if method == "POST" else None)
            eventually(lambda: log, "the request waits")
        left = time.monotonic()
        eventually(lambda: len(log) == 3, "it is torn down")
        assert time.monotonic() - left < 1
        assert log == [f"{what} begun", f"{what} cancelled", "teardown CancelledError"]
        assert server.get("/fine").status == 200
        assert server.errors == []


def test_a_websocket_behind_a_decorator(log: Log) -> None:
    with Server(make_app(log)) as server:
        client = connect(f"ws://127.0.0.1:{server.port}/ws")
        eventually(lambda: log, "the view waits")
        client.socket.close()
        eventually(lambda: len(log) == 3, "it is torn down")
        assert log == ["view begun", "view cancelled", "teardown"]


def test_not_when_it_is_switched_off(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LONG", 0.5)
    app = make_app(log)
    app.config["CANCEL_ON_DISCONNECT"] = False
    with Server(app) as server:
        with server.connect() as client:
            client.send_request("GET", "/decorated")
            eventually(lambda: log, "the view waits")
        eventually(lambda: len(log) == 3, "it is torn down")
        assert log == ["view begun", "view ended", "teardown NoneType"]


def test_a_decorator_may_clean_up_after_the_cancellation(log: Log) -> None:
    app = make_app(log)

    def releasing(view: Any) -> Any:
        @wraps(view)
        def decorated() -> Any:
            try:
                return app.ensure_sync(view)()
            finally:
                log.append("released")

        return decorated

    @app.get("/released")
    @releasing
    async def released() -> str:
        return await log.wait("view")

    with Server(app) as server:
        with server.connect() as client:
            client.send_request("GET", "/released")
            eventually(lambda: log, "the view waits")
        eventually(lambda: len(log) == 4, "it is torn down")
        assert log == ["view begun", "view cancelled", "released", "teardown CancelledError"]


# -- what waits for a thread --------------------------------------------------------------------


def queueing_app(log: Log, gate: Semaphore, threads: int) -> Flask:
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = threads

    @app.get("/work")
    def work() -> str:
        log.append("begun")
        gate.acquire()
        return "worked"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    return app


def ask(server: Server, count: int) -> list[Client]:
    clients = [server.connect() for _ in range(count)]
    for client in clients:
        client.send_request("GET", "/work")
    return clients


def test_work_of_clients_that_have_left_is_not_begun(log: Log) -> None:
    gate = Semaphore(0)
    with Server(queueing_app(log, gate, threads=4)) as server:
        clients = ask(server, 100)
        eventually(lambda: len(log) == 4, "all threads work")
        time.sleep(0.5)
        for client in clients:
            client.close()
        eventually(lambda: len(server.tasks) == 4, "the others are gone")
        gate.release(4)
        assert server.get("/quick").body == b"quick"
        eventually(lambda: not server.tasks, "nothing is left")
        assert len(log) == 4
        assert server.errors == []


def test_work_of_those_who_stay_is_done(log: Log) -> None:
    gate = Semaphore(0)
    with Server(queueing_app(log, gate, threads=2)) as server:
        clients = ask(server, 20)
        eventually(lambda: len(log) == 2, "all threads work")
        time.sleep(0.3)
        for client in clients[::2]:
            client.close()
        time.sleep(0.3)
        gate.release(20)
        assert [client.response().body for client in clients[1::2]] == [b"worked"] * 10
        for client in clients:
            client.close()
        eventually(lambda: not server.tasks, "nothing is left")
        assert len(log) <= 12  # one or two had begun


def test_teardown_functions_of_what_was_not_begun_are_called(log: Log) -> None:
    gate = Semaphore(0)
    app = queueing_app(log, gate, threads=1)

    @app.before_request
    async def hook() -> None:
        await asyncio.sleep(0)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append(f"teardown {type(error).__name__}")

    with Server(app) as server:
        clients = ask(server, 5)
        eventually(lambda: len(log) == 1, "the thread works")
        time.sleep(0.3)
        for client in clients[1:]:
            client.close()
        time.sleep(0.3)
        gate.release(5)
        begun = clients[0].response().body
        eventually(lambda: len(log) == 6, "all are torn down")
        clients[0].close()
    assert begun == b"worked"
    assert sorted(log) == ["begun", *["teardown CancelledError"] * 4, "teardown NoneType"]
