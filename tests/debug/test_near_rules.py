"""A 404 in debug mode names the rules that come near."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest
from werkzeug.exceptions import NotFound

from asyncflask import Flask, abort, request
from asyncflask.testing import FlaskClient


@pytest.fixture
def app() -> Flask:
    app = Flask("near")
    app.debug = True
    for rule in (
        "/",
        "/about",
        "/Contact",
        "/users/<name>/posts",
        "/items/",
        "/items/<int:number>",
        "/files/<path:name>",
        "/api/v1/users",
        "/dates/<any(today, tomorrow):day>/<int(min=3):n>-<m>",
    ):
        app.add_url_rule(rule, f"to {rule}", view_func=lambda **values: "x")
    app.add_url_rule("/save", "save", view_func=lambda: "x", methods=["POST", "PUT"])

    @app.websocket("/chat")
    async def chat() -> None: ...

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def near(client: FlaskClient, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 404
    assert "come near" in response.text
    return [unescape(re.sub("<.*?>", "", line)) for line in re.findall("<li>(.*)", response.text)]


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/abuot", "GET /about (to /about)"),
        ("/contact", "GET /Contact (to /Contact): upper and lower case make a difference"),
        ("/user/joe/posts", "GET /users/<name>/posts (to /users/<name>/posts)"),
        ("/users/joe/posts/", "GET /users/<name>/posts (to /users/<name>/posts): without a slash at its end"),
        (
            "/items/seven",
            "GET /items/<int:number> (to /items/<int:number>):"
            " a part of the path is not what its variable takes",
        ),
        ("/item/7", "GET /items/<int:number> (to /items/<int:number>)"),
        ("/flies/a/b/c", "GET /files/<path:name> (to /files/<path:name>)"),
        ("/apiv1/users", "GET /api/v1/users (to /api/v1/users)"),
        ("/svae", "POST, PUT /save (save)"),
        ("/caht", "websocket /chat (chat)"),
        (
            "/dates/today/1-2",
            "GET /dates/<any(today, tomorrow):day>/<int(min=3):n>-<m>"
            " (to /dates/<any(today, tomorrow):day>/<int(min=3):n>-<m>):"
            " a part of the path is not what its variable takes",
        ),
    ],
)
def test_the_nearest_rule_comes_first(client: FlaskClient, path: str, first: str) -> None:
    assert near(client, path)[0] == first


def test_rules_are_listed_where_none_comes_near(client: FlaskClient) -> None:
    text = client.get("/zzzzzzzz").text
    assert "No rule comes near <code>/zzzzzzzz</code>." in text
    assert text.count("<li>") == 6
    assert "There are 11 in all" in text  # without the static files'
    assert "/static" not in text


def test_an_application_without_rules() -> None:
    app = Flask("empty", static_folder=None)
    app.debug = True
    assert "The application has no rules." in app.test_client().get("/").text


def test_the_path_is_escaped(client: FlaskClient) -> None:
    text = client.get("/<script>alert(1)</script>").text
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_nothing_is_told_without_debug(app: Flask, client: FlaskClient) -> None:
    app.debug = False
    text = client.get("/abuot").text
    assert "/about" not in text
    assert text == NotFound().get_body()


def test_other_404s_are_left_alone(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/gone", view_func=lambda: abort(404), endpoint="gone")
    assert client.get("/gone").text == NotFound().get_body()


@pytest.mark.parametrize("code_or_class", [404, NotFound])
def test_handlers_get_the_exception_as_ever(app: Flask, client: FlaskClient, code_or_class: object) -> None:
    @app.errorhandler(code_or_class)  # type: ignore[arg-type]
    def handle(error: NotFound) -> tuple[str, int]:
        assert isinstance(request.routing_exception, NotFound)
        return f"{error.code} {error.name}: {error.description}", 404

    assert client.get("/abuot").text == f"404 Not Found: {NotFound.description}"


def test_many_rules_and_long_paths_do_not_take_long() -> None:
    app = Flask("many")
    app.debug = True
    for number in range(3_000):
        app.add_url_rule(f"/{number:x}{'a' * 30}/<x>/{number}", str(number), view_func=lambda x: x)
    client = app.test_client()
    client.get("/")
    start = time.monotonic()
    for path in ("/" + "a" * 30 + "/x/1", "/" + "a/" * 10_000, "/" + "a" * 30_000):
        assert client.get(path).status_code == 404
    assert time.monotonic() - start < 2
