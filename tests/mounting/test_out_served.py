"""Mounted applications over a real server: bodies as they come and go, and clients that leave."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request, UploadFile, WebSocket
from fastapi.responses import StreamingResponse
from lifecycle.loops import eventually
from lifecycle.server import Client, Server
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import asyncflask
from asyncflask import Flask, g, request, session

MB = 2**20


def make_app() -> Flask:
    app = Flask("mounting-served", static_folder=None)
    app.secret_key = "secret"
    app.logger.setLevel(logging.CRITICAL + 1)
    return app


@contextmanager
def serving(app: Flask) -> Iterator[Server]:
    with Server(app, timeout_keep_alive=30) as server:
        yield server


@pytest.fixture
def log() -> list[str]:
    return []


def watched(log: list[str]) -> Flask:
    """An application that notes the end of each request."""
    app = make_app()

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append(f"teardown {type(error).__name__ if error else None}")

    return app


def test_head_has_no_body() -> None:
    app = make_app()
    app.mount("/s", Starlette(routes=[Route("/x", lambda request: PlainTextResponse("body"))]))
    with serving(app) as server, server.connect() as client:
        for _ in range(2):  # on one connection: a body would be taken for the next answer
            response = client.request("HEAD", "/s/x")
            assert (response.status, response.get("content-length")) == (200, "4")


def upload(client: Client, path: str, size: int, *, chunked: bool = False) -> Any:
    """Send a body of that many bytes, and read the answer."""
    piece = b"x" * (MB // 4)
    framing = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    client.send_request("POST", path, headers=framing)
    for _ in range(size // len(piece)):
        if chunked:
            client.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
        else:
            client.send(piece)
    if chunked:
        client.send(b"0\r\n\r\n")
    return client.response()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_goes_through_in_little_memory(chunked: bool) -> None:
    api = FastAPI()

    @api.post("/up")
    async def up(request: Request) -> dict[str, int]:
        size = largest = 0
        async for chunk in request.stream():
            size += len(chunk)
            largest = max(largest, len(chunk))
        return {"size": size, "largest": largest}

    app = make_app()
    app.config["MAX_CONTENT_LENGTH"] = 1000  # that is for the views of this application

    @app.before_request
    def sync_hook() -> None:
        g.user = "ann"

    app.mount("/api", api)
    with serving(app) as server, server.connect() as client:
        upload(client, "/api/up", MB, chunked=chunked)
        tracemalloc.start()
        try:
            response = upload(client, "/api/up", 64 * MB, chunked=chunked)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert response.status == 200
    assert b'"size":67108864' in response.body
    assert peak < 6 * MB


def test_the_body_is_not_read_ahead() -> None:
    """The mounted application begins before the body has come, and may answer without it."""
    begun = threading.Event()

    async def impatient(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise AssertionError
        begun.set()
        first = await receive()
        await PlainTextResponse(f"{len(first['body'])} {first['more_body']}")(scope, receive, send)

    app = make_app()

    @app.before_request
    def sync_hook() -> None:
        g.user = "ann"

    app.mount("/x", impatient)
    with serving(app) as server, server.connect() as client:
        client.send_request("POST", "/x", headers={"Content-Length": "1000"})
        assert begun.wait(5)
        client.send(b"x" * 10)
        assert client.response().body == b"10 True"


def test_a_refused_upload_is_not_read() -> None:
    app = make_app()

    @app.before_request
    def login() -> Any:
        return "log in", 401

    app.mount("/api", FastAPI())
    with serving(app) as server, server.connect() as client:
        client.send_request("POST", "/api/up", headers={"Content-Length": "1000000000"})
        assert client.response().status == 401


def test_files_uploaded_to_a_mounted_application() -> None:
    from lifecycle.server import multipart

    api = FastAPI()

    @api.post("/files")
    async def files(file: UploadFile) -> dict[str, Any]:
        return {"name": file.filename, "size": len(await file.read())}

    app = make_app()
    app.mount("/api", api)
    headers, body = multipart([("file", "a.bin", b"\x00" * MB)])
    with serving(app) as server:
        response = server.request("POST", "/api/files", headers=headers, body=body)
    assert response.body == b'{"name":"a.bin","size":1048576}'


def test_a_form_that_a_hook_has_looked_at() -> None:
    """As protection against CSRF does; the mounted application gets all of it."""
    from lifecycle.server import multipart

    api = FastAPI()

    @api.post("/files")
    async def files(file: UploadFile) -> dict[str, Any]:
        return {"name": file.filename, "size": len(await file.read())}

    app = make_app()

    @app.before_request
    def look() -> Any:
        if request.form.get("token") != "right":
            return "wrong token", 400
        return None

    app.mount("/api", api)
    headers, body = multipart([("token", None, b"right"), ("file", "a.bin", b"\x00" * 1000)])
    with serving(app) as server:
        response = server.request("POST", "/api/files", headers=headers, body=body)
    assert response.body == b'{"name":"a.bin","size":1000}'


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_body_that_was_handed_on_is_empty_for_later_hooks(style: str, method: str, complete: bool) -> None:
    """They do not wait for what the mounted application has received already."""
    app = make_app()
    seen = []

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            message = await receive()
            await PlainTextResponse(message["body"])(scope, receive, send)

    app.mount("/x", mounted)

    def look(response: Any) -> Any:
        seen.append((request.get_data(), dict(request.form)))
        return response

    async def look_async(response: Any) -> Any:
        return look(response)

    app.after_request(look if style == "sync" else look_async)
    length = 3 if complete else 4
    with serving(app) as server, server.connect(timeout=3) as client:
        body = "" if method == "GET" else f"Content-Length: {length}\r\n\r\nabc"
        client.send(f"{method} /x HTTP/1.1\r\nHost: x\r\n{body or chr(13) + chr(10)}".encode())
        assert client.response(method).body == (b"" if method == "GET" else b"abc")
    assert seen == [(b"", {})]


def test_a_stream_arrives_piece_by_piece(log: list[str]) -> None:
    api = FastAPI()
    go_on = threading.Semaphore(0)

    @api.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> Any:
            for number in range(3):
                yield f"piece {number}"
                await asyncio.to_thread(go_on.acquire, timeout=5)

        return StreamingResponse(pieces())

    app = watched(log)

    @app.after_request
    def mark(response: asyncflask.Response) -> asyncflask.Response:
        response.headers["X-After"] = "1"
        return response

    app.mount("/api", api)
    with serving(app) as server, server.connect() as client:
        client.send_request("GET", "/api/stream")
        assert client.head().get("x-after") == "1"
        for number, chunk in enumerate(client.chunks()):
            assert chunk == f"piece {number}".encode()
            assert log == []
            go_on.release()
        eventually(lambda: log == ["teardown None"], "teardown after the stream")


def test_a_large_download_is_not_gathered() -> None:
    """A client that does not read holds the mounted application's `send` up."""
    sent = 0

    async def endless(request: Any) -> StreamingResponse:
        async def pieces() -> Any:
            nonlocal sent
            while True:
                yield b"x" * MB
                sent += 1
                await asyncio.sleep(0)  # uvicorn takes what is for a client that has gone without waiting

        return StreamingResponse(pieces())

    app = make_app()
    app.mount("/x", Starlette(routes=[Route("/", endless)]))
    with serving(app) as server, server.connect() as client:
        client.send_request("GET", "/x/")
        client.head()
        time.sleep(0.5)
        before = sent
        time.sleep(0.2)
        assert sent == before < 50
        client.reset()
        eventually(lambda: not server.tasks, "the request has ended")


