"""``import flask`` gives asyncflask. In processes of their own, as it is about what is imported, and when."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import asyncflask
from tests.test_flask_names import MODULES
from tests.test_serving import SECONDS, Program

ROOT = Path(asyncflask.__file__).parents[1]

#: An application that knows of nothing but Flask.
APP = """\
import click
import flask
from flask import Flask
from flask.views import MethodView

app = Flask(__name__)

class Index(MethodView):
    async def get(self):
        return f"{flask.__name__} one"

app.add_url_rule("/", view_func=Index.as_view("index"))

@app.cli.command()
def which():
    click.echo(f"{flask.current_app.name} runs on {flask.__name__}")
"""


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def python(tmp_path):
    """Run Python in the test's folder: its stdout, its stderr if it is to fail (`code` None: in any way)."""

    def python(*args: str, code: int | None = 0, stdin: str = "", **environment: str) -> str:
        inherited = {name: value for name, value in os.environ.items() if "FLASK" not in name}
        done = subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            env={**inherited, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS * 2,
        )
        as_expected = done.returncode != 0 if code is None else done.returncode == code
        assert as_expected, done.stdout + done.stderr
        return done.stderr if done.returncode else done.stdout

    return python


class TestModules:
    def test_one_module_under_both_names(self, python):
        """Those that are there already, and those that are imported later, under either name first."""
        python(
            "-c",
            f"""if True:
            import sys
            import asyncflask.as_flask
            from importlib import import_module

            late = [name for name in {MODULES} if name not in sys.modules]
            assert "flask.views" in late and "flask.testing" in late and "flask.app" not in late
            for position, name in enumerate({MODULES}):
                names = [name, f"async{{name}}"]
                first, second = names if position % 2 else reversed(names)
                assert import_module(first) is import_module(second), name
                assert sys.modules[name].__name__ == sys.modules[name].__spec__.name == f"async{{name}}"

            import asyncflask.debughelpers
            import flask.views
            from flask import Flask, globals, request
            from flask.globals import request as by_module
            assert flask is asyncflask
            assert flask.views is asyncflask.views
            assert globals is asyncflask.globals
            assert Flask is asyncflask.Flask is sys.modules["asyncflask.app"].Flask
            assert request is by_module is asyncflask.request

            flask.helpers.url_for = "replaced"  # as a test's mock does
            assert asyncflask.helpers.url_for == "replaced"
            """,
        )

    def test_twice(self, python):
        python(
            "-c",
            "import asyncflask.as_flask, flask, flask.as_flask as second; assert second is flask.as_flask",
        )

    def test_after_an_import_was_forbidden(self, python):
        python("-c", "import sys; sys.modules['flask'] = None; import asyncflask.as_flask, flask.views")

    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            ("import flask.no_such", "ModuleNotFoundError: No module named 'flask.no_such'"),
            ("from flask import no_such", "ImportError: cannot import name 'no_such' from 'asyncflask'"),
            ("import flask_no_such", "ModuleNotFoundError: No module named 'flask_no_such'"),
        ],
    )
    def test_what_is_not_there(self, python, statement, error):
        assert error in python("-c", f"import asyncflask.as_flask; {statement}", code=1)

    def test_asyncflask_alone_changes_nothing(self, python):
        python(
            "-c",
            """if True:
            import sys, asyncflask, asyncflask.cli
            assert "flask" not in sys.modules
            import flask
            assert flask.__file__ != asyncflask.__file__ and flask.Flask is not asyncflask.Flask
            """,
        )

    def test_error_in_a_module(self, python):
        """Of a module that fails, nothing is left behind under either name."""
        python(
            "-c",
            """if True:
            import sys, asyncflask.as_flask
            sys.modules["werkzeug.test"] = None  # which `testing` imports
            for attempt in range(2):
                try:
                    import flask.testing
                except ImportError as error:
                    assert error.name == "werkzeug.test", error
                else:
                    raise AssertionError
                assert "flask.testing" not in sys.modules and "asyncflask.testing" not in sys.modules
            """,
        )

    def test_old_place_of_extensions(self, python, write):
        write("flask_login.py", "import flask\nname = flask.__name__\n")
        python(
            *("-W", "ignore::DeprecationWarning"),
            *(
                "-c",
                "import asyncflask.as_flask; from flask.ext.login import name; assert name == 'asyncflask'",
            ),
        )


