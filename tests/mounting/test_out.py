"""Other ASGI applications inside of ours: ``app.mount(path, asgi_app)``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi import Request as FastAPIRequest
from fastapi.responses import StreamingResponse
from lifecycle.server import Server
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

import asyncflask
from asyncflask import Flask, abort, current_app, g, request, session, url_for
from asyncflask.testing import WebsocketClosed, WebsocketResponseError


def make_app() -> Flask:
    app = Flask("mounting", static_folder=None)
    app.secret_key = "secret"
    return app


async def echo_scope(scope: Scope, receive: Receive, send: Send) -> None:
    """A bare ASGI callable that says how it was called."""
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan here")
    text = f"{scope['method']} root_path={scope['root_path']} path={scope['path']}"
    await PlainTextResponse(text)(scope, receive, send)


async def named(name: str, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"{name} {scope['path'][len(scope['root_path']) :]}")(scope, receive, send)


def answering(name: str) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await named(name, scope, receive, send)

    return app


def user_of_g() -> str:
    return str(g.user)


def make_api() -> FastAPI:
    api = FastAPI()

    @api.get("/items/{item_id}")
    async def item(item_id: int, request: FastAPIRequest) -> dict[str, Any]:
        return {
            "item": item_id,
            "own_url": str(request.url_for("item", item_id=7)),
            "url": str(request.url),
            "base_url": str(request.base_url),
            "root_path": request.scope["root_path"],
            "flask_url": url_for("index"),
            "app": request.app.title,
        }

    @api.get("/context")
    async def context() -> dict[str, Any]:
        session["async"] = "seen"
        return {
            "user": g.user,
            "app": current_app.name,
            "path": request.path,
            "endpoint": request.endpoint,
            "view_args": request.view_args,
        }

    @api.get("/sync-context")
    def sync_context() -> dict[str, Any]:
        session["sync"] = "seen"
        return {"user": g.user, "app": current_app.name, "old": session.get("async")}

    @api.get("/dependency")
    def dependency(user: Annotated[str, Depends(user_of_g)]) -> str:
        return user

    @api.get("/error")
    async def error() -> None:
        raise RuntimeError("of the API")

    @api.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", headers={"X-Pot": "tea"})

    @api.get("/abort")
    async def aborted() -> None:
        abort(409)

    @api.post("/json")
    async def json(data: dict[str, Any]) -> dict[str, Any]:
        return data

    @api.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
        await websocket.send_json({"user": g.get("user"), "session": dict(session), "app": current_app.name})
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    return api


@pytest.fixture
def app() -> Flask:
    app = make_app()

    @app.before_request
    @app.before_websocket
    def login() -> Any:
        g.user = request.headers.get("X-User") or session.get("user")
        if g.user is None:
            return "Log in first.", 401
        return None

    @app.after_request
    def mark(response: asyncflask.Response) -> asyncflask.Response:
        response.headers["X-After"] = str(response.status_code)
        return response

    @app.errorhandler(404)
    def not_found(error: Any) -> Any:
        return "our page", 404

    @app.errorhandler(Exception)
    def anything(error: Exception) -> Any:
        return f"our handler: {error!r}", 500

    @app.get("/")
    def index() -> str:
        return url_for("api", path="items/1")

    @app.get("/login/<name>")
    def log_in(name: str) -> str:
        session["user"] = name
        return "ok"

    app.mount("/api", make_api(), name="api")
    return app


ANN = {"X-User": "ann"}


# -- addresses ----------------------------------------------------------------------------------


def test_the_mounted_application_finds_itself_below_the_path(app: Flask) -> None:
    assert app.test_client().get("/api/items/3", headers=ANN).json == {
        "item": 3,
        "own_url": "http://localhost/api/items/7",
        "url": "http://localhost/api/items/3",
        "base_url": "http://localhost/api/",
        "root_path": "/api",
        "flask_url": "/",
        "app": "FastAPI",
    }


def test_url_for_leads_into_the_mount(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/", headers=ANN).text == "/api/items/1"
    with app.test_request_context():
        assert url_for("api", path="") == "/api/"
        assert url_for("api", path="a b/ü") == "/api/a%20b/%C3%BC"
        assert url_for("api", path="x", q=1, _external=True) == "http://localhost/api/x?q=1"


def test_an_endpoint_is_made_from_the_path() -> None:
    app = make_app()
    app.mount("/files/of.users/", answering("files"))
    app.mount("/", answering("root"))
    with app.test_request_context():
        assert url_for("mount_files_of_users", path="x") == "/files/of.users/x"
        assert url_for("mount_root", path="x/y") == "/x/y"


def test_two_paths_that_would_give_the_same_endpoint_stay_apart() -> None:
    app = make_app()
    app.mount("/a/b", answering("slash"))
    app.mount("/a_b", answering("underscore"))
    app.mount("/a.b", answering("dot"))
    client = app.test_client()
    assert client.get("/a/b/x").text == "slash /x"
    assert client.get("/a_b/x").text == "underscore /x"
    assert client.get("/a.b/x").text == "dot /x"


def test_an_endpoint_of_a_view_is_not_taken() -> None:
    app = make_app()

    @app.get("/")
    def index() -> str:
        return "view"

    with pytest.raises((ValueError, AssertionError), match="index"):
        app.mount("/x", answering("x"), name="index")
    assert app.test_client().get("/").text == "view"


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("/api", "GET root_path=/api path=/api"),
        ("/api/", "GET root_path=/api path=/api/"),
        ("/api/x/y", "GET root_path=/api path=/api/x/y"),
        ("/api/x/", "GET root_path=/api path=/api/x/"),
        ("/api/api/x", "GET root_path=/api path=/api/api/x"),
        ("/api//x", "GET root_path=/api path=/api//x"),
        ("/api/a%20b/%C3%BC", "GET root_path=/api path=/api/a b/ü"),
        ("/%61pi/x", "GET root_path=/api path=/api/x"),
        ("/api/%2e%2e/x", "GET root_path=/api path=/api/../x"),
        ("/apix/y", "GET root_path=/apix path=/apix/y"),
        ("/api/deep/x", "GET root_path=/api/deep path=/api/deep/x"),
        ("/api/deeper", "GET root_path=/api path=/api/deeper"),
        ("/ap", "GET root_path= path=/ap"),
        ("/", "GET root_path= path=/"),
        ("/apiy", "GET root_path= path=/apiy"),
        ("/ünï/x", "GET root_path=/ünï path=/ünï/x"),
    ],
)
def test_the_longest_path_at_a_slash_is_the_one_that_counts(url: str, answer: str) -> None:
    app = make_app()
    for path in ("/", "/api", "/apix/", "/api/deep", "/ünï"):
        app.mount(path, echo_scope)
    assert app.test_client().get(url).text == answer


@pytest.mark.parametrize("carried", [True, False])
def test_below_the_root_path_of_the_server(carried: bool) -> None:
    app = make_app()
    app.mount("/api", echo_scope)
    prefix = "/root" if carried else ""

    async def below(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/root", "path": prefix + scope["path"]}
        await inner(scope, receive, send)

    inner = app.asgi_app
    app.asgi_app = below  # type: ignore[method-assign]
    assert app.test_client().get("/api/x").text == "GET root_path=/root/api path=/root/api/x"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
def test_every_method_is_handed_on(method: str) -> None:
    app = make_app()
    app.mount("/x", echo_scope)
    assert app.test_client().open("/x/y", method=method).text.startswith(f"{method} ")


def test_methods_are_the_mounted_applications_own(app: Flask) -> None:
    client = app.test_client()
    response = client.post("/api/items/3", headers=ANN)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert response.json == {"detail": "Method Not Allowed"}
    assert client.options("/api/items/3", headers=ANN).status_code == 405


# -- what is refused ----------------------------------------------------------------------------


def test_mistakes_are_told() -> None:
    app = make_app()
    app.mount("/x", echo_scope)
    with pytest.raises(ValueError, match="slash"):
        app.mount("y", echo_scope)
    with pytest.raises(ValueError, match="variables"):
        app.mount("/<name>", echo_scope)
    with pytest.raises(ValueError, match="already"):
        app.mount("/x/", echo_scope)
    with pytest.raises(TypeError, match="a2wsgi"):
        app.mount("/wsgi", lambda environ, start_response: [b""])  # type: ignore[arg-type]
    app.test_client().get("/x")
    with pytest.raises(AssertionError, match="mount"):
        app.mount("/z", echo_scope)


# -- hooks, session, contexts -------------------------------------------------------------------


def test_hooks_guard_it(app: Flask) -> None:
    client = app.test_client()
    response = client.get("/api/items/3")
    assert (response.status_code, response.text) == (401, "Log in first.")
    assert response.headers["X-After"] == "401"
    assert client.get("/api/items/3", headers=ANN).headers["X-After"] == "200"


def test_the_session_guards_it(app: Flask) -> None:
    client = app.test_client()
    client.get("/login/ann", headers=ANN)
    assert client.get("/api/context").json["user"] == "ann"


@pytest.mark.parametrize("hook", ["sync", "async"])
def test_contexts_are_seen_inside(app: Flask, hook: str) -> None:
    if hook == "async":

        @app.before_request
        async def again() -> None:
            g.user += "!"

    client = app.test_client()
    user = "ann!" if hook == "async" else "ann"
    assert client.get("/api/context", headers=ANN).json == {
        "user": user,
        "app": "mounting",
        "path": "/api/context",
        "endpoint": "api",
        "view_args": {"path": "context"},
    }
    # In the threads of the mounted application's own framework, too.
    assert client.get("/api/sync-context", headers=ANN).json == {
        "user": user,
        "app": "mounting",
        "old": "seen",
    }
    assert client.get("/api/dependency", headers=ANN).json == user
    with client.session_transaction() as stored:
        assert dict(stored) == {"async": "seen", "sync": "seen"}


def test_after_request_changes_status_and_headers() -> None:
    def plain(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a", headers={"X-A": "1"})

    app = make_app()
    app.mount("/x", Starlette(routes=[Route("/", plain)]))

    @app.after_request
    def change(response: asyncflask.Response) -> asyncflask.Response:
        assert response.headers["X-A"] == "1"
        assert response.status_code == 200
        response.status_code = 202
        response.headers["X-A"] = "2"
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    response = app.test_client().get("/x/")
    assert (response.status_code, response.headers["X-A"], response.text) == (202, "2", "a")
    assert response.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


def test_after_request_may_answer_with_another_response() -> None:
    app = make_app()
    app.mount("/x", answering("x"))

    @app.after_request
    def change(response: asyncflask.Response) -> asyncflask.Response:
        return app.make_response(("replaced", 203, {"X-New": "yes"}))

    response = app.test_client().get("/x/")
    assert (response.status_code, response.headers["X-New"], response.text) == (203, "yes", "replaced")
    assert response.headers["Content-Length"] == "8"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_after_request_may_answer_with_a_stream_instead(kind: str) -> None:
    app = make_app()
    log = []

    def pieces() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            log.append("closed")

    async def async_pieces() -> AsyncIterator[str]:
        for piece in pieces():
            yield piece

    async def old() -> AsyncIterator[str]:
        yield "old"
        yield "old"

    app.mount("/x", Starlette(routes=[Route("/", lambda request: StreamingResponse(old()))]))

    @app.after_request
    def change(response: asyncflask.Response) -> asyncflask.Response:
        return app.response_class(pieces() if kind == "sync" else async_pieces())

    assert app.test_client().get("/x/").text == "ab"
    assert log == ["closed"]


@pytest.mark.parametrize("waits", [False, True])
def test_that_there_is_no_body_is_said_once(waits: bool) -> None:
    """Django takes a second ``http.request`` for a fault of the server."""
    app = make_app()
    received = []

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        received.append((await receive())["type"])
        listening = asyncio.create_task(receive())
        await asyncio.sleep(0.05)
        received.append("waits" if not listening.done() else listening.result()["type"])
        listening.cancel()
        await PlainTextResponse("x")(scope, receive, send)

    @app.get("/view")
    async def view() -> Any:
        await asyncio.sleep(0.02 if waits else 0)  # while it waits, the client is looked after
        return mounted

    app.mount("/x", mounted)
    with Server(app) as server:
        assert server.get("/x/").body == b"x"
        assert server.get("/view").body == b"x"
    assert received == ["http.request", "waits"] * 2


def test_after_this_request_teardown_and_signals() -> None:
    app = make_app()
    log: list[str] = []

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        @asyncflask.after_this_request
        def once(response: asyncflask.Response) -> asyncflask.Response:
            response.headers["X-Once"] = "1"
            return response

        await PlainTextResponse("x")(scope, receive, send)
        log.append("sent")

    app.mount("/x", mounted)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append(f"teardown {error!r}")

    def finished(sender: Flask, response: asyncflask.Response) -> None:
        log.append(f"finished {response.status_code}")

    with asyncflask.request_finished.connected_to(finished, app):
        assert app.test_client().get("/x").headers["X-Once"] == "1"
    assert log == ["finished 200", "sent", "teardown None"]


def test_hooks_of_the_url_run(app: Flask) -> None:
    seen = []

    @app.url_value_preprocessor
    def values(endpoint: str | None, values: dict[str, Any] | None) -> None:
        seen.append((endpoint, values))

    app.test_client().get("/api/items/3", headers=ANN)
    assert seen == [("api", {"path": "items/3"})]


def test_what_a_hook_read_of_the_body_is_there_for_the_mounted_application(app: Flask) -> None:
    @app.before_request
    async def look() -> None:
        if request.method == "POST":
            await request.receive_body()
            g.user = request.get_json()["user"]

    data = {"user": "bob", "x": "y" * 10_000}
    response = app.test_client().post("/api/json", json=data, headers=ANN)
    assert response.json == data


def test_a_before_request_that_is_sync_may_read_the_body_too(app: Flask) -> None:
    @app.before_request
    def look() -> None:
        if request.method == "POST":
            g.user = request.get_json()["user"]

    data = {"user": "bob"}
    response = app.test_client().post("/api/json", json=data, headers=ANN)
    assert response.json == data


# -- its errors stay its own --------------------------------------------------------------------

MODES = pytest.mark.parametrize("mode", ["production", "testing", "debug"])


def set_mode(app: Flask, mode: str) -> None:
    if mode == "testing":
        app.testing = True
    elif mode == "debug":
        app.debug = True


@MODES
def test_its_404_stays_its_own(app: Flask, mode: str) -> None:
    set_mode(app, mode)
    client = app.test_client()
    response = client.get("/api/nothing", headers=ANN)
    assert (response.status_code, response.json) == (404, {"detail": "Not Found"})
    response = client.get("/nothing", headers=ANN)
    assert (response.status_code, response.text) == (404, "our page")


@MODES
def test_its_http_exceptions_stay_its_own(app: Flask, mode: str) -> None:
    set_mode(app, mode)
    response = app.test_client().get("/api/teapot", headers=ANN)
    assert (response.status_code, response.json) == (418, {"detail": "short and stout"})
    assert response.headers["X-Pot"] == "tea"


def test_the_exceptions_that_it_has_answered_stay_its_own(app: Flask) -> None:
    """FastAPI answers, and raises again for the server's log."""
    answers: list[tuple[int, str]] = []

    async def watch(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.append((message["status"], dict(message["headers"])[b"content-type"].decode()))
            await send(message)

        await inner(scope, receive, note)

    inner = app.asgi_app
    app.asgi_app = watch  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="of the API"):
        app.test_client().get("/api/error", headers=ANN)
    assert answers == [(500, "text/plain; charset=utf-8")]


