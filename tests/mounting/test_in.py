"""Our application inside of others: Starlette, FastAPI, Litestar, another asyncflask application, a server's
``root_path``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from lifecycle.server import Server
from litestar import Litestar
from litestar.handlers import asgi
from litestar.types import Receive, Scope, Send
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import asyncflask
from asyncflask import (
    Flask,
    abort,
    current_app,
    g,
    has_request_context,
    json,
    redirect,
    request,
    session,
    url_for,
    websocket,
)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text("0123456789")
    app = Flask("mounted-in", root_path=str(tmp_path))
    app.secret_key = "secret"

    def where() -> dict[str, Any]:
        return {
            "script_root": request.script_root,
            "root_path": request.root_path,
            "path": request.path,
            "full_path": request.full_path,
            "url": request.url,
            "base_url": request.base_url,
            "url_root": request.url_root,
            "host_url": request.host_url,
            "script_name": request.environ["SCRIPT_NAME"],
            "path_info": request.environ["PATH_INFO"],
            "item": url_for("item", name="ü/x"),
            "external": url_for("item", name="x", _external=True),
            "ws": url_for("ws", _scheme="ws"),
            "static": url_for("static", filename="style.css"),
            "app": current_app.name,
        }

    @app.get("/where")
    def where_sync() -> dict[str, Any]:
        return where()

    @app.get("/where/async")
    async def where_async() -> dict[str, Any]:
        await asyncio.sleep(0)
        return where()

    @app.get("/")
    def index() -> str:
        return f"index {request.path}"

    @app.get("/item/<path:name>")
    def item(name: str) -> str:
        return f"item {name}"

    @app.get("/slash/")
    def slash() -> str:
        return "slash"

    @app.get("/go")
    async def go() -> Any:
        return redirect(url_for("slash"))

    @app.get("/store")
    def store() -> dict[str, Any]:
        session["count"] = session.get("count", 0) + 1
        return dict(session)

    @app.post("/echo")
    def echo() -> bytes:
        return request.get_data()

    @app.get("/abort")
    async def aborted() -> None:
        abort(409)

    @app.websocket("/")
    async def ws_index() -> None:
        await websocket.send(f"{websocket.script_root} {websocket.path} {websocket.url}")

    @app.websocket("/ws")
    async def ws() -> None:
        async for message in websocket:
            await websocket.send(f"{websocket.script_root} {websocket.path} {message!s}")

    @app.before_request
    def before() -> None:
        g.value = "ours"

    @app.errorhandler(404)
    def not_found(error: Any) -> Any:
        return f"our 404 {request.path}", 404

    return app


def in_starlette(app: Any, prefix: str) -> Any:
    return Starlette(routes=[Mount(prefix, app)])


def in_fastapi(app: Any, prefix: str) -> Any:
    parent = FastAPI()
    parent.mount(prefix, app)
    return parent


def in_litestar(app: Any, prefix: str) -> Any:
    @asgi(prefix, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        # Litestar takes the prefix off, and puts a slash at the end of what is left.
        path, root_path = unquote(scope["raw_path"]), scope["root_path"] + prefix
        await app({**scope, "path": path, "root_path": root_path}, receive, send)

    return Litestar([mounted], openapi_config=None)


def in_asyncflask(app: Any, prefix: str) -> Any:
    parent = Flask("parent", static_folder=None)
    parent.mount(prefix, app)
    return parent


def in_two(app: Any, prefix: str) -> Any:
    first, _, rest = prefix.strip("/").partition("/")
    return Starlette(routes=[Mount(f"/{first}", in_asyncflask(app, f"/{rest}"))])


PARENTS = pytest.mark.parametrize("parent", [in_starlette, in_fastapi, in_litestar, in_asyncflask, in_two])
Parent = Callable[[Any, str], Any]


@pytest.fixture
def server(app: Flask, parent: Parent) -> Iterator[Server]:
    with Server(parent(app, "/some/where"), lifespan="auto") as server:
        yield server


@PARENTS
@pytest.mark.parametrize("path", ["/where", "/where/async"])
def test_addresses(server: Server, path: str) -> None:
    host = f"http://127.0.0.1:{server.port}"
    response = server.get(f"/some/where{path}?a=1", headers={"Host": f"127.0.0.1:{server.port}"})
    assert json.loads(response.body) == {
        "script_root": "/some/where",
        "root_path": "/some/where",
        "path": path,
        "full_path": f"{path}?a=1",
        "url": f"{host}/some/where{path}?a=1",
        "base_url": f"{host}/some/where{path}",
        "url_root": f"{host}/some/where/",
        "host_url": f"{host}/",
        "script_name": "/some/where",
        "path_info": path,
        "item": "/some/where/item/%C3%BC/x",
        "external": f"{host}/some/where/item/x",
        "ws": f"ws://127.0.0.1:{server.port}/some/where/ws",
        "static": "/some/where/static/style.css",
        "app": "mounted-in",
    }


@PARENTS
def test_requests(server: Server) -> None:
    with server.connect() as client:
        assert client.request("GET", "/some/where/").body == b"index /"
        assert client.request("GET", "/some/where/item/a%2Fb/%C3%BC").body == "item a/b/ü".encode()
        assert client.request("GET", "/some/where/static/style.css").body == b"0123456789"
        part = client.request("GET", "/some/where/static/style.css", headers={"Range": "bytes=2-4"})
        assert (part.status, part.body) == (206, b"234")
        assert client.request("POST", "/some/where/echo", body=b"x" * 1_000_000).body == b"x" * 1_000_000
        assert client.request("GET", "/some/where/abort").status == 409
        missing = client.request("GET", "/some/where/nothing")
        assert (missing.status, missing.body) == (404, b"our 404 /nothing")
        assert client.request("POST", "/some/where/where").status == 405
        assert client.request("HEAD", "/some/where/where").status == 200
        options = client.request("OPTIONS", "/some/where/where")
        assert set((options.get("allow") or "").split(", ")) == {"GET", "HEAD", "OPTIONS"}
        assert client.request("GET", "/elsewhere").status == 404


@PARENTS
def test_redirects(server: Server) -> None:
    with server.connect() as client:
        host = {"Host": "example.org"}
        assert client.request("GET", "/some/where/go").get("location") == "/some/where/slash/"
        redirected = client.request("GET", "/some/where/slash?a=1", headers=host)
        assert redirected.status == 308
        assert redirected.get("location") == "http://example.org/some/where/slash/?a=1"


@PARENTS
def test_the_session(app: Flask, server: Server) -> None:
    with server.connect() as client:
        first = client.request("GET", "/some/where/store")
        cookie = first.get("set-cookie") or ""
        assert "Path=/" in cookie.split("; ")  # APPLICATION_ROOT, as in Flask
        second = client.request("GET", "/some/where/store", headers={"Cookie": cookie.partition(";")[0]})
        assert json.loads(second.body) == {"count": 2}
        app.config["APPLICATION_ROOT"] = "/some/where"
        assert "Path=/some/where" in (client.request("GET", "/some/where/store").get("set-cookie") or "")
        app.config["SESSION_COOKIE_PATH"] = "/some"
        cookie = client.request("GET", "/some/where/store").get("set-cookie") or ""
        assert "Path=/some" in cookie.split("; ")


@PARENTS
def test_websockets(server: Server) -> None:
    base = f"ws://127.0.0.1:{server.port}/some/where"
    with connect(f"{base}/") as ws:  # right under the prefix
        assert ws.recv(5) == f"/some/where / {base}/"
    with connect(f"{base}/ws") as ws:
        ws.send("one")
        assert ws.recv(5) == "/some/where /ws one"
    with pytest.raises(InvalidStatus) as refused, connect(f"{base}/nothing"):
        pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("parent", [in_starlette, in_fastapi, in_asyncflask])
def test_at_the_root(app: Flask, parent: Parent) -> None:
    prefix = "" if parent is in_starlette else "/"
    with Server(parent(app, prefix), lifespan="auto") as server:
        answer = json.loads(server.get("/where").body)
        assert (answer["script_root"], answer["path"]) == ("", "/where")
        assert (answer["static"], answer["url_root"]) == ("/static/style.css", "http://localhost/")
        with connect(f"ws://127.0.0.1:{server.port}/") as ws:
            assert str(ws.recv(5)).startswith(" / ws://")


# -- root_path from the server ------------------------------------------------------------------


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("root_path", ["/root", "/root/", "/ro/ot"])
def test_root_path_of_the_server(app: Flask, carried: bool, root_path: str) -> None:
    """A server that follows the specification puts it before the path; older ones, and proxies' settings, do
    not."""
    prefix = root_path.rstrip("/")

    async def server(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            path = prefix + scope["path"] if carried else scope["path"]
            scope = {**scope, "root_path": root_path, "path": path}
        await app(scope, receive, send)

    with Server(server) as running:
        answer = json.loads(running.get("/where").body)
        assert (answer["script_root"], answer["path"]) == (prefix, "/where")
        assert answer["url"] == f"http://localhost{prefix}/where"
        assert answer["item"] == f"{prefix}/item/%C3%BC/x"
        assert running.get("/slash").get("location") == f"http://localhost{prefix}/slash/"
        assert running.get("/static/style.css").body == b"0123456789"
        assert running.get("/").body == b"index /"
        with connect(f"ws://127.0.0.1:{running.port}/ws") as ws:
            ws.send("x")
            assert ws.recv(5) == f"{prefix} /ws x"


@pytest.mark.parametrize("parent", [in_starlette, in_fastapi, in_asyncflask, in_two])
def test_below_a_root_path_that_the_path_leaves_out(app: Flask, parent: Parent) -> None:
    """Starlette puts its mount's path at the end of a root path that is not in the path."""
    inner = parent(app, "/some/where")

    async def server(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "root_path": "/root"}
        await inner(scope, receive, send)

    with Server(server, lifespan="auto") as running:
        answer = json.loads(running.get("/some/where/where").body)
        assert (answer["script_root"], answer["path"]) == ("/root/some/where", "/where")
        assert answer["url"] == "http://localhost/root/some/where/where"
        assert running.get("/some/where/static/style.css").body == b"0123456789"
        with connect(f"ws://127.0.0.1:{running.port}/some/where/ws") as ws:
            ws.send("x")
            assert ws.recv(5) == "/root/some/where /ws x"