class TestFlaskImportedBefore:
    def test_in_a_module(self, python, write):
        path = write("settings.py", "from flask import current_app\n")
        write("other.py", "import settings\n")
        message = python("-c", "import other, asyncflask.as_flask, json", code=1)
        assert "RuntimeError: Flask itself has been imported already" in message
        assert f"by 'settings' ({path})." in message
        assert "first line of the module that starts the program" in message
        assert "asyncflask run --as-flask" in message
        assert "pytest -p asyncflask.as_flask" in message

    def test_in_a_module_that_is_still_imported(self, python, write):
        path = write("models.py", "import flask\nimport asyncflask.as_flask\n")
        message = python("-c", "import models", code=1)
        assert f"RuntimeError: Flask itself has been imported already, by 'models' ({path})." in message

    def test_in_the_program(self, python, write):
        path = write("main.py", "from flask.views import View\nimport asyncflask.as_flask\n")
        assert f"already, by '__main__' ({path})." in python(str(path), code=1)

    def test_nothing_kept(self, python, write):
        write("passing.py", "def f():\n    import flask\nf()\n")
        message = python("-c", "import passing, asyncflask.as_flask", code=1)
        assert "already, by a module that has kept nothing of it." in message

    def test_nothing_has_been_changed(self, python):
        python(
            "-c",
            """if True:
            import sys, flask
            finders = list(sys.meta_path)
            import asyncflask
            own = asyncflask.__version__
            try:
                import asyncflask.as_flask
            except RuntimeError:
                pass
            else:
                raise AssertionError
            assert sys.modules["flask"] is flask is not asyncflask and asyncflask.__version__ == own
            assert [finder for finder in sys.meta_path if "as_flask" in type(finder).__module__] == []
            """,
        )


class TestMetadata:
    def test_version_of_the_api(self):
        """It is that of the Flask which everything is compared with."""
        source = Path(asyncflask.__file__).with_name("as_flask.py").read_text()
        version = re.search(r'^FLASK_VERSION = "(.+)"$', source, re.MULTILINE)
        assert version is not None
        assert version[1] == importlib.metadata.version("flask")

    CHECKS = """if True:
        import importlib.metadata as metadata
        import asyncflask, sys
        own = asyncflask.__version__
        import asyncflask.as_flask, flask

        assert flask.__version__ == metadata.version("flask") == metadata.version("Flask") == "{version}"
        assert metadata.distribution("flask").metadata["Name"] == "Flask"
        names = [distribution.name.lower() for distribution in metadata.distributions()]
        assert names.count("flask") == 1 and "werkzeug" in names
        assert metadata.version("werkzeug")
        metadata.entry_points(group="flask.commands")
        for name in ("flask-no-such", "flas", "flask.app"):
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                pass
            else:
                raise AssertionError(name)
        files = metadata.distribution("flask").files
        assert (files is None) == {absent}
        from asyncflask.cli import cli
        cli(["--version"])
        """

    def checks(self, absent: bool) -> str:
        return self.CHECKS.format(version=importlib.metadata.version("flask"), absent=absent)

    def test_with_flask(self, python):
        self.assert_versions(python("-c", self.checks(absent=False)))

    def test_without_flask(self, python, tmp_path):
        site = tmp_path / "site-packages"
        site.mkdir()
        for entry in self.installed():
            if not re.match(r"flask[.-]|flask$", entry.name, re.IGNORECASE):
                (site / entry.name).symlink_to(entry)
        paths = os.pathsep.join([str(site), str(ROOT)])
        assert "No module named 'flask'" in python("-S", "-c", "import flask", code=1, PYTHONPATH=paths)
        self.assert_versions(python("-S", "-c", self.checks(absent=True), PYTHONPATH=paths))

    @staticmethod
    def installed() -> Iterator[Path]:
        """What is installed beside Python's own library; of two the one that is found first."""
        seen = set()
        for folder in map(Path, sys.path):
            if folder.is_dir() and any(folder.glob("*.dist-info")):
                for entry in folder.iterdir():
                    if entry.name not in seen:
                        seen.add(entry.name)
                        yield entry

    @staticmethod
    def assert_versions(output: str) -> None:
        flask_version = importlib.metadata.version("flask")
        assert f"\nasyncflask {asyncflask.__version__}\n" in output
        assert f"\nFlask {flask_version}: that of the API, as 'import flask' gives asyncflask\n" in output


