"""Libraries for Starlette, set up as their documentation says: on this application and on a Starlette one,
which has to give the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import slowapi
from async_asgi_testclient import TestClient
from lifecycle.server import Server
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from sqladmin import Admin, ModelView
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Match, Mount, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket
from starlette_admin.contrib.sqla import Admin as StarletteAdmin
from starlette_admin.contrib.sqla import ModelView as StarletteModelView
from tortoise import Model, Tortoise, fields
from websockets.sync.client import connect

from asyncflask import Flask, request, session, websocket


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/users.db", connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def make_app() -> Flask:
    app = Flask("libraries", static_folder=None)
    app.secret_key = "secret"
    return app


def below(outer: Any, kind: str) -> Any:
    """The application itself, or mounted in another one."""
    if kind == "alone":
        return outer
    if kind == "in starlette":
        return Starlette(routes=[Mount("/shop", outer)])
    parent = make_app()
    parent.mount("/shop", outer, name="shop")
    return parent


def add_sqladmin(app: Any, engine: Engine) -> str:
    class UserAdmin(ModelView, model=User):
        column_list = (User.id, User.name)

    Admin(app, engine).add_view(UserAdmin)
    return "admin"


def add_starlette_admin(app: Any, engine: Engine) -> str:
    admin = StarletteAdmin(engine, base_url="/back", route_name="back", secret_key="secret")
    admin.add_view(StarletteModelView(User))
    admin.mount_to(app)
    return "back"


def filled(page: httpx.Response) -> dict[str, str]:
    """What a browser would send of a form, with a name filled in."""
    hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
    return {**dict(hidden), "name": "Ann", "save": "Save"}


def visit(app: Any, prefix: str, admin: str, engine: Engine) -> list[Any]:
    """What somebody sees who lists users, makes one, and looks at it."""
    seen: list[Any] = []
    with (
        Server(app) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}{prefix}", follow_redirects=True) as client,
    ):

        def note(response: httpx.Response) -> None:
            places = {url.partition("?")[0] for url in re.findall(r'(?:href|src)="([^"]+)"', response.text)}
            base = str(client.base_url).rstrip("/")
            seen.append((response.status_code, response.url.path, {url.replace(base, "") for url in places}))

        note(client.get(f"/{admin}/"))
        note(client.get(f"/{admin}/user/list"))
        form = client.get(f"/{admin}/user/create")
        note(form)
        note(client.post(f"/{admin}/user/create", data=filled(form)))
        note(client.get(f"/{admin}/user/list"))
        note(client.get(f"/{admin}/user/details/1"))
        note(client.get(f"/{admin}/user/edit/1"))
        note(client.get(f"/{admin}/user/nothing"))
        for url in sorted(url for _, _, urls in seen for url in urls if "/statics/" in url):
            seen.append(client.get(url.removeprefix("http://testserver")).status_code)
        assert server.errors == []
    with engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT name FROM users").all()
        connection.exec_driver_sql("DELETE FROM users")
    return [*seen, [tuple(row) for row in rows]]


@pytest.mark.parametrize("kind", ["alone", "in starlette"])
@pytest.mark.parametrize("add", [add_sqladmin, add_starlette_admin])
def test_admin_pages(add: Any, kind: str, engine: Engine) -> None:
    prefix = "" if kind == "alone" else "/shop"
    expected, own = [
        visit(below(outer, kind), prefix, add(outer, engine), engine) for outer in (Starlette(), make_app())
    ]
    strip = [entry[:2] if isinstance(entry, tuple) else entry for entry in own]
    assert strip == [entry[:2] if isinstance(entry, tuple) else entry for entry in expected]
    assert own[-1] == [("Ann",)]
    assert [status for status, _, _ in filter(lambda entry: isinstance(entry, tuple), own)][:5] == [200] * 5
    assert own == [
        (entry[0], entry[1].replace("/shop", prefix), entry[2]) if isinstance(entry, tuple) else entry
        for entry in expected
    ]


def test_admin_pages_in_an_application_of_ours(engine: Engine) -> None:
    outer = make_app()
    admin = add_sqladmin(outer, engine)
    own = visit(below(outer, "in ours"), "/shop", admin, engine)
    assert [entry[0] for entry in own[:5]] == [200] * 5
    assert own[-1] == [("Ann",)]


# -- names --------------------------------------------------------------------------------------


async def show(request: Request) -> JSONResponse:
    urls = {}
    for name in request.query_params["names"].split(","):
        try:
            urls[name] = str(request.url_for(name)).partition("//")[2].partition("/")[2]
        except Exception as error:
            urls[name] = type(error).__name__
    return JSONResponse(urls)


def make_inner() -> Starlette:
    deepest = Starlette(routes=[Route("/page", show, name="page")])
    return Starlette(
        routes=[
            Route("/p", show, name="inner"),
            WebSocketRoute("/w", str, name="ws"),
            Mount("/d", deepest, name="d"),
        ]
    )


@pytest.mark.parametrize("kind", ["alone", "in starlette", "in ours"])
@pytest.mark.parametrize("page", ["p", "d/page"])
def test_names_of_mounts_in_mounts(kind: str, page: str) -> None:
    app = make_app()
    app.add_url_rule("/", "home", lambda: "")
    app.mount("/a", make_inner(), name="a")
    names = "a:inner,a:d:page,a:ws,home,a:nothing,d:nothing"
    prefix = "" if kind == "alone" else "shop/"
    with Server(below(app, kind)) as server:
        status = server.get(f"/{prefix}a/{page}?names={names}")
    assert app.json.loads(status.body) == {
        "a:inner": f"{prefix}a/p",
        "a:d:page": f"{prefix}a/d/page",
        "a:ws": f"{prefix}a/w",
        "home": prefix,
        "a:nothing": "NoMatchFound",
        "d:nothing": "NoMatchFound",
    }


def test_names_of_this_application_in_others() -> None:
    app = make_app()
    app.add_url_rule("/item/<int:number>", "item", lambda number: "")
    app.mount("/a", make_inner(), name="a")
    parent = Starlette(routes=[Mount("/shop", app, name="shop")])
    assert parent.url_path_for("shop:item", number=3) == "/shop/item/3"
    assert parent.url_path_for("shop:a:d:page") == "/shop/a/d/page"
    outermost = make_app()
    outermost.mount("/all", parent, name="all")
    assert outermost.url_path_for("all:shop:a:inner") == "/all/shop/a/p"
    assert outermost.url_path_for("all:shop:item", number=3) == "/all/shop/item/3"


# -- what `app` has -----------------------------------------------------------------------------


def test_routes_are_what_starlettes_are() -> None:
    app = make_app()

    def item(number: int) -> str:
        return str(number)

    async def room() -> None:
        await websocket.send("hello")

    app.add_url_rule("/item/<int:number>", "some.name", item)
    app.add_url_rule("/room", "room", room, websocket=True)
    app.add_url_rule("/file/<path:name>", "without view")
    inner = make_inner()
    app.mount("/inner", inner, name="inner")
    route, ws, without, mount = app.routes
    assert isinstance(route, Route)
    assert (route.name, route.endpoint, route.path_format) == ("some.name", item, "/item/{number}")
    assert route.path_regex.match("/item/3").groupdict() == {"number": "3"}
    assert isinstance(ws, WebSocketRoute)
    assert ws.endpoint is room
    assert not hasattr(without, "endpoint")
    assert without.path_regex.match("/file/a/b")
    assert isinstance(mount, Mount)
    assert (mount.path, mount.name, mount.app, mount.routes) == ("/inner", "inner", inner, inner.routes)
    scope = {"type": "http", "method": "GET", "path": "/inner/p", "headers": []}
    levels = [match.matches(scope)[0] for match in app.routes]
    assert levels == [Match.NONE, Match.NONE, Match.NONE, Match.FULL]
    assert isinstance(app.router, Router)
    replaced = {"some.name": str}
    app.view_functions = replaced
    assert app.routes[0].endpoint is str


@pytest.mark.parametrize("cls", [SlowAPIMiddleware, SlowAPIASGIMiddleware])
def test_slowapi(cls: Any) -> None:
    answers = []
    for outer in (Starlette(), make_app()):
        outer.state.limiter = slowapi.Limiter(key_func=lambda request: "all", default_limits=["2/minute"])
        outer.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
        outer.add_middleware(cls)
        outer.add_route("/", plain)
        with Server(outer) as server:
            answers.append([(server.get("/").status, server.get("/nothing").status) for _ in range(3)])
            assert server.errors == []
    assert answers[0] == answers[1]
    assert [status for status, _ in answers[1]] == [200, 200, 429]


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


class Items(HTTPEndpoint):
    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse([request.path_params["number"], str(request.url_for("items", number=4).path)])

    async def post(self, request: Request) -> PlainTextResponse:
        request.app.state.posted = await request.body()
        return PlainTextResponse("posted", 201)


class Echo(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        await websocket.send_text(f"{websocket.path_params['room']}: {data}")


class OutOfStock(Exception):
    pass


def test_views_in_starlettes_form() -> None:
    def in_a_thread(request: Request) -> PlainTextResponse:
        raise OutOfStock(request.url.path)

    def out_of_stock(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"{request.method} {error}", 409)

    async def missing(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"missing": request.url.path}, 404)

    answers = []
    for outer in (Starlette(), make_app()):
        outer.add_route("/items/{number:int}", Items, name="items")
        outer.add_route("/sync", in_a_thread, methods=["GET", "POST"])
        outer.add_route("/file/{name:path}", plain, name="file")
        if isinstance(outer, Starlette):  # which has it no more
            outer.router.routes.append(WebSocketRoute("/room/{room}", Echo))
        else:
            outer.add_websocket_route("/room/{room}", Echo)
        outer.add_exception_handler(OutOfStock, out_of_stock)
        outer.add_exception_handler(404, missing)
        with Server(outer) as server:
            for method, path in (
                ("GET", "/items/3"),
                ("GET", "/items/x"),
                ("POST", "/items/3"),
                ("PUT", "/items/3"),
                ("GET", "/sync"),
                ("POST", "/sync"),
                ("PUT", "/sync"),
                ("GET", "/file/a/b"),
            ):
                response = server.request(method, path, body=b"body")
                answers.append((response.status, response.body if response.status != 405 else None))
            with connect(f"ws://127.0.0.1:{server.port}/room/tea") as client:
                client.send("hello")
                answers.append((101, client.recv()))
        assert outer.state.posted == b"body"
    half = len(answers) // 2
    assert answers[half:] == answers[:half]
    assert outer.exception_handlers[OutOfStock] is out_of_stock


def test_hooks_and_session_are_around_views_in_starlettes_form() -> None:
    app = make_app()

    async def remember(request: Request) -> PlainTextResponse:
        session["seen"] = request.url.path
        return PlainTextResponse("seen")

    app.add_route("/remember", remember)
    app.before_request(lambda: ("stopped", 403) if "stop" in request.args else None)
    client = app.test_client()
    assert client.get("/remember?stop").status_code == 403
    response = client.get("/remember")
    assert response.text == "seen"
    with client.session_transaction() as stored:
        assert stored["seen"] == "/remember"


def test_a_converter_without_counterpart_says_so() -> None:
    with pytest.raises((ValueError, AssertionError), match="date"):
        make_app().add_route("/{day:date}", plain)


# -- others -------------------------------------------------------------------------------------


class Tea(Model):
    id = fields.IntField(primary_key=True)
    name = fields.TextField()


@pytest.mark.parametrize("is_async", [True, False])
def test_tortoise(is_async: bool, tmp_path: Path) -> None:
    app = make_app()

    @app.while_serving
    async def database() -> Any:
        await Tortoise.init(db_url=f"sqlite://{tmp_path}/teas.db", modules={"models": [__name__]})
        await Tortoise.generate_schemas()
        yield
        await Tortoise.close_connections()

    async def teas() -> list[str]:
        await Tea.create(name=f"tea {await Tea.all().count()}")
        return [tea.name for tea in await Tea.all()]

    app.add_url_rule("/", "teas", teas if is_async else lambda: app.ensure_sync(teas)())
    with Server(app) as server:
        assert server.get("/").body == b'["tea 0"]\n'
        assert server.get("/").body == b'["tea 0","tea 1"]\n'
        assert server.errors == []


def test_async_asgi_testclient() -> None:
    """It knows no lifespan state."""
    steps: list[str] = []
    app = make_app()
    app.before_serving(lambda: steps.append("up"))
    app.after_serving(lambda: steps.append("down"))

    @app.post("/echo")
    async def echo() -> dict[str, Any]:
        session["seen"] = session.get("seen", 0) + 1
        return {"form": request.form, "seen": session["seen"]}

    async def main() -> list[Any]:
        async with TestClient(app) as client:
            return [(await client.post("/echo", form={"a": "b"})).json() for _ in range(2)]

    assert asyncio.run(main()) == [{"form": {"a": "b"}, "seen": seen} for seen in (1, 2)]
    assert steps == ["up", "down"]
