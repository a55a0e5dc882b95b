"""The quickstart example, part by part as its README lists them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[1] / "examples" / "quickstart" / "app.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("quickstart_app", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where an application looks for its folder
    spec.loader.exec_module(module)
    return module.app


@pytest.fixture
def client(app: Any) -> Iterator[Any]:
    app.testing = True
    with app.test_client() as client:
        yield client


def test_signing_remembers_the_visitor(client: Any) -> None:
    assert "Be the first." in client.get("/").text
    response = client.post("/sign", data={"name": "Zoë <b>", "text": "Hi & bye"}, follow_redirects=True)
    assert response.request.path == "/"
    assert "Thank you, Zoë &lt;b&gt;!" in response.text
    assert "Welcome back, Zoë &lt;b&gt;." in response.text
    assert "<p>Hi &amp; bye</p>" in response.text
    assert "Thank you" not in client.get("/").text
    response = client.post("/forget", follow_redirects=True)
    assert "Your name is forgotten." in response.text
    assert "Welcome back" not in response.text
    assert "Hi &amp; bye" in response.text


def test_an_incomplete_form_is_shown_again(client: Any) -> None:
    response = client.post("/sign", data={"name": "Ann", "text": " "})
    assert response.status_code == 200
    assert "Please fill in both" in response.text
    assert 'value="Ann"' in response.text
    assert client.post("/sign", data={"name": "Ann"}).status_code == 400


def test_json(client: Any) -> None:
    assert client.get("/api/entries").get_json() == []
    response = client.post("/api/entries", json={"name": "Ann", "text": "curl"})
    assert response.status_code == 201
    assert response.headers["Location"] == "/api/entries"
    (entry,) = client.get("/api/entries").get_json()
    assert (entry["name"], entry["text"]) == ("Ann", "curl")
    assert "curl" in client.get("/").text


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"name": "Ann"}}, 400),
        ({"json": ["Ann"]}, 400),
        ({"json": {"name": 1, "text": 2}}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": {"name": "Ann"}}, 415),
    ],
)
def test_errors_of_the_api_are_json(client: Any, options: dict[str, Any], status: int) -> None:
    response = client.post("/api/entries", **options)
    assert response.status_code == status
    assert set(response.get_json()) == {"error", "description"}


def test_waiting_together(client: Any) -> None:
    found = client.get("/together").get_json()
    assert found["answers"] == ["bread is here", "butter is here", "tea is here"]
    assert 0.5 <= found["seconds"] < 1.4


def test_pages_and_their_frame(client: Any) -> None:
    response = client.get("/hello/World")
    assert "<h1>Hello, World!</h1>" in response.text
    assert response.headers["Server-Timing"].startswith("app;dur=")
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "<h1>404 Not Found</h1>" in response.text
    assert 'href="/static/style.css"' in response.text
    with client.get("/static/style.css") as style:
        assert style.mimetype == "text/css"
        assert "font" in style.text