class TestPytestPlugin:
    def test_tests_of_a_flask_application(self, python, write):
        write("app.py", APP)
        write(
            "conftest.py",
            """\
            import pytest
            from app import app

            @pytest.fixture
            def client():
                return app.test_client()
            """,
        )
        write(
            "test_app.py",
            """\
            import flask
            from flask.testing import FlaskClient

            def test_index(client):
                assert isinstance(client, FlaskClient)
                assert client.get("/").text == "asyncflask one"
            """,
        )
        output = python(
            "-m", "pytest", "-q", "-W", "error", "-p", "asyncflask.as_flask", "-p", "no:cacheprovider"
        )
        assert "1 passed" in output

    def test_after_a_plugin_that_imports_flask(self, python, write):
        write("early.py", "import flask\n")
        message = python("-m", "pytest", "-p", "early", "-p", "asyncflask.as_flask", code=None)
        assert "Flask itself has been imported already, by 'early'" in message


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def application(self, write):
        write("app.py", APP)

    @pytest.mark.parametrize(
        "args",
        [
            ["--as-flask", "routes"],
            ["routes", "--as-flask"],
            ["routes", "--as-flask", "--app", "app", "--all-methods"],
            ["--app", "app:app", "--as-flask", "routes"],
        ],
        ids=" ".join,
    )
    def test_routes(self, python, args):
        assert re.search(
            r"^index +GET(, HEAD, OPTIONS)? +/ *$", python("-m", "asyncflask", *args), re.MULTILINE
        )

    @pytest.mark.parametrize("args", [["--as-flask", "shell"], ["shell", "--as-flask"]], ids=" ".join)
    def test_shell(self, python, args):
        output = python("-m", "asyncflask", *args, stdin="print(type(app))\n")
        assert "<class 'asyncflask.app.Flask'>" in output

    def test_command_of_the_application(self, python):
        assert python("-m", "asyncflask", "--as-flask", "which") == "app runs on asyncflask\n"

    def test_help(self, python):
        output = python("-m", "asyncflask", "--as-flask", "--help")
        assert re.search(r"^  which", output, re.MULTILINE)
        assert "--as-flask" in output
        assert "--as-flask" in python("-m", "asyncflask", "run", "--help")

    def test_without_and_a_factory(self, python, write):
        write("made.py", "def create_app():\n    from flask import Flask\n    return Flask(__name__)\n")
        message = python("-m", "asyncflask", "--app", "made", "routes", code=2)
        assert "There is one made with 'flask': use '--as-flask', or change" in message

    def test_without(self, python):
        message = python("-m", "asyncflask", "routes", code=2)
        assert "There is one made with 'flask': use '--as-flask', or change" in message
        message = python("-m", "asyncflask", "--app", "app:app", "routes", code=2)
        assert "It is made with 'flask': use '--as-flask', or change" in message

    @pytest.mark.parametrize("value", ["1", "true", "yes"])
    def test_environment(self, python, value):
        output = python("-m", "asyncflask", "which", ASYNCFLASK_AS_FLASK=value)
        assert output == "app runs on asyncflask\n"

    @pytest.mark.parametrize("value", ["0", "false", "no", ""])
    def test_environment_says_no(self, python, value):
        python("-m", "asyncflask", "which", code=2, ASYNCFLASK_AS_FLASK=value)

    def test_environment_without_the_command_line(self, python):
        code = "import asyncflask, flask; assert flask is asyncflask"
        python("-c", code, ASYNCFLASK_AS_FLASK="1")
        python("-c", f"import asyncflask.as_flask; {code}", ASYNCFLASK_AS_FLASK="1")
        message = python("-c", "import flask, asyncflask", code=1, ASYNCFLASK_AS_FLASK="1")
        assert "Flask itself has been imported already" in message

    @pytest.mark.parametrize("args", [["which"], ["--env-file", "named", "which"]], ids=" ".join)
    def test_env_file(self, python, write, args):
        write("named" if "named" in args else ".flaskenv", "ASYNCFLASK_AS_FLASK=1\n")
        assert python("-m", "asyncflask", *args) == "app runs on asyncflask\n"

    def test_env_file_after_the_command(self, python, write):
        write("named", "ASYNCFLASK_AS_FLASK=1\n")
        assert "index" in python("-m", "asyncflask", "routes", "--env-file", "named")


