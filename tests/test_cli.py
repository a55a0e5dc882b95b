"""The command line: where Flask has it too, the same as Flask; and what it has beyond that."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import ssl
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import click
import flask
import flask.cli
import pytest
from click.testing import CliRunner

import asyncflask
from asyncflask import Blueprint, Flask, cli, current_app, g, serving

ROOT = Path(asyncflask.__file__).parent.parent


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Each test in a folder of its own, and nothing it does to this process outlasts it."""
    for name in [name for name in os.environ if name.startswith("FLASK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    variables, path, modules = dict(os.environ), sys.path[:], set(sys.modules)
    yield
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def invoke():
    def invoke(*args: str, command: click.Command = cli.cli, **extra):
        return CliRunner().invoke(command, args, **extra)

    return invoke


@pytest.fixture
def invoke_separately():
    """With stdout and stderr apart, which click does by itself from 8.2 on."""
    try:
        runner = CliRunner(mix_stderr=False)
    except TypeError:
        runner = CliRunner()

    def invoke(*args: str, command: click.Command = cli.cli, **extra):
        return runner.invoke(command, args, **extra)

    return invoke


HELLO = """
from asyncflask import Flask
app = Flask("hello")
app.add_url_rule("/hello", "hello", lambda: "hello")
"""

both = pytest.mark.parametrize("package", [asyncflask, flask], ids=["asyncflask", "flask"])


def outcome(call, *args):
    """What a function returns or raises, without what the two packages have to say differently."""
    try:
        result = call(*args)
    except Exception as error:
        text = error.message if isinstance(error, click.ClickException) else str(error)
        return type(error).__name__, text.replace("asyncflask", "flask")
    return getattr(result, "name", result)


def same(name: str, *args_for):
    """Call the function of that name of both packages, and compare."""
    ours, theirs = (
        outcome(getattr(module, name), *args)
        for module, args in zip((cli, flask.cli), zip(*args_for, strict=True), strict=True)
    )
    assert ours == theirs
    return ours


def failing_factory():
    raise TypeError("from within")


class TestFindingTheApplication:
    def modules(self, **values):
        """A module for each package; a string stands for an application, a function makes one."""
        result = []
        for package in (asyncflask, flask):

            def make(value, package=package):
                if isinstance(value, str):
                    return package.Flask(value)
                if isinstance(value, types.FunctionType) and value is not failing_factory:
                    namespace = {"Flask": package.Flask}
                    return types.FunctionType(value.__code__, namespace, argdefs=value.__defaults__)
                return value

            module = types.ModuleType("some_module")
            vars(module).update({name: make(value) for name, value in values.items()})
            result.append(module)
        return result

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"app": "a", "application": "b", "other": "c"}, "a"),
            ({"application": "b", "other": "c"}, "b"),
            ({"app": 1, "other": "c"}, "c"),
            ({"other": "c", "create_app": lambda: Flask("d")}, "c"),
            ({"create_app": lambda: Flask("d"), "make_app": lambda: Flask("e")}, "d"),
            ({"create_app": lambda: None, "make_app": lambda: Flask("e")}, "e"),
            ({"create_app": lambda name="f": Flask(name)}, "f"),
            ({"one": "a", "two": "b"}, None),
            ({"create_app": lambda needed: Flask(needed)}, None),
            ({"create_app": failing_factory}, None),
            ({"create_app": Flask}, None),  # not a function
            ({}, None),
        ],
    )
    def test_find_best_app(self, values, expected):
        found = same("find_best_app", self.modules(**values))
        assert isinstance(found, tuple) if expected is None else found == expected

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("app", "a"),
            (" app ", "a"),
            ("create", "b-1"),
            ("create()", "b-1"),
            ("create('c')", "c-1"),
            ("create('c', number=2)", "c-2"),
            ("create('c', [1, {'x': None}],)", "c-[1, {'x': None}]"),
            ("create(name)", None),
            ("create(1, 2, 3)", None),
            ("create(*[1])", None),
            ("create(**{'name': 'c'})", "b-1"),
            ("nothing", None),
            ("number", None),
            ("no_app", None),
            ("app.name", None),
            ("module.create()", None),
            ("create(", None),
            ("a b", None),
            ("", None),
            ("fail", None),
        ],
    )
    def test_find_app_by_string(self, expression, expected):
        modules = self.modules(
            app="a",
            create=lambda name="b", number=1: Flask(f"{name}-{number}"),
            no_app=lambda: None,
            number=1,
            fail=failing_factory,
        )
        found = same("find_app_by_string", modules, [expression] * 2)
        assert isinstance(found, tuple) if expected is None else found == expected

    @pytest.mark.parametrize(
        "path",
        [
            "app",
            "app.py",
            "folder/app.py",
            "package/sub/code.py",
            "package/sub/code",
            "package/sub/__init__.py",
            "package/sub",
            "package.sub.code",
            "text.txt",
            "../up.py",
        ],
    )
    def test_prepare_import(self, path, write, tmp_path):
        write("package/__init__.py", "")
        write("package/sub/__init__.py", "")
        before = sys.path[:]
        name = same("prepare_import", [path] * 2)
        assert name
        first = sys.path[0]
        assert sys.path == [first, *before]
        sys.path[:] = before
        assert flask.cli.prepare_import(path) == name
        assert sys.path[0] == first

    def test_locate_app(self, write, monkeypatch, tmp_path):
        write("broken.py", "import no_such_module_at_all\n")
        write("wrong.py", "raise RuntimeError('wrong')\n")
        write("mine.py", HELLO)
        monkeypatch.syspath_prepend(tmp_path)
        assert cli.locate_app("mine", None).name == "hello"
        assert cli.locate_app("mine", "app").name == "hello"
        assert same("locate_app", ["nowhere"] * 2, [None] * 2) == (
            "NoAppException",
            "Could not import 'nowhere'.",
        )
        assert same("locate_app", ["nowhere"] * 2, [None] * 2, [False] * 2) is None
        for found in (True, False):
            with pytest.raises(
                cli.NoAppException, match=r"While importing 'broken'[\s\S]*no_such_module_at_all"
            ):
                cli.locate_app("broken", None, found)
            with pytest.raises(RuntimeError, match="wrong"):
                cli.locate_app("wrong", None, found)

    def test_application_made_with_flask(self):
        module = types.ModuleType("old")
        module.app = flask.Flask("old")
        with pytest.raises(
            cli.NoAppException, match=r"Failed to find Flask application.*'from asyncflask import'"
        ):
            cli.find_best_app(module)
        with pytest.raises(cli.NoAppException, match=r"valid Flask application.*'from asyncflask import'"):
            cli.find_app_by_string(module, "app")

    @pytest.mark.parametrize("name", ["wsgi.py", "app.py", "asgi.py"])
    def test_default_files(self, name, write):
        write(name, HELLO)
        info = cli.ScriptInfo()
        app = info.load_app()
        assert app.name == "hello"
        assert info.load_app() is app

    def test_no_application(self):
        with pytest.raises(
            cli.NoAppException, match=r"asyncflask --app.*FLASK_APP.*wsgi\.py.*app\.py.*asgi\.py"
        ):
            cli.ScriptInfo().load_app()

    @pytest.mark.parametrize(
        "value", ["hello", "hello:app", "hello.py", "./hello.py:app", "{folder}/hello.py:app"]
    )
    def test_import_path(self, value, write, tmp_path):
        write("hello.py", HELLO)
        assert cli.ScriptInfo(value.format(folder=tmp_path)).load_app().name == "hello"

    @pytest.mark.parametrize(("flag", "debug"), [(None, False), ("1", True), ("0", False)])
    def test_debug_flag(self, flag, debug, monkeypatch):
        if flag is not None:
            monkeypatch.setenv("FLASK_DEBUG", flag)

        def create_app() -> Flask:
            app = Flask("x")
            app.debug = not debug
            return app

        assert cli.ScriptInfo(create_app=create_app).load_app().debug is debug
        assert cli.ScriptInfo(create_app=create_app, set_debug_flag=False).load_app().debug is not debug


