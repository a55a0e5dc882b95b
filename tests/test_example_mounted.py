"""The example with three applications and one login."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import flask
import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from asyncflask.testing import WebsocketResponseError
from tests.example_server import ExampleServer
from tests.extensions.needs import installed

installed(a2wsgi="a2wsgi", fastapi="fastapi")

ADA = {"name": "ada", "password": "demo"}


@pytest.fixture(scope="module")
def mounted() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FLASK_SECRET_KEY", raising=False)
        yield importlib.import_module("examples.mounted")


@pytest.fixture
def client(mounted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    orders = importlib.import_module("examples.mounted.orders")
    monkeypatch.setattr(orders, "orders", list(orders.orders))
    for name in ("api", "legacy"):
        monkeypatch.setattr(importlib.import_module(f"examples.mounted.{name}"), "orders", orders.orders)
    with mounted.create_app({"TESTING": True, "SECRET_KEY": "test"}).test_client() as client:
        yield client


def log_in(client: Any, target: str = "/login") -> Any:
    return client.post(target, data=ADA)


def test_one_login_for_all(client: Any) -> None:
    assert log_in(client).headers["Location"] == "/"
    assert "Hello Ada, this is asyncflask." in client.get("/").text
    assert "Hello Ada, this is the legacy Flask." in client.get("/orders").text
    assert client.get("/api/me").get_json() == {"name": "Ada", "greeting": "Hello Ada, this is FastAPI."}
    with client.websocket_connect("/clock") as websocket:
        assert websocket.receive().startswith("Hello Ada, it is ")

    assert client.post("/logout").headers["Location"] == "/login"
    for path in ("/", "/orders"):
        assert client.get(path).status_code == 302
    assert client.get("/api/me").status_code == 401


def test_strangers_get_no_further_than_the_login(client: Any) -> None:
    for path in ("/", "/orders", "/nowhere", "/api", "/static", "//orders", "/static/../orders"):
        response = client.get(path)
        assert response.status_code in (302, 308, 404), path
        assert "hinges" not in response.text
    assert client.get("/orders?page=2").headers["Location"] == "/login?next=/orders?page%3D2"
    assert client.post("/orders", data={"what": "x"}).headers["Location"] == "/login"
    for path in ("/api/me", "/api/orders", "/api/docs", "/api/nowhere"):
        assert client.get(path).status_code == 401
    with pytest.raises(WebsocketResponseError) as refused:
        client.websocket_connect("/clock")
    assert refused.value.status_code == 401
    assert client.get("/login").status_code == 200


def test_a_page_of_another_site_cannot_listen(client: Any) -> None:
    log_in(client)
    with pytest.raises(WebsocketResponseError) as refused:
        client.websocket_connect("/clock", headers={"Origin": "http://evil.example"})
    assert refused.value.status_code == 403
    with client.websocket_connect("/clock", headers={"Origin": "http://localhost"}) as websocket:
        assert "Ada" in websocket.receive()


@pytest.mark.parametrize("form", [{"name": "ada", "password": "wrong"}, {"name": "eve", "password": "demo"}])
def test_a_wrong_password(client: Any, form: dict[str, str]) -> None:
    response = client.post("/login", data=form)
    assert response.status_code == 200
    assert "Wrong name or password." in response.text
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/orders?page=2", "/orders?page=2"),
        ("//evil.example", "/"),
        ("http://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("", "/"),
    ],
)
def test_the_login_leads_on_and_never_elsewhere(client: Any, wanted: str, target: str) -> None:
    response = client.post("/login", query_string={"next": wanted}, data=ADA)
    assert response.headers["Location"] == target


def test_each_has_its_own_files(client: Any) -> None:
    """A stranger needs them, too: the page of the login has a style."""
    for path, kind in [("/static/style.css", "text/css"), ("/assets/start.js", "text/javascript")]:
        with client.get(path) as response:
            assert response.status_code == 200
            assert response.mimetype == kind
    page = client.get("/login").text
    assert 'href="/static/style.css"' in page


def test_each_answers_for_what_is_not_there(client: Any) -> None:
    log_in(client)
    assert client.get("/api/nowhere").get_json() == {"detail": "Not Found"}
    assert client.get("/api/orders/99").get_json() == {"detail": "There is no such order."}
    assert client.get("/api/orders/x").status_code == 422
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert client.delete("/orders").status_code == 405


def test_the_legacy_application_writes_into_the_session(client: Any) -> None:
    """Its flashed message comes on its next page; the login stays."""
    log_in(client)
    response = client.post("/orders", data={"what": " <b>Nails</b> "}, follow_redirects=True)
    assert "Order 3 is taken." in response.text
    assert "&lt;b&gt;Nails&lt;/b&gt;" in response.text
    assert "is taken" not in client.get("/orders").text
    assert client.get("/api/orders/3").get_json() == {"number": 3, "what": "<b>Nails</b>", "by": "Ada"}
    assert client.get("/").status_code == 200
    for what in ("", " ", "x" * 81):
        response = client.post("/orders", data={"what": what}, follow_redirects=True)
        assert "An order has 1 to 80 letters." in response.text


def test_flask_itself_reads_the_session(client: Any) -> None:
    log_in(client)
    cookie = client.get_cookie("session")
    app = flask.Flask("alone")
    app.secret_key = "test"
    with app.test_request_context(headers={"Cookie": f"session={cookie.value}"}):
        assert dict(flask.session) == {"user": "Ada"}


def test_over_a_server(tmp_path: Path) -> None:
    """Two users at once, each greeted by name, by all three; the commands of the README."""
    commands = [
        "-m uvicorn examples.mounted:app --port {port}",
        "-m asyncflask run --app examples.mounted --port {port}",
    ]
    for command in commands:
        with ExampleServer(command, tmp_path) as server, ThreadPoolExecutor() as pool:
            list(pool.map(use, [server] * 4, ["Ada", "Grace"] * 2))
            with pytest.raises(InvalidStatus) as refused:
                with connect(f"ws://127.0.0.1:{server.port}/clock", proxy=None):
                    pass
            assert refused.value.response.status_code == 401


def use(server: ExampleServer, name: str) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True, timeout=20) as client:
        response = client.post("/login?next=/orders", data={"name": name, "password": "demo"})
        assert f"Hello {name}, this is the legacy Flask." in response.text
        for _ in range(5):
            assert f"Hello {name}, this is asyncflask." in client.get("/").text
            assert client.get("/api/me").json()["name"] == name
            assert f"Log out {name}" in client.get("/orders").text
        headers = {"Cookie": f"session={client.cookies['session']}"}
        url = f"ws://127.0.0.1:{server.port}/clock"
        with connect(url, additional_headers=headers, proxy=None) as websocket:
            for _ in range(2):
                assert f"Hello {name}, it is" in websocket.recv(timeout=10)
        assert client.post("/logout").url.path == "/login"
        assert client.get("/api/me").status_code == 401
