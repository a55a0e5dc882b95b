"""What is not imported until it is needed, and that it is there then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from threading import Barrier, Thread

import asyncflask
from asyncflask import Blueprint, Flask

ROOT = Path(asyncflask.__file__).parents[1]

#: What an application without templates, commands and tracebacks has no use for when it serves.
UNNEEDED = {
    "asyncflask.as_flask",
    "asyncflask.channels",
    "asyncflask.check",
    "asyncflask.cli",
    "asyncflask.concurrency.greenlets",
    "asyncflask.debug",
    "asyncflask.debughelpers",
    "asyncflask.health",
    "asyncflask.json.fast",
    "asyncflask.legacy",
    "asyncflask.middleware.debug",
    "asyncflask.middleware.proxy_fix",
    "asyncflask.sansio",
    "asyncflask.serving",
    "asyncflask.sse",
    "asyncflask.templating",
    "asyncflask.testing",
    "click",
    "decimal",
    "dotenv",
    "flask",
    "greenlet",
    "importlib.metadata",
    "jinja2",
    "multiprocessing",
    "redis",
    "starlette.testclient",
    "sysconfig",
    "uvicorn",
    "werkzeug.debug",
}

#: What it does need of other packages; these may import what they like.
NEEDED = "anyio.to_thread, asyncio, blinker, itsdangerous, starlette.exceptions, werkzeug, werkzeug.routing"


def run(code: str) -> set[str]:
    """The words that a program prints that runs in a fresh interpreter."""
    # What switches on debug mode or the other names has more imported.
    environment = {name: value for name, value in os.environ.items() if "FLASK" not in name}
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def imports(code: str) -> set[str]:
    """The modules that a program imports."""
    return run(
        f"import {NEEDED}, sys\nbefore = set(sys.modules)\n{dedent(code)}\nprint(*set(sys.modules) - before)"
    )


APPLICATION = """
import asyncio
from asyncflask import Flask

app = Flask("hello")

@app.get("/")
async def hello():
    return "Hello!"

@app.get("/sync")
def sync():
    return {"hello": "sync"}

async def ask(path):
    sent = []
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
             "root_path": "", "scheme": "http", "headers": [(b"host", b"localhost")], "http_version": "1.1",
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "asgi": {"version": "3.0"}}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"]
"""


def test_importing_imports_nothing_that_is_not_needed():
    found = imports("import asyncflask")
    assert "asyncflask.app" in found
    assert found & UNNEEDED == set()


def test_serving_imports_nothing_that_is_not_needed():
    found = imports(f"{APPLICATION}\nfor path in '/', '/sync': assert asyncio.run(ask(path)) == 200")
    assert "asyncflask.app" in found
    assert found & UNNEEDED == set()


def test_no_module_is_listed_that_is_none():
    """A module that has got another name would never be found imported."""
    ours = {name for name in UNNEEDED if name.startswith("asyncflask.")}
    assert ours <= imports(f"for name in {sorted(ours)}: __import__(name)")


def test_asking_for_a_template_function_imports_jinja():
    """When the application's module is imported, and not in its first request."""
    assert "jinja2" in imports("from asyncflask import render_template")
    assert "jinja2" in imports("import asyncflask; asyncflask.stream_template_string")


def test_a_folder_of_templates_imports_jinja_with_the_layers(tmp_path):
    (tmp_path / "pages").mkdir()
    root = str(tmp_path)
    for folder, expected in ("pages", True), ("none", False):
        code = f"""
            from asyncflask import Blueprint, Flask

            app = Flask("app", template_folder=None)
            app.register_blueprint(Blueprint("b", "b", root_path={root!r}, template_folder={folder!r}))
            assert "jinja2" not in sys.modules
            app.build_layers()
        """
        assert ("jinja2" in imports(code)) == expected


def test_commands():
    app = Flask("commands")
    blueprint = Blueprint("blueprint", "commands")
    assert app.cli is app.cli
    assert (app.cli.name, blueprint.cli.name) == ("commands", None)

    @blueprint.cli.command("greet")
    def greet():
        print("Hello!")

    app.register_blueprint(blueprint)
    assert app.test_cli_runner().invoke(args=["blueprint", "greet"]).output == "Hello!\n"


def test_commands_of_a_blueprint_without_any():
    app = Flask("commands")
    app.register_blueprint(Blueprint("blueprint", "commands"))
    assert app.cli.commands == {}


def test_a_group_of_commands_can_be_set():
    app = Flask("commands")
    group = asyncflask.cli.AppGroup("own")
    app.cli = group
    assert app.cli is group


def test_all_threads_get_the_same_group_of_commands():
    for _ in range(20):
        app = Flask("threads")
        start = Barrier(8)
        found = []

        def read(app: Flask = app, start: Barrier = start, found: list[object] = found) -> None:
            start.wait()
            found.append(app.cli)

        threads = [Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert set(map(id, found)) == {id(app.cli)}


def test_threads_import_a_name_at_once():
    code = """
        import asyncflask, sys
        from threading import Barrier, Thread

        start = Barrier(8)
        found = []

        def read():
            start.wait()
            found.append(asyncflask.render_template)

        threads = [Thread(target=read) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(found), len(set(found)))
    """
    assert run(code) == {"8", "1"}


def test_the_environment_can_be_another():
    class Environment(asyncflask.templating.Environment):
        pass

    class Other(Flask):
        jinja_environment = Environment

    assert Flask.jinja_environment is asyncflask.templating.Environment
    assert type(Flask("a").jinja_env) is asyncflask.templating.Environment
    assert type(Other("b").jinja_env) is Environment
    app = Flask("c")
    app.jinja_environment = Environment
    assert type(app.jinja_env) is Environment


def test_what_is_not_there_is_named():
    message = run("""
        import asyncflask
        for module in asyncflask, asyncflask.app, asyncflask.blueprints:
            try:
                module.no_such_name
            except AttributeError as error:
                print(str(error).replace(" ", "_"))
    """)
    assert message == {
        f"module_'{name}'_has_no_attribute_'no_such_name'"
        for name in ("asyncflask", "asyncflask.app", "asyncflask.blueprints")
    }


def test_lazy_names_are_listed():
    assert {"cli", "render_template", "sansio", "templating"} <= set(dir(asyncflask))
    assert "dir" in run("import asyncflask; print('dir' if 'render_template' in dir(asyncflask) else 'no')")
