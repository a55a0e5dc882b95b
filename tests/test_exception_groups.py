"""Exceptions out of a ``TaskGroup``: which handler is asked, with what, and what is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from lifecycle.server import Server
from starlette.exceptions import HTTPException as StarletteHTTPException
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from asyncflask import Blueprint, Flask, abort, redirect, request, websocket


class OutOfStock(Exception):
    pass


class Broken(Exception):
    pass


async def failing(error: Exception) -> None:
    raise error


async def aborting(*args: Any) -> None:
    abort(*args)


async def in_task_group(*coroutines: Coroutine[Any, Any, Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def in_anyio(*coroutines: Coroutine[Any, Any, Any]) -> None:
    async with anyio.create_task_group() as group:
        for coroutine in coroutines:
            group.start_soon(lambda coroutine=coroutine: coroutine)


@pytest.fixture
def app() -> Flask:
    # Not in the name space of the other tests' applications, whose logs are switched off.
    app = Flask("groups", static_folder=None)

    @app.errorhandler(OutOfStock)
    def out_of_stock(error: OutOfStock) -> tuple[str, int]:
        return f"out of {error}", 409

    return app


def add(app: Flask, make: Callable[[], Coroutine[Any, Any, Any]], path: str = "/") -> None:
    async def view() -> str:
        await make()
        return "fine"

    app.add_url_rule(path, path, view)


def test_an_abort_is_answered(app: Flask) -> None:
    add(app, lambda: in_task_group(aborting(404)))
    add(app, lambda: in_anyio(aborting(403)), "/anyio")
    add(app, lambda: in_task_group(in_task_group(in_anyio(aborting(404)))), "/nested")
    with Server(app) as server:
        assert server.get("/").status == 404
        assert server.get("/anyio").status == 403
        assert server.get("/nested").status == 404
        assert server.errors == []


@pytest.mark.parametrize("is_async", [False, True])
def test_the_handler_gets_the_exception_whose_context_is_the_group(app: Flask, is_async: bool) -> None:
    seen: list[BaseException] = []

    def missing(error: Any) -> tuple[str, int]:
        seen.append(error.__context__)
        return f"{error.code} {request.path}", 404

    async def async_missing(error: Any) -> tuple[str, int]:
        return missing(error)

    app.register_error_handler(404, async_missing if is_async else missing)
    add(app, lambda: in_task_group(aborting(404)))
    with Server(app) as server:
        response = server.get("/")
        assert (response.status, response.body) == (404, b"404 /")
    assert isinstance(seen[0], ExceptionGroup)


def test_the_most_severe_is_answered_and_the_others_are_logged(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    add(app, lambda: in_task_group(aborting(404), aborting(503), failing(OutOfStock("tea"))))
    add(app, lambda: in_task_group(aborting(403), aborting(410), failing(OutOfStock("tea"))), "/handled")
    client = app.test_client()
    assert client.get("/").status_code == 503
    logged = {type(record.exc_info[1]).__name__: record.levelno for record in caplog.records}
    assert logged == {"NotFound": logging.WARNING, "OutOfStock": logging.ERROR}
    response = client.get("/handled")  # without a status of its own it counts as 500
    assert (response.status_code, response.text) == (409, "out of tea")


def test_the_first_of_equals(app: Flask) -> None:
    add(app, lambda: in_task_group(failing(OutOfStock("tea")), failing(OutOfStock("milk"))))
    assert app.test_client().get("/").text == "out of tea"


def test_responses_redirects_and_starlettes_exceptions(app: Flask) -> None:
    add(app, lambda: in_task_group(aborting(redirect("/elsewhere"))))
    add(app, lambda: in_task_group(failing(StarletteHTTPException(418, "tea"))), "/starlette")
    client = app.test_client()
    assert client.get("/").location == "/elsewhere"
    assert client.get("/starlette").status_code == 418


def test_one_that_nobody_handles_makes_it_a_500_with_the_whole_group(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []
    add(app, lambda: in_task_group(aborting(404), failing(Broken("it"))))
    app.teardown_request(seen.append)

    @app.errorhandler(500)
    def broken(error: Any) -> tuple[str, int]:
        seen.append(error.original_exception)
        return "broken", 500

    with Server(app) as server:
        assert server.get("/").body == b"broken"
    assert [type(error) for error in seen] == [ExceptionGroup, ExceptionGroup]
    assert {type(leaf) for leaf in seen[0].exceptions} > {Broken}
    assert "Broken: it" in caplog.text
    assert "404 Not Found" in caplog.text


def test_the_debug_page_shows_the_group(app: Flask) -> None:
    app.debug = True
    add(app, lambda: in_task_group(aborting(404), failing(Broken("it"))))
    with Server(app) as server:
        response = server.get("/", headers={"Accept": "text/html"})
    assert response.status == 500
    page = response.body.decode()
    for shown in ("ExceptionGroup", "Broken", "NotFound"):
        assert shown in page


def test_a_handler_for_groups_takes_precedence(app: Flask) -> None:
    @app.errorhandler(ExceptionGroup)
    def of_groups(error: ExceptionGroup[Exception]) -> tuple[str, int]:
        return f"{len(error.exceptions)} of them", 500

    add(app, lambda: in_task_group(aborting(404), failing(OutOfStock("tea"))))
    assert app.test_client().get("/").text == "2 of them"


def test_a_handler_for_all_exceptions_gets_what_is_in_the_group(app: Flask) -> None:
    @app.errorhandler(Exception)
    def of_all(error: Exception) -> tuple[str, int]:
        return type(error).__name__, 500

    add(app, lambda: in_task_group(failing(Broken())))
    add(app, lambda: in_task_group(aborting(404)), "/http")
    client = app.test_client()
    assert (client.get("/").text, client.get("/http").text) == ("Broken", "NotFound")


def test_trapped_exceptions_are_not_handled(app: Flask) -> None:
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    add(app, lambda: in_task_group(aborting(404)))
    assert app.test_client().get("/").status_code == 500


def test_hooks_and_blueprints(app: Flask) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.errorhandler(Broken)
    def broken(error: Broken) -> str:
        return "the blueprint's"

    @blueprint.before_request
    async def before() -> None:
        await in_task_group(failing(Broken()))

    blueprint.add_url_rule("/", "home", lambda: "not called")
    app.register_blueprint(blueprint)
    add(app, lambda: in_task_group(failing(Broken())))
    client = app.test_client()
    assert client.get("/shop/").text == "the blueprint's"
    assert client.get("/").status_code == 500


def test_websockets(app: Flask) -> None:
    @app.websocket("/refused")
    async def refused() -> None:
        await in_task_group(aborting(403))

    @app.websocket("/closed")
    async def closed() -> None:
        await websocket.accept()
        await in_task_group(aborting(404))

    @app.websocket("/handled")
    async def handled() -> None:
        await websocket.accept()
        await in_task_group(failing(OutOfStock("tea")))

    @app.websocket("/broken")
    async def broken() -> None:
        await websocket.accept()
        await in_task_group(failing(Broken("it")))

    ends: list[Any] = []
    app.teardown_websocket(ends.append)
    with Server(app) as server:
        with pytest.raises(InvalidStatus) as status, connect(f"ws://127.0.0.1:{server.port}/refused"):
            pass
        assert status.value.response.status_code == 403
        codes = []
        for path in ("closed", "handled", "broken"):
            with connect(f"ws://127.0.0.1:{server.port}/{path}") as client:
                with pytest.raises(ConnectionClosed) as end:
                    client.recv()
                codes.append(end.value.rcvd and end.value.rcvd.code)
    assert codes == [1008, 1011, 1011]
    assert [type(end) for end in ends[-2:]] == [type(None), ExceptionGroup]


def test_afterwards_the_exception_does_not_keep_the_group(app: Flask) -> None:
    kept: list[Any] = []

    @app.errorhandler(404)
    async def missing(error: Any) -> tuple[str, int]:
        kept.append((error, error.__context__))
        return "", 404

    add(app, lambda: in_task_group(aborting(404)))
    app.test_client().get("/")
    (error, context) = kept[0]
    assert context.exceptions == (error,)
    assert error.__context__ is None