def test_server_sent_events_of_a_mounted_application(log: list[str]) -> None:
    async def events(request: Any) -> Any:
        async def source() -> Any:
            try:
                for number in range(1000):
                    yield {"data": str(number), "id": str(number)}
                    await asyncio.sleep(0.01)
            finally:
                log.append("source closed")

        return EventSourceResponse(source())

    app = watched(log)
    app.mount("/api", Starlette(routes=[Route("/events", events)]))
    with serving(app) as server, server.connect() as client:
        client.send_request("GET", "/api/events")
        assert client.head().get("content-type") == "text/event-stream; charset=utf-8"
        chunks = client.chunks()
        assert next(chunks) == b"id: 0\r\ndata: 0\r\n\r\n"
        assert next(chunks) == b"id: 1\r\ndata: 1\r\n\r\n"
        client.reset()
        eventually(lambda: len(log) == 2, "the end of the stream")
        assert log[0] == "source closed"
        assert log[1].startswith("teardown")


def test_the_client_goes_while_the_mounted_application_works(log: list[str]) -> None:
    """It is told by `receive`, as it would be alone, and not cancelled."""
    begun = threading.Event()

    async def working(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            begun.set()
        await asyncio.sleep(0.05)
        log.append("told")

    app = watched(log)
    app.mount("/x", working)
    with serving(app) as server, server.connect() as client:
        client.send_request("GET", "/x")
        assert begun.wait(5)
        client.reset()
        eventually(lambda: len(log) == 2, "teardown")
        assert log == ["told", "teardown None"]
        assert not server.errors


def test_the_client_goes_during_an_upload(log: list[str]) -> None:
    begun = threading.Event()
    api = FastAPI()

    @api.post("/up")
    async def up(request: Request) -> None:
        try:
            async for _ in request.stream():
                begun.set()
        except ClientDisconnect:
            log.append("told")
            raise

    app = watched(log)
    app.mount("/api", api)
    with serving(app) as server, server.connect() as client:
        client.send_request("POST", "/api/up", headers={"Content-Length": "1000"})
        client.send(b"x" * 10)
        assert begun.wait(5)
        client.reset()
        eventually(lambda: len(log) == 2, "teardown")
        assert log[0] == "told"
        eventually(lambda: not server.tasks, "the request has ended")


def test_one_that_never_answers_does_not_hold_the_others_up(log: list[str]) -> None:
    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    app = watched(log)
    app.config["WORKER_THREADS"] = 1

    @app.before_request
    def sync_hook() -> None:
        g.user = "ann"

    @app.get("/own")
    def own() -> str:
        return "own"

    app.mount("/stuck", stuck)
    with Server(app, timeout_graceful_shutdown=1) as server:
        with server.connect() as client:
            client.send_request("GET", "/stuck")
            time.sleep(0.1)
            for _ in range(3):
                assert server.get("/own").body == b"own"
            log.clear()
    assert log == ["cancelled", "teardown CancelledError"]  # at the end of the server


def test_an_answer_that_breaks_off() -> None:
    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise KeyError("in the middle")

    app = make_app()
    app.mount("/x", breaking)
    with serving(app) as server, server.connect() as client:
        client.send_request("GET", "/x")
        assert client.head().status == 200
        assert b"begun" in client.rest()  # and then the connection is closed, without an end of the body
        eventually(lambda: any("in the middle" in error for error in server.errors), "the server's log")


def test_two_answers_to_pipelined_requests_do_not_mix() -> None:
    api = FastAPI()

    @api.get("/who")
    async def who() -> str:
        await asyncio.sleep(0.01)
        return f"{g.user} {request.args['user']}"

    app = make_app()

    @app.before_request
    def user() -> None:
        g.user = request.args["user"]

    app.mount("/api", api)
    with serving(app) as server, server.connect() as client:
        for number in range(20):
            client.send_request("GET", f"/api/who?user={number}")
        for number in range(20):
            assert client.response().body == f'"{number} {number}"'.encode()


# -- websockets ---------------------------------------------------------------------------------


@pytest.fixture
def chat(log: list[str]) -> Iterator[Server]:
    api = FastAPI()

    @api.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async for text in websocket.iter_text():
                await websocket.send_text(f"{g.user} {session.get('room')}: {text}")
        finally:
            log.append("ended")

    @api.websocket("/failing")
    async def failing(websocket: WebSocket) -> None:
        await websocket.accept()
        raise KeyError("inside")

    app = make_app()

    @app.before_websocket
    async def login() -> Any:
        g.user = request.args.get("user")
        return None if g.user else ("log in", 401)

    @app.teardown_websocket
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    app.mount("/api", api)
    with serving(app) as server:
        yield server


def test_websockets(chat: Server, log: list[str]) -> None:
    with connect(f"ws://127.0.0.1:{chat.port}/api/ws?user=ann") as ws:
        for number in range(3):
            ws.send(str(number))
            assert ws.recv(5) == f"ann None: {number}"
    eventually(lambda: log == ["ended", "teardown"], "the end")


def test_a_websocket_is_refused(chat: Server, log: list[str]) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{chat.port}/api/ws"):
        pass
    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"log in"
    eventually(lambda: log == ["teardown"], "teardown")


def test_a_websocket_whose_client_vanishes(chat: Server, log: list[str]) -> None:
    with connect(f"ws://127.0.0.1:{chat.port}/api/ws?user=ann") as ws:
        ws.send("x")
        ws.recv(5)
        ws.socket.shutdown(socket.SHUT_RDWR)
    eventually(lambda: log == ["ended", "teardown"], "the end")
    eventually(lambda: not chat.tasks, "the task has ended")


def test_a_websocket_that_fails_is_closed_with_1011(chat: Server) -> None:
    with connect(f"ws://127.0.0.1:{chat.port}/api/failing?user=ann") as ws:
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