def test_uvicorns_own_root_path(app: Flask) -> None:
    with Server(app, root_path="/root") as server:
        answer = json.loads(server.get("/where").body)
        assert (answer["script_root"], answer["path"]) == ("/root", "/where")
        assert answer["static"] == "/root/static/style.css"


def test_a_path_that_only_looks_like_the_root_path(app: Flask) -> None:
    @app.get("/rooted")
    def rooted() -> str:
        return f"{request.script_root} {request.path}"

    async def server(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/root"}
        await app(scope, receive, send)

    with Server(server) as running:
        assert running.get("/rooted").body == b"/root /rooted"


# -- two applications, two contexts -------------------------------------------------------------


@pytest.fixture
def pair() -> tuple[Flask, Flask, list[Any]]:
    """An application in another one, each with hooks of both kinds that look around."""
    log: list[Any] = []
    inner, outer = Flask("inner", static_folder=None), Flask("outer", static_folder=None)
    for app in (inner, outer):
        equip(app, log)
    outer.mount("/in", inner)
    return outer, inner, log


def equip(app: Flask, log: list[Any]) -> None:
    app.secret_key = app.name
    app.config["SESSION_COOKIE_NAME"] = f"{app.name}_session"

    def look(where: str) -> None:
        log.append((app.name, where, current_app.name, g.get("who"), request.path, request.script_root))

    @app.before_request
    def before() -> None:
        g.who = app.name
        session["who"] = app.name
        look("before")

    @app.before_request
    async def before_async() -> None:
        await asyncio.sleep(0)
        look("before async")

    @app.after_request
    def after(response: asyncflask.Response) -> asyncflask.Response:
        look("after")
        response.headers.add("X-After", app.name)
        return response

    @app.after_request
    async def after_async(response: asyncflask.Response) -> asyncflask.Response:
        await asyncio.sleep(0)
        look("after async")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        look("teardown")

    @app.teardown_appcontext
    async def teardown_app(error: BaseException | None) -> None:
        assert not has_request_context() or request.path
        log.append((app.name, "teardown app", current_app.name, g.get("who")))

    @app.get("/sync")
    def sync_view() -> str:
        look("view")
        return f"{app.name} {session['who']} {url_for('async_view')}"

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        look("view")
        return f"{app.name} {session['who']} {url_for('sync_view')}"

    @app.get("/error")
    def error() -> str:
        look("view")
        raise LookupError(app.name)


@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("threads", [1, 40])
@pytest.mark.parametrize("client", ["server", "test client"])
def test_contexts_do_not_mix(
    pair: tuple[Flask, Flask, list[Any]], view: str, threads: int, client: str
) -> None:
    outer, inner, log = pair
    outer.config["WORKER_THREADS"] = inner.config["WORKER_THREADS"] = threads
    other = "async" if view == "sync" else "sync"
    if client == "server":
        with Server(outer) as server:
            response = server.get(f"/in/{view}")
            body, cookies = response.body.decode(), response.all("set-cookie")
    else:
        answer = outer.test_client().get(f"/in/{view}")
        body, cookies = answer.text, answer.headers.getlist("Set-Cookie")
    assert body == f"inner inner /in/{other}"
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == ["inner_session", "outer_session"]
    inside, outside = (f"/{view}", "/in"), (f"/in/{view}", "")
    assert log == [
        ("outer", "before", "outer", "outer", *outside),
        ("outer", "before async", "outer", "outer", *outside),
        ("inner", "before", "inner", "inner", *inside),
        ("inner", "before async", "inner", "inner", *inside),
        ("inner", "view", "inner", "inner", *inside),
        ("inner", "after async", "inner", "inner", *inside),
        ("inner", "after", "inner", "inner", *inside),
        ("inner", "teardown", "inner", "inner", *inside),
        ("inner", "teardown app", "inner", "inner"),
        ("outer", "after async", "outer", "outer", *outside),
        ("outer", "after", "outer", "outer", *outside),
        ("outer", "teardown", "outer", "outer", *outside),
        ("outer", "teardown app", "outer", "outer"),
    ]


def test_an_error_of_the_inner_one_is_handled_there(pair: tuple[Flask, Flask, list[Any]]) -> None:
    outer, inner, _ = pair

    @outer.errorhandler(LookupError)
    def outer_handler(error: LookupError) -> Any:
        return "handled outside", 500

    client = outer.test_client()
    inner.logger.disabled = True
    assert "Internal Server Error" in client.get("/in/error").text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inner, "_got_first_request", False)

        @inner.errorhandler(LookupError)
        def inner_handler(error: LookupError) -> Any:
            return f"handled inside by {current_app.name}", 500

    assert client.get("/in/error").text == "handled inside by inner"
    inner.logger.disabled = False


