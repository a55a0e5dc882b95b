"""Request targets in absolute form, ``GET http://host/path`` (RFC 9112 section 3.2.2), over real servers."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from lifecycle.server import Server
from realtime import servers
from starlette.responses import PlainTextResponse

from asyncflask import Flask, request, url_for, websocket


@pytest.fixture
def app() -> Flask:
    app = Flask("targets", static_folder=None)

    def seen(**_: Any) -> dict[str, Any]:
        return {
            "path": request.path,
            "host": request.host,
            "args": request.args,
            "raw": request.environ["RAW_URI"],
            "url": url_for("item", number=1, _external=True),
        }

    app.add_url_rule("/", "root", seen)
    app.add_url_rule("/item/<int:number>", "item", seen, methods=["GET", "POST"])
    app.add_url_rule("/any/<path:rest>", "any", seen)

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send(f"{websocket.path} {websocket.host}")

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(scope["path"])(scope, receive, send)

    app.mount("/mounted", mounted)
    return app


def ask(server: Any, target: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    head = f"{method} {target} HTTP/1.1\r\nHost: header.example\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("target", "path", "host", "raw"),
    [
        ("http://target.example/item/3?a=b", "/item/3", "target.example", "/item/3?a=b"),
        ("HTTP://target.example:8080/item/3", "/item/3", "target.example:8080", "/item/3"),
        ("https://target.example", "/", "target.example", "/"),
        ("http://target.example?a=b", "/", "target.example", "/?a=b"),
        ("http:///item/3", "/item/3", "header.example", "/item/3"),
        ("/any/http://target.example/x", "/any/http://target.example/x", "header.example", None),
    ],
)
def test_path_and_host_are_the_targets(
    app: Flask, target: str, path: str, host: str, raw: str | None, debug: bool
) -> None:
    app.debug = debug
    with Server(app, http="h11") as server:
        status, body = ask(server, target)
        assert status == 200
        seen = app.json.loads(body)
        assert (seen["path"], seen["host"]) == (path, host)
        assert seen["raw"] == raw or raw is None
        assert seen["args"] == ({"a": "b"} if "?" in target else {})
        assert seen["url"] == f"http://{host}/item/1"


def test_bodies_missing_pages_and_mounts(app: Flask) -> None:
    with Server(app, http="h11") as server:
        assert ask(server, "http://a.example/item/3", "POST", b"x" * 100_000)[0] == 200
        assert ask(server, "http://a.example/item/3", "PUT")[0] == 405
        assert ask(server, "http://a.example/nothing")[0] == 404
        assert ask(server, "http://a.example/mounted/x") == (200, b"/mounted/x")
        assert ask(server, "ftp://a.example/item/3")[0] == 404


def test_below_a_root_path(app: Flask) -> None:
    with Server(app, http="h11", root_path="/shop") as server:
        status, body = ask(server, "http://a.example/item/3")
        assert (status, app.json.loads(body)["path"]) == (200, "/item/3")
        assert app.json.loads(body)["url"] == "http://a.example/shop/item/1"


def test_the_host_that_is_checked_is_the_targets(app: Flask) -> None:
    app.config["TRUSTED_HOSTS"] = ["header.example"]
    with Server(app, http="h11") as server:
        assert ask(server, "http://header.example/item/3")[0] == 200
        assert ask(server, "http://foreign.example/item/3")[0] == 400


def test_websockets(app: Flask) -> None:
    with Server(app, http="h11", ws="wsproto") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(
                b"GET ws://target.example/ws HTTP/1.1\r\nHost: header.example\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            answer = b""
            while b"/ws " not in answer:
                piece = client.recv(4096)
                assert piece, answer
                answer += piece
        assert b"/ws target.example" in answer


@pytest.mark.parametrize("kind", ["hypercorn", "uvicorn-sansio", "granian"])
def test_servers(kind: str) -> None:
    with servers.Server(kind) as server:
        assert ask(server, "http://target.example/flooded")[0] == 200
