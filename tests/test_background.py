"""Work that goes on when the response has been sent: ``app.add_background_task``."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from lifecycle.loops import eventually, run_on, soon
from lifecycle.server import Server

from asyncflask import (
    Flask,
    Response,
    current_app,
    g,
    has_request_context,
    request,
    stream_with_context,
    websocket,
)

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
VIEWS = pytest.mark.parametrize("view", ["sync", "async"])


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def app() -> Flask:
    app = Flask("background", static_folder=None)
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 2.0
    return app


def task(kind: str, log: list[Any]) -> Callable[..., Any]:
    """Work that notes where it is."""

    def here(*args: Any, **kwargs: Any) -> None:
        in_loop = asyncio._get_running_loop() is not None
        log.append((current_app.name, has_request_context(), in_loop, args, kwargs))

    async def here_async(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        here(*args, **kwargs)

    return here if kind == "sync" else here_async


def outcome(kind: str) -> tuple[Any, ...]:
    """What that is: with an application context, a sync one in a thread."""
    return ("background", False, kind == "async", (1,), {"two": 2})


def add_from_view(app: Flask, view: str, work: Callable[..., Any]) -> None:
    if view == "sync":

        @app.get("/")
        def index() -> str:
            app.add_background_task(work, 1, two=2)
            return "answered"

    else:

        @app.get("/", endpoint="index")
        async def index_async() -> str:
            current_app.add_background_task(work, 1, two=2)
            return "answered"


# -- where it comes from ------------------------------------------------------------------------


@KINDS
@VIEWS
def test_from_a_view_over_a_server(app: Flask, log: list[Any], kind: str, view: str) -> None:
    add_from_view(app, view, task(kind, log))
    with Server(app) as server:
        assert server.get("/").body == b"answered"
        eventually(lambda: log, "the task has run")
    assert log == [outcome(kind)]


@KINDS
@VIEWS
def test_from_a_view_with_the_test_client(app: Flask, log: list[Any], kind: str, view: str) -> None:
    add_from_view(app, view, task(kind, log))
    with app.test_client() as client:
        client.get("/")
    assert log == [outcome(kind)]  # the end of the block waits for it


@KINDS
def test_with_the_test_client_outside_of_a_block(app: Flask, log: list[Any], kind: str) -> None:
    add_from_view(app, "sync", task(kind, log))
    app.test_client().get("/")
    eventually(lambda: log, "the task has run")
    assert log == [outcome(kind)]


@KINDS
@VIEWS
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_with_the_awaited_test_client(app: Flask, log: list[Any], kind: str, view: str, loop: str) -> None:
    add_from_view(app, view, task(kind, log))

    async def main() -> None:
        async with app.test_client() as client:
            await client.get("/")

    run_on(loop, main)
    assert log == [outcome(kind)]


@KINDS
@pytest.mark.parametrize("where", ["before_request", "after_request", "teardown_request", "errorhandler"])
def test_from_hooks(app: Flask, log: list[Any], kind: str, where: str) -> None:
    work = task(kind, log)

    @app.get("/")
    def index() -> str:
        if where == "errorhandler":
            raise KeyError
        return "answered"

    def add() -> None:
        app.add_background_task(work, 1, two=2)

    if where == "before_request":
        app.before_request(add)
    elif where == "after_request":

        @app.after_request
        async def after(response: Response) -> Response:
            add()
            return response

    elif where == "teardown_request":

        @app.teardown_request
        def teardown(error: BaseException | None) -> None:
            add()

    else:

        @app.errorhandler(KeyError)
        def handler(error: KeyError) -> str:
            add()
            return "answered"

    with Server(app) as server:
        assert server.get("/").body == b"answered"
        eventually(lambda: log, "the task has run")
    assert log == [outcome(kind)]


@KINDS
def test_from_a_helper_deep_in_a_request(app: Flask, log: list[Any], kind: str) -> None:
    """In a task of the view's own, and in a thread of ours or of somebody else's."""
    work = task(kind, log)

    async def helper() -> None:
        app.add_background_task(work, 1, two=2)

    @app.get("/")
    async def index() -> str:
        await asyncio.create_task(helper())
        await app.sync_to_async(app.add_background_task)(work, 1, two=2)
        await asyncio.to_thread(app.add_background_task, work, 1, two=2)
        assert log == []
        return "answered"

    with Server(app) as server:
        server.get("/")
        eventually(lambda: len(log) == 3, "the tasks have run")
    assert log == [outcome(kind)] * 3


@KINDS
def test_from_a_background_task(app: Flask, log: list[Any], kind: str) -> None:
    work = task(kind, log)

    def first() -> None:
        app.add_background_task(work, 1, two=2)

    @app.get("/")
    async def index() -> str:
        app.add_background_task(first)
        return "answered"

    with Server(app) as server:
        server.get("/")
        eventually(lambda: log, "the second task has run")
    assert log == [outcome(kind)]


@KINDS
def test_from_a_background_task_when_the_server_ends(app: Flask, log: list[Any], kind: str) -> None:
    work = task(kind, log)

    async def first() -> None:
        await asyncio.sleep(0.2)
        app.add_background_task(work, 1, two=2)

    @app.get("/")
    async def index() -> str:
        app.add_background_task(first)
        return "answered"

    with Server(app) as server:
        server.get("/")
    assert log == [outcome(kind)]


@KINDS
def test_from_a_websocket_at_once(app: Flask, log: list[Any], kind: str) -> None:
    work = task(kind, log)

    @app.websocket("/ws")
    async def ws() -> None:
        app.add_background_task(work, 1, two=2)
        await websocket.send("added")
        await websocket.receive()

    with app.test_client() as client, client.websocket_connect("/ws") as ws_:
        assert ws_.receive() == "added"
        eventually(lambda: log, "the task has run")
        ws_.send("end")
    assert log == [outcome(kind)]


@KINDS
def test_outside_of_requests_with_a_loop(app: Flask, log: list[Any], kind: str) -> None:
    async def main() -> None:
        app.add_background_task(task(kind, log), 1, two=2)
        await soon(lambda: log, "the task has run")

    run_on("asyncio", main)
    assert log == [outcome(kind)]


@KINDS
@pytest.mark.parametrize("context", [False, True])
def test_outside_of_requests_without_a_loop(app: Flask, log: list[Any], kind: str, context: bool) -> None:
    if context:
        with app.app_context():
            app.add_background_task(task(kind, log), 1, two=2)
    else:
        app.add_background_task(task(kind, log), 1, two=2)
    eventually(lambda: log, "the task has run")
    assert log == [outcome(kind)]


@KINDS
@pytest.mark.parametrize("where", ["before_serving", "while_serving", "after_serving"])
def test_around_serving(app: Flask, log: list[Any], kind: str, where: str) -> None:
    work = task(kind, log)
    if where == "before_serving":

        @app.before_serving
        def before() -> None:
            app.add_background_task(work, 1, two=2)

    elif where == "while_serving":

        @app.while_serving
        async def around() -> AsyncIterator[None]:
            yield
            app.add_background_task(work, 1, two=2)

    else:

        @app.after_serving
        async def after() -> None:
            app.add_background_task(work, 1, two=2)

    with Server(app):
        pass
    assert log == [outcome(kind)]


def test_in_a_test_request_context(app: Flask, log: list[Any]) -> None:
    """There is no response to wait for."""
    with app.test_request_context("/"):
        app.add_background_task(task("sync", log), 1, two=2)
        eventually(lambda: log, "the task has run")


# -- when it runs -------------------------------------------------------------------------------


@KINDS
@VIEWS
def test_the_answer_does_not_wait(app: Flask, kind: str, view: str) -> None:
    ended = []

    def slow(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.5)
        ended.append(time.monotonic())

    async def slow_async(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.5)
        ended.append(time.monotonic())

    add_from_view(app, view, slow if kind == "sync" else slow_async)
    with Server(app) as server, server.connect() as client:
        start = time.monotonic()
        client.request("GET", "/")
        answered = time.monotonic()
        client.request("GET", "/")  # nor does the next request on this connection
        again = time.monotonic()
        eventually(lambda: len(ended) == 2, "the tasks have run")
        assert again - start < 0.4
        assert ended[0] > answered


def test_it_starts_when_the_whole_response_is_sent(app: Flask, log: list[Any]) -> None:
    go_on = threading.Event()

    @app.get("/")
    def index() -> Response:
        app.add_background_task(lambda: log.append("task"))

        @stream_with_context
        def pieces() -> Iterator[str]:
            yield "one"
            go_on.wait(5)
            log.append("last piece")
            yield "two"

        return Response(pieces())

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/")
        client.head()
        chunks = client.chunks()
        assert next(chunks) == b"one"
        time.sleep(0.05)
        assert log == []
        go_on.set()
        assert list(chunks) == [b"two"]
        eventually(lambda: len(log) == 3, "the task has run")
    assert log == ["last piece", "teardown", "task"]


def test_it_runs_although_the_client_has_gone(app: Flask, log: list[Any]) -> None:
    begun = threading.Event()

    @app.get("/")
    async def index() -> str:
        app.add_background_task(log.append, "task")
        begun.set()
        await asyncio.sleep(5)
        return "nobody reads this"

    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/")
        assert begun.wait(5)
        client.reset()
        eventually(lambda: log, "the task has run")


def test_it_runs_although_the_view_fails(app: Flask, log: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.logger, "disabled", True)

    @app.get("/")
    def index() -> str:
        app.add_background_task(log.append, "task")
        raise KeyError

    with Server(app) as server:
        assert server.get("/").status == 500
        eventually(lambda: log, "the task has run")


def test_tasks_start_in_their_order(app: Flask, log: list[Any]) -> None:
    @app.get("/")
    async def index() -> str:
        for number in range(5):

            async def work(number: int = number) -> None:
                log.append(number)

            app.add_background_task(work)
        return "answered"

    with app.test_client() as client:
        client.get("/")
    assert log == list(range(5))


# -- what it has --------------------------------------------------------------------------------


def test_g_and_context_variables_are_its_own(app: Flask, log: list[Any]) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")

    @app.get("/")
    async def index() -> str:
        g.user = "ann"
        variable.set("request's")
        app.add_background_task(work)
        return "answered"

    def work() -> None:
        log.append(("user" in g, variable.get()))
        variable.set("task's")

    with Server(app) as server:
        server.get("/")
        server.get("/")
        eventually(lambda: len(log) == 2, "the tasks have run")
    assert log == [(False, "none")] * 2


def test_the_request_is_not_there_but_can_be_taken_along(app: Flask, log: list[Any]) -> None:
    from asyncflask import copy_current_request_context

    @app.get("/")
    def index() -> str:
        def path() -> None:
            log.append(request.path)

        app.add_background_task(copy_current_request_context(path))
        return "answered"

    with Server(app) as server:
        server.get("/")
        eventually(lambda: log, "the task has run")
    assert log == ["/"]


def test_teardown_appcontext_functions_run(app: Flask, log: list[Any]) -> None:
    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        log.append(f"teardown {error!r}")

    async def work() -> None:
        log.append("task")

    @app.before_serving
    def before() -> None:
        log.clear()
        app.add_background_task(work)

    with app.test_client():
        pass
    assert sorted(log) == ["task", "teardown None", "teardown None"]


@KINDS
def test_what_it_raises_is_logged(app: Flask, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def failing(*args: Any, **kwargs: Any) -> None:
        raise KeyError("in the background")

    async def failing_async(*args: Any, **kwargs: Any) -> None:
        raise KeyError("in the background")

    app.testing = True
    add_from_view(app, "sync", failing if kind == "sync" else failing_async)
    with app.test_client() as client:
        assert client.get("/").text == "answered"
    (record,) = [record for record in caplog.records if record.name == "background"]
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert "background task" in record.getMessage()


@KINDS
def test_stopiteration_is_logged_and_nothing_hangs(
    app: Flask, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*args: Any, **kwargs: Any) -> None:
        raise StopIteration

    async def failing_async(*args: Any, **kwargs: Any) -> None:
        raise StopIteration

    add_from_view(app, "async", failing if kind == "sync" else failing_async)
    with app.test_client() as client:
        client.get("/")
    assert "StopIteration" in caplog.text


# -- the end of the server ----------------------------------------------------------------------


@KINDS
def test_the_end_of_the_server_waits(app: Flask, log: list[Any], kind: str) -> None:
    def slow(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.5)
        log.append("task")

    async def slow_async(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.5)
        log.append("task")

    @app.after_serving
    async def after() -> None:
        log.append("after")

    add_from_view(app, "sync", slow if kind == "sync" else slow_async)
    with Server(app) as server:
        server.get("/")
    assert log == ["task", "after"]


def test_the_end_of_the_server_cancels_what_is_late(
    app: Flask, log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.2

    async def endless(*args: Any, **kwargs: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            log.append(f"cancelled {current_app.name}")
            raise

    add_from_view(app, "sync", endless)
    start = time.monotonic()
    with Server(app) as server:
        server.get("/")
    assert 0.2 <= time.monotonic() - start < 3
    assert log == ["cancelled background"]
    assert "1 background task" in caplog.text


def test_one_that_started_without_a_loop_is_waited_for_too(app: Flask, log: list[Any]) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.3)
        log.append("task")

    app.add_background_task(slow)
    with Server(app):
        pass
    assert log == ["task"]


def test_one_of_another_loop_is_waited_for_too(app: Flask, log: list[Any]) -> None:
    """Begun by one test client, it is still under way when another one ends."""

    async def slow(*args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0.3)
        log.append("task")

    add_from_view(app, "async", slow)
    app.test_client().get("/")

    async def main() -> None:
        async with app.test_client():
            pass

    run_on("asyncio", main)
    assert log == ["task"]


def test_one_of_another_loop_that_is_late_is_cancelled(app: Flask, log: list[Any]) -> None:
    app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"] = 0.1

    async def endless(*args: Any, **kwargs: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            log.append("cancelled")

    add_from_view(app, "async", endless)
    app.test_client().get("/")

    async def main() -> None:
        async with app.test_client():
            pass

    start = time.monotonic()
    run_on("asyncio", main)
    assert time.monotonic() - start < 3
    eventually(lambda: log == ["cancelled"], "it has been cancelled")


# -- nothing is left ----------------------------------------------------------------------------


def test_nothing_is_left_behind(app: Flask) -> None:
    class Value:
        pass

    values: list[weakref.ref[Value]] = []

    @app.get("/")
    async def index() -> str:
        value = Value()
        values.append(weakref.ref(value))
        app.add_background_task(lambda given: None, value)
        return "answered"

    with Server(app) as server:
        for _ in range(20):
            server.get("/")
        eventually(lambda: not app.background_tasks._running, "all tasks have run")
        gc.collect()
        assert [value() for value in values if value() is not None] == []


def test_a_sync_function_that_returns_a_coroutine_is_awaited(app: Flask, log: list[Any]) -> None:
    @app.get("/")
    def index() -> str:
        app.add_background_task(lambda: task("async", log)("given"))
        return "answered"

    with Server(app) as server:
        server.get("/")
    assert [entry[3] for entry in log] == [("given",)]


def test_many_at_once(app: Flask, log: list[Any]) -> None:
    app.config["WORKER_THREADS"] = 2

    @app.get("/")
    def index() -> str:
        for _ in range(50):
            app.add_background_task(log.append, 1)
        return "answered"

    with Server(app) as server:
        for _ in range(4):
            server.get("/")
    assert len(log) == 200


def test_tasks_do_not_starve_requests_for_good(app: Flask, log: list[Any]) -> None:
    """With one thread they take turns."""
    app.config["WORKER_THREADS"] = 1

    def slow() -> None:
        time.sleep(0.05)
        log.append("task")

    @app.get("/")
    def index() -> str:
        app.add_background_task(slow)
        return "answered"

    with Server(app) as server:
        for _ in range(5):
            assert server.get("/").body == b"answered"
    assert log == ["task"] * 5
