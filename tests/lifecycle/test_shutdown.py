"""SIGTERM and Ctrl-C while all kinds of work are under way: all of it ends, is torn down, and then the
application.

Each server is a process of its own, started as its users start it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

import asyncflask

from .loops import eventually
from .server import Client, Closed

ROOT = Path(asyncflask.__file__).parent.parent
#: Seconds that requests may go on.
GRACE = 2

APP = f"""
import asyncio, time
from asyncflask import Flask, request, websocket

app = Flask(__name__)
app.config.update(SHUTDOWN_TIMEOUT={GRACE}, BACKGROUND_TASK_SHUTDOWN_TIMEOUT=1)

def note(text):
    with open("journal", "a") as file:
        file.write(text + "\\n")

@app.before_request
def begin():
    if "id" in request.args:
        note(f"begin {{request.args['id']}}")

@app.teardown_request
async def tear_down(error):
    await asyncio.sleep(0.05)
    if "id" in request.args:
        note(f"teardown {{request.args['id']}}")

@app.teardown_websocket
async def tear_down_websocket(error):
    await asyncio.sleep(0.05)
    note(f"teardown {{websocket.args['id']}}")

@app.after_serving
def after_serving():
    note("after_serving")

@app.get("/")
async def index():
    return "ready"

@app.get("/sync")
def sync():
    time.sleep(1)
    return "done"

@app.get("/async")
async def on_the_loop():
    await asyncio.sleep(1)
    return "done"

@app.get("/long")
async def long():
    await asyncio.sleep(3600)
    return "done"

@app.get("/stuck")
def stuck():
    time.sleep(3600)

async def for_ever(text):
    try:
        while True:
            yield text
            await asyncio.sleep(0.05)
    finally:
        note(f"closed {{text[:4]}}")

@app.get("/stream")
async def stream():
    return for_ever("chunk")

@app.get("/events")
async def events():
    return for_ever("data: 1\\n\\n"), {{"Content-Type": "text/event-stream"}}

@app.websocket("/ws")
async def ws():
    note("begin ws")
    async for message in websocket:
        await websocket.send(message)
    note("closed ws")

@app.get("/background")
async def background():
    async def work():
        try:
            await asyncio.sleep(3600)
        finally:
            note("background ended")
    app.add_background_task(work)
    return "begun"

@app.post("/body")
def body():
    return str(len(request.get_data()))