class TestOptions:
    @pytest.fixture(autouse=True)
    def apps(self, write):
        for name in ("hello", "other"):
            write(
                f"{name}.py",
                f"""
                import os
                from asyncflask import Flask

                def create_app(*names):
                    app = Flask("-".join(["{name}", *names]))
                    app.config["DEBUG_WHEN_CREATED"] = os.environ.get("FLASK_DEBUG")
                    return app
                """,
            )

    @pytest.fixture
    def served(self, monkeypatch):
        """What `asyncflask run` would serve, and how."""
        calls: list[dict] = []

        def run(app, host, port, **options):
            calls.append({"app": app, "host": host, "port": port, **options})

        monkeypatch.setattr(serving, "run", run)
        return calls

    @pytest.mark.parametrize(
        "args",
        [
            ["--app", "hello", "run"],
            ["-A", "hello", "run"],
            ["run", "--app", "hello"],
            ["run", "-A", "hello"],
            ["--app", "other", "run", "--app", "hello"],
        ],
    )
    @pytest.mark.parametrize(
        ("before", "after", "debug"),
        [
            ([], [], False),
            (["--debug"], [], True),
            ([], ["--debug"], True),
            (["--debug"], ["--no-debug"], False),
            (["--no-debug"], ["--debug"], True),
        ],
    )
    def test_before_or_after_the_command(self, args, before, after, debug, invoke, served):
        result = invoke(*before, *args, *after)
        assert result.exit_code == 0, result.output
        assert served[0]["app"].name == "hello"
        assert served[0]["app"].debug is debug
        assert served[0]["app"].config["DEBUG_WHEN_CREATED"] == (
            {True: "1", False: "0"}[debug] if before + after else None
        )
        assert served[0]["use_reloader"] is debug
        assert served[0]["use_debugger"] is debug
        assert f" * Debug mode: {'on' if debug else 'off'}\n" in result.output
        assert " * Serving Flask app 'hello'\n" in result.output

    @pytest.mark.parametrize("command", ["routes", "shell"])
    def test_after_other_commands(self, command, invoke):
        result = invoke(
            command, "--app", "hello:create_app('x')", "--debug", input="print(app.name, app.debug)\n"
        )
        assert result.exit_code == 0, result.output
        assert ("/static/<path:filename>" if command == "routes" else "hello-x True") in result.output

    def test_defaults(self, invoke, served):
        assert invoke("run", "--app", "hello").exit_code == 0
        del served[0]["app"]
        assert served == [
            {
                "host": "127.0.0.1",
                "port": 5000,
                "use_reloader": False,
                "use_debugger": False,
                "threaded": True,
                "ssl_context": None,
                "extra_files": None,
                "exclude_patterns": None,
            }
        ]

    def test_all_options(self, invoke, served):
        result = invoke(
            *("run", "--app", "hello", "-h", "::1", "-p", "0", "--reload", "--debugger", "--without-threads"),
            *("--extra-files", f"a.ini{os.pathsep}b", "--exclude-patterns", "*/c.py"),
        )
        assert result.exit_code == 0, result.output
        del served[0]["app"]
        assert served == [
            {
                "host": "::1",
                "port": 0,
                "use_reloader": True,
                "use_debugger": True,
                "threaded": False,
                "ssl_context": None,
                "extra_files": ["a.ini", "b"],
                "exclude_patterns": ["*/c.py"],
            }
        ]

    def test_variables(self, invoke, served):
        variables = {
            "FLASK_APP": "hello",
            "FLASK_DEBUG": "true",
            "FLASK_RUN_PORT": "8000",
            "FLASK_RUN_HOST": "localhost",
            "FLASK_RUN_RELOAD": "0",
            "FLASK_RUN_EXTRA_FILES": f"a{os.pathsep}b",
        }
        assert invoke("run", env=variables).exit_code == 0
        assert served[0]["app"].name == "hello"
        assert served[0]["app"].debug
        assert served[0]["host"] == "localhost"
        assert served[0]["port"] == 8000
        assert served[0]["use_reloader"] is False
        assert served[0]["extra_files"] == ["a", "b"]
        assert invoke("run", "--port", "1", env=variables).exit_code == 0
        assert served[1]["port"] == 1

    @pytest.mark.parametrize("port", ["-1", "65536", "http"])
    def test_impossible_port(self, port, invoke, served):
        result = invoke("run", "--app", "hello", "--port", port)
        assert result.exit_code == 2
        assert "--port" in result.output
        assert not served

    def test_banner_of_a_program(self, invoke, served, write, monkeypatch):
        """Programs that want none set another."""
        monkeypatch.setattr(cli, "show_server_banner", cli.show_server_banner)  # to have it back afterwards
        write(
            "silent.py",
            f"{HELLO}\ncli.show_server_banner = lambda *args: None".replace("Flask", "Flask, cli", 1),
        )
        assert invoke("--app", "hello", "run").output.startswith(" * Serving")
        assert invoke("--app", "silent", "run").output == ""
        assert len(served) == 2

    def test_certificates(self, invoke, served, write, monkeypatch):
        cert, key = str(write("cert", "")), str(write("key", ""))
        result = invoke("run", "--app", "hello", "--key", key, "--cert", cert)
        assert result.exit_code == 0, result.output
        assert served[-1]["ssl_context"] == (cert, key)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        monkeypatch.setitem(sys.modules, "certificates", types.SimpleNamespace(context=context))
        assert invoke("run", "--app", "hello", "--cert", "certificates:context").exit_code == 0
        assert served[-1]["ssl_context"] is context

        monkeypatch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
        assert invoke("run", "--app", "hello", "--cert", "AdHoc").exit_code == 0
        assert served[-1]["ssl_context"] == "adhoc"

    @both
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--cert", "cert"], 'Required when using "--cert".'),
            (["--key", "key"], '"--cert" must also be specified.'),
            (["--cert", "adhoc", "--key", "key"], 'When "--cert" is "adhoc", "--key" is not used.'),
            (["--cert", "os:path"], "File 'os:path' does not exist."),
            (
                ["--cert", "context:it", "--key", "key"],
                'When "--cert" is an SSLContext object, "--key" is not used.',
            ),
        ],
    )
    def test_wrong_certificates(self, package, args, message, write, monkeypatch):
        write("cert", "")
        write("key", "")
        monkeypatch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        monkeypatch.setitem(sys.modules, "context", types.SimpleNamespace(it=context))
        with pytest.raises(click.BadParameter) as caught:
            package.cli.run_command.make_context("run", args[:])
        assert caught.value.message == message

    def test_error_while_loading(self, invoke, served, write):
        write("bad.py", "1 / 0\n")
        assert isinstance(invoke("run", "--app", "bad").exception, ZeroDivisionError)
        result = invoke("run", "--app", "missing")
        assert result.exit_code == 2
        assert "Error: Could not import 'missing'." in result.output
        assert result.output.startswith("Usage: asyncflask run [OPTIONS]")
        assert not served