class TestPlugins:
    """Commands of extensions, which import Flask."""

    @pytest.fixture(autouse=True)
    def extension(self, write):
        write("app.py", APP)
        write("flask_ext-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: flask-ext\nVersion: 1.0\n")
        write("flask_ext-1.0.dist-info/entry_points.txt", "[flask.commands]\nof-ext = flask_ext:command\n")
        write(
            "flask_ext.py",
            """\
            import click
            import flask
            from flask.cli import with_appcontext

            @click.command()
            @with_appcontext
            def command():
                click.echo(f"{flask.current_app.name} with {flask.__name__}")
            """,
        )

    def test_its_command(self, python):
        assert python("-m", "asyncflask", "--as-flask", "of-ext") == "app with asyncflask\n"
        assert python("-m", "asyncflask", "of-ext", ASYNCFLASK_AS_FLASK="1") == "app with asyncflask\n"

    def test_not_imported_for_another_command(self, python):
        assert "index" in python("-m", "asyncflask", "routes", "--as-flask")

    def test_help(self, python):
        assert re.search(r"^  of-ext", python("-m", "asyncflask", "--as-flask", "--help"), re.MULTILINE)

    def test_plugin_in_place_of_the_command(self, python, write):
        """It has to be imported for its options, which is too late for one of them to be --as-flask."""
        write("flask_ext-1.0.dist-info/entry_points.txt", "[flask.commands]\nroutes = flask_ext:command\n")
        write(
            "flask_ext.py",
            "import flask\nfrom asyncflask.cli import routes_command\ncommand = routes_command\n",
        )
        message = python("-m", "asyncflask", "routes", "--as-flask", code=2)
        assert message.startswith("Usage: ")
        assert "Error: Flask itself has been imported already, by 'flask_ext'" in message
        assert "index" in python("-m", "asyncflask", "--as-flask", "routes")


class TestServing:
    @pytest.mark.parametrize(
        ("args", "environment"),
        [
            (["run", "--as-flask"], {}),
            (["--as-flask", "run"], {}),
            (["run"], {"ASYNCFLASK_AS_FLASK": "1"}),
        ],
        ids=["after", "before", "variable"],
    )
    def test_run_and_reload(self, write, tmp_path, args, environment):
        app = write("app.py", APP)
        program = Program(tmp_path, "-m", "asyncflask", *args, "--port", "0", "--reload", **environment)
        try:
            assert program.get("/") == (200, "asyncflask one")
            app.write_text(APP.replace("one", "two and more"))
            program.wait_for("Detected change")
            assert program.comes_to_serve("asyncflask two and more"), program.output
            program.press_ctrl_c()
            assert program.wait() == 0
        finally:
            program.kill()

    def test_script_of_its_own(self, write, tmp_path):
        """The two lines with which any ASGI server serves it."""
        write("app.py", APP)
        write("asgi.py", "import asyncflask.as_flask\nfrom app import app\n")
        program = Program(tmp_path, "-m", "uvicorn", "--port", "0", "asgi:app")
        try:
            program._url = program.wait_for(r"Uvicorn running on (http\S+)")[1]
            assert program.get("/") == (200, "asyncflask one")
        finally:
            program.kill()


class TestInstrumentation:
    """What monitoring for Flask, Sentry's above all, puts in the place of `Flask.__call__`."""

    def test_for_wsgi(self, monkeypatch):
        """It is refused, with what to do, before every request fails."""
        made_before = asyncflask.Flask("before")
        monkeypatch.setattr(asyncflask.Flask, "__call__", lambda self, environ, start_response: [])
        for use in (asyncflask.Flask, lambda _: made_before.test_client()):
            with pytest.raises(TypeError, match=r"is for WSGI.*add_middleware"):
                use("after")

    def test_for_asgi(self, monkeypatch):
        seen = []
        call = asyncflask.Flask.__call__

        async def instrumented(self, *args):
            seen.append(args[0]["type"])
            await call(self, *args)

        monkeypatch.setattr(asyncflask.Flask, "__call__", instrumented)
        app = asyncflask.Flask("instrumented")
        assert app.test_client().get("/").status_code == 404
        assert "http" in seen