"""

UVICORN = ["-m", "uvicorn", "ending:app", "--port", "{port}", "--no-access-log"]
GUNICORN = ["-m", "gunicorn", "ending:app", "--bind", "127.0.0.1:{port}"]
SERVERS = {
    "asyncflask run": ["-m", "asyncflask", "--app", "ending", "run", "--port", "{port}"],
    "asyncflask run --workers": ["-m", "asyncflask", "--app", "ending", "run", "-w1", "--port", "{port}"],
    "gunicorn": [*GUNICORN, "-k", "asyncflask.serving.workers.AsyncflaskWorker"],
    "uvicorn": UVICORN,
    "uvicorn with a limit": [*UVICORN, "--timeout-graceful-shutdown", "1"],
    "granian": ["-m", "granian", "ending:app", "--interface", "asgi", "--port", "{port}"],
    "hypercorn": ["-m", "hypercorn", "ending:app", "--bind", "127.0.0.1:{port}", "--graceful-timeout", "2"],
}
#: uvicorn ends by raising the signal again.
CODES = {"uvicorn": -signal.SIGTERM, "uvicorn with a limit": -signal.SIGTERM}
WORK = ["sync", "async", "long", "stream", "events", "ws", "body"]


class Program:
    """A server process."""

    def __init__(self, name: str, folder: Path) -> None:
        (folder / "ending.py").write_text(APP)
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.log = folder / "log"
        command = [part.format(port=self.port) for part in SERVERS[name]]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def journal(self) -> list[str]:
        try:
            return (self._folder / "journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with Client(self.port) as client:
                return client.request("GET", "/").status == 200
        except (OSError, Closed):
            return False

    def open(self, work: str) -> Client:
        """Begin a piece of work."""
        client = Client(self.port, timeout=15)
        if work == "ws":
            client.send_request(
                "GET",
                "/ws?id=ws",
                headers={
                    "Upgrade": "websocket",
                    "Connection": "Upgrade",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                },
            )
        elif work == "body":
            client.send(
                b"POST /body?id=body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\nabc"
            )
        else:
            client.send_request("GET", f"/{work}?id={work}")
        return client

    def end(self, number: int) -> float:
        """Send the signal; the seconds until the process has ended."""
        begin = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - begin


@contextmanager
def served(name: str, folder: Path) -> Iterator[Program]:
    program = Program(name, folder)
    try:
        eventually(program.answers, "it answers", timeout=30)
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)
        program.process.wait(10)


@pytest.mark.parametrize("name", SERVERS)
def test_everything_ends_and_is_torn_down_before_the_application(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as program, ExitStack() as stack:
        clients = {work: stack.enter_context(program.open(work)) for work in WORK}
        with Client(program.port) as client:
            assert client.request("GET", "/background?id=background").body == b"begun"
        eventually(lambda: all(f"begin {work}" in program.journal() for work in WORK), "all have begun")
        time.sleep(0.2)
        took = program.end(signal.SIGTERM)
        log, journal = program.log.read_text(), program.journal()
        assert took < GRACE + 8, log  # with what each server takes at its end, and this machine
        for work in (*WORK, "background"):
            assert journal.count(f"teardown {work}") == 1, (work, journal)
        assert journal[-1] == "after_serving"
        assert journal.count("after_serving") == 1
        assert {"closed chun", "closed data", "background ended"} <= set(journal)
        assert ("closed ws" in journal) is (name != "hypercorn")  # which cancels, and tells of nothing before
        # hypercorn reports that it has cancelled its own tasks.
        assert (str(ROOT / "asyncflask") if name == "hypercorn" else "Traceback") not in log, log
        assert program.process.returncode == CODES.get(name, 0)
        if name not in ("uvicorn with a limit", "granian", "hypercorn"):  # they wait for less, or for nothing
            assert clients["sync"].response().body == clients["async"].response().body == b"done"


@pytest.mark.parametrize("work", ["events", "ws"])
@pytest.mark.parametrize("name", ["uvicorn", "asyncflask run", "gunicorn", "granian"])
def test_events_and_websockets_end_at_once(name: str, work: str, tmp_path: Path) -> None:
    """Their clients come back by themselves; to wait for them would be to wait for ever."""
    with served(name, tmp_path) as program, program.open(work) as client:
        eventually(lambda: f"begin {work}" in program.journal(), "it has begun")
        time.sleep(0.2)
        begin = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        if work == "events":
            assert client.response().body.endswith(b"data: 1\n\n")  # to its proper end
        else:
            client.head()
            with suppress(Closed) if name == "granian" else nullcontext():  # it may be the first to close
                assert client.exactly(4) in (b"\x88\x02\x03\xe9", b"\x88\x02\x03\xf4")  # 1001; uvicorn's 1012
        assert time.monotonic() - begin < 1.5
        program.process.wait(15)
        assert program.journal()[-1] == "after_serving"


@pytest.mark.parametrize("name", ["uvicorn", "asyncflask run", "gunicorn"])
def test_ctrl_c(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as program, ExitStack() as stack:
        for work in ("sync", "events", "ws"):
            stack.enter_context(program.open(work))
        eventually(lambda: len(program.journal()) >= 3, "all have begun")
        assert program.end(signal.SIGINT) < GRACE + 8
        journal = program.journal()
        assert sorted(line for line in journal if "teardown" in line) == [
            "teardown events",
            "teardown sync",
            "teardown ws",
        ]
        assert journal[-1] == "after_serving"
        assert "Traceback" not in program.log.read_text()


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn with a limit", "asyncflask run --workers", "gunicorn"])
def test_a_sync_function_that_does_not_end_is_given_up_by_name(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as program, program.open("stuck"), program.open("long"):
        eventually(lambda: {"begin stuck", "begin long"} <= set(program.journal()), "they have begun")
        took = program.end(signal.SIGTERM)
        log, journal = program.log.read_text(), program.journal()
        assert took < GRACE + 10, log
        assert "'stuck' (at " in log
        assert "teardown stuck" not in journal  # it would use what the function uses
        assert journal[-2:] == ["teardown long", "after_serving"]
        assert "Traceback" not in log
