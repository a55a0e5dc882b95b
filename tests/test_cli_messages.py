"""What the command line shows: routes with their places, tracebacks of the user's code, what may be meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asyncflask import Blueprint, Flask
from asyncflask.cli import FlaskGroup
from asyncflask.cli import cli as program
from asyncflask.views import MethodView
from tests.test_serving import Program


async def asynchronous(n: int = 1) -> str:
    return "x"


def synchronous() -> str:
    return "x"


class Items(MethodView):
    async def get(self) -> str:
        return "x"


async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...


def make_app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/item/<int:n>", "item", asynchronous)
    app.add_url_rule("/items", view_func=Items.as_view("items"))
    app.add_url_rule("/add", "add", synchronous, methods=["POST"])
    app.add_url_rule("/quick/", "quick", synchronous, blocking=False)
    app.add_websocket("/live", "live", asynchronous)
    blueprint = Blueprint("part", __name__, static_folder="static")
    app.register_blueprint(blueprint, url_prefix="/part")
    app.mount("/other", asgi_app, "other")
    return app


def invoke(*args: str) -> Result:
    return CliRunner().invoke(FlaskGroup(create_app=make_app), args)


HERE = str(Path(__file__).relative_to(Path.cwd())) if Path(__file__).is_relative_to(Path.cwd()) else __file__


def test_routes_have_the_kind_and_the_place_of_their_views() -> None:
    result = invoke("routes")
    title, _, *lines = result.output.splitlines()
    assert title.split() == ["Endpoint", "Methods", "Rule", "View", "Where"]
    rows = {line.split()[0]: re.split(r"  +", line) for line in lines}
    at = f"{HERE}:{asynchronous.__code__.co_firstlineno}"
    assert rows["item"] == ["item", "GET", "/item/<int:n>", "async def", at]
    assert rows["live"] == ["live", "WS", "/live", "websocket", at]
    assert rows["add"][3:] == ["def", f"{HERE}:{synchronous.__code__.co_firstlineno}"]
    assert rows["quick"][3] == "def, on the loop"
    assert rows["items"][3:] == ["async def", f"{HERE}:{Items.get.__code__.co_firstlineno}"]
    assert rows["other"] == ["other", "/other/<path:path>", "mount"]
    assert rows["part.static"][3:] == rows["static"][3:] == ["static files"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/item/7", r"item\s+GET\s+/item/<int:n>\s+async def .*\nn = 7\n"),
        ("http://localhost/item/7?a=b", r"item .*\nn = 7\n"),
        ("POST /add", r"add\s+POST\s+/add .*\n"),
        ("/live", r"live\s+WS\s+/live .*\n"),
        ("WS /live", r"live\s+WS\s+/live .*\n"),
        ("/other/page", r"other .*\npath = 'page'\n"),
    ],
)
def test_the_route_of_a_url(url: str, expected: str) -> None:
    result = invoke("routes", "--match", url)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(rf"Endpoint.*\n---.*\n{expected}", result.output), result.output


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/add", "/add does not take GET (405), but OPTIONS, POST."),
        ("/itms", "No rule matches /itms (404). These come near: /items, "),
        ("/quick", "/quick redirects to http://localhost/quick/."),
        ("items", "A URL begins with a slash"),
    ],
)
def test_a_url_without_a_route(url: str, expected: str) -> None:
    result = invoke("routes", "--match", url)
    assert result.exit_code != 0
    assert expected in result.output


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


FASTAPI = "import fastapi\nserver = fastapi.FastAPI()\n"
NAMES = """
from asyncflask import Flask
def create_shop(): return Flask("shop")
public = Flask("public")
internal = Flask("internal")
"""


@pytest.mark.parametrize(
    ("source", "app", "expected"),
    [
        (FASTAPI, "module", "There is a FastAPI of fastapi, which 'uvicorn module' serves"),
        (FASTAPI, "module:server", "It is a FastAPI of fastapi, which 'uvicorn module:server' serves"),
        (FASTAPI, "module:server", "app.mount("),
        (NAMES, "module", "There are: module:create_shop, module:internal, module:public."),
        (NAMES, "module:pubilc", "Did you mean 'public'?"),
        (NAMES, "modul", "Could not import 'modul'. Did you mean 'module'?"),
        ("import flask\nx = flask.Flask('x')", "module:x", "It is one made with 'flask'"),
    ],
)
def test_no_application(write: Any, source: str, app: str, expected: str) -> None:
    write("module.py", source)
    result = CliRunner().invoke(program, ["--app", app, "routes"])
    assert result.exit_code == 2
    assert expected in result.output


def test_an_error_in_the_users_code(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import part\n")
    (tmp_path / "part.py").write_text("from asyncflask import Flask\nFlask('x').include_router(1)\n")
    process = Program(tmp_path, "-m", "asyncflask", "routes")
    assert process.process.wait(30) == 1
    process.wait_for("here it is")
    text = "\n".join(process.err)
    assert text.startswith(f'Traceback (most recent call last):\n  File "{tmp_path / "app.py"}", line 1')
    assert text.count("  File ") == 2
    assert text.endswith(
        "Another framework has 'include_router'; here it is app.register_blueprint(blueprint)."
    )


def test_an_import_error_in_the_users_code(write: Any, tmp_path: Path) -> None:
    write("app.py", "import nothing_of_this_name\n")
    result = CliRunner().invoke(program, ["--app", "app", "routes"])
    assert result.exit_code == 2
    assert f'recent call last):\n  File "{tmp_path / "app.py"}", line 1' in result.output
    assert "locate.py" not in result.output


SHELL = """
import asyncio
await asyncio.sleep(0, 5)
x = await asyncio.sleep(0, 'a-value')
x
from asyncflask import current_app
await asyncio.sleep(0, current_app.name)
async def twice(): return 2 * x

await twice()
await asyncio.sleep(0, 1 / 0)
'still ' + 'there'
"""


def test_await_in_the_shell(write: Any) -> None:
    write("app.py", "from asyncflask import Flask\napp = Flask('shell_app')\n")
    result = CliRunner().invoke(program, ["--app", "app", "shell", "--plain"], input=SHELL)
    assert result.exit_code == 0, result.output
    for shown in ("5", "'a-value'", "'shell_app'", "'a-valuea-value'", "'still there'"):
        assert shown in result.output
    error = 'Traceback (most recent call last):\n  File "<console>", line 1, in <module>\nZeroDivisionError'
    assert error in result.output


def test_help_has_defaults_and_environment_variables() -> None:
    text = " ".join(CliRunner().invoke(program, ["run", "--help"]).output.split())
    for expected in ("FLASK_RUN_HOST; default: 127.0.0.1", "FLASK_RUN_PORT; default: 5000", "var: FLASK_APP"):
        assert expected in text
