"""What happens to a connection when something fails: it is kept, or the client is told that it is not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from asyncflask import Flask, Response, request, stream_with_context
from tests.lifecycle.loops import eventually
from tests.lifecycle.server import APP_NAME, Closed, Server


def make_app(debug: bool) -> Flask:
    app = Flask(APP_NAME)
    app.debug = debug

    @app.get("/")
    def index() -> str:
        return "fine"

    @app.route("/fail", methods=["GET", "POST"])
    def fail() -> str:
        raise ValueError("in a view")

    @app.get("/fail-async")
    async def fail_async() -> str:
        raise ValueError("in an async view")

    @app.get("/none")
    async def none() -> Any:
        return None

    @app.get("/stream")
    @stream_with_context
    def stream() -> Iterator[str]:
        yield "chunk"

    @app.get("/close")
    def close() -> Response:
        response = app.make_response("fine")
        response.call_on_close(fail)
        return response

    @app.get("/close-stream")
    async def close_stream() -> Response:
        response = app.make_response(iter(["chunk"]))
        response.call_on_close(fail)
        return response

    @app.get("/asgi")
    def asgi() -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-length", b"4")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"fine"})

        return application

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if "teardown" in request.args:
            raise ValueError("in teardown")

    return app


PATHS = [
    *("/", "/fail", "/fail-async", "/none", "/stream", "/close", "/close-stream", "/asgi", "/nowhere"),
    *("/?teardown=1", "/stream?teardown=1", "/asgi?teardown=1"),
]


@pytest.mark.parametrize("http", ["httptools", "h11"])
@pytest.mark.parametrize("debug", [True, False])
def test_the_next_request_is_answered_or_was_not_invited(debug: bool, http: str) -> None:
    with Server(make_app(debug), http=http) as server:
        for path in PATHS:
            with server.connect() as client:
                response = client.request("GET", path)
                time.sleep(0.05)  # a server that closes the connection does it now
                if response.get("connection") == "close":
                    assert client.is_closed(), path
                    continue
                again = client.request("GET", "/")
                assert (again.status, again.body) == (200, b"fine"), path


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("path", ["/close", "/close-stream", "/stream?teardown=1", "/asgi?teardown=1"])
def test_what_fails_after_the_response_is_logged(
    debug: bool, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(debug)
    with Server(app) as server, caplog.at_level(logging.ERROR, APP_NAME):
        assert server.get(path).status == 200
        with server.connect() as client:
            client.request("GET", "/")
        eventually(lambda: any(record.name == APP_NAME for record in caplog.records), "it is logged")
    records = [record for record in caplog.records if record.name == APP_NAME]
    assert [type(record.exc_info[1]) for record in records if record.exc_info] == [ValueError]
    assert (
        records[0].getMessage() == f"Exception on {path.partition('?')[0]} [GET], after the response was sent"
    )


@pytest.mark.parametrize("path", ["/close", "/close-stream", "/stream?teardown=1"])
def test_a_test_client_is_told_of_it(path: str) -> None:
    client = make_app(False).test_client()
    with pytest.raises(ValueError, match="in "):
        client.get(path).get_data()


def test_a_response_that_breaks_off_ends_the_connection() -> None:
    app = make_app(True)

    @app.get("/half")
    def half() -> Iterator[str]:
        yield "first"
        raise ValueError("in the middle")

    with Server(app) as server, server.connect() as client, pytest.raises(Closed):
        client.request("GET", "/half")
