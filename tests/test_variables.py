"""Context variables from the startup to requests, and from requests to background tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from lifecycle.server import Server, eventually
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.sync.client import connect

from asyncflask import (
    Flask,
    after_this_request,
    current_app,
    g,
    has_request_context,
    request,
    session,
    websocket,
)

STARTUP: ContextVar[str] = ContextVar("test.startup")
OWN: ContextVar[str] = ContextVar("test.own", default="default")


def make_app(**options: Any) -> Flask:
    app = Flask("variables", static_folder=None, **options)
    app.secret_key = "secret"

    @app.get("/async")
    async def in_async() -> str:
        return STARTUP.get("lost")

    @app.get("/sync")
    def in_sync() -> str:
        return STARTUP.get("lost")

    @app.websocket("/ws")
    async def in_websocket() -> None:
        await websocket.send(STARTUP.get("lost"))

    return app


def set_before(app: Flask) -> None:
    @app.before_serving
    async def before() -> None:
        STARTUP.set("set")


def set_before_in_a_thread(app: Flask) -> None:
    @app.before_serving
    def before() -> None:
        STARTUP.set("set")


def set_while(app: Flask) -> None:
    @app.while_serving
    async def around() -> AsyncIterator[None]:
        STARTUP.set("set")
        yield


def set_while_in_a_thread(app: Flask) -> None:
    @app.while_serving
    def around() -> Iterator[None]:
        STARTUP.set("set")
        yield


@pytest.mark.parametrize("register", [set_before, set_before_in_a_thread, set_while, set_while_in_a_thread])
def test_what_the_startup_sets_is_there_in_requests_and_websockets(register: Any) -> None:
    app = make_app()
    register(app)
    with Server(app) as server:
        for path in ("/async", "/sync", "/async"):
            assert server.get(path).body == b"set"
        with connect(f"ws://127.0.0.1:{server.port}/ws") as client:
            assert client.recv() == "set"


async def lifespan(app: Flask) -> AsyncIterator[None]:
    STARTUP.set("set")
    yield


def test_what_the_lifespan_sets_is_there_in_requests() -> None:
    with Server(make_app(lifespan=lifespan)) as server:
        assert server.get("/async").body == b"set"


def test_the_same_in_debug_mode() -> None:
    app = make_app(lifespan=lifespan)
    app.debug = True
    with Server(app) as server:
        assert [server.get("/async").body for _ in range(2)] == [b"set"] * 2


def test_mounted_both_ways() -> None:
    inner = make_app(lifespan=lifespan)
    outer = make_app()
    outer.mount("/inner", inner)
    with Server(outer) as server:
        assert server.get("/inner/async").body == b"set"
        assert server.get("/async").body == b"lost"
    parent = Starlette(routes=[Mount("/inner", inner)], lifespan=inner.lifespan)
    with Server(parent) as server:
        assert server.get("/inner/async").body == b"set"


def test_a_value_of_the_request_wins_and_another_start_begins_anew() -> None:
    app = make_app()
    starts = iter(("first", "second"))

    @app.before_serving
    async def before() -> None:
        STARTUP.set(next(starts))

    async def with_id(scope: Any, receive: Any, send: Any) -> None:
        token = STARTUP.set("request's") if scope.get("query_string") == b"own" else None
        try:
            await app(scope, receive, send)
        finally:
            if token is not None:
                STARTUP.reset(token)

    for expected in (b"first", b"second"):
        with Server(with_id) as server:
            assert server.get("/async").body == expected
            assert server.get("/async?own").body == b"request's"
            assert server.get("/sync").body == expected


def test_a_value_from_before_the_start_is_replaced() -> None:
    """A server's own context has it as well: that is no request's."""
    app = make_app()

    @app.before_serving
    async def before() -> None:
        STARTUP.set("of the startup")

    token = STARTUP.set("of the import")
    try:
        with app.test_client() as client:
            assert client.get("/async").text == "of the startup"
            assert STARTUP.get() == "of the import"
        assert STARTUP.get() == "of the import"
    finally:
        STARTUP.reset(token)


def test_the_frameworks_own_variables_stay_behind() -> None:
    async def pushing(app: Flask) -> AsyncIterator[None]:
        STARTUP.set("set")
        context = app.test_request_context("/of-the-startup")
        context.push()
        g.left = "behind"
        yield
        context.pop()

    app = make_app(lifespan=pushing)

    @app.get("/context")
    async def context() -> dict[str, Any]:
        return {"path": request.path, "g": list(g)}

    @app.get("/task")
    async def task() -> str:
        app.add_background_task(lambda: seen.append((has_request_context(), list(g))))
        return ""

    seen: list[Any] = []
    with Server(app) as server:
        response = server.get("/context")
        assert (response.status, response.body) == (200, b'{"g":[],"path":"/context"}\n')
        server.get("/task")
        eventually(lambda: seen, "the task has run")
    assert seen == [(False, [])]


# -- background tasks ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_async_task", [False, True])
@pytest.mark.parametrize("is_async_view", [False, True])
def test_a_background_task_has_the_variables_of_its_request_and_nothing_else(
    is_async_view: bool, is_async_task: bool
) -> None:
    app = make_app()
    seen: list[Any] = []

    def note() -> None:
        seen.append((OWN.get(), has_request_context(), "user" in g, current_app.name))
        OWN.set("task's")

    async def async_note() -> None:
        note()

    def answer(own: str) -> str:
        g.user = "ann"
        session["user"] = "ann"
        OWN.set(own)
        app.add_background_task(async_note if is_async_task else note)
        OWN.set("too late")
        return "answered"

    async def async_answer(own: str) -> str:
        return answer(own)

    app.add_url_rule("/<own>", "answer", async_answer if is_async_view else answer)
    with Server(app) as server:
        server.get("/one")
        server.get("/two")
        eventually(lambda: len(seen) == 2, "the tasks have run")
        assert server.get("/async").body == b"lost"
    assert sorted(seen) == [("one", False, False, "variables"), ("two", False, False, "variables")]


def test_tasks_of_hooks_and_websockets_have_them_too() -> None:
    app = make_app()
    seen: list[str] = []

    def note() -> None:
        seen.append(OWN.get())

    @app.after_request
    def after(response: Any) -> Any:
        OWN.set("hook's")
        app.add_background_task(note)
        return response

    @app.websocket("/task")
    async def task() -> None:
        OWN.set("websocket's")
        app.add_background_task(note)
        await websocket.send("done")

    @app.get("/this")
    async def this() -> str:
        @after_this_request
        def later(response: Any) -> Any:
            return response

        return "this"

    with Server(app) as server:
        server.get("/this")
        eventually(lambda: seen == ["hook's"], "the hook's task has run")
        with connect(f"ws://127.0.0.1:{server.port}/task") as client:
            client.recv()
        eventually(lambda: seen == ["hook's", "websocket's"], "the websocket's task has run")
