"""Which pages may open a websocket: those of the same host, unless the application says otherwise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from asyncflask import Flask, session, websocket
from asyncflask.testing import WebsocketResponseError

from .test_websockets import Connected


def make_app(**config: Any) -> tuple[Flask, list[str]]:
    app = Flask("origins", static_folder=None)
    app.secret_key = "not a secret"
    app.config.update(config)
    called: list[str] = []

    @app.before_websocket
    def before() -> None:
        called.append("hook")

    @app.route("/login")
    def login() -> str:
        session["user"] = "alice"
        return "welcome"

    @app.websocket("/ws")
    async def ws() -> None:
        await websocket.send(f"the messages of {session.get('user')}")

    async def mounted_ws(other: Any) -> None:
        await other.accept()
        await other.send_text("mounted")
        await other.close()

    app.mount("/mounted", Starlette(routes=[WebSocketRoute("/ws", mounted_ws)]))
    return app, called


OWN = ["http://localhost", "https://localhost", "http://LOCALHOST:8000", "http://localhost/"]
FOREIGN = [
    "https://evil.example",
    "http://localhost.evil.example",
    "http://evil-localhost",
    "http://evil.example:80",
    "http://localhost@evil.example",
    "http://evil.example/localhost",
    "http://localhost,http://evil.example",  # two headers
    "http://localhost http://evil.example",
    "null",
    "",
    "localhost",
    "//localhost",
    "http://",
    "http://[::1",
    "http://localhost:x",
    "file://",
    "\xe4",
]


def opens(app: Flask, origin: str | None, path: str = "/ws", **options: Any) -> bool:
    """Whether a visitor who is logged in can open a websocket from there."""
    client = app.test_client()
    client.get("/login")
    headers = {} if origin is None else {"Origin": origin}
    try:
        with client.websocket_connect(path, headers=headers, **options) as connection:
            return connection.receive() in ("the messages of alice", "mounted")
    except WebsocketResponseError as refused:
        return refused.response.status_code != 403


@pytest.mark.parametrize("path", ["/ws", "/mounted/ws"])
@pytest.mark.parametrize("origin", [*OWN, None])
def test_pages_of_the_same_host_and_programs_may(origin: str | None, path: str) -> None:
    app, _ = make_app()
    assert opens(app, origin, path)


@pytest.mark.parametrize("path", ["/ws", "/mounted/ws"])
@pytest.mark.parametrize("origin", FOREIGN)
def test_other_pages_may_not(origin: str, path: str) -> None:
    app, called = make_app()
    assert not opens(app, origin, path)
    assert called == []


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("*", "https://evil.example", True),
        ("*", "null", True),
        (["https://app.example"], "https://app.example", True),
        (["https://app.example"], "https://app.example:443", True),
        (["https://APP.example/"], "https://app.EXAMPLE", True),
        (["https://app.example"], "http://app.example", False),
        (["https://app.example"], "https://app.example:8443", False),
        (["https://app.example:8443"], "https://app.example:8443", True),
        (["https://app.example"], "https://sub.app.example", False),
        (["https://*.app.example"], "https://sub.app.example", True),
        (["https://*.app.example"], "https://app.example", False),
        (["https://*.app.example"], "https://evilapp.example", False),
        (["https://app.example"], "http://localhost", False),
        (["https://app.example", "http://localhost"], "http://localhost", True),
        ("https://app.example", "https://app.example", True),
        ([], "http://localhost", False),
        ([], None, True),
        (["app.example"], "https://app.example", False),
    ],
)
def test_the_application_may_name_the_origins(allowed: Any, origin: str | None, is_allowed: bool) -> None:
    app, _ = make_app(WEBSOCKET_ORIGINS=allowed)
    assert opens(app, origin) is is_allowed


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "is_allowed"),
    [
        ("wss", b"app.example", b"https://app.example", True),
        ("wss", b"app.example", b"http://app.example", False),  # whoever is on the way could write that page
        ("ws", b"app.example", b"https://app.example", True),  # a proxy has the certificate
        ("ws", b"[::1]:5000", b"http://[::1]:5000", True),
        ("ws", b"[::1]:5000", b"http://[::2]:5000", False),
        ("ws", b"app.example:8443", b"https://app.example", True),
        ("ws", b"a@b", b"http://b", False),
        ("ws", b"", b"http://", False),
    ],
)
def test_hosts_and_schemes(scheme: str, host: bytes, origin: bytes, is_allowed: bool) -> None:
    app, _ = make_app()
    headers = [(b"host", host), (b"origin", origin)]

    async def main() -> bool:
        connected = Connected(app, headers=headers, scheme=scheme)
        await connected.end()
        return connected.kinds[0] == "websocket.accept"

    assert asyncio.run(main()) is is_allowed


def test_in_debug_mode_it_is_said_why(caplog: pytest.LogCaptureFixture) -> None:
    app, _ = make_app(DEBUG=True)
    assert not opens(app, "http://localhost:x")
    assert "WEBSOCKET_ORIGINS" in caplog.text
