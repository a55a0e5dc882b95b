"""From the server's start to its end: functions around it, state for requests, what fails."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
from fastapi import FastAPI
from lifecycle.loops import run_on
from lifecycle.server import Server
from realtime.servers import free_port
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from asyncflask import Flask, current_app, g, has_app_context, request

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 20


@pytest.fixture
def log() -> list[str]:
    return []


def make_app(**options: Any) -> Flask:
    return Flask("lifespans", static_folder=None, **options)


def full_app(log: list[str]) -> Flask:
    """One that uses all there is, and notes the order."""

    @asynccontextmanager
    async def lifespan(app: Flask) -> AsyncIterator[dict[str, Any]]:
        log.append("lifespan in")
        yield {"database": "connected"}
        log.append("lifespan out")

    app = make_app(lifespan=lifespan)

    @app.before_serving
    def before() -> None:
        log.append(f"before {current_app.name}")

    @app.before_serving
    async def before_async() -> None:
        await asyncio.sleep(0)
        log.append(f"before async {current_app.name}")

    @app.while_serving
    def around() -> Iterator[None]:
        log.append(f"while in {current_app.name}")
        yield
        log.append(f"while out {current_app.name}")

    @app.while_serving
    async def around_async() -> AsyncIterator[None]:
        await asyncio.sleep(0)
        log.append("while async in")
        yield
        await asyncio.sleep(0)
        log.append(f"while async out {current_app.name}")

    @app.after_serving
    def after() -> None:
        log.append(f"after {current_app.name}")

    @app.after_serving
    async def after_async() -> None:
        await asyncio.sleep(0)
        log.append("after async")

    @app.get("/")
    def index() -> dict[str, Any]:
        log.append("request")
        return {
            "attribute": request.state.database,
            "item": request.state["database"],
            "scope": request.scope["state"]["database"],
        }

    return app


ORDER = [
    "lifespan in",
    "before lifespans",
    "before async lifespans",
    "while in lifespans",
    "while async in",
    "request",
    "while async out lifespans",
    "while out lifespans",
    "after lifespans",
    "after async",
    "lifespan out",
]
STATE = {"attribute": "connected", "item": "connected", "scope": "connected"}


def test_order_and_state_with_the_test_client(log: list[str]) -> None:
    with full_app(log).test_client() as client:
        assert log == ORDER[:5]
        assert client.get("/").json == STATE
    assert log == ORDER


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_order_and_state_with_the_awaited_test_client(log: list[str], kind: str) -> None:
    async def main() -> None:
        async with full_app(log).test_client() as client:
            assert (await client.get("/")).json == STATE

    run_on(kind, main)
    assert log == ORDER


def test_order_and_state_with_uvicorn(log: list[str]) -> None:
    with Server(full_app(log)) as server:
        assert server.get("/").body == b'{"attribute":"connected","item":"connected","scope":"connected"}\n'
    assert log == ORDER


def test_order_and_state_with_hypercorn(log: list[str]) -> None:
    app = full_app(log)

    async def main() -> None:
        config = hypercorn.config.Config()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            config.bind = [f"fd://{os.dup(listening.fileno())}"]
            port = listening.getsockname()[1]
            config.errorlog = config.accesslog = None
            stop = asyncio.Event()
            serving = asyncio.create_task(
                hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
            )
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            stop.set()
            await serving
        assert b'"attribute":"connected"' in answer

    run_on("asyncio", main)
    assert log == ORDER


def test_without_a_with_block_nothing_of_it_runs(log: list[str]) -> None:
    app = full_app(log)

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    assert app.test_client().get("/plain").text == "plain"
    assert log == []


# -- Flask(lifespan=) ---------------------------------------------------------------------------


def test_lifespan_as_an_async_generator_function() -> None:
    log = []

    async def lifespan(app: Flask) -> AsyncIterator[dict[str, int]]:
        log.append(app.name)
        yield {"number": 1}
        log.append("out")

    app = make_app(lifespan=lifespan)
    app.add_url_rule("/", view_func=lambda: str(request.state.number))
    with app.test_client() as client:
        assert client.get("/").text == "1"
    assert log == ["lifespans", "out"]


def test_lifespan_without_a_state() -> None:
    async def lifespan(app: Flask) -> AsyncIterator[None]:
        yield

    app = make_app(lifespan=lifespan)
    app.add_url_rule("/", view_func=lambda: str(hasattr(request.state, "number")))
    with app.test_client() as client:
        assert client.get("/").text == "False"


def test_lifespan_as_a_class_with_aenter() -> None:
    log = []

    class Lifespan:
        def __init__(self, app: Flask) -> None:
            self.app = app

        async def __aenter__(self) -> dict[str, str]:
            log.append("in")
            return {"name": self.app.name}

        async def __aexit__(self, *error: object) -> None:
            log.append("out")

    app = make_app(lifespan=Lifespan)
    app.add_url_rule("/", view_func=lambda: request.state["name"])
    with app.test_client() as client:
        assert client.get("/").text == "lifespans"
    assert log == ["in", "out"]


def test_a_request_changes_its_own_state_only() -> None:
    """Each gets a shallow copy (ASGI specification, "Lifespan State")."""

    async def lifespan(app: Flask) -> AsyncIterator[dict[str, Any]]:
        yield {"number": 1, "shared": []}

    app = make_app(lifespan=lifespan)

    @app.get("/")
    def index() -> dict[str, Any]:
        request.state.number += 1
        request.state.shared.append(request.state["number"])
        return {"number": request.state.number, "shared": request.state.shared}

    with Server(app) as server:
        assert server.get("/").body == b'{"number":2,"shared":[2]}\n'
        assert server.get("/").body == b'{"number":2,"shared":[2,2]}\n'


def test_state_in_a_websocket() -> None:
    async def lifespan(app: Flask) -> AsyncIterator[dict[str, Any]]:
        yield {"number": 1}

    app = make_app(lifespan=lifespan)

    @app.websocket("/ws")
    async def ws() -> None:
        from asyncflask import websocket

        await websocket.send(f"{websocket.state.number} {websocket.scope['state']['number']}")

    with app.test_client() as client, client.websocket_connect("/ws") as ws_:
        assert ws_.receive() == "1 1"


def test_while_serving_wants_a_generator() -> None:
    app = make_app()
    with pytest.raises(TypeError, match="yield"):

        @app.while_serving
        def around() -> None:
            pass


@pytest.mark.parametrize("times", [0, 2])
def test_while_serving_yields_once(times: int, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.while_serving
    async def around() -> AsyncIterator[None]:
        for _ in range(times):
            yield

    if times == 0:
        with pytest.raises(RuntimeError, match="yield once"), app.test_client():
            pass
    else:
        with app.test_client():
            pass
        assert "yields more than once" in caplog.text


def test_g_within_one_function() -> None:
    """An application context each: nothing is left for the next, nor for requests."""
    seen = []
    app = make_app()

    @app.before_serving
    def first() -> None:
        g.value = 1

    @app.before_serving
    async def second() -> None:
        seen.append("value" in g)

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        seen.append(error)

    with app.test_client():
        assert not has_app_context()
    assert seen == [None, False, None]


def test_setup_ends_with_the_first_request() -> None:
    app = make_app()
    app.test_client().get("/")
    for register in (app.before_serving, app.after_serving, app.while_serving):
        with pytest.raises(AssertionError, match="serving"):
            register(lambda: None)


# -- what fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["before", "before async", "while", "lifespan", "mounted"])
def test_a_failing_startup_is_raised_and_what_had_begun_is_ended(where: str, log: list[str]) -> None:
    async def lifespan(app: Flask) -> AsyncIterator[None]:
        if where == "lifespan":
            raise KeyError("at the start")
        log.append("in")
        try:
            yield
        finally:
            log.append("out")

    app = make_app(lifespan=lifespan)
    if where == "before":

        @app.before_serving
        def before() -> None:
            raise KeyError("at the start")

    elif where == "before async":

        @app.before_serving
        async def before_async() -> None:
            raise KeyError("at the start")

    elif where == "while":

        @app.while_serving
        async def around() -> AsyncIterator[None]:
            raise KeyError("at the start")
            yield

    elif where == "mounted":

        @asynccontextmanager
        async def failing(app: Any) -> AsyncIterator[None]:
            raise KeyError("at the start")
            yield

        app.mount("/x", Starlette(lifespan=failing))
    with pytest.raises(KeyError, match="at the start"), app.test_client():
        log.append("served")
    assert log == ([] if where == "lifespan" else ["in", "out"])


def test_a_failing_shutdown_is_logged_and_the_rest_runs(
    log: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def lifespan(app: Flask) -> AsyncIterator[None]:
        yield
        log.append("lifespan")
        raise KeyError("of lifespan")

    app = make_app(lifespan=lifespan)

    @app.after_serving
    def after() -> None:
        log.append("after")
        raise KeyError("of after")

    @app.after_serving
    async def after_async() -> None:
        log.append("after async")
        raise KeyError("of after async")

    @app.while_serving
    def around() -> Iterator[None]:
        yield
        log.append("while")
        raise KeyError("of while")

    @asynccontextmanager
    async def failing(app: Any) -> AsyncIterator[None]:
        yield
        log.append("mounted")
        raise KeyError("of mounted")

    app.mount("/x", Starlette(lifespan=failing))
    with app.test_client():
        pass
    assert log == ["while", "after", "after async", "mounted", "lifespan"]
    errors = [record.exc_info[1].args[0] for record in caplog.records if record.exc_info]  # type: ignore[union-attr]
    assert errors == ["of while", "of after", "of after async", "of mounted", "of lifespan"]


PROGRAM = """\
import os, sys
from asyncflask import Flask

