"""What the development server says of requests, websockets and streams of events, and at its end."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import pytest

from asyncflask import Blueprint, Flask, sse, websocket
from asyncflask.serving.access_log import AccessLog, Formatter
from tests.test_serving import Program

app = Flask(__name__)
blueprint = Blueprint("part", __name__, url_prefix="/part")


@app.get("/")
def index() -> str:
    return "x"


@blueprint.post("/<int:n>")
async def number(n: int) -> tuple[str, int]:
    return "x", 201


@app.get("/fails")
def fails() -> None:
    raise ValueError


@app.get("/events")
async def events() -> Any:
    async def ticks() -> Any:
        yield 1
        yield 2

    return sse.EventSourceResponse(ticks())


@app.websocket("/echo")
async def echo() -> None:
    await websocket.send(await websocket.receive())
    await websocket.close(4000, "bye")


@app.websocket("/refused")
async def refused() -> tuple[str, int]:
    return "no", 401


app.register_blueprint(blueprint)
MILLISECONDS = r"\d+\.\d ms"


def lines(caplog: pytest.LogCaptureFixture, path: str, **scope: Any) -> list[str]:
    """What is logged for a request, or for a websocket whose client sends one message."""
    is_websocket = scope.get("type") == "websocket"
    begin = {"type": "websocket.connect"} if is_websocket else {"type": "http.request"}
    messages = [begin, {"type": "websocket.receive", "text": "x"}]

    async def receive() -> Any:
        if not is_websocket:
            return begin if messages and messages.pop() else await asyncio.sleep(10)
        return messages.pop(0) if messages else await asyncio.sleep(10)

    async def send(message: Any) -> None: ...

    whole = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "http_version": "1.1",
        "path": path,
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "extensions": {"websocket.http.response": {}},
    } | scope

    async def run() -> None:
        log = AccessLog(app)
        with suppress(ValueError):
            await log(whole, receive, send)
        assert log.under_way() == []

    with caplog.at_level(logging.INFO, "asyncflask.access"):
        asyncio.run(run())
    return [record.getMessage() for record in caplog.records if record.name == "asyncflask.access"]


@pytest.mark.parametrize(
    ("path", "scope", "expected"),
    [
        ("/", {}, rf"200 {MILLISECONDS}  GET /  index"),
        ("/", {"query_string": b"a=b%20c&d"}, rf"200 {MILLISECONDS}  GET /\?a=b%20c&d  index"),
        ("/part/1", {"method": "POST"}, rf"201 {MILLISECONDS}  POST /part/1  part.number"),
        ("/part/1", {}, rf"405 {MILLISECONDS}  GET /part/1"),
        ("/nowhere", {}, rf"404 {MILLISECONDS}  GET /nowhere"),
        ("/\x1b[31m\r\n", {}, rf"404 {MILLISECONDS}  GET /%1B%5B31m%0D%0A"),
        ("/fails", {}, rf"500 {MILLISECONDS}  GET /fails  fails"),
        ("/root/part/1", {"root_path": "/root", "method": "POST"}, r"201 .*  POST /root/part/1  part.number"),
        ("/refused", {"type": "websocket"}, rf"401 {MILLISECONDS}  WS /refused  refused"),
        ("/nowhere", {"type": "websocket"}, rf"404 {MILLISECONDS}  WS /nowhere"),
    ],
)
def test_one_line(caplog: pytest.LogCaptureFixture, path: str, scope: Any, expected: str) -> None:
    (line,) = lines(caplog, path, **scope)
    assert re.fullmatch(expected, line), line


def test_a_websocket_is_opened_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    opened, closed = lines(caplog, "/echo", type="websocket")
    assert opened == "opened  WS /echo  echo"
    assert re.fullmatch(rf"closed 4000 after {MILLISECONDS}  WS /echo  echo", closed)


def test_a_stream_of_events_is_opened_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    opened, closed = lines(caplog, "/events")
    assert opened == "opened  GET /events  events"
    assert re.fullmatch(rf"closed after {MILLISECONDS}  GET /events  events", closed)


@pytest.mark.parametrize(("status", "colour"), [(200, 32), (302, 36), (404, 33), (500, 31)])
def test_colours(status: int, colour: int) -> None:
    record = logging.makeLogRecord({"msg": "x", "status": status})
    assert re.fullmatch(rf"\x1b\[{colour}m.*\d\d:\d\d:\d\d  x\x1b\[0m", Formatter(True).format(record))
    assert re.fullmatch(r"\d\d:\d\d:\d\d  x", Formatter(False).format(record))


SLOW = """
import asyncio
from asyncflask import Flask
app = Flask(__name__)

@app.get("/slow/<name>")
async def slow(name):
    await asyncio.sleep(60)
    return "x"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
def test_it_is_told_what_the_end_waits_for(tmp_path: Any) -> None:
    (tmp_path / "app.py").write_text(SLOW)
    program = Program(tmp_path, "-m", "asyncflask", "run", "--port", "0")
    try:
        connection = program.connect()
        connection.request("GET", "/slow/one")
        time.sleep(0.5)  # until it has arrived
        program.process.send_signal(signal.SIGINT)
        program.wait_for(r"Waiting for 3 seconds at most, for what is under way \(CTRL\+C ends it now\):")
        program.wait_for(r"^   GET /slow/one slow$")
        connection.close()
        assert program.process.wait(10) == 0
    finally:
        program.process.kill()
