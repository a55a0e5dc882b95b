"""WSGI middleware around an application, beside the same around the real Flask: over sockets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask
import pytest
from lifecycle.server import APP_NAME, Client, Closed, Response, Server
from werkzeug.serving import WSGIRequestHandler, make_server

import asyncflask

from .applications import MIDDLEWARE, make_app

FORWARDED = {
    "X-Forwarded-For": "192.0.2.7, 192.0.2.8",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "example.org",
    "X-Forwarded-Port": "444",
    "X-Forwarded-Prefix": "/outside",
    "X-Tenant": "acme",
}

#: Method, path, headers, body.
REQUESTS: list[tuple[str, str, dict[str, str], bytes | None]] = [
    ("GET", "/tell/a", {}, None),
    ("GET", "/tell/a%2Fb%20%C3%A4?x=1&x=2", FORWARDED, None),
    ("GET", "/async/a", FORWARDED, None),
    ("HEAD", "/tell/a", {}, None),
    ("POST", "/tell/a", {"Content-Type": "text/plain"}, b"one\ntwo\nthree"),
    ("POST", "/async/a", {"X-HTTP-Method-Override": "GET"}, b"one"),
    ("POST", "/tell/a", {}, b"line\n" * 40_000),
    ("POST", "/async/a", {}, b"line\n" * 40_000),
    ("POST", "/tell/a", {}, b""),
    ("POST", "/form", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=2"),
    ("POST", "/unread", {}, b"x" * 100),
    ("GET", "/stream", {}, None),
    ("GET", "/kept", {}, None),
    ("GET", "/large", {}, None),
    ("GET", "/written", {}, None),
    ("GET", "/empty", {}, None),
    ("GET", "/nowhere", {}, None),
    ("OPTIONS", "/tell/a", {}, None),
    ("DELETE", "/tell/a", {}, None),
    ("GET", "/prefix/tell/a", {}, None),
    ("GET", "/other/x", {}, None),
    ("GET", "/shared/__init__.py", {}, None),
    ("GET", "/failing", {}, None),
    ("GET", "/error", {}, None),
    ("GET", "/async-error", {}, None),
]

#: Headers that are the server's own, or that differ by the moment.
_SERVERS_OWN = {"server", "date", "connection", "transfer-encoding", "expires", "last-modified"}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def werkzeug_server(app: Any) -> Iterator[int]:
    """A WSGI server in a thread, for the length of the block; its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
    with Client(port) as client:
        try:
            response = client.request(method, path, headers={**headers, "Connection": "close"}, body=body)
        except Closed:
            return 500  # too late for a page
    return seen(response, port)


def seen(response: Response, port: int) -> Any:
    headers = sorted((name.lower(), value) for name, value in response.headers)
    shown = [item for item in headers if item[0] not in _SERVERS_OWN]
    if response.status == 500:
        return 500  # the server's own page
    return response.status, shown, response.body.replace(str(port).encode(), b"PORT")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("werkzeug")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="module", params=MIDDLEWARE)
def answers(request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    """What is answered with one middleware: by Flask, and by asyncflask on servers of both kinds."""
    answers = {}
    for name, package in (("flask", flask), ("asgi", asyncflask), ("wsgi", asyncflask)):
        app = make_app(package)
        app.config["PROPAGATE_EXCEPTIONS"] = request.param == "guarded" or None
        app.wsgi_app = MIDDLEWARE[request.param](app.wsgi_app)
        if name == "asgi":
            with Server(app) as server:
                answers[name] = [ask(server.port, *asked) for asked in REQUESTS]
        else:
            with werkzeug_server(app) as port:
                answers[name] = [ask(port, *asked) for asked in REQUESTS]
    return answers


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_it_is_answered_as_under_flask(answers: dict[str, list[Any]], kind: str) -> None:
    for asked, expected, answer in zip(REQUESTS, answers["flask"], answers[kind], strict=True):
        assert answer == expected, asked[:2]


def test_the_applications_are_named_so_that_they_log_nothing() -> None:
    assert make_app(asyncflask).name == APP_NAME