class TestEnvFiles:
    @pytest.fixture(autouse=True)
    def files(self, write):
        write(".flaskenv", "A=flaskenv\nB=flaskenv\nC=flaskenv\nD=flaskenv\nFLASK_APP=hello\n")
        write(".env", "B=env\nC=env\nD=env\nEMPTY\nTEXT=ünïcode\n")
        write("special.env", "C=special\nD=special\nFLASK_APP=hello:other\n")
        write(
            "hello.py",
            """
            import click, os
            from asyncflask import Flask

            app, other = Flask("app"), Flask("other")

            for it in (app, other):
                @it.cli.command()
                def show():
                    click.echo(click.get_current_context().obj.load_app().name)
                    click.echo(" ".join(os.environ.get(name, "-") for name in "ABCD"))
            """,
        )

    @pytest.mark.parametrize(
        ("path", "defaults", "loaded", "expected"),
        [
            (None, True, True, "flaskenv env env mine"),
            ("special.env", True, True, "flaskenv env special mine"),
            ("special.env", False, True, "- - special mine"),
            ("missing.env", False, False, "- - - mine"),
            (None, False, False, "- - - mine"),
        ],
    )
    @both
    def test_load_dotenv(self, package, path, defaults, loaded, expected, monkeypatch):
        monkeypatch.setenv("D", "mine")
        assert package.cli.load_dotenv(path, defaults) is loaded
        assert " ".join(os.environ.get(name, "-") for name in "ABCD") == expected
        assert os.environ.get("TEXT", "ünïcode") == "ünïcode"
        assert "EMPTY" not in os.environ

    def test_files_further_up(self, write, monkeypatch):
        monkeypatch.chdir(write("sub/folder/x", "").parent)
        assert cli.load_dotenv()
        assert os.environ["A"] == "flaskenv"

    @pytest.mark.parametrize(
        ("args", "name", "values"),
        [
            (["show"], "app", "flaskenv env env mine"),
            (["-e", "special.env", "show"], "other", "flaskenv env special mine"),
            (["--app", "hello:app", "-e", "special.env", "show"], "app", "flaskenv env special mine"),
        ],
    )
    def test_command_line(self, args, name, values, invoke):
        result = invoke(*args, env={"D": "mine"})
        assert result.output.splitlines() == [name, values]

    @pytest.mark.parametrize(
        ("args", "name"),
        [
            (["shell", "-e", "special.env"], "other"),
            (["shell", "-e", "special.env", "--app", "hello:app"], "app"),
            (["shell", "--app", "hello:app", "-e", "special.env"], "app"),
            (["--app", "hello:app", "shell", "-e", "special.env"], "app"),
        ],
    )
    def test_after_the_command(self, args, name, invoke):
        code = "import os; print(app.name, *(os.environ.get(name, '-') for name in 'ABCD'))\n"
        result = invoke(*args, env={"D": "mine"}, input=code)
        assert f"{name} flaskenv env special mine\n" in result.output

    def test_debug_in_files(self, invoke, write):
        write(".flaskenv", "FLASK_APP=hello\nFLASK_DEBUG=true\n")
        write("off.env", "FLASK_DEBUG=0\n")
        code = "print('debug', app.debug)\n"
        for args, debug in (
            (["shell"], True),
            (["shell", "-e", "off.env"], False),
            (["-e", "off.env", "shell"], False),
            (["--debug", "shell", "-e", "off.env"], True),
            (["--no-debug", "shell"], False),
        ):
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setenv("FLASK_DEBUG", "")
                monkeypatch.delenv("FLASK_DEBUG")
                assert f"debug {debug}\n" in invoke(*args, input=code).output, args

    def test_skipped(self, invoke, monkeypatch):
        monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
        assert "Could not locate a Flask application" in invoke("show").output
        assert "A" not in os.environ

    def test_not_installed(self, invoke, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "dotenv", None)
        assert cli.load_dotenv() is False
        assert (
            "Tip: There are .env files present. Install python-dotenv to use them." in capsys.readouterr().err
        )
        for args in (["-e", "special.env", "shell"], ["shell", "-e", "special.env"]):
            result = invoke(*args)
            assert result.exit_code == 2
            assert "python-dotenv must be installed to load an env file." in result.output