app = Flask(__name__)

@app.{when}_serving
{kind} around():
    raise KeyError("it has failed")

@app.after_serving
def last():
    print("the rest has run", flush=True)

@app.get("/")
def index():
    return "served"
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian", "asyncflask"])
def test_a_failing_startup_stops_the_server_with_the_traceback(
    kind: str, server: str, tmp_path: Path
) -> None:
    (tmp_path / "failing.py").write_text(PROGRAM.format(when="before", kind=kind))
    command = {
        "uvicorn": ["uvicorn", "failing:app", "--port", "0"],
        "hypercorn": ["hypercorn", "failing:app", "--bind", "127.0.0.1:0"],
        "granian": ["granian", "failing:app", "--interface", "asgi", "--port", str(free_port())],
        "asyncflask": ["asyncflask", "--app", "failing", "run", "--port", "0"],
    }[server]
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    # Hypercorn ends with 0 whatever has happened.
    assert ended.returncode == {"hypercorn": 0, "granian": 1}.get(server, 3)
    output = ended.stdout + ended.stderr
    assert "KeyError: 'it has failed'" in output.replace("\\'", "'")
    assert 'failing.py", line 8, in around' in output


def test_a_failing_shutdown_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(PROGRAM.format(when="after", kind="async def"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--fd", str(listening.fileno()), "failing:app"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[listening.fileno()],
        )
        try:
            with socket.create_connection(listening.getsockname(), timeout=SECONDS) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                with client.makefile("rb") as answer:
                    assert b"served" in answer.read()
            server.send_signal(signal.SIGTERM)
            out, err = server.communicate(timeout=SECONDS)
        finally:
            server.kill()
            server.wait()
    assert "KeyError: 'it has failed'" in err
    assert "the rest has run" in out
    assert "Application shutdown complete" in err


# -- in a parent --------------------------------------------------------------------------------


def test_app_lifespan_for_a_parent(log: list[str]) -> None:
    app = full_app(log)
    parent = Starlette(routes=[Mount("/app", app)], lifespan=app.lifespan)
    with Server(parent) as server:
        assert b'"attribute":"connected"' in server.get("/app/").body
    assert log == ORDER


def test_app_lifespan_within_a_parents_own(log: list[str]) -> None:
    app = full_app(log)

    @asynccontextmanager
    async def lifespan(parent: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with app.lifespan(app) as state:
            yield {**(state or {}), "more": True}

    parent = FastAPI(lifespan=lifespan)
    parent.mount("/app", app)
    with Server(parent) as server:
        assert b'"attribute":"connected"' in server.get("/app/").body
    assert log == ORDER


@pytest.mark.parametrize("kept", [None, {"database": "the parent's"}])
def test_the_state_of_a_lent_lifespan_is_in_its_own_requests(kept: dict[str, Any] | None) -> None:
    """Two of them with the same names in a parent that has one state, or none."""

    def child(name: str) -> Flask:
        async def lifespan(app: Flask) -> AsyncIterator[dict[str, Any]]:
            yield {"database": name}

        app = make_app(lifespan=lifespan)

        @app.get("/")
        def index() -> list[str]:
            return [request.state.database, request.scope["state"]["database"]]

        return app

    a, b = child("a"), child("b")

    @asynccontextmanager
    async def lifespan(parent: Starlette) -> AsyncIterator[dict[str, Any] | None]:
        async with a.lifespan(a), b.lifespan(b):
            yield kept

    parent = Starlette(routes=[Mount("/a", a), Mount("/b", b)], lifespan=lifespan)
    with Server(parent) as server:
        assert server.get("/a/").body == b'["a","a"]\n'
        assert server.get("/b/").body == b'["b","b"]\n'
    assert a._lent_state is None


def test_a_failing_shutdown_within_a_parent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.after_serving
    def after() -> None:
        raise KeyError("of after")

    async def main() -> None:
        async with app.lifespan(app):
            pass

    run_on("asyncio", main)
    assert "of after" in caplog.text


# -- mounted applications -----------------------------------------------------------------------


def stateful(name: str, log: list[str]) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        log.append(f"{name} in")
        yield {"name": name}
        log.append(f"{name} out")

    def show(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(dict(request.scope.get("state") or {}))

    return Starlette(routes=[Route("/", show)], lifespan=lifespan)


async def without(scope: Any, receive: Any, send: Any) -> None:
    """One that knows nothing of lifespans."""
    assert scope["type"] == "http"
    assert "state" not in scope
    await PlainTextResponse("without")(scope, receive, send)


def test_mounted_applications_have_their_own_state(log: list[str]) -> None:
    inner = make_app()

    @inner.before_serving
    async def before() -> None:
        log.append("inner in")
        current_app.extensions["inner"] = "served"

    @inner.after_serving
    def after() -> None:
        log.append("inner out")

    @inner.get("/")
    def show() -> dict[str, Any]:
        return {"state": request.scope["state"], "inner": current_app.extensions["inner"]}

    async def lifespan(app: Flask) -> AsyncIterator[dict[str, str]]:
        log.append("in")
        yield {"own": "state"}
        log.append("out")

    app = make_app(lifespan=lifespan)
    app.mount("/one", stateful("one", log))
    app.mount("/two", stateful("two", log))
    app.mount("/inner", inner)
    app.mount("/without", without)
    app.add_url_rule("/", view_func=lambda: request.scope["state"])
    for _ in range(2):  # a server that is started again
        log.clear()
        with Server(app) as server:
            assert server.get("/one/").body == b'{"name":"one"}'
            assert server.get("/two/").body == b'{"name":"two"}'
            assert server.get("/inner/").body == b'{"inner":"served","state":{}}\n'
            assert server.get("/without/").body == b"without"
            assert server.get("/").body == b'{"own":"state"}\n'
        assert log[0] == "in"
        assert sorted(log[1:4]) == ["inner in", "one in", "two in"]
        assert log[4:7] == [entry.replace(" in", " out") for entry in reversed(log[1:4])]
        assert log[7:] == ["out"]


def test_one_application_at_two_paths_is_started_once(log: list[str]) -> None:
    app = make_app()
    both = stateful("both", log)
    app.mount("/a", both)
    app.mount("/b", both)
    with app.test_client() as client:
        assert client.get("/a/").json == {"name": "both"}
        assert client.get("/b/").json == {"name": "both"}
    assert log == ["both in", "both out"]


@pytest.mark.parametrize("where", ["starlette", "fastapi", "asyncflask"])
def test_mounted_applications_within_mounted_ones(where: str, log: list[str]) -> None:
    middle = make_app()
    middle.mount("/inner", stateful("inner", log))
    app = make_app()
    app.mount("/middle", middle)
    top: Any = app
    if where == "starlette":
        top = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    elif where == "fastapi":
        top = FastAPI(lifespan=app.lifespan)
        top.mount("/", app)
    with Server(top) as server:
        assert server.get("/middle/inner/").body == b'{"name":"inner"}'
    assert log == ["inner in", "inner out"]


@pytest.mark.parametrize(
    "kind", ["returns", "raises", "answers as to a request", "asks and returns", "fails by message"]
)
def test_mounted_applications_that_take_the_protocol_lightly(kind: str) -> None:
    async def careless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            if kind == "returns":
                return
            if kind == "raises":
                raise NotImplementedError
            if kind == "asks and returns":
                await receive()
                return
            if kind == "fails by message":
                await receive()
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                return
        await PlainTextResponse("careless")(scope, receive, send)

    app = make_app()
    app.mount("/x", careless)
    if kind == "fails by message":
        with pytest.raises(RuntimeError, match="no database"), app.test_client():
            pass
        return
    with app.test_client() as client:
        assert client.get("/x").text == "careless"


def test_a_mounted_application_that_never_ends_its_lifespan(log: list[str]) -> None:
    """It is cancelled when all is over, and nothing is left behind."""

    async def lingering(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        try:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            await asyncio.Event().wait()
        finally:
            log.append("ended")

    app = make_app()
    app.mount("/x", lingering)

    async def main() -> None:
        async with app.lifespan(app):
            pass

    run_on("asyncio", main)
    assert log == ["ended"]


def test_a_mounted_application_that_dies_while_serving() -> None:
    """Its lifespan task does; the server ends all the same."""

    async def dying(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise KeyError("while serving")

    app = make_app()
    app.mount("/x", dying)

    async def main() -> None:
        async with app.lifespan(app):
            await asyncio.sleep(0.01)

    run_on("asyncio", main)


def test_worker_threads_end_with_the_server() -> None:
    import threading

    app = make_app()
    app.add_url_rule("/", view_func=lambda: threading.current_thread().name)
    with Server(app) as server:
        name = server.get("/").body.decode()
        assert any(thread.name == name for thread in threading.enumerate())
    deadline = time.monotonic() + 5
    while any(thread.name == name for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    yield
    logging.getLogger("lifespans").handlers.clear()
