"""Streams through WSGI middleware: threads, back-pressure, the end of both sides; and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from lifecycle.loops import eventually
from lifecycle.server import APP_NAME, Client, Server, request_bytes
from werkzeug.test import Client as WSGIClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from asyncflask import Flask, Response, after_this_request, g, request, stream_with_context, websocket

from .applications import Compress, Header, Middleware, Upper
from .test_middleware import werkzeug_server

PIECE = b"x" * 16384


def make_app(around: Callable[[Any], Any] | None = Header) -> tuple[Flask, dict[str, Any]]:
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = 2
    state: dict[str, Any] = {"made": 0, "closed": 0, "torn": []}

    @app.teardown_request
    def tear_down(error: BaseException | None) -> None:
        state["torn"].append(error)

    def pieces(count: int) -> Iterator[bytes]:
        try:
            for _ in range(count):
                state["made"] += 1
                yield PIECE
        finally:
            state["closed"] += 1

    async def pieces_async(count: int) -> AsyncIterator[bytes]:
        try:
            for _ in range(count):
                state["made"] += 1
                yield PIECE
        finally:
            state["closed"] += 1

    @app.get("/sync/<int:count>")
    def sync_stream(count: int) -> Any:
        return Response(stream_with_context(pieces(count)))

    @app.get("/async/<int:count>")
    async def async_stream(count: int) -> Any:
        return Response(stream_with_context(pieces_async(count)))

    @app.get("/events")
    async def events() -> Any:
        async def ticks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick\n"
                    await asyncio.sleep(0.01)
            finally:
                state["closed"] += 1

        return Response(stream_with_context(ticks()))

    @app.get("/wait")
    async def wait() -> str:
        state["waiting"] = state.get("waiting", 0) + 1
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            state["cancelled"] = state.get("cancelled", 0) + 1
            raise
        return "waited"

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @app.get("/task")
    def task() -> str:
        app.add_background_task(lambda: state.setdefault("task", []).append(time.monotonic()))
        return "task"

    if around is not None:
        app.wsgi_app = around(app.wsgi_app)
    return app, state


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("around", [Header, Upper])
def test_a_large_stream_is_whole(kind: str, around: Any) -> None:
    app, state = make_app(around)
    with Server(app) as server:
        assert len(server.get(f"/{kind}/200").body) == 200 * len(PIECE)
    assert state == {"made": 200, "closed": 1, "torn": [None]}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("around", [Header, Upper])
def test_a_slow_client_holds_the_stream_back(kind: str, around: Any) -> None:
    app, state = make_app(around)
    with Server(app) as server, server.connect() as client:
        client.send_request("GET", f"/{kind}/5000")
        client.head()
        eventually(lambda: state["made"] > 2, "the stream has begun")
        time.sleep(0.5)
        made = state["made"]
        time.sleep(0.3)
        assert state["made"] == made < 2000
        assert len(b"".join(client.chunks())) == 5000 * len(PIECE)


@pytest.mark.parametrize("kind", ["sync", "async", "events"])
@pytest.mark.parametrize("around", [Header, Upper])
def test_a_client_that_leaves_ends_the_stream(kind: str, around: Any) -> None:
    app, state = make_app(around)
    with Server(app) as server:
        with server.connect() as client:
            client.send_request("GET", "/events" if kind == "events" else f"/{kind}/100000")
            client.head()
            client.reset()
        eventually(lambda: state["closed"], "the stream has been closed")
        eventually(lambda: state["torn"], "the request has been torn down")
        eventually(lambda: not server.tasks, "the request is over")
        assert len(state["torn"]) == 1


def test_streams_handed_back_untouched_hold_no_thread() -> None:
    app, _ = make_app()
    with Server(app) as server:
        clients = [server.connect() for _ in range(10)]  # of two threads
        for client in clients:
            client.send_request("GET", "/events")
            client.head()
        assert server.get("/plain").body == b"plain"
        for client in clients:
            client.close()


def test_async_views_that_wait_do_not_use_up_the_threads() -> None:
    app, state = make_app()
    with Server(app) as server:
        clients = [server.connect() for _ in range(10)]  # of two threads
        for client in clients:
            client.send_request("GET", "/wait")
        eventually(lambda: state.get("waiting") == 10, "all are in their view")
        assert server.get("/plain").body == b"plain"
        for client in clients:
            client.close()
        eventually(lambda: state.get("cancelled") == 10, "their clients have gone")


def test_the_first_piece_is_not_held_back() -> None:
    class Slow(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
            yield from self.app(environ, start_response)
            assert go_on.wait(10)
            yield b"last"

    go_on = threading.Event()
    app, _ = make_app(Slow)
    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/sync/1")
        client.head()
        chunks = client.chunks()
        assert next(chunks) == PIECE
        go_on.set()
        assert next(chunks) == b"last"
        assert list(chunks) == []


def test_what_is_written_is_sent_at_once_and_waits_for_the_client() -> None:
    class Writes(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [])
            for _ in range(2000):
                write(PIECE)
                written.append(1)
            return [b"end"]

    written: list[int] = []
    app, _ = make_app(Writes)
    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/plain")
        client.head()
        eventually(lambda: len(written) > 2, "it writes")
        time.sleep(0.5)
        assert len(written) < 1500
        body = b"".join(client.chunks())
        assert len(body) == 2000 * len(PIECE) + 3


def test_the_connection_is_cut_when_a_started_response_fails() -> None:
    class Fails(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
            yield from self.app(environ, start_response)
            raise LookupError("in the middle")

    app, state = make_app(Fails)
    with Server(app) as server:
        with server.connect() as client:
            client.send_request("GET", "/sync/2")
            client.head()
            assert client.rest()[-5:] != b"0\r\n\r\n"
        assert "LookupError" in server.errors[0]
        assert server.get("/nowhere").status == 404 or state


@pytest.mark.parametrize("closes", [True, False])
def test_a_response_that_the_middleware_drops_is_ended(closes: bool) -> None:
    class Drops(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            body = self.app(environ, lambda *args: None)
            if closes:
                body.close()
            del body
            start_response("200 OK", [])
            return [b"own"]

    app, state = make_app(Drops)
    with Server(app) as server:
        assert server.get("/events").body == b"own"
        eventually(lambda: state["closed"] == 1, "the stream has been closed")
        eventually(lambda: len(state["torn"]) == 1, "the request has been torn down")
        eventually(lambda: not server.tasks, "the request is over")


def test_teardown_has_run_before_the_middleware_has_the_response() -> None:
    class Looks(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> Any:
            body = self.app(environ, start_response)
            counted.append(len(state["torn"]))
            return body

    counted: list[int] = []
    app, state = make_app(Looks)
    with Server(app) as server:
        server.get("/plain")
        server.get("/nowhere")
    assert counted == [1, 2]


def test_background_tasks_begin_when_the_response_has_been_sent() -> None:
    class Slow(Middleware):
        def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
            yield from self.app(environ, start_response)
            time.sleep(0.3)
            sent.append(time.monotonic())

    sent: list[float] = []
    app, state = make_app(Slow)
    with Server(app) as server:
        assert server.get("/task").body == b"task"
        eventually(lambda: state.get("task"), "the task has run")
    assert state["task"][0] > sent[0]


@pytest.mark.parametrize("around", [None, Header, Upper, Compress])
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_nothing_is_left_behind(around: Any, kind: str) -> None:
    app, _ = make_app(around)
    left: list[Any] = []

    @app.before_request
    def note() -> None:
        left.append(weakref.ref(request._get_current_object()))  # type: ignore[attr-defined]
        g.note = request.environ.get("HTTP_HOST")
        after_this_request(lambda response: response)

    def ask(port: int) -> None:
        for path in ("/plain", "/nowhere", "/sync/3", "/async/3", "/task"):
            with Client(port) as client:
                client.send(request_bytes("GET", path, headers={"Connection": "close"}))
                client.response()

    gc.disable()
    try:
        if kind == "asgi":
            with Server(app) as server:
                ask(server.port)
                eventually(lambda: not server.tasks, "all requests are over")
                eventually(lambda: not any(ref() for ref in left), "the requests have been freed")
        else:
            with werkzeug_server(app) as port:
                ask(port)
                eventually(lambda: not any(ref() for ref in left), "the requests have been freed")
    finally:
        gc.enable()
    assert len(left) == 5


def test_a_stream_that_a_wsgi_client_leaves_is_ended() -> None:
    app, state = make_app(None)
    body, status, _ = run_wsgi_app(app, EnvironBuilder("/events").get_environ())
    assert status == "200 OK"
    assert next(iter(body)) == b"tick\n"
    body.close()  # type: ignore[attr-defined]
    assert state["closed"] == 1
    assert len(state["torn"]) == 1


def test_a_stream_is_as_lazy_as_its_reader() -> None:
    app, state = make_app(None)
    body, _, _ = run_wsgi_app(app, EnvironBuilder("/sync/1000").get_environ())
    pieces = iter(body)
    next(pieces)
    time.sleep(0.2)
    assert state["made"] < 10
    body.close()  # type: ignore[attr-defined]


def test_websockets_go_past_the_middleware() -> None:
    app, _ = make_app()

    @app.websocket("/ws")
    async def echo() -> None:
        await websocket.send(await websocket.receive())

    with app.test_client().websocket_connect("/ws") as client:
        client.send("hello")
        assert client.receive() == "hello"


def test_a_call_on_the_thread_of_an_event_loop_is_answered() -> None:
    app, _ = make_app()

    async def main() -> Any:
        client = WSGIClient(app)
        return [client.get(path) for path in ("/plain", "/sync/2", "/async/2")]

    plain, sync, async_ = asyncio.run(main())
    assert (plain.text, plain.headers["X-Seen"][:6]) == ("plain", "200 OK")
    assert len(sync.data) == len(async_.data) == 2 * len(PIECE)