class TestCommands:
    """The commands of an application."""

    @pytest.fixture
    def app(self):
        return Flask("commands")

    @pytest.fixture
    def run(self, app, invoke):
        def run(*args: str, **extra):
            return invoke(*args, command=cli.FlaskGroup(create_app=lambda: app), **extra)

        return run

    def test_sync_and_async(self, app, run):
        @app.cli.command()
        @click.argument("name")
        @click.option("--upper/--no-upper")
        def hello(name: str, upper: bool) -> None:
            click.echo(f"{current_app.name} {name.upper() if upper else name}")

        @app.cli.command()
        @click.argument("name")
        @click.option("--upper/--no-upper")
        async def hello_async(name: str, upper: bool) -> None:
            await asyncio.sleep(0)
            click.echo(f"{current_app.name} {name.upper() if upper else name}")

        assert run("hello", "ada", "--upper").output == "commands ADA\n"
        assert run("hello-async", "ada", "--upper").output == "commands ADA\n"
        assert "hello-async" in run("--help").output

    def test_decorators_without_parentheses(self, app, run):
        @app.cli.command
        async def show() -> None:
            click.echo(current_app.name)

        @app.cli.group
        def tools() -> None:
            pass

        @tools.command
        def show_too() -> None:
            click.echo(current_app.name)

        assert run("show").output == "commands\n"
        assert run("tools", "show-too").output == "commands\n"

    def test_context_and_teardown(self, app, run):
        torn_down: list[object] = []

        @app.teardown_appcontext
        async def teardown(error: BaseException | None) -> None:
            torn_down.append((g.value, error))

        def set_value(ctx, param, value):
            g.value = value  # a callback of a parameter is in the context, too
            return value

        @app.cli.command()
        @click.option("--value", callback=set_value)
        async def show(value: str) -> None:
            click.echo(g.value)
            g.value = "changed"

        @app.cli.command()
        async def fail() -> None:
            g.value = "failed"
            raise LookupError("no")

        assert run("show", "--value", "x").output == "x\n"
        assert torn_down == [("changed", None)]
        result = run("fail")
        assert isinstance(result.exception, LookupError)
        assert len(torn_down) == 2
        assert torn_down[1][0] == "failed"  # the error is passed on by click 8.2 and later

    def test_click_in_async_commands(self, app, run):
        @app.cli.command()
        @click.pass_context
        async def passed(ctx: click.Context) -> None:
            await asyncio.sleep(0)
            assert click.get_current_context() is ctx
            click.echo(ctx.info_name)
            ctx.exit(3)

        @app.cli.command()
        async def usage() -> None:
            raise click.UsageError("not like that")

        @app.cli.command()
        async def result() -> int:
            return click.get_current_context().invoke(lambda: 42)

        answer = run("passed")
        assert (answer.output, answer.exit_code) == ("passed\n", 3)
        answer = run("usage")
        assert answer.exit_code == 2
        assert "Error: not like that" in answer.output
        assert run("result", standalone_mode=False).return_value == 42

    def test_groups(self, app, run):
        @app.cli.group()
        def tools() -> None:
            click.echo(f"group {current_app.name}")

        @tools.command()
        async def one() -> None:
            click.echo(f"one {current_app.name}")

        @tools.group()
        async def more() -> None:
            click.echo("more")

        @more.command("two")
        def two() -> None:
            click.echo(f"two {current_app.name}")

        assert isinstance(tools, cli.AppGroup)
        assert run("tools", "one").output == "group commands\none commands\n"
        assert run("tools", "more", "two").output == "group commands\nmore\ntwo commands\n"

    def test_without_application_context(self, app, run):
        @app.cli.command(with_appcontext=False)
        def plain() -> None:
            click.echo("plain")

        @app.cli.command("plain-async", with_appcontext=False)
        async def plain_async() -> None:
            await asyncio.sleep(0)
            click.echo(click.get_current_context().info_name)

        assert run("plain").output == "plain\n"
        assert run("plain-async").output == "plain-async\n"

        group = cli.AppGroup("own")
        group.add_command(plain_async)
        assert CliRunner().invoke(group, ["plain-async"]).output == "plain-async\n"

    def test_with_appcontext(self, app):
        @click.command()
        @cli.with_appcontext
        async def show() -> None:
            """Some help."""
            click.echo(current_app.name)

        info = cli.ScriptInfo(create_app=lambda: app)
        assert CliRunner().invoke(show, obj=info).output == "commands\n"
        assert "Some help." in CliRunner().invoke(show, ["--help"]).output

    def test_pass_script_info(self, app):
        @click.command()
        @cli.pass_script_info
        def show(info: cli.ScriptInfo) -> None:
            click.echo(info.load_app().name)

        assert CliRunner().invoke(show, obj=cli.ScriptInfo(create_app=lambda: app)).output == "commands\n"

    def test_blueprints(self, app, run):
        for name, options in (("own", {}), ("merged", {"cli_group": None}), ("named", {"cli_group": "n"})):
            blueprint = Blueprint(name, __name__, **options)

            @blueprint.cli.command(f"{name}-cmd")
            async def command(name: str = name) -> None:
                click.echo(f"{name} {current_app.name}")

            app.register_blueprint(blueprint)
        assert run("own", "own-cmd").output == "own commands\n"
        assert run("merged-cmd").output == "merged commands\n"
        assert run("n", "named-cmd").output == "named commands\n"

    def test_runner(self, app):
        @app.cli.command()
        async def show() -> None:
            click.echo(current_app.name)

        assert app.test_cli_runner().invoke(args=["show"]).output == "commands\n"

    def test_own_options_of_the_same_name(self, app, run):
        @app.cli.command()
        @click.option("--app")
        @click.option("--debug", is_flag=True)
        def own(app: str, debug: bool) -> None:
            click.echo(f"{app} {debug}")

        assert run("own", "--app", "x", "--debug").output == "x True\n"

    def test_group_callback_and_params(self, app):
        @click.group(cls=cli.FlaskGroup, create_app=lambda: app, params=[click.Option(["--mine"])])
        def group(mine: str) -> None:
            click.echo(f"mine {mine}")

        @group.command()
        def show() -> None:
            click.echo(current_app.name)

        assert CliRunner().invoke(group, ["--mine", "x", "show"]).output == "mine x\ncommands\n"


