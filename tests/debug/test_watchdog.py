"""What holds the event loop up is named in the log, in debug mode only."""

# ruff: noqa: ASYNC251  (that async functions sleep is what this is about)

from __future__ import annotations

import asyncio
import logging
import re
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asyncflask import Flask, render_template_string
from tests.lifecycle.loops import eventually
from tests.lifecycle.server import APP_NAME, Server
from tests.test_serving import Program


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "asyncflask-watchdog"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    eventually(lambda: not watchdogs(), "no thread is left")


def make_app(**config: Any) -> Flask:
    app = Flask(APP_NAME)
    app.debug = True
    app.config.update(config)
    return app


@contextmanager
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, APP_NAME):
        yield lambda: [
            record.getMessage() for record in caplog.records if "event loop" in record.getMessage()
        ]


def milliseconds(message: str) -> int:
    found = re.search(r"(\d+) ms", message)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_view_that_sleeps(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0)
        time.sleep(0.3)
        return "fine"

    with Server(app, loop=loop) as server, messages(caplog) as found:
        server.get("/")
        eventually(found, "it is logged")
        time.sleep(0.2)
        (message,) = found()
    lines = Path(__file__).read_text().splitlines()
    number = lines.index("        time.sleep(0.3)") + 1
    assert message.splitlines()[0].startswith("The event loop was blocked for ")
    assert message.splitlines()[0].endswith(f" by the view {index.__qualname__!r}:")
    assert message.splitlines()[1] == f'  File "{__file__}", line {number}, in {index.__qualname__}'
    assert message.splitlines()[2] == "    time.sleep(0.3)"
    assert 250 <= milliseconds(message) <= 600


def work(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(100))


def test_work_in_a_function_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.get("/")
    async def index() -> str:
        work(0.3)
        return "fine"

    with Server(app) as server, messages(caplog) as found:
        server.get("/")
        eventually(found, "it is logged")
        assert f"in {work.__qualname__}\n" in found()[0]


def test_hooks_tasks_and_the_start(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.before_serving
    async def starts() -> None:
        time.sleep(0.25)

    @app.before_request
    async def before() -> None:
        time.sleep(0.25)

    async def in_a_task() -> None:
        time.sleep(0.25)

    @app.get("/")
    async def index() -> str:
        await asyncio.create_task(in_a_task())
        return "fine"

    with messages(caplog) as found, Server(app) as server:
        server.get("/")
        eventually(lambda: len(found()) == 3, "all are logged")
        names = [re.search(r"in \S+\.(\w+)$", message, re.MULTILINE) for message in found()]
        assert [name[1] for name in names if name] == ["starts", "before", "in_a_task"]


def test_a_template_is_named_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    app.jinja_env.globals["pause"] = lambda: time.sleep(0.01) or ""

    @app.get("/")
    async def index() -> str:
        return render_template_string("first\nsecond\n{% for x in range(40) %}{{ pause() }}{% endfor %}\n")

    with Server(app) as server, messages(caplog) as found:
        server.get("/")
        eventually(found, "it is logged")
        assert "by the view" in found()[0]


def test_what_a_view_returned_is_large(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    large = [Decimal(number) for number in range(200_000)]

    @app.get("/")
    async def index() -> Any:
        return large

    with Server(app) as server, messages(caplog) as found:
        assert server.get("/").status == 200
        eventually(found, "it is logged")
        assert f"by the view {index.__qualname__!r}" in found()[0]
        assert f"    async def {index.__name__}() -> Any:\n" in found()[0]


def test_what_does_not_block_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()

    @app.get("/sync")
    def sync() -> str:
        time.sleep(0.4)
        return "fine"

    @app.get("/async")
    async def not_blocking() -> str:
        await asyncio.sleep(0.4)
        return "fine"

    @app.get("/short")
    async def short() -> str:
        for _ in range(10):
            time.sleep(0.02)
            await asyncio.sleep(0)
        return "fine"

    with Server(app) as server, messages(caplog) as found:
        for path in ("/sync", "/async", "/short"):
            server.get(path)
        time.sleep(0.4)
        assert found() == []


@pytest.mark.parametrize(
    "config", [{"DEBUG_SLOW_CALLBACK": None}, {"DEBUG_SLOW_CALLBACK": 0}, {"DEBUG": False}], ids=str
)
def test_it_can_be_switched_off(config: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(**config)

    @app.get("/")
    async def index() -> str:
        time.sleep(0.3)
        return f"{len(watchdogs())}"

    with Server(app) as server, messages(caplog) as found:
        assert server.get("/").body == b"0"
        time.sleep(0.2)
        assert found() == []


def test_the_limit_can_be_set(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(DEBUG_SLOW_CALLBACK=0.6)

    @app.get("/<float:seconds>")
    async def index(seconds: float) -> str:
        time.sleep(seconds)
        return "fine"

    with Server(app) as server, messages(caplog) as found:
        server.get("/0.3")
        server.get("/0.9")
        eventually(found, "it is logged")
        assert [milliseconds(message) >= 700 for message in found()] == [True]


def test_without_a_lifespan_it_begins_with_a_request_and_ends_with_the_loop() -> None:
    app = make_app()

    @app.get("/")
    async def index() -> str:
        return f"{len(watchdogs())}"

    with Server(app, lifespan="off") as server:
        assert watchdogs() == []
        assert server.get("/").body == b"1"
        assert server.get("/").body == b"1"
        assert len(watchdogs()) == 1


def test_applications_that_share_a_loop_share_it() -> None:
    outer, inner = make_app(), make_app()
    outer.mount("/inner", inner)

    @inner.get("/")
    async def index() -> str:
        return f"{len(watchdogs())}"

    with Server(outer) as server:
        assert server.get("/inner/").body == b"1"
        assert len(watchdogs()) == 1


def test_a_test_client_has_none() -> None:
    app = make_app()

    @app.get("/")
    async def index() -> str:
        return f"{len(watchdogs())}"

    @app.before_serving
    async def starts() -> None: ...

    with app.test_client() as client:
        assert client.get("/").text == "0"


def test_a_program_that_runs_itself_is_not_named_for_waiting(tmp_path: Path) -> None:
    source = """
    import time
    from asyncflask import Flask

    app = Flask(__name__)

    @app.get("/")
    async def index():
        time.sleep(0.3)
        return "fine"

    app.run(port=0, debug=True, use_reloader=False)
    """
    (tmp_path / "app.py").write_text(textwrap.dedent(source))
    program = Program(tmp_path, "app.py")
    try:
        assert program.url
        time.sleep(1)
        assert program.get("/")[0] == 200
        program.wait_for("The event loop was blocked for .* ms by the view 'index':")
        time.sleep(0.5)
        assert program.output.count("event loop") == 1
    finally:
        program.process.terminate()
        program.process.wait()
