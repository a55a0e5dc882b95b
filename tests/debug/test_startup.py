"""What the browser is shown while an application does not start, and options that keep pages off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_serving import Program

GOOD = """
from asyncflask import Flask

app = Flask(__name__)

@app.get("/")
def index():
    return "fine"

@app.get("/fail")
def fail():
    return str(1 / 0)
"""
RUN = '\nif __name__ == "__main__":\n    app.run(port=0, debug=True%s)\n'


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    programs: list[Program] = []
    yield programs
    for program in programs:
        program.process.terminate()
        program.process.wait()


def ask(program: Program, path: str, accept: str) -> tuple[int, str]:
    connection = program.connect()
    try:
        connection.request("GET", path, headers={"Accept": accept})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("way", ["script", "command"])
def test_why_it_did_not_start(way: str, tmp_path: Path, programs: list[Program]) -> None:
    file = tmp_path / "app.py"
    file.write_text(GOOD + RUN % "")
    (tmp_path / "part.py").write_text("value = 1\n")
    command = ("app.py",) if way == "script" else ("-m", "asyncflask", "run", "--debug", "--port", "0")
    program = Program(tmp_path, *command)
    programs.append(program)
    program.wait_for("Debugger PIN")
    assert program.get("/") == (200, "fine")

    ended = 0
    for source, error, line in (
        (GOOD + "def broken(:\n" + RUN % "", "SyntaxError", "def broken(:"),
        (GOOD.replace("app =", "import part, nowhere\napp ="), "ModuleNotFoundError", "import part, nowhere"),
        (GOOD + "vlaue = 1\nvalue\n" + RUN % "", "NameError", "Did you mean 'vlaue'?"),
        (
            GOOD + "@app.before_serving\nasync def starts(): raise OSError('no database')\n" + RUN % "",
            "OSError",
            "async def starts(): raise OSError('no database')",
        ),
    ):
        file.write_text(source)
        ended += 1
        program.wait_for("The application ended with code", ended)
        status, text = ask(program, "/", "*/*")
        assert status == 500
        assert f"\n{error}: " in text
        assert line in text
        status, page = ask(program, "/anything", "text/html")
        assert (status, page.startswith("<!doctype html>")) == (500, True)
        assert f"<h1>{error}</h1>" in page
        assert json.loads(ask(program, "/", "application/json")[1])["error"]["type"] == error

    (tmp_path / "part.py").write_text("1 / 0\n")
    file.write_text(GOOD.replace("app =", "import part\napp =") + RUN % "")
    program.wait_for("The application ended with code", ended + 1)
    assert 'part.py", line 1, in <module>\n    1 / 0\n' in ask(program, "/", "*/*")[1]

    file.write_text(GOOD + RUN % "")
    program.wait_for("Debugger PIN", 2)
    assert program.get("/") == (200, "fine")
    pins = {line for line in program.err if "Debugger PIN" in line}
    assert len(pins) == 1  # the same after a reload
    assert "ASYNCFLASK_DEBUG" not in program.output


def test_pages_and_consoles_can_be_kept_off(tmp_path: Path, programs: list[Program]) -> None:
    bodies = []
    for options in (", use_debugger=False", ", use_evalex=False", ""):
        (tmp_path / "app.py").write_text(GOOD + RUN % f", use_reloader=False{options}")
        program = Program(tmp_path, "app.py")
        programs.append(program)
        status, body = ask(program, "/fail", "text/html")
        assert status == 500
        assert re.search("Debugger PIN", program.output) is None or not options
        bodies.append(("ZeroDivisionError" in body, "data-console" in body))
    assert bodies == [(False, False), (True, False), (True, True)]


def test_the_command_has_an_option_for_it(tmp_path: Path, programs: list[Program]) -> None:
    (tmp_path / "app.py").write_text(GOOD)
    program = Program(tmp_path, "-m", "asyncflask", "run", "--debug", "--no-debugger", "--port", "0")
    programs.append(program)
    status, body = ask(program, "/fail", "text/html")
    assert (status, "ZeroDivisionError" in body) == (500, False)
    (tmp_path / "app.py").write_text("nonsense(:\n")
    program.wait_for("The application ended with code")
    status, body = ask(program, "/", "text/html")
    assert (status, "nonsense" in body) == (500, False)
    assert "terminal" in body