def test_many_requests_at_a_time_do_not_mix(pair: tuple[Flask, Flask, list[Any]]) -> None:
    outer, _, log = pair
    with Server(outer) as server:
        clients = [server.connect() for _ in range(10)]
        paths = ["/in/sync", "/sync", "/in/async", "/async"]
        for _ in range(5):
            for number, client in enumerate(clients):
                client.send_request("GET", paths[number % 4])
            for number, client in enumerate(clients):
                name = "inner" if number % 4 in (0, 2) else "outer"
                assert client.response().body.decode().startswith(f"{name} {name} ")
        for client in clients:
            client.close()
    assert all(entry[0] == entry[2] == entry[3] for entry in log)


def test_contexts_of_websockets_do_not_mix() -> None:
    inner, outer = Flask("inner"), Flask("outer")
    outer.mount("/in", inner)
    seen: list[Any] = []

    for app in (inner, outer):

        def before(app: Flask = app) -> None:
            g.who = app.name

        def teardown(error: BaseException | None, app: Flask = app) -> None:
            seen.append((app.name, current_app.name, g.who, websocket.path))

        app.before_websocket(before)
        app.teardown_websocket(teardown)

    @inner.websocket("/ws")
    async def ws() -> None:
        async for message in websocket:
            await websocket.send(f"{current_app.name} {g.who} {websocket.path} {message!s}")

    with Server(outer) as server, connect(f"ws://127.0.0.1:{server.port}/in/ws") as connection:
        connection.send("x")
        assert connection.recv(5) == "inner inner /ws x"
    assert seen == [("inner", "inner", "inner", "/ws"), ("outer", "outer", "outer", "/in/ws")]


