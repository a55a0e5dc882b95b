"""A WSGI application inside of ours, through a2wsgi: the way to migrate one route after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from a2wsgi import WSGIMiddleware
from lifecycle.loops import eventually
from lifecycle.server import Server

import asyncflask
from asyncflask import Flask, g, redirect, request, session, url_for


@pytest.fixture
def legacy(tmp_path: Path) -> flask.Flask:
    static = tmp_path / "legacy-static"
    static.mkdir()
    (static / "style.css").write_text("old")
    legacy = flask.Flask("legacy", static_folder=str(static), static_url_path="/static")
    legacy.secret_key = "the same"

    @legacy.get("/old/<name>")
    def old(name: str) -> dict[str, Any]:
        flask.session["old"] = name
        return {
            "session": dict(flask.session),
            "url": flask.url_for("old", name="x"),
            "external": flask.url_for("old", name="x", _external=True),
            "script_root": flask.request.script_root,
            "path": flask.request.path,
            "args": flask.request.args,
            "addr": flask.request.remote_addr,
        }

    @legacy.post("/form")
    def form() -> dict[str, Any]:
        return {
            "form": flask.request.form,
            "files": {k: len(f.read()) for k, f in flask.request.files.items()},
        }

    @legacy.post("/size")
    def size() -> str:
        total = 0
        while chunk := flask.request.stream.read(65536):
            total += len(chunk)
        return str(total)

    @legacy.get("/moved")
    def moved() -> Any:
        return flask.redirect(flask.url_for("old", name="there"))

    @legacy.get("/slash/")
    def slash() -> str:
        return "slash"

    @legacy.get("/flash")
    def flash() -> str:
        flask.flash("from the old one")
        return "ok"

    @legacy.get("/stream")
    def stream() -> Any:
        return flask.Response((f"{number}\n" for number in range(3)), mimetype="text/plain")

    @legacy.errorhandler(404)
    def not_found(error: Any) -> Any:
        return "the old page", 404

    @legacy.get("/error")
    def error() -> str:
        raise KeyError("old error")

    legacy.logger.disabled = True
    return legacy


@pytest.fixture
def app(legacy: flask.Flask) -> Flask:
    app = Flask("new", static_folder=None)
    app.secret_key = "the same"

    @app.get("/new/<name>")
    async def new(name: str) -> dict[str, Any]:
        session["new"] = name
        return {"session": dict(session), "legacy": url_for("legacy", path="old/x")}

    @app.get("/messages")
    def messages() -> list[Any]:
        return asyncflask.get_flashed_messages()

    @app.get("/to-the-old-one")
    def over() -> Any:
        return redirect(url_for("legacy", path="old/there"))

    app.mount("/", WSGIMiddleware(legacy), name="legacy")
    return app


def test_new_routes_in_front_and_one_session(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/new/a").json == {"session": {"new": "a"}, "legacy": "/old/x"}
    assert client.get("/old/b?q=1").json == {
        "session": {"new": "a", "old": "b"},
        "url": "/old/x",
        "external": "http://localhost/old/x",
        "script_root": "",
        "path": "/old/b",
        "args": {"q": "1"},
        "addr": "127.0.0.1",
    }
    assert client.get("/new/c").json["session"] == {"new": "c", "old": "b"}
    assert len(client._cookies) == 1  # type: ignore[arg-type]


def test_a_hook_that_looks_at_the_session_does_not_undo_what_the_old_application_stores(app: Flask) -> None:
    @app.before_request
    def look() -> None:
        g.user = session.get("user")

    client = app.test_client()
    client.get("/new/a")
    client.get("/old/b")
    assert client.get("/new/c").json["session"] == {"new": "c", "old": "b"}


@pytest.mark.parametrize("looks", [False, True])
def test_a_permanent_session_is_not_sent_again_over_that_of_the_old_application(
    app: Flask, legacy: flask.Flask, looks: bool
) -> None:
    @legacy.before_request
    def permanent() -> None:
        flask.session.permanent = True

    @legacy.get("/logout")
    def logout() -> str:
        flask.session.clear()
        return ""

    if looks:

        @app.before_request
        def look() -> None:
            g.user = session.get("user")

    client = app.test_client()
    client.get("/old/a")
    assert len(client.get("/old/b").headers.getlist("Set-Cookie")) == 1
    assert client.get("/new/c").json["session"] == {"_permanent": True, "new": "c", "old": "b"}
    client.get("/logout")
    assert client.get("/new/d").json["session"] == {"new": "d"}


def test_what_both_store_in_one_request_is_kept(app: Flask, legacy: flask.Flask) -> None:
    @app.before_request
    def change() -> None:
        session["visits"] = session.get("visits", 0) + 1
        session.pop("once", None)
        g.old = session.get("old")

    @app.after_request
    def look(response: asyncflask.Response) -> asyncflask.Response:
        response.headers["X-Old"] = f"{g.old} {session.get('old')}"
        return response

    @legacy.get("/logout")
    def logout() -> str:
        flask.session.clear()
        return ""

    client = app.test_client()
    with client.session_transaction() as stored:
        stored["once"] = 1
    response = client.get("/old/a")
    assert response.headers["X-Old"] == "None a"
    assert len(response.headers.getlist("Set-Cookie")) == 1
    assert client.get("/old/b").headers["X-Old"] == "a b"
    assert client.get("/new/c").json["session"] == {"visits": 3, "old": "b", "new": "c"}
    client.get("/logout")
    assert client.get("/new/d").json["session"] == {"visits": 5, "new": "d"}


@pytest.mark.parametrize(
    "settings",
    [{"SESSION_COOKIE_PATH": "/old"}, {"SECRET_KEY": "another"}, {"SESSION_COOKIE_DOMAIN": "localhost"}],
)
def test_a_session_that_is_the_old_applications_own_is_left_alone(
    app: Flask, legacy: flask.Flask, settings: dict[str, str]
) -> None:
    legacy.config.update(settings)

    @app.before_request
    def change() -> None:
        session["visits"] = 1

    @app.after_request
    def look(response: asyncflask.Response) -> asyncflask.Response:
        response.headers["X-Old"] = str(session.get("old"))
        return response

    assert app.test_client().get("/old/a").headers["X-Old"] == "None"


def test_messages_flashed_there_are_shown_here(app: Flask) -> None:
    client = app.test_client()
    client.get("/flash")
    assert client.get("/messages").json == ["from the old one"]
    assert client.get("/messages").json == []


def test_redirects(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/to-the-old-one", follow_redirects=True).json["path"] == "/old/there"
    assert client.get("/moved").headers["Location"] == "/old/there"
    assert client.get("/slash").headers["Location"] == "http://localhost/slash/"


def test_its_static_folder_is_served_when_the_new_one_has_none(app: Flask) -> None:
    assert app.test_client().get("/static/style.css").text == "old"


def test_its_static_folder_is_served_when_that_of_the_new_one_does_not_exist(
    legacy: flask.Flask, tmp_path: Path
) -> None:
    app = Flask("new", root_path=str(tmp_path))  # where there is no "static"
    app.mount("/", WSGIMiddleware(legacy))
    assert app.test_client().get("/static/style.css").text == "old"
    assert app.test_client().get("/static/nothing.css").text == "the old page"


def test_the_static_folder_of_the_new_one_is_in_front(legacy: flask.Flask, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "new.css").write_text("new")
    app = Flask("new", root_path=str(tmp_path))
    app.mount("/", WSGIMiddleware(legacy))
    assert app.test_client().get("/static/new.css").text == "new"
    with app.test_request_context():
        assert url_for("static", filename="new.css") == "/static/new.css"


def test_its_pages_for_errors_are_its_own(app: Flask) -> None:
    @app.errorhandler(404)
    @app.errorhandler(500)
    def ours(error: Any) -> Any:
        return "the new page", error.code

    client = app.test_client()
    response = client.get("/nothing")
    assert (response.status_code, response.text) == (404, "the old page")
    response = client.get("/error")
    assert response.status_code == 500
    assert "Internal Server Error" in response.text
    assert client.post("/old/x").status_code == 405


def test_forms_and_files(app: Flask) -> None:
    from io import BytesIO

    data = {"a": "1", "file": (BytesIO(b"x" * 100_000), "x.bin")}
    assert app.test_client().post("/form", data=data).json == {"form": {"a": "1"}, "files": {"file": 100_000}}


def test_forms_that_a_hook_has_looked_at(app: Flask) -> None:
    @app.before_request
    def csrf() -> None:
        if request.method == "POST":
            assert request.form["token"] == "right"

    response = app.test_client().post("/form", data={"token": "right"})
    assert response.json == {"form": {"token": "right"}, "files": {}}


def test_below_a_path(legacy: flask.Flask) -> None:
    app = Flask("new", static_folder=None)
    app.mount("/legacy", WSGIMiddleware(legacy))
    client = app.test_client()
    answer = client.get("/legacy/old/ü").json
    assert (answer["script_root"], answer["path"], answer["url"]) == ("/legacy", "/old/ü", "/legacy/old/x")
    assert client.get("/legacy/moved").headers["Location"] == "/legacy/old/there"
    assert client.get("/legacy/static/style.css").text == "old"


def test_hooks_guard_it(app: Flask) -> None:
    @app.before_request
    async def login() -> Any:
        return None if request.args.get("user") else ("log in", 401)

    client = app.test_client()
    assert client.get("/old/x").status_code == 401
    assert client.get("/static/style.css").status_code == 401
    assert client.get("/old/x?user=a").status_code == 200


def test_contexts_of_the_application_around_are_seen_in_its_thread(app: Flask) -> None:
    @app.before_request
    def user() -> None:
        g.user = "ann"

    def wsgi(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{g.user} {asyncflask.current_app.name} {request.endpoint}".encode()]

    app.mount("/wsgi", WSGIMiddleware(wsgi))
    assert app.test_client().get("/wsgi").text == "ann new mount_wsgi"


def test_the_contexts_of_the_two_do_not_mix(app: Flask, legacy: flask.Flask) -> None:
    seen = []

    @legacy.before_request
    def old() -> None:
        flask.g.who = "old"

    @app.before_request
    def before() -> None:
        g.who = "new"

    @app.after_request
    def after(response: asyncflask.Response) -> asyncflask.Response:
        seen.append((g.who, asyncflask.current_app.name, flask.has_request_context()))
        return response

    app.test_client().get("/old/x")
    assert seen == [("new", "new", False)]


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    with Server(app) as server:
        yield server


def test_over_a_server(server: Server) -> None:
    with server.connect() as client:
        first = client.request("GET", "/new/a")
        cookie = (first.get("set-cookie") or "").partition(";")[0]
        answer = client.request("GET", "/old/b", headers={"Cookie": cookie})
        assert b'"session":{"new":"a","old":"b"}' in answer.body
        assert client.request("GET", "/stream").body == b"0\n1\n2\n"
        assert client.request("HEAD", "/static/style.css").get("content-length") == "3"
        assert client.request("POST", "/size", body=b"x" * 5_000_000).body == b"5000000"


def test_many_at_a_time(server: Server) -> None:
    """Each in its thread, with new routes in between."""
    answers: list[bytes] = []

    def visit(number: int) -> None:
        with server.connect() as client:
            for _ in range(10):
                answers.append(client.request("GET", f"/old/{number}").body)
                answers.append(client.request("GET", f"/new/{number}").body)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 160
    eventually(lambda: not server.tasks, "all requests have ended")


def test_websockets_are_refused(app: Flask) -> None:
    from asyncflask.testing import WebsocketResponseError

    with pytest.raises(WebsocketResponseError):
        app.test_client().websocket_connect("/old/x")
