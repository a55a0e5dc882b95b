"""Values that no server would send: an error in the request that has set them, never a dropped connection."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.datastructures import WWWAuthenticate

from asyncflask import Flask, Response, make_response, request, session

from .server import APP_NAME, Server

VALUES = {
    "nul": "a\0b",
    "bell": "a\x07b",
    "escape": "a\x1bb",
    "del": "a\x7fb",
    "cr": "a\rb",
    "lf": "a\nb",
    "euro": "a€b",
    "surrogate": "a\udc80b",
    "emoji": "🍪",
}
SENT = {"tab": "a\tb", "latin": "ä", "c1": "a\x85b", "no-break space": "a\xa0b", "empty": ""}


def in_headers(value: str) -> Any:
    return "x", {"X-Value": value}


def set_later(value: str) -> Any:
    response = make_response("x")
    response.headers["X-Value"] = value
    return response


def in_a_stream(value: str) -> Any:
    return iter(["x"]), {"X-Value": value}


def constructed(value: str) -> Any:
    return Response("x", headers={"X-Value": value})


def content_type(value: str) -> Any:
    return Response("x", content_type=f"text/{value}")


def etag(value: str) -> Any:
    response = make_response("x")
    response.set_etag(value)
    return response


def authenticate(value: str) -> Any:
    response = make_response("x")
    response.www_authenticate = WWWAuthenticate("basic", {"realm": value})
    return response


def as_a_name(value: str) -> Any:
    return "x", {f"X-{value}": "1"}


PLACES: list[Callable[[str], Any]] = [
    in_headers,
    set_later,
    in_a_stream,
    constructed,
    content_type,
    etag,
    authenticate,
    as_a_name,
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    app = Flask(APP_NAME, static_folder=None)
    views = {place.__name__: place for place in PLACES}
    values = VALUES | SENT

    @app.get("/sync/<place>/<value>")
    def sync_view(place: str, value: str) -> Any:
        return views[place](values[value])

    @app.get("/async/<place>/<value>")
    async def async_view(place: str, value: str) -> Any:
        return views[place](values[value])

    @app.get("/hook/<value>")
    async def plain(value: str) -> str:
        return "x"

    @app.after_request
    def hook(response: Response) -> Response:
        if request.endpoint == "plain":
            response.headers["X-Value"] = values[request.view_args["value"]]  # type: ignore[index]
        return response

    @app.errorhandler(500)
    def failed(error: Any) -> Any:
        return f"handled: {type(error.original_exception).__name__}", 500

    with Server(app) as running:
        yield running


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("place", [place.__name__ for place in PLACES])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_error_handler_has_it(server: Server, kind: str, place: str, value: str) -> None:
    del server.errors[:]
    answer = server.get(f"/{kind}/{place}/{value.replace(' ', '%20')}")
    assert answer.status == 500
    assert answer.body in (b"handled: ValueError", b"handled: UnicodeEncodeError")
    assert server.errors == []


@pytest.mark.parametrize("value", VALUES)
def test_a_hook_that_spoils_the_error_page_too_does_not_drop_the_connection(
    server: Server, value: str
) -> None:
    del server.errors[:]
    answer = server.get(f"/hook/{value}")
    assert answer.status == 500
    assert answer.get("x-value") is None
    assert server.errors == []


@pytest.mark.parametrize("value", SENT)
@pytest.mark.parametrize("place", ["in_headers", "set_later", "in_a_stream", "constructed"])
def test_other_values_are_sent(server: Server, place: str, value: str) -> None:
    answer = server.get(f"/async/{place}/{value.replace(' ', '%20')}")
    assert answer.status == 200
    assert answer.get("x-value") == SENT[value].strip("\x85\xa0")


def test_the_log_names_the_header_and_its_value(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("names-it", static_folder=None)
    app.add_url_rule("/", view_func=lambda: ("x", {"X-Value": "a\0b"}))
    with caplog.at_level(logging.ERROR):
        assert app.test_client().get("/").status_code == 500
    assert "'X-Value' cannot be sent: 'a\\x00b'" in caplog.text


@pytest.mark.parametrize(("limit", "warned"), [(40, 1), (4093, 0), (0, 0)])
@pytest.mark.parametrize("permanent", [False, True])
def test_a_session_cookie_larger_than_allowed_is_warned_of(limit: int, warned: int, permanent: bool) -> None:
    app = Flask("cookies", static_folder=None)
    app.secret_key = "not a secret"
    app.config["MAX_COOKIE_SIZE"] = limit

    @app.get("/")
    async def index() -> str:
        session["user"] = "alice"
        session.permanent = permanent
        return "x"

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert "Set-Cookie" in app.test_client().get("/").headers
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == warned
    assert all("bytes but the limit is 40 bytes" in message for message in messages)
