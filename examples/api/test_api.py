"""Tests of the API, to be copied with it: ``pytest examples/api``."""

from __future__ import annotations

from typing import Any

import pytest

from asyncflask import Flask
from examples.api import create_app

pytest_plugins = ["asyncflask.testing.plugin"]
NEW = {"title": "Kallocain", "author": "Karin Boye", "year": 1940}


@pytest.fixture
def app() -> Flask:
    app = create_app()
    app.testing = True
    return app


def test_pages(client: Any) -> None:
    first = client.get("/books?limit=2").get_json()
    assert ([book["id"] for book in first["items"]], first["total"]) == ([1, 2], 3)
    second = client.get(first["next"]).get_json()
    assert ([book["id"] for book in second["items"]], second["next"]) == ([3], None)
    assert client.get("/books?author=lem").get_json()["total"] == 1
    assert client.get("/books?author=nobody").get_json() == {"items": [], "total": 0, "next": None}


def test_add_change_and_remove(client: Any) -> None:
    added = client.post("/books", json=NEW)
    assert added.status_code == 201
    place = added.headers["Location"]
    assert client.get(place).get_json() == added.get_json() == NEW | {"id": 4, "isbn": None}
    assert client.patch(place, json={"isbn": "978-91-7119-022-6"}).get_json()["isbn"] == "978-91-7119-022-6"
    assert client.patch(place, json={"isbn": None}).get_json() == added.get_json()
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404


@pytest.mark.parametrize(
    ("method", "url", "options", "status", "detail"),
    [
        ("POST", "/books", {"json": NEW | {"year": "1940"}}, 422, "Expected `int`, got `str` - at `$.year`."),
        ("POST", "/books", {"json": NEW | {"year": 1}}, 422, "Expected `int` >= 1450 - at `$.year`."),
        ("POST", "/books", {"json": NEW | {"pages": 1}}, 422, "Object contains unknown field `pages`."),
        ("POST", "/books", {"json": {}}, 422, "Object missing required field `title`."),
        (
            "POST",
            "/books",
            {"data": b"{", "content_type": "application/json"},
            422,
            "Input data was truncated.",
        ),
        ("POST", "/books", {"data": b"[" * 50_000, "content_type": "application/json"}, 422, None),
        ("POST", "/books", {"data": b"{}"}, 415, "Send JSON, with 'Content-Type: application/json'."),
        ("POST", "/books", {"json": {"title": "x" * 70_000}}, 413, None),
        ("GET", "/books?limit=1000", {}, 422, "Expected `int` <= 100 - at `$.limit`."),
        ("GET", "/books/99", {}, 404, "There is no book 99."),
        ("PUT", "/books/1", {}, 405, None),
        ("GET", "/nowhere", {}, 404, None),
    ],
)
def test_problems(client: Any, method: str, url: str, options: Any, status: int, detail: str | None) -> None:
    response = client.open(url, method=method, **options)
    problem = response.get_json()
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert problem["status"] == status
    assert detail in (None, problem["detail"])
    if status == 405:
        assert "GET" in response.headers["Allow"]


def test_the_description_is_complete(client: Any, app: Flask) -> None:
    description = client.get("/openapi.json").get_json()
    described = {one["operationId"] for path in description["paths"].values() for one in path.values()}
    views = {name.partition(".")[2] for name in app.view_functions if name.startswith("books.")}
    assert described == views
    schemas = description["components"]["schemas"]
    assert schemas["NewBook"]["required"] == ["title", "author", "year"]
    page = client.get("/").text
    assert all(f'id="{name}"' in page for name in (*described, *schemas))