@MODES
@pytest.mark.parametrize("make", [lambda folder: StaticFiles(directory=folder), None])
def test_exceptions_for_the_application_around_are_answered_as_it_would(
    make: Any, mode: str, tmp_path: Path
) -> None:
    """Starlette's StaticFiles and Router raise HTTPException when they are inside of another application."""

    async def raising(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        raise StarletteHTTPException(404, headers={"X-Not": "here"})

    app = make_app()
    set_mode(app, mode)

    @app.errorhandler(404)
    @app.errorhandler(StarletteHTTPException)
    @app.errorhandler(Exception)
    def ours(error: Any) -> Any:
        return "our page", 404

    app.mount("/files", raising if make is None else make(tmp_path))
    response = app.test_client().get("/files/nothing")
    assert (response.status_code, response.text) == (404, "Not Found")
    assert response.headers.get("X-Not") == ("here" if make is None else None)
    response = app.test_client().get("/other")
    assert (response.status_code, response.text) == (404, "our page")


def test_static_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0123456789")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("<p>index")
    app = make_app()
    app.mount("/files", StaticFiles(directory=tmp_path, html=True))
    client = app.test_client()
    response = client.get("/files/a.txt")
    assert (response.status_code, response.data) == (200, b"0123456789")
    etag = response.headers["ETag"]
    assert client.get("/files/a.txt", headers={"If-None-Match": etag}).status_code == 304
    response = client.get("/files/a.txt", headers={"Range": "bytes=2-4"})
    assert (response.status_code, response.data) == (206, b"234")
    response = client.get("/files/sub")
    assert (response.status_code, response.headers["Location"]) == (307, "http://localhost/files/sub/")
    assert client.get("/files/sub/").text == "<p>index"
    assert client.post("/files/a.txt").status_code == 405
    assert client.get("/files/../secret").status_code == 404
    assert client.head("/files/a.txt").headers["Content-Length"] == "10"


@pytest.mark.parametrize("mode", ["testing", "production"])
def test_one_that_fails_without_an_answer(mode: str) -> None:
    app = make_app()
    set_mode(app, mode)
    torn_down = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("nothing was sent")

    app.mount("/x", failing)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        torn_down.append(type(error))

    client = app.test_client()
    if mode == "testing":
        with pytest.raises(KeyError, match="nothing was sent"):
            client.get("/x")
    else:
        assert client.get("/x").status_code == 500
    assert torn_down == [KeyError]


def test_one_that_never_answers() -> None:
    """It ends without a response: a mistake of that application, and of no other."""
    app = make_app()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    torn_down = []

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        torn_down.append(error)

    app.mount("/x", silent)
    with pytest.raises(AssertionError, match="without a response"):
        app.test_client().get("/x")
    assert torn_down == [None]


# -- rules in front of it -----------------------------------------------------------------------


def test_own_rules_are_in_front_of_a_mount_at_the_root() -> None:
    app = make_app()
    app.mount("/", answering("mounted"))

    @app.get("/")
    def index() -> str:
        return "index"

    @app.get("/new/<int:number>")
    def new(number: int) -> str:
        return f"new {number}"

    @app.post("/form/")
    def form() -> str:
        return "form"

    client = app.test_client()
    assert client.get("/").text == "index"
    assert client.get("/new/1").text == "new 1"
    assert client.get("/new/x").text == "mounted /new/x"
    assert client.post("/new/1").text == "mounted /new/1"  # the old application may have it
    assert client.get("/form/").text == "mounted /form/"
    assert client.options("/new/1").allow == {"GET", "HEAD", "OPTIONS"}
    assert client.get("/old/").text == "mounted /old/"


def test_own_rules_are_in_front_of_a_mount_below_its_path() -> None:
    app = make_app()
    app.mount("/api", answering("mounted"))

    @app.get("/api/own")
    def own() -> str:
        return "own"

    client = app.test_client()
    assert client.get("/api/own").text == "own"
    assert client.get("/api/owned").text == "mounted /owned"


def test_a_rule_that_takes_everything_leaves_nothing() -> None:
    app = make_app()
    app.mount("/api", answering("mounted"))

    @app.get("/<path:path>")
    def all_of_it(path: str) -> str:
        return f"own {path}"

    assert app.test_client().get("/api/x").text == "own api/x"


# -- inside of each other -----------------------------------------------------------------------


def test_mounts_within_mounts() -> None:
    inner = make_app()
    inner.name = "inner"

    @inner.get("/where", endpoint="where")
    def where() -> dict[str, Any]:
        return {
            "app": current_app.name,
            "script_root": request.script_root,
            "path": request.path,
            "own": url_for("where"),
            "deeper": url_for("deeper", path="x"),
        }

    inner.mount("/deeper", echo_scope, name="deeper")
    middle = Starlette(routes=[Mount("/m", inner)])
    outer = make_app()
    outer.mount("/o", middle)
    client = outer.test_client()
    assert client.get("/o/m/where").json == {
        "app": "inner",
        "script_root": "/o/m",
        "path": "/where",
        "own": "/o/m/where",
        "deeper": "/o/m/deeper/x",
    }
    assert client.get("/o/m/deeper/x").text == "GET root_path=/o/m/deeper path=/o/m/deeper/x"


def test_the_router_of_a_parent_does_not_build_the_urls_of_a_mounted_application() -> None:
    """Starlette looks for ``scope["router"]``: a parent's would build its own URLs."""

    def there(request: Any) -> PlainTextResponse:
        return PlainTextResponse(str(request.url_for("there")))

    app = make_app()
    app.mount("/api", Starlette(routes=[Route("/there", there, name="there")]))
    parent = Starlette(routes=[Mount("/app", app), Route("/wrong", there, name="there")])
    top = make_app()
    top.mount("/top", parent)
    assert top.test_client().get("/top/app/api/there").text == "http://localhost/top/app/api/there"


def test_a_bare_router() -> None:
    async def home(request: Any) -> Any:
        return RedirectResponse(request.url_for("there"))

    async def there(request: Any) -> Any:
        return PlainTextResponse("there")

    app = make_app()
    app.mount("/r", Router(routes=[Route("/", home), Route("/there", there, name="there")]))
    client = app.test_client()
    assert client.get("/r/").headers["Location"] == "http://localhost/r/there"
    assert client.get("/r/there/", follow_redirects=True).text == "there"
    assert client.get("/r/nothing").text == "Not Found"


# -- websockets ---------------------------------------------------------------------------------


def test_a_websocket_of_a_mounted_application(app: Flask) -> None:
    client = app.test_client()
    client.get("/login/ann", headers=ANN)
    with client.websocket_connect("/api/ws", subprotocols=["chat"]) as ws:
        assert ws.accepted_subprotocol == "chat"
        assert ws.receive_json() == {"user": "ann", "session": {"user": "ann"}, "app": "mounting"}
        ws.send("hello")
        assert ws.receive() == "HELLO"


def test_before_websocket_guards_it(app: Flask) -> None:
    with pytest.raises(WebsocketResponseError) as refused:
        app.test_client().websocket_connect("/api/ws")
    assert refused.value.status_code == 401
    assert refused.value.response.get_data(as_text=True) == "Log in first."


def test_a_websocket_that_the_mounted_application_does_not_have(app: Flask) -> None:
    with pytest.raises(WebsocketResponseError) as refused:
        app.test_client().websocket_connect("/api/nothing", headers=ANN)
    assert refused.value.status_code in (403, 404)


def test_websockets_right_at_the_path() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"{scope['root_path']} {scope['path']}"})
        message = await receive()
        assert message["type"] == "websocket.receive"
        await send({"type": "websocket.close", "code": 3001, "reason": message["text"]})

    app = make_app()
    app.mount("/ws", echo)
    for path in ("/ws", "/ws/", "/ws/x"):
        ws = app.test_client().websocket_connect(path)
        assert ws.receive() == f"/ws {path}"
        ws.send("bye")
        with pytest.raises(WebsocketClosed) as closed:
            ws.receive()
        assert (closed.value.code, closed.value.reason) == (3001, "bye")


