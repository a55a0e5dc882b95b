"""Tracebacks on the terminal, without the framework's frames."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from asyncflask import Flask
from asyncflask.debug.folding import FoldingFilter, folded_traceback
from tests.lifecycle.server import APP_NAME, Server
from tests.test_serving import Program

from .pages import raised

APP = """
from asyncflask import Flask, render_template

app = Flask(__name__)

@app.get("/")
def index():
    items = {"apple": 1}
    return str(items["appel"])

@app.get("/async")
async def index_async():
    return str(1 / 0)

@app.get("/cause")
async def cause():
    try:
        return helper()
    except ValueError as error:
        raise RuntimeError("in the end") from error

def helper():
    raise ValueError("at first")

@app.get("/group")
async def group():
    import asyncio
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fails("one"))
        tasks.create_task(fails("two"))

async def fails(name):
    raise ValueError(name)

@app.get("/template")
def template():
    return render_template("page.html")

@app.get("/none")
async def none():
    x = 1

@app.get("/late")
async def late():
    response = app.make_response("fine")
    response.call_on_close(helper)
    return response

@app.websocket("/socket")
async def socket():
    raise ValueError("in a websocket")

if __name__ == "__main__":
    app.run(port=0, debug=True, use_reloader=False)
"""


@pytest.fixture
def program(tmp_path: Path) -> Any:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("first\n{{ missing.attribute }}\n")
    (tmp_path / "app.py").write_text(APP)
    program = Program(tmp_path, "app.py")
    yield program
    program.process.terminate()
    program.process.wait()


def traceback_of(program: Program, path: str, last: str) -> list[str]:
    """The lines on stderr from a request on, up to the one that begins so."""
    program.wait_for("Press CTRL")
    assert program.url
    start = len(program.err)
    pattern = f"^(  [|] )?{last}"
    before = sum(bool(re.search(pattern, line)) for line in program.err)
    program.get(path)
    program.wait_for(pattern, before + 1)
    return program.err[start:]


def test_the_traceback_of_a_view_is_short(program: Program) -> None:
    lines = traceback_of(program, "/", "Did you mean")
    assert len(lines) == 8
    assert lines[0].endswith("Exception in ASGI application")
    assert lines[1] == "Traceback (most recent call last):"
    assert re.fullmatch(r"  \[\d+ frames of asyncflask\]", lines[2])
    assert re.fullmatch(r'  File ".*app.py", line 9, in index', lines[3])
    assert lines[4] == '    return str(items["appel"])'
    assert lines[-2:] == ["KeyError: 'appel'", "Did you mean 'apple'?"]


def test_others(program: Program) -> None:
    lines = traceback_of(program, "/async", "ZeroDivisionError")
    assert len(lines) <= 8

    lines = traceback_of(program, "/cause", "RuntimeError: in the end")
    text = "\n".join(lines)
    assert len(lines) <= 18
    assert "in helper\n" in text
    assert "ValueError: at first\n\nThe above exception was the direct cause" in text

    lines = traceback_of(program, "/template", "jinja2.exceptions.UndefinedError")
    text = "\n".join(lines)
    assert 'page.html", line 2, in top-level template code\n    {{ missing.attribute }}\n' in text
    assert "in template\n" in text

    lines = traceback_of(program, "/none", '  File ".*app.py", line 40, in none')
    assert "    raise TypeError(" in lines  # what raised it is there, whosever it is

    lines = traceback_of(program, "/late", "ValueError: at first")
    assert any("after the response was sent" in line for line in lines)
    assert any(line.startswith("  [") for line in lines)


def test_groups(program: Program) -> None:
    lines = traceback_of(program, "/group", "ExceptionGroup")
    program.wait_for("ValueError: two")
    text = "\n".join(program.err)
    assert "in group\n" in text
    assert text.count("in fails\n") == 2
    assert lines


def test_websockets(program: Program) -> None:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    with pytest.raises(WebSocketException):
        connect(program.url.replace("http", "ws") + "/socket").recv()
    program.wait_for("ValueError: in a websocket")
    text = "\n".join(program.err)
    assert re.search(r"\[\d+ frames of .*asyncflask\]\n  File .*app.py.*, in socket\n", text)
    assert "asyncflask/middleware" not in text


def test_production_logs_everything(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("production")

    @app.get("/")
    async def index() -> str:
        raise ValueError("x")

    with Server(app) as server, caplog.at_level(logging.ERROR, "production"):
        server.get("/")
    (record,) = [record for record in caplog.records if record.name == "production"]
    text = logging.Formatter().format(record)
    assert "frames of" not in text
    assert text.count("asyncflask") >= 3


def test_the_filter_goes_with_the_server() -> None:
    app = Flask(APP_NAME)
    app.debug = True
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", APP_NAME)]

    def folding() -> list[bool]:
        return [any(isinstance(one, FoldingFilter) for one in logger.filters) for logger in loggers]

    before = folding()
    with Server(app):
        assert folding() == [True, True]
    assert folding() == before == [False, False]


def test_tracebacks_of_others_are_left_alone() -> None:
    error = raised(lambda: 1 / 0)
    record = logging.LogRecord("x", logging.ERROR, "", 1, "x", (), (type(error), error, error.__traceback__))
    assert FoldingFilter().filter(record)
    assert record.exc_text is None


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError

    def __setattr__(self, name: str, value: object) -> None:
        raise ValueError


def test_exceptions_that_fight_back_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask(APP_NAME)
    app.debug = True

    @app.get("/")
    async def index() -> str:
        raise Unprintable

    with Server(app) as server:
        assert server.get("/").status == 500
        assert len(server.errors) == 1


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = raised(ValueError("first")), raised(KeyError("second"))
    first.__cause__, second.__cause__ = second, first
    assert folded_traceback(first).endswith("ValueError: first")


def test_deep_recursion_is_written_as_python_does() -> None:
    def down() -> None:
        down()

    text = folded_traceback(raised(down))
    assert "[Previous line repeated" in text
    assert len(text.splitlines()) < 40
