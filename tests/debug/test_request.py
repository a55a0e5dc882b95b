"""What the page tells about the request, the view and the application."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncflask
from asyncflask import Blueprint, Flask, Response, request, session
from asyncflask.views import MethodView
from tests.lifecycle.server import APP_NAME, Server, multipart

from .pages import Page

SECRET = "tell-nobody"


@pytest.fixture
def app() -> Flask:
    app = Flask(APP_NAME)
    app.debug = True
    app.secret_key = SECRET
    app.config["API_URL"] = f"https://joe:{SECRET}@example.org/"
    app.config["PAGE_SIZE"] = 17
    blueprint = Blueprint("shop", APP_NAME)

    @blueprint.route("/items/<int:number>/<token>", methods=["GET", "POST"])
    async def item(number: int, token: str) -> str:
        session["seen"] = [number]
        session["csrf_token"] = SECRET
        if "json" in request.args:
            request.get_json()
        raise ValueError("x")

    app.register_blueprint(blueprint)
    return app


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    with Server(app) as server:
        yield server


def page(server: Server, path: str, method: str = "GET", **options: Any) -> Page:
    headers = {"Accept": "text/html", **options.pop("headers", {})}
    response = server.request(method, path, headers=headers, **options)
    assert response.status == 500
    assert SECRET.encode() not in response.body
    return Page(response.body.decode())


def test_route_query_and_session(server: Server) -> None:
    found = page(server, f"/items/7/{SECRET}?page=2&page=3&api_key={SECRET}")
    route = found.table("Route")
    assert route["rule"] == "/items/<int:number>/<token>"
    assert route["endpoint"] == "shop.item"
    assert route["blueprint"] == "shop"
    assert route["view"].startswith("async def app.<locals>.item, " + __file__)
    assert route["argument number"] == "7"
    assert route["argument token"] == "(hidden)"
    assert found.table("Query") == {"page": "'3'", "api_key": "(hidden)"}
    assert found.table("Session") == {"seen": "[7]", "csrf_token": "(hidden)"}
    assert found.texts("p", "request") == ["GET /items/7/(hidden)?page=2&page=3&api_key=(hidden)"]


def test_headers_and_cookies(server: Server) -> None:
    headers = {
        "Cookie": f"theme=dark; session={SECRET}; auth_token={SECRET}",
        "Authorization": f"Bearer {SECRET}",
        "X-Request-Id": "17",
        "Referer": f"http://localhost/?token={SECRET}",
    }
    found = page(server, "/items/7/x", headers=headers)
    assert found.table("Cookies") == {"theme": "'dark'", "session": "(hidden)", "auth_token": "(hidden)"}
    rows = found.table("Request headers")
    assert rows["cookie"] == rows["authorization"] == "(hidden)"
    assert rows["x-request-id"] == "17"
    assert rows["referer"] == "http://localhost/?token=(hidden)"


def test_form_and_files_that_the_view_has_not_looked_at(server: Server) -> None:
    headers, body = multipart(
        [("name", None, b"joe"), ("password", None, SECRET.encode()), ("picture", "a.png", b"x" * 10)]
    )
    found = page(server, "/items/7/x", "POST", headers=headers, body=body)
    assert found.table("Form") == {"name": "'joe'", "password": "(hidden)"}
    assert found.table("Files")["picture"].startswith("'a.png")


def test_json(server: Server) -> None:
    body = f'{{"name": "joe", "token": "{SECRET}"}}'.encode()
    headers = {"Content-Type": "application/json"}
    found = page(server, "/items/7/x?json=1", "POST", headers=headers, body=body)
    assert found.table("JSON") == {"name": "'joe'", "token": "(hidden)"}


def test_configuration_and_versions(server: Server) -> None:
    found = page(server, "/items/7/x")
    config = found.table("Configuration that differs from the defaults")
    assert config["PAGE_SIZE"] == "17"
    assert config["SECRET_KEY"] == "(hidden)"
    assert config["API_URL"] == "'https://joe:(hidden)@example.org/'"
    assert "SESSION_COOKIE_NAME" not in config
    versions = found.table("Versions")
    assert versions["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert {"asyncflask", "starlette", "werkzeug", "jinja2", "uvicorn"} <= versions.keys()


def test_an_error_before_there_is_a_request() -> None:
    class Broken(asyncflask.Request):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("no request")

    app = Flask(APP_NAME)
    app.debug = True
    app.request_class = Broken
    with Server(app) as server:
        found = page(server, "/")
    assert found.texts("h1") == ["ValueError"]
    assert "Versions" in found.texts("summary")
    assert "Route" not in found.texts("summary")


def test_links_to_an_editor(app: Flask) -> None:
    app.config["DEBUG_EDITOR_URL"] = "vscode://file/{file}:{line}"
    with Server(app) as server:
        found = page(server, "/items/7/x")
    links = [attributes["href"] for tag, attributes, _ in found.elements if tag == "a"]
    lines = Path(__file__).read_text().splitlines()
    line = lines.index('        raise ValueError("x")') + 1
    assert f"vscode://file/{__file__}:{line}" in links
    assert all(link is not None and link.startswith("vscode://file/") for link in links)


# The view whose value is wrong


class Item(MethodView):
    def get(self) -> Any:
        return None

    async def post(self) -> Any:
        return object()


def nothing() -> Any:
    """Returns nothing."""


async def nothing_async() -> Any:
    return None


def number() -> Any:
    return 17


def unjsonable() -> Any:
    return {"value": object()}


def tuple_of_four() -> Any:
    return "a", 200, {}, "b"


def raises_itself() -> Any:
    return asyncflask.make_response(17)  # type: ignore[arg-type]


def good() -> Any:
    return Response("x")


def bad_after(response: Response) -> Any:
    raise ValueError("in a hook")


@pytest.mark.parametrize(
    ("view", "method", "name"),
    [
        (nothing, "GET", "nothing"),
        (nothing_async, "GET", "nothing_async"),
        (number, "GET", "number"),
        (unjsonable, "GET", "unjsonable"),
        (tuple_of_four, "GET", "tuple_of_four"),
        (Item.as_view("item"), "GET", "Item.get"),
        (Item.as_view("item"), "POST", "Item.post"),
    ],
)
def test_the_view_that_returned_what_cannot_be_sent(view: Any, method: str, name: str) -> None:
    app = Flask(APP_NAME)
    app.debug = True
    app.add_url_rule("/", view_func=view, methods=["GET", "POST"])
    with Server(app) as server:
        found = page(server, "/", method)
        text = server.request(method, "/").body.decode()
    where = found.texts("p", "where")[0]
    assert f"the value was returned by {__file__} line" in where
    assert where.endswith(f" in {name}")
    own = found.texts("details", "own")
    assert len(own) == 1
    assert "the view function that returned this value" in own[0]
    failing = next(text for text in found.texts("span", "failing") if name.rpartition(".")[2] in text)
    assert "def " in failing
    assert f'  File "{__file__}", line ' in text
    assert f"in {name} (the view function that returned this value)\n" in text


@pytest.mark.parametrize("view", [raises_itself, good])
def test_other_errors_do_not_blame_the_view(view: Any) -> None:
    app = Flask(APP_NAME)
    app.debug = True
    app.add_url_rule("/", view_func=view)
    if view is good:
        app.after_request(bad_after)
    with Server(app) as server:
        assert b"the view function that" not in server.get("/").body