def test_the_same_application_at_two_paths() -> None:
    inner, outer = Flask("inner"), Flask("outer")
    inner.add_url_rule("/", view_func=lambda: f"{request.script_root} {url_for('<lambda>')}")
    inner.add_url_rule("/deep", endpoint="deep", view_func=lambda: request.script_root)
    outer.mount("/a", inner)
    outer.mount("/b", inner)
    client = outer.test_client()
    assert client.get("/a/").text == "/a /a/"
    assert client.get("/b/deep").text == "/b"


def test_an_application_inside_of_itself_by_a_view() -> None:
    """A view may hand a request to the application again, under another path."""
    app = Flask("itself", static_folder=None)

    @app.get("/inner")
    def inner() -> str:
        return f"inner {request.path} {g.get('who')}"

    @app.get("/outer")
    async def outer() -> Any:
        g.who = "outer"

        async def again(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "path": "/inner"}, receive, send)

        return again

    with Server(app) as server:
        assert server.get("/outer").body == b"inner /inner None"


def test_the_sessions_of_both_over_one_cookie() -> None:
    """With one secret key and one name, what both store is lost to neither."""
    inner, outer = Flask("inner"), Flask("outer")
    inner.secret_key = outer.secret_key = "the same"
    outer.mount("/in", inner)

    @inner.get("/set")
    def set_inner() -> dict[str, Any]:
        session["inner"] = 1
        return dict(session)

    @outer.get("/set")
    def set_outer() -> dict[str, Any]:
        session["outer"] = 1
        return dict(session)

    @outer.before_request
    def look() -> None:
        session.get("user")

    client = outer.test_client()
    client.get("/set")
    assert client.get("/in/set").json == {"outer": 1, "inner": 1}
    assert client.get("/set").json == {"outer": 1, "inner": 1}