class TestPlugins:
    @pytest.fixture(autouse=True)
    def distribution(self, write, monkeypatch, tmp_path):
        write(
            "plugin-1.0.dist-info/METADATA",
            """\
            Metadata-Version: 2.1
            Name: plugin
            Version: 1.0
            """,
        )
        write(
            "plugin-1.0.dist-info/entry_points.txt",
            """\
            [flask.commands]
            for-flask = some_plugin:for_flask
            broken = some_broken_plugin:command

            [asyncflask.commands]
            for-us = some_plugin:for_us
            """,
        )
        write(
            "some_plugin.py",
            """
            import click
            from asyncflask.cli import with_appcontext
            from asyncflask import current_app

            @click.command()
            @with_appcontext
            def for_flask():
                click.echo(f"for flask {current_app.name}")

            @click.command()
            def for_us():
                click.echo("for us")
            """,
        )
        write("some_broken_plugin.py", "from asyncflask import no_such_name\n")
        monkeypatch.syspath_prepend(tmp_path)

    def test_both_groups(self, invoke_separately, write):
        write("app.py", HELLO)
        group = cli.FlaskGroup(name="asyncflask")
        result = invoke_separately("for-flask", command=group)
        assert result.stdout == "for flask hello\n"
        assert result.stderr == ""  # only what is asked for is imported
        assert invoke_separately("for-us", command=group).output == "for us\n"
        result = invoke_separately("--help", command=group)
        assert {"for-flask", "for-us", "run"} <= set(result.output.split())
        assert "Warning: the command 'broken' is left out" in result.stderr
        assert "no_such_name" in result.stderr

    def test_broken(self, invoke_separately, write):
        write("app.py", HELLO)
        group = cli.FlaskGroup(name="asyncflask")
        result = invoke_separately("broken", command=group)
        assert result.exit_code == 2
        assert "Warning: the command 'broken' is left out" in result.stderr
        assert "No such command 'broken'" in result.stderr


