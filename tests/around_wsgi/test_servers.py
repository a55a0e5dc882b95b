"""One application under servers of both kinds, with WSGI middleware around it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from example_server import ROOT, ExampleServer
from lifecycle.server import Client
from websockets.sync.client import connect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client as WSGIClient

from asyncflask import Flask, current_app, request

APP = "tests.around_wsgi.served:app"
GUNICORN = "-m gunicorn -b 127.0.0.1:{port} --no-control-socket"

WSGI = {
    "gunicorn": f"{GUNICORN} {APP}",
    "gunicorn preload": f"{GUNICORN} --preload -w 2 {APP}",
    "gunicorn gthread": f"{GUNICORN} -k gthread --threads 4 {APP}",
    "granian wsgi": f"-m granian --interface wsgi --port {{port}} {APP}",
    "wsgiref": "-m tests.around_wsgi.served wsgiref {port}",
    "werkzeug": "-m tests.around_wsgi.served werkzeug {port}",
    "waitress": "-m tests.around_wsgi.served waitress {port}",
    "a2wsgi": "-m tests.around_wsgi.served a2wsgi {port}",
}
ASGI = {
    "uvicorn": f"-m uvicorn --port {{port}} {APP}",
    "hypercorn": f"-m hypercorn -b 127.0.0.1:{{port}} {APP}",
    "daphne": f"-m daphne -p {{port}} {APP}",
    "granian": f"-m granian --interface asgi --port {{port}} {APP}",
    "gunicorn with uvicorn": f"-W ignore {GUNICORN} -k uvicorn.workers.UvicornWorker {APP}",
}
#: Servers that let SIGTERM end the process without Python's end, so that nothing can be done at it.
ENDS_AT_ONCE = {"granian wsgi", "a2wsgi"}
#: Servers that do not say that a chunked body has an end: to Flask, too, it is empty.
NOT_CHUNKED = {"wsgiref", "a2wsgi"}


def check_answers(server: ExampleServer, name: str) -> None:
    with Client(server.port) as client:
        sync = client.request("GET", "/", headers={"Connection": "close"})
    assert (sync.status, (sync.get("X-Seen") or "")[:6]) == (200, "200 OK")
    for path, length in (("/async", None), ("/stream", 6)):
        with Client(server.port) as client:
            response = client.request("GET", path, headers={"Connection": "close"})
        assert (response.status, response.get("X-Seen") is not None) == (200, True)
        assert length is None or response.body == b"0 1 2 "
    for body in (b"", b"small", b"x" * 300_000):
        with Client(server.port) as client:
            assert client.request("POST", "/body", body=body, headers={"Connection": "close"}).body == body
    if name not in NOT_CHUNKED:
        chunked = {"Transfer-Encoding": "chunked", "Connection": "close"}
        with Client(server.port) as client:
            response = client.request(
                "POST", "/body", headers=chunked, body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
        assert response.body == b"abcde"


@pytest.mark.parametrize("name", WSGI)
def test_a_wsgi_server_serves_it(name: str, tmp_path: Path) -> None:
    with ExampleServer(WSGI[name], tmp_path, WARM_UP="1" if "preload" in name else "") as server:
        check_answers(server, name)
        with Client(server.port) as client:
            pid = json.loads(client.request("GET", "/", headers={"Connection": "close"}).body)["pid"]
        handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        with Client(server.port) as client:
            assert 400 <= client.request("GET", "/ws", headers=handshake).status < 500
        # What ends with an interrupt ends as Python does; SIGTERM without a handler ends it at once.
        interrupted = name in ("wsgiref", "werkzeug", "waitress")
        if interrupted:
            process: Any = server._process
            process.send_signal(signal.SIGINT)
            process.wait(20)
            server._process = None
    if name != "a2wsgi":  # where uvicorn has answered
        assert "has no websockets" in server.log
    begun = re.findall(r"begun in (\d+)", server.log)
    ended = re.findall(r"ended in (\d+)", server.log)
    assert str(pid) in begun
    if name not in ENDS_AT_ONCE:
        assert sorted(begun) == sorted(ended)
    if "preload" not in name:
        assert begun == [str(pid)]


@pytest.mark.parametrize("name", ASGI)
def test_an_asgi_server_takes_it_for_asgi(name: str, tmp_path: Path) -> None:
    with ExampleServer(ASGI[name], tmp_path) as server:
        check_answers(server, name)
        with connect(f"ws://127.0.0.1:{server.port}/ws") as client:
            assert client.recv() == "hello"


def test_a_startup_that_fails_is_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    app = Flask("failing")
    tries: list[int] = []

    @app.before_serving
    async def begin() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise LookupError("not yet")

    app.get("/")(lambda: "up")
    client = WSGIClient(app)
    with pytest.raises(LookupError, match="not yet"):
        client.get("/")
    assert [client.get("/").text, client.get("/").text] == ["up", "up"]
    assert len(tries) == 2


def test_the_lifespan_leaves_its_state() -> None:
    async def lifespan(app: Flask) -> Any:
        yield {"answer": 42}

    app = Flask("stateful", lifespan=lifespan)
    app.get("/")(lambda: str(request.state.answer))
    assert WSGIClient(app).get("/").text == "42"


def test_asgi_middleware_is_around_a_wsgi_call() -> None:
    class Note:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["note"] = "noted"
            await self.app(scope, receive, send)

    app = Flask("noted")
    app.add_middleware(Note)
    app.get("/")(lambda: request.scope["note"])
    assert WSGIClient(app).get("/").text == "noted"
    assert app.test_client().get("/").text == "noted"


@pytest.mark.parametrize("debug", [False, True])
def test_applications_beside_each_other(debug: bool) -> None:
    one, two = Flask("one"), Flask("two")
    for app in (one, two):
        app.debug = debug
        app.get("/")(lambda: f"{current_app.name} {request.script_root} {request.url_rule}")
    both = DispatcherMiddleware(one, {"/two": two})  # type: ignore[dict-item]
    client = WSGIClient(both)
    assert client.get("/").text == "one  /"
    assert client.get("/two/").text == "two /two /"

    one.wsgi_app = DispatcherMiddleware(one.wsgi_app, {"/two": two})  # type: ignore[method-assign, dict-item]
    for made in (WSGIClient(one), one.test_client()):
        assert made.get("/").text == "one  /"
        assert made.get("/two/").text == "two /two /"


def test_a_loop_for_each_process() -> None:
    """A process that is forked has a loop and threads of its own, whatever its parent had."""
    code = """
import os
from tests.around_wsgi.served import app
from werkzeug.test import Client

client = Client(app)
assert client.get("/async").status_code == client.get("/").status_code == 200
child = os.fork()
statuses = [client.get(path).status_code for path in ("/async", "/", "/async")]
if child:
    _, status = os.waitpid(child, 0)
    print("child", status)
print(*statuses)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WARM_UP": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("200 200 200") == 2
    assert "child 0" in done.stdout
    # That of the test client, the parent's, and the child's.
    assert done.stdout.count("begun") == done.stdout.count("ended") == 3