@pytest.mark.parametrize("accepts", [True, False])
def test_a_mounted_websocket_that_fails(accepts: bool) -> None:
    app = make_app()
    torn_down = []

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if accepts:
            await send({"type": "websocket.accept"})
        raise KeyError("inside")

    app.mount("/ws", failing)

    @app.teardown_websocket
    def teardown(error: BaseException | None) -> None:
        torn_down.append(type(error))

    client = app.test_client()
    if accepts:
        ws = client.websocket_connect("/ws")
        with pytest.raises(WebsocketClosed) as closed:
            ws.receive()
        assert closed.value.code == 1011
    else:
        with pytest.raises(WebsocketResponseError) as refused:
            client.websocket_connect("/ws")
        assert refused.value.status_code == 500
    assert torn_down == [KeyError]


@pytest.mark.parametrize("what", ["ends", "fails", "closes", "denies", "leaves"])
def test_after_websocket_runs_for_it(what: str) -> None:
    """As for a view: when it has ended, or with the response that refuses the handshake."""

    async def endpoint(websocket: WebSocket) -> None:
        if what == "denies":
            await websocket.send_denial_response(PlainTextResponse("not here", 410))
            return
        if what == "closes":
            await websocket.close()
            return
        await websocket.accept()
        await websocket.receive_text()
        if what == "fails":
            raise KeyError("inside")
        if what == "leaves":
            await websocket.receive_text()  # raises, and nobody minds
        log.append("ended")

    app = make_app()
    app.mount("/in", Starlette(routes=[WebSocketRoute("/ws", endpoint)]))
    log: list[Any] = []

    @app.after_websocket
    def sync_after(response: Any) -> Any:
        log.append(None if response is None else response.status_code)
        if response is not None:
            response.headers["X-After"] = "yes"
            response.status_code = 411
        return response

    @app.after_websocket
    async def async_after(response: Any) -> Any:
        log.append(current_app.name)
        return response

    @app.teardown_websocket
    def teardown(error: BaseException | None) -> None:
        log.append(type(error))

    client = app.test_client()
    if what in ("closes", "denies"):
        with pytest.raises(WebsocketResponseError) as refused:
            client.websocket_connect("/in/ws")
        if what == "denies":
            assert refused.value.status_code == 411
            assert refused.value.response.headers["X-After"] == "yes"
            assert refused.value.response.get_data() == b"not here"
    else:
        with client.websocket_connect("/in/ws") as websocket:
            websocket.send("x")
            if what == "fails":
                with pytest.raises(WebsocketClosed) as closed:
                    websocket.receive()
                assert closed.value.code == 1011
    assert (
        log
        == {
            "ends": ["ended", "mounting", None, type(None)],
            "fails": ["mounting", None, KeyError],
            "closes": ["mounting", None, type(None)],
            "denies": ["mounting", 410, type(None)],
            "leaves": ["mounting", None, type(None)],
        }[what]
    )