class TestGroup:
    def test_usage(self, invoke_separately):
        result = invoke_separately("--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: asyncflask [OPTIONS] COMMAND [ARGS]...")
        for word in ("--app", "--env-file", "--debug / --no-debug", "--version", "routes", "run", "shell"):
            assert word in result.stdout
        assert "Error: Could not locate a Flask application." in result.stderr

    @pytest.mark.parametrize("args", [[], ["--help"]])
    def test_help_lists_commands_of_the_application(self, args, invoke, write):
        write("mine.py", f"{HELLO}\n@app.cli.command()\ndef special(): pass\n")
        result = invoke(*args, env={"FLASK_APP": "mine"})
        assert "special" in result.output

    def test_help_with_a_broken_application(self, invoke_separately, write):
        write("app.py", "1 / 0\n")
        result = invoke_separately("--help")
        assert result.exit_code == 0
        assert "ZeroDivisionError" in result.stderr
        assert "Usage:" in result.stdout

    def test_unknown_command(self, invoke, write):
        result = invoke("nonsense")
        assert result.exit_code == 2
        assert "Error: Could not locate a Flask application." in result.output
        assert "No such command 'nonsense'" in result.output

    def test_version(self, invoke):
        lines = invoke("--version").output.splitlines()
        assert lines[:2] == [f"Python {sys.version.split()[0]}", f"asyncflask {asyncflask.__version__}"]
        assert f"Werkzeug {importlib.metadata.version('werkzeug')}" in lines
        assert f"uvicorn {importlib.metadata.version('uvicorn')}" in lines

    def test_banner(self, capsys, monkeypatch):
        cli.show_server_banner(True, "module:app")
        cli.show_server_banner(False, None)
        assert capsys.readouterr().out == (
            " * Serving Flask app 'module:app'\n * Debug mode: on\n * Debug mode: off\n"
        )
        monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
        cli.show_server_banner(True, "module:app")
        assert capsys.readouterr().out == ""

    def test_run_of_an_imported_module(self, invoke, write, monkeypatch):
        write("app.py", f"{HELLO}\napp.run()\n")
        result = invoke("routes")
        assert result.exit_code == 0
        assert result.output.startswith(" * Ignoring a call to 'app.run()' that would block the current")
        assert "/hello" in result.output


