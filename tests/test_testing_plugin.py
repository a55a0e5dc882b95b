"""The fixtures of `asyncflask.testing.plugin`, in projects that use them in each of the ways there are."""

from __future__ import annotations

import importlib.util

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest
from asyncflask import Flask, g, request, session

pytest_plugins = ["asyncflask.testing.plugin"]

@pytest.fixture
def log():
    return []

@pytest.fixture
def app(log):
    async def lifespan(app):
        log.append("started")
        yield {"db": "connected"}
        log.append("stopped")

    app = Flask("app", lifespan=lifespan)
    app.config.update(TESTING=True, SECRET_KEY="x")

    @app.get("/")
    async def index():
        return request.state["db"]

    @app.post("/login")
    def login():
        session["user"] = request.form["name"]
        return "x"

    @app.get("/user")
    async def user():
        return session.get("user", "nobody")

    @app.cli.command()
    async def greet():
        print("Hello!")

    yield app
    assert log in ([], ["started", "stopped"])
"""

SYNC = """
from asyncflask import session

def test_client(client, log):
    assert log == ["started"]
    assert client.get("/").text == "connected"
    client.post("/login", data={"name": "ada"})
    assert session["user"] == "ada"

def test_another(client):
    assert client.get("/user").text == "nobody"

def test_runner(runner):
    assert runner.invoke(args=["greet"]).output == "Hello!\\n"
"""

ASYNC = """
import asyncio
import pytest

{fixture}
async def logged_in(async_client):
    await async_client.post("/login", data={{"name": "ada"}})
    return async_client

{mark}
async def test_client(async_client, log):
    assert log == ["started"]
    assert (await async_client.get("/")).text == "connected"

{mark}
async def test_fixture_around_it(logged_in, client):
    assert (await logged_in.get("/user")).text == "ada"

{mark}
async def test_many(async_client):
    answers = await asyncio.gather(*(async_client.get("/") for _ in range(5)))
    assert [answer.text for answer in answers] == ["connected"] * 5
"""

ANYIO_BACKEND = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

# Without it pytest-asyncio warns, in each version another way.
ASYNCIO_INI = "asyncio_default_fixture_loop_scope = function"


def run(pytester: pytest.Pytester, source: str, *args: str, conftest: str = CONFTEST) -> pytest.RunResult:
    pytester.makeconftest(conftest)
    pytester.makepyfile(source)
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{ASYNCIO_INI if has_asyncio() else ''}")
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *args)


def has_asyncio() -> bool:
    return importlib.util.find_spec("pytest_asyncio") is not None


def test_sync(pytester: pytest.Pytester) -> None:
    run(pytester, SYNC).assert_outcomes(passed=3)


def test_anyio(pytester: pytest.Pytester) -> None:
    source = ASYNC.format(mark="@pytest.mark.anyio", fixture="@pytest.fixture")
    # The sync client is asked for beside the async one: the lifespan runs for each of them.
    source = source.replace("(logged_in, client)", "(logged_in)")
    run(pytester, ANYIO_BACKEND + source).assert_outcomes(passed=3)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    pytest.importorskip("pytest_asyncio")
    fixture = "import pytest_asyncio\n@pytest_asyncio.fixture"
    source = ASYNC.format(mark="@pytest.mark.asyncio", fixture=fixture)
    source = source.replace("(logged_in, client)", "(logged_in)")
    run(pytester, source, f"--asyncio-mode={mode}").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def test(async_client): ...", "in other tests use 'client'"),
        ("async def test(async_client): ...", "async def functions are not natively supported"),
    ],
)
def test_what_cannot_work(pytester: pytest.Pytester, source: str, expected: str) -> None:
    result = run(pytester, source, "-W", "ignore")
    result.stdout.fnmatch_lines([f"*{expected}*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