def test_a_session_changed_before_the_websocket_is_accepted_is_saved(app: Flask) -> None:
    @app.before_websocket
    def count() -> None:
        session["sockets"] = session.get("sockets", 0) + 1

    client = app.test_client()
    with client.websocket_connect("/api/ws", headers=ANN) as ws:
        assert ws.receive_json()["session"] == {"sockets": 1}
    with client.websocket_connect("/api/ws", headers=ANN) as ws:
        assert ws.receive_json()["session"] == {"sockets": 2}


# -- bodies, in-process -------------------------------------------------------------------------


def test_a_stream_of_the_mounted_application() -> None:
    api = FastAPI()
    steps: list[str] = []

    @api.get("/count")
    async def count() -> StreamingResponse:
        async def numbers() -> Any:
            try:
                for number in range(3):
                    yield f"{number}\n"
            finally:
                steps.append("generator closed")

        return StreamingResponse(numbers(), media_type="text/plain")

    app = make_app()
    app.mount("/api", api)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        steps.append("teardown")

    assert app.test_client().get("/api/count").text == "0\n1\n2\n"
    assert steps == ["generator closed", "teardown"]


def test_middleware_of_the_mounted_application() -> None:
    from starlette.middleware.gzip import GZipMiddleware

    api = FastAPI()
    api.add_middleware(GZipMiddleware, minimum_size=10)

    @api.middleware("http")
    async def add_header(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-User"] = g.user
        return response

    @api.get("/")
    async def index() -> str:
        return "x" * 100

    app = make_app()
    app.mount("/api", api)

    @app.before_request
    def user() -> None:
        g.user = "ann"

    response = app.test_client().get("/api/", headers={"Accept-Encoding": "gzip"})
    assert (response.headers["Content-Encoding"], response.headers["X-User"]) == ("gzip", "ann")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is logged is not looked at here."""
    logger = logging.getLogger("mounting")
    logger.disabled = True
    yield
    logger.disabled = False


@pytest.fixture(autouse=True)
def no_context_is_left() -> Iterator[None]:
    yield
    assert not asyncflask.has_request_context()
    assert not asyncflask.has_app_context()