class TestRoutes:
    def both(self, args: list[str], **options) -> str:
        """The output for an application of each package; the two are equal."""
        outputs = []
        for package in (asyncflask, flask):
            app = package.Flask("routes", **{"static_folder": None, **options})
            if not options.get("empty"):
                self.add_rules(app)
            group = package.cli.FlaskGroup(create_app=lambda app=app: app)
            result = CliRunner().invoke(group, ["routes", *args])
            assert result.exit_code == 0, result.output
            outputs.append(result.output)
        assert outputs[0] == outputs[1]
        return outputs[0]

    def add_rules(self, app) -> None:
        app.add_url_rule("/get_post/<int:x>/<int:y>", methods=["GET", "POST"], endpoint="yyy")
        app.add_url_rule("/zzz", methods=["POST"], endpoint="aaa")
        app.add_url_rule("/none", methods=[], endpoint="none")
        app.add_url_rule("/a/<path:rest>", endpoint="mmm", build_only=True)

    @pytest.mark.parametrize("args", [[], ["--all-methods"]])
    @pytest.mark.parametrize("sort", ["endpoint", "methods", "rule", "match", "domain"])
    def test_as_flask(self, args, sort):
        output = self.both([*args, "--sort", sort])
        assert output.splitlines()[0].split() == ["Endpoint", "Methods", "Rule"]
        assert ("OPTIONS" in output) is bool(args)

    @pytest.mark.parametrize(
        ("option", "rule_option", "title"),
        [("subdomain_matching", "subdomain", "Subdomain"), ("host_matching", "host", "Host")],
    )
    @pytest.mark.parametrize("sort", ["endpoint", "domain"])
    def test_domains(self, option, rule_option, title, sort, monkeypatch):
        def add_rules(app) -> None:
            app.add_url_rule("/one", endpoint="one", **{rule_option: "z.example.org"})
            app.add_url_rule("/two", endpoint="two", **{rule_option: "a.example.org"})
            app.add_url_rule("/three", endpoint="three", **{rule_option: ""})

        monkeypatch.setattr(self, "add_rules", add_rules)
        output = self.both(["--sort", sort], **{option: True})
        assert output.splitlines()[0].split() == ["Endpoint", "Methods", title, "Rule"]

    def test_none(self, monkeypatch):
        monkeypatch.setattr(self, "add_rules", lambda app: None)
        assert self.both([]) == "No routes were registered.\n"


class TestShell:
    def test_names_and_startup_file(self, invoke, write):
        write("app.py", f"{HELLO}\n@app.shell_context_processor\ndef more(): return {{'more': 42}}\n")
        startup = str(write("startup.py", "started = 'yes'\n"))
        code = "print(app.name, more, started, g)\n"
        result = invoke("shell", input=code, env={"PYTHONSTARTUP": startup})
        assert result.exit_code == 0, result.output
        assert "hello 42 yes <" in result.output
        assert "App: hello\nInstance: " in result.output


class TestProgram:
    """As a process, the way it is typed."""

    def run(self, tmp_path, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_module(self, write, tmp_path):
        write("app.py", HELLO)
        result = self.run(tmp_path, "-m", "asyncflask", "routes")
        assert result.returncode == 0, result.stderr
        assert "/hello" in result.stdout
        result = self.run(tmp_path, "-m", "asyncflask", "run", "--port", "x")
        assert result.returncode == 2
        assert result.stderr.startswith("Usage: python -m asyncflask run")

    def test_installed_command(self, write, tmp_path):
        write("sub/folder/app.py", HELLO)
        # What the installed command "asyncflask" executes.
        start = "import sys; sys.argv[0] = 'asyncflask'; from asyncflask.cli import main; main()"
        result = self.run(tmp_path, "-c", start, "routes", "--app", "sub/folder/app.py:app")
        assert result.returncode == 0, result.stderr
        assert "/hello" in result.stdout
        assert "asyncflask.cli:main" in (ROOT / "pyproject.toml").read_text()
