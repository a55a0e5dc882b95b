"""ASGI middleware around the application: ours to place, others' to write."""

from __future__ import annotations

import asyncio
import functools
import gzip
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from lifecycle.loops import eventually
from lifecycle.server import Server
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, CollectorRegistry, make_asgi_app
from prometheus_fastapi_instrumentator import Instrumentator
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Mount, NoMatchFound, Route
from starlette_exporter import PrometheusMiddleware
from websockets.sync.client import connect

import asyncflask
from asyncflask import Flask, Response, abort, g, request, session, stream_with_context, websocket
from asyncflask.middleware.proxy_fix import ProxyFix
from asyncflask.testing import WebsocketResponseError


class Noting:
    """Notes what goes through it."""

    def __init__(self, app: Any, log: list[Any], name: str = "noting") -> None:
        self.app = app
        self.log = log
        self.name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.log.append(f"{self.name} {scope['type']}")
        try:
            await self.app(scope, receive, send)
        finally:
            self.log.append(f"{self.name} ended")


@pytest.fixture
def log() -> list[Any]:
    return []


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("middleware", static_folder=None)
    app.secret_key = "secret"

    @app.get("/")
    def index() -> str:
        return "index"

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        return "async"

    @app.get("/user/<int:number>")
    def user(number: int) -> str:
        return f"user {number}"

    @app.route("/echo", methods=["POST"])
    def echo() -> bytes:
        return request.get_data()

    @app.get("/stream")
    def stream() -> Response:
        @stream_with_context
        def pieces() -> Iterator[str]:
            for number in range(3):
                yield f"{request.path} {number}\n"

        return Response(pieces(), mimetype="text/plain")

    @app.get("/session")
    def in_session() -> dict[str, Any]:
        session["count"] = session.get("count", 0) + 1
        return {"ours": dict(session)}

    @app.get("/error")
    def error() -> str:
        raise KeyError("in the view")

    @app.websocket("/ws")
    async def ws() -> None:
        async for message in websocket:
            await websocket.send(f"echo {message!s}")

    app.logger.disabled = True
    yield app
    app.logger.disabled = False


ADD = pytest.mark.parametrize("way", ["add_middleware", "asgi_app"])


def put_around(app: Flask, way: str, cls: Callable[..., Any], **options: Any) -> None:
    if way == "add_middleware":
        app.add_middleware(cls, **options)
    else:
        app.asgi_app = cls(app.asgi_app, **options)  # type: ignore[method-assign]


# -- placing it ---------------------------------------------------------------------------------


def test_the_last_added_is_the_outermost(app: Flask, log: list[str]) -> None:
    app.add_middleware(Noting, log, name="first")
    app.add_middleware(Noting, log=log, name="second")
    app.asgi_app = Noting(app.asgi_app, log, "third")  # type: ignore[method-assign]

    @app.before_request
    def before() -> None:
        log.append("before_request")

    app.test_client().get("/")
    assert log == [
        "third http",
        "second http",
        "first http",
        "before_request",
        "first ended",
        "second ended",
        "third ended",
    ]


@ADD
def test_it_sees_everything(app: Flask, log: list[str], way: str) -> None:
    put_around(app, way, Noting, log=log)

    @app.before_serving
    def before() -> None:
        log.append("before_serving")

    with app.test_client() as client:
        client.get("/")
        with client.websocket_connect("/ws") as ws:
            ws.send("x")
            ws.receive()
    assert log == [
        "noting lifespan",
        "before_serving",
        "noting http",
        "noting ended",
        "noting websocket",
        "noting ended",
        "noting ended",
    ]


def test_it_may_be_added_before_and_after_everything_else(log: list[str]) -> None:
    app = Flask("middleware")
    app.add_middleware(Noting, log)
    app.add_url_rule("/late", view_func=lambda: "late")
    assert app.test_client().get("/late").text == "late"
    assert log
    with pytest.raises(AssertionError, match="add_middleware"):
        app.add_middleware(Noting, log)


def test_a_function_will_do(app: Flask) -> None:
    def add_header(inner: Any, value: bytes) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            async def with_header(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], (b"x-added", value)]
                await send(message)

            await inner(scope, receive, with_header)

        return middleware

    app.add_middleware(add_header, value=b"yes")
    assert app.test_client().get("/").headers["X-Added"] == "yes"


def test_it_is_made_once(app: Flask) -> None:
    made = []

    class Counting(Noting):
        def __init__(self, app: Any) -> None:
            made.append(self)
            super().__init__(app, [])

    app.add_middleware(Counting)
    with app.test_client() as client:
        client.get("/")
        client.get("/")
    assert len(made) == 1


def test_it_may_answer_by_itself(app: Flask, log: list[str]) -> None:
    class Closed:
        def __init__(self, app: Any) -> None:
            pass

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse("closed", 503)(scope, receive, send)

    @app.before_request
    def before() -> None:
        log.append("not called")

    app.add_middleware(Closed)
    response = app.test_client().get("/")
    assert (response.status_code, response.text, log) == (503, "closed", [])


def test_it_may_change_the_path(app: Flask) -> None:
    class Rewrite:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope = {**scope, "path": "/user/7", "query_string": b"a=1"}
            await self.app(scope, receive, send)

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-Seen"] = f"{request.path} {request.args['a']}"
        return response

    app.add_middleware(Rewrite)
    response = app.test_client().get("/nowhere")
    assert (response.text, response.headers["X-Seen"]) == ("user 7", "/user/7 1")


def test_context_variables_of_the_middleware_are_seen_inside(app: Flask) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nothing")

    class Setting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            variable.set("from the middleware")
            await self.app(scope, receive, send)

    app.add_middleware(Setting)

    @app.get("/sync")
    def sync_view() -> str:
        return variable.get()

    @app.get("/asynchronous")
    async def asynchronous() -> str:
        return variable.get()

    client = app.test_client()
    assert client.get("/sync").text == "from the middleware"
    assert client.get("/asynchronous").text == "from the middleware"
    with Server(app) as server:
        assert server.get("/sync").body == b"from the middleware"
        assert server.get("/asynchronous").body == b"from the middleware"


# -- what tracing and metrics look for ----------------------------------------------------------


class Looking:
    """Looks where libraries do, when the application has answered."""

    seen: list[Any]

    def __init__(self, app: Any, seen: list[Any]) -> None:
        self.app = app
        self.seen = seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        before = scope.get("app")
        await self.app(scope, receive, send)
        route = scope.get("route")
        self.seen.append((getattr(route, "path", None), getattr(route, "path_format", None)))
        assert scope["app"] is not None
        if scope["type"] != "lifespan":
            assert before is scope["app"]


@pytest.mark.parametrize(
    ("url", "paths"),
    [
        ("/", ("/", "/")),
        ("/user/3", ("/user/<int:number>", "/user/{number}")),
        ("/user/x", (None, None)),
        ("/nothing", (None, None)),
        ("/mounted/x", ("/mounted/<path:path>", "/mounted/{path}")),
        ("/old/x", ("/old/<name>/", "/old/{name}/")),
    ],
)
def test_the_route_is_in_the_scope(app: Flask, log: list[Any], url: str, paths: tuple[Any, Any]) -> None:
    app.add_middleware(Looking, seen=log)
    app.mount("/mounted", PlainTextResponse("mounted"))
    app.add_url_rule("/old/<name>/", "old", lambda name: name)
    client = app.test_client()
    client.get(url, follow_redirects=url.startswith("/old"))
    assert log[-1] == paths


def test_the_route_of_a_websocket_is_in_the_scope(app: Flask, log: list[Any]) -> None:
    app.add_middleware(Looking, seen=log)
    with app.test_client().websocket_connect("/ws"):
        pass
    assert log == [("/ws", "/ws")]


@pytest.mark.parametrize("parent", [None, "flask", "starlette"])
@pytest.mark.parametrize(
    ("url", "endpoint", "values"),
    [
        ("/", "index", {}),
        ("/user/3", "user", {"number": 3}),
        ("/old/x/", "old", {"name": "x"}),
        ("/in/x/y", "in", {"path": "x/y"}),
        ("/stopped/3", "stopped", {"number": 3}),
        ("/nothing", None, None),
    ],
)
def test_the_endpoint_is_in_the_scope(
    app: Flask, url: str, endpoint: str | None, values: Any, parent: str | None
) -> None:
    """Also when a hook answers; and a parent's router, which builds the URLs, stays."""
    seen: list[Any] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        await looked(scope, receive, send)
        seen.append([scope.get(key) for key in ("endpoint", "path_params", "router")])

    looked = app.asgi_app
    app.asgi_app = look  # type: ignore[method-assign]
    app.mount("/in", PlainTextResponse("in"), name="in")
    app.add_url_rule("/old/<name>/", "old", lambda name: name)
    app.add_url_rule("/stopped/<int:number>", "stopped", lambda number: "")
    app.before_request(lambda: "stopped" if request.path.startswith("/stopped") else None)
    client = app.test_client()
    router: Any = app.router
    if parent == "flask":
        outer = Flask("outer", static_folder=None)
        outer.mount("/app", app)
        client = outer.test_client()
    elif parent == "starlette":
        around = Starlette(routes=[Mount("/{tenant}", app)])
        outer = Flask("outer", static_folder=None)
        outer.mount("/", around)
        client, router = outer.test_client(), around.router
        values = {"tenant": "app", **(values or {})}
    client.get(f"/app{url}" if parent else url)
    view = None if endpoint is None else app.view_functions[endpoint]
    if endpoint is None:
        router = router if parent == "starlette" else None
        view = app if parent == "starlette" else None
    assert seen == [[view, values, router]]


def test_urls_of_starlette(app: Flask) -> None:
    """``url_for`` of Starlette's requests builds those of whatever routes: of this application, or of a
    parent that it is mounted in."""

    @app.get("/ours")
    def ours() -> str:
        return str(StarletteRequest(dict(request.scope)).url_for("user", number=3))

    def where(request: StarletteRequest) -> PlainTextResponse:
        names = request.query_params["names"].split()
        return PlainTextResponse(" ".join(str(request.url_for(name, number=1)) for name in names))

    client = app.test_client()
    assert client.get("/ours").text == "http://localhost/user/3"
    with pytest.raises(NoMatchFound):
        app.url_path_for("user")
    with pytest.raises(NoMatchFound):
        app.url_path_for("user", number=3, more=4)
    assert app.url_path_for("ws").protocol == "websocket"

    parent = Starlette(
        routes=[
            *(Mount("/app", app), Mount("/named", app, name="named")),
            *(Route("/where", where), Route("/there/{number}", where, name="there")),
        ]
    )
    outer = Flask("outer", static_folder=None)
    outer.mount("/", parent)
    urls = outer.test_client().get("/where?names=there user named:user").text
    assert urls.split() == [f"http://localhost{path}/1" for path in ("/there", "/app/user", "/named/user")]


def test_an_application_that_a_view_returns_routes_by_itself(app: Flask) -> None:
    def where(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url_for('there')} {dict(request.path_params)}")

    @app.get("/returned/<name>")
    async def returned(name: str) -> Any:
        return Starlette(routes=[Route("/returned/x", where), Route("/there", where, name="there")])

    assert app.test_client().get("/returned/x").text == "http://localhost/there {}"


def scope_of(path: str, method: str = "GET", kind: str = "http", root_path: str = "") -> dict[str, Any]:
    return {"type": kind, "method": method, "path": root_path + path, "root_path": root_path, "headers": []}


def test_routes_of_the_application(app: Flask) -> None:
    app.mount("/mounted", PlainTextResponse("mounted"))
    routes = {route.path: route for route in app.routes}  # type: ignore[attr-defined]
    assert set(routes) == {
        "/",
        "/async",
        "/user/<int:number>",
        "/echo",
        "/stream",
        "/session",
        "/error",
        "/ws",
        "/mounted/<path:path>",
    }
    user = routes["/user/<int:number>"]
    assert (user.path_format, user.name, user.methods) == (
        "/user/{number}",
        "user",
        {"GET", "HEAD", "OPTIONS"},
    )
    assert user.matches(scope_of("/user/3")) == (
        Match.FULL,
        {"endpoint": "user", "path_params": {"number": 3}},
    )
    assert user.matches(scope_of("/user/3", root_path="/root"))[0] is Match.FULL
    assert user.matches(scope_of("/user/x"))[0] is Match.NONE
    assert user.matches(scope_of("/user/3", "POST"))[0] is Match.PARTIAL
    assert routes["/"].matches(scope_of("/user/3", "POST"))[0] is Match.NONE
    assert user.matches(scope_of("/user/3", kind="websocket"))[0] is Match.NONE
    assert user.matches({"type": "lifespan"})[0] is Match.NONE
    assert routes["/ws"].matches(scope_of("/ws", kind="websocket"))[0] is Match.FULL
    assert routes["/ws"].matches(scope_of("/ws"))[0] is Match.NONE
    mounted = routes["/mounted/<path:path>"]
    assert mounted.matches(scope_of("/mounted/x"))[0] is Match.FULL
    assert mounted.matches(scope_of("/mounted"))[0] is Match.FULL
    assert mounted.matches(scope_of("/mounte"))[0] is Match.NONE


def test_routes_of_one_path_and_several_methods() -> None:
    app = Flask("methods", static_folder=None)
    app.add_url_rule("/x", "get", str, methods=["GET"])
    app.add_url_rule("/x", "post", str, methods=["POST"])
    app.add_url_rule("/x", "options", str, methods=["OPTIONS"])
    levels = {
        method: [route.matches(scope_of("/x", method))[0] for route in app.routes]
        for method in ("GET", "POST", "PUT")
    }
    assert levels == {
        "GET": [Match.FULL, Match.NONE, Match.NONE],
        "POST": [Match.NONE, Match.FULL, Match.NONE],
        "PUT": [Match.PARTIAL, Match.PARTIAL, Match.NONE],
    }


def test_the_route_of_an_application_mounted_in_ours_is_not_ours(app: Flask, log: list[Any]) -> None:
    """Nor is ours changed by it."""

    def show(request: Any) -> PlainTextResponse:
        return PlainTextResponse(f"{request.scope['route'].path} {type(request.app).__name__}")

    app.add_middleware(Looking, seen=log)
    app.mount("/in", Starlette(routes=[Route("/x/{y}", show)]))
    assert app.test_client().get("/in/x/1").text == "/x/{y} Starlette"
    assert log == [("/in/<path:path>", "/in/{path}")]


@ADD
def test_opentelemetry(app: Flask, way: str) -> None:
    exporter = InMemorySpanExporter()
    traces = TracerProvider()
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    reader = InMemoryMetricReader()
    put_around(
        app,
        way,
        OpenTelemetryMiddleware,
        tracer_provider=traces,
        meter_provider=MeterProvider([reader]),
        exclude_spans=["receive", "send"],
    )

    @app.get("/span")
    def span() -> str:
        return f"{trace.get_current_span().get_span_context().span_id:x}"

    client = app.test_client()
    for number in range(3):
        client.get(f"/user/{number}?a=1")
    inside = client.get("/span").text
    assert client.get("/nothing").status_code == 404
    with client.websocket_connect("/ws"):
        pass
    spans = exporter.get_finished_spans()
    assert [span.kind.name for span in spans] == ["SERVER"] * 6
    assert spans[0].attributes is not None
    assert spans[0].attributes["http.target"] == "/user/0"
    assert spans[0].attributes["http.status_code"] == 200
    assert inside == f"{spans[3].context.span_id:x}"
    data = reader.get_metrics_data()
    assert data is not None
    counts = {
        point.attributes.get("http.target"): point.count
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "http.server.duration"
        for point in metric.data.data_points
    }
    assert counts == {"/user/{number}": 3, "/span": 1, None: 1}


@ADD
@pytest.mark.parametrize("parent", [False, True])
def test_starlette_exporter(app: Flask, way: str, parent: bool) -> None:
    name = f"site_{way}_{parent}"  # the registry is the process's
    exporter = functools.partial(
        PrometheusMiddleware, prefix=name, group_paths=True, filter_unhandled_paths=True
    )
    app.before_request(lambda: abort(401) if "refuse" in request.args else None)
    client = app.test_client()
    if parent:
        around = Starlette(routes=[Mount("/app", app)], middleware=[Middleware(exporter)])
        outer = Flask("outer", static_folder=None)
        outer.mount("/", around)
        client = outer.test_client()
    else:
        put_around(app, way, exporter)
    prefix = "/app" if parent else ""
    for url in ("/user/1", "/user/2", "/user/3?refuse=1", "/async", "/nothing"):
        client.get(prefix + url)
    counted = {
        (sample.labels["path"], sample.labels["status_code"]): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == f"{name}_requests_total"
    }
    assert counted == {
        (f"{prefix}/user/<int:number>", "200"): 2,
        (f"{prefix}/user/<int:number>", "401"): 1,
        (f"{prefix}/async", "200"): 1,
    }


def test_prometheus_fastapi_instrumentator(app: Flask) -> None:
    registry = CollectorRegistry()
    Instrumentator(registry=registry).instrument(app)  # type: ignore[arg-type]
    app.mount("/metrics", make_asgi_app(registry))
    client = app.test_client()
    for number in range(3):
        client.get(f"/user/{number}")
    client.get("/nothing")
    metrics = client.get("/metrics").text
    assert 'http_requests_total{handler="/user/<int:number>",method="GET",status="2xx"} 3.0' in metrics
    assert 'http_requests_total{handler="none",method="GET",status="4xx"} 1.0' in metrics
    metrics = client.get("/metrics/").text
    assert re.search(r'http_requests_total\{handler="/metrics[^"]*",method="GET",status="2xx"\}', metrics)


# -- Starlette's --------------------------------------------------------------------------------


@ADD
def test_cors(app: Flask, way: str) -> None:
    put_around(
        app,
        way,
        CORSMiddleware,
        allow_origins=["https://example.org"],
        allow_methods=["PUT"],
        allow_credentials=True,
    )
    client = app.test_client()
    ours = {"Origin": "https://example.org"}
    response = client.get("/", headers=ours)
    assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert client.get("/nothing", headers=ours).headers["Access-Control-Allow-Origin"] == ours["Origin"]
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": "https://x.org"}).headers
    response = client.options("/", headers={**ours, "Access-Control-Request-Method": "PUT"})
    assert (response.status_code, response.headers["Access-Control-Allow-Methods"]) == (200, "PUT")


def test_gzip_of_plain_and_streamed_answers(app: Flask) -> None:
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.mount("/mounted", PlainTextResponse("mounted"))
    accepting = {"Accept-Encoding": "gzip"}
    with Server(app) as server:
        for path, body in {
            "/": b"index",
            "/async": b"async",
            "/stream": b"/stream 0\n/stream 1\n/stream 2\n",
            "/mounted": b"mounted",
        }.items():
            response = server.get(path, headers=accepting)
            assert response.get("content-encoding") == "gzip"
            assert gzip.decompress(response.body) == body
            assert server.get(path).body == body


def test_trusted_host(app: Flask) -> None:
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["example.org"])
    client = app.test_client()
    assert client.get("/", base_url="http://example.org").text == "index"
    assert client.get("/", base_url="http://evil.org").status_code == 400
    with pytest.raises(WebsocketResponseError):
        client.websocket_connect("/ws", base_url="http://evil.org")


def test_https_redirect(app: Flask) -> None:
    app.add_middleware(HTTPSRedirectMiddleware)
    client = app.test_client()
    response = client.get("/user/1?a=1")
    assert (response.status_code, response.headers["Location"]) == (307, "https://localhost/user/1?a=1")
    assert client.get("/", base_url="https://localhost").text == "index"


def test_starlettes_session_beside_ours(app: Flask) -> None:
    app.add_middleware(SessionMiddleware, secret_key="other", session_cookie="theirs")

    @app.get("/both")
    def both() -> dict[str, Any]:
        theirs = request.scope["session"]
        theirs["count"] = theirs.get("count", 0) + 1
        session["count"] = session.get("count", 0) + 10
        return {"theirs": dict(theirs), "ours": dict(session)}

    client = app.test_client()
    assert client.get("/both").json == {"theirs": {"count": 1}, "ours": {"count": 10}}
    assert client.get("/both").json == {"theirs": {"count": 2}, "ours": {"count": 20}}


class Base(BaseHTTPMiddleware):
    async def dispatch(self, request: Any, call_next: Any) -> Any:
        request.state.noted = "noted"
        response = await call_next(request)
        response.headers["X-Base"] = request.url.path
        return response


@pytest.mark.parametrize("layers", [1, 3])
def test_base_http_middleware(app: Flask, layers: int, log: list[Any]) -> None:
    for _ in range(layers):
        app.add_middleware(Base)

    @app.get("/state")
    def state() -> str:
        app.add_background_task(log.append, "task")
        return str(request.state.noted)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server, server.connect() as client:
        response = client.request("GET", "/state")
        assert (response.body, response.get("x-base")) == (b"noted", "/state")
        eventually(lambda: log == ["teardown", "task"], "the task has run")
        assert client.request("GET", "/stream").body == b"/stream 0\n/stream 1\n/stream 2\n"
        assert client.request("POST", "/echo", body=b"x" * 2_000_000).body == b"x" * 2_000_000
        assert client.request("GET", "/nothing").status == 404
        assert client.request("GET", "/error").status == 500
        assert client.request("HEAD", "/").status == 200
        with connect(f"ws://127.0.0.1:{server.port}/ws") as ws:
            ws.send("x")
            assert ws.recv(5) == "echo x"


def test_base_http_middleware_and_a_client_that_goes(app: Flask, log: list[Any]) -> None:
    app.add_middleware(Base)

    @app.get("/endless")
    async def endless() -> Response:
        async def pieces() -> AsyncIterator[str]:
            try:
                while True:
                    yield "piece"
                    await asyncio.sleep(0.01)
            finally:
                log.append("closed")

        return Response(pieces())

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/endless")
        client.head()
        client.reset()
        eventually(lambda: log == ["teardown", "closed"], "the end of the stream")
        eventually(lambda: not server.tasks, "the request has ended")


def test_base_http_middleware_that_reads_the_body(app: Flask) -> None:
    class Reading(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            body = await request.body()
            response = await call_next(request)
            response.headers["X-Length"] = str(len(body))
            return response

    app.add_middleware(Reading)
    response = app.test_client().post("/echo", data=b"a body")
    assert (response.data, response.headers["X-Length"]) == (b"a body", "6")


@pytest.mark.parametrize("around", ["ours", "parent"])
def test_a_cancelled_view_has_an_answer_for_the_middleware(app: Flask, log: list[Any], around: str) -> None:
    """Or `BaseHTTPMiddleware` would raise, for every client that goes away, and metrics count an error."""
    begun = threading.Event()

    @app.get("/wait")
    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append(type(error))

    class Counting(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            try:
                response = await call_next(request)
            except BaseException as error:
                log.append(error)
                raise
            log.append(response.status_code)
            return response

    served: Any = app
    if around == "parent":
        served = Starlette(routes=[Mount("/", app)], middleware=[Middleware(Counting)])
    else:
        app.add_middleware(Counting)
    with Server(served) as server:
        with server.connect() as client:
            client.send_request("GET", "/wait")
            assert begun.wait(5)
        eventually(lambda: len(log) == 2, "the request has ended")
    assert log == [asyncio.CancelledError, 499]


# -- others' ------------------------------------------------------------------------------------


@ADD
def test_correlation_id(app: Flask, way: str) -> None:
    put_around(app, way, CorrelationIdMiddleware)

    @app.get("/id")
    def sync_view() -> dict[str, Any]:
        return {"variable": correlation_id.get(), "header": request.headers["X-Request-ID"]}

    @app.get("/async-id")
    async def async_id() -> dict[str, Any]:
        return {"variable": correlation_id.get(), "header": request.headers["X-Request-ID"]}

    client = app.test_client()
    sent = "0123456789abcdef0123456789abcdef"
    for path in ("/id", "/async-id"):
        response = client.get(path, headers={"X-Request-ID": sent})
        assert response.json == {"variable": sent, "header": sent}
        assert response.headers["X-Request-ID"] == sent
        response = client.get(path)
        assert response.json["variable"] == response.headers["X-Request-ID"] != sent


def test_sse_starlette_as_a_views_value(app: Flask, log: list[Any]) -> None:
    @app.get("/events")
    async def events() -> EventSourceResponse:
        async def source() -> AsyncIterator[dict[str, str]]:
            try:
                while True:
                    log.append(request.path)
                    yield {"event": "tick", "data": g.user}
                    await asyncio.sleep(0.02)
            finally:
                log.append("closed")

        return EventSourceResponse(source(), ping=15)

    @app.before_request
    def user() -> None:
        g.user = "ann"

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-After"] = "1"
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/events")
        head = client.head()
        assert head.get("content-type") == "text/event-stream; charset=utf-8"
        assert head.get("x-after") == "1"
        chunks = client.chunks()
        assert next(chunks) == b"event: tick\r\ndata: ann\r\n\r\n"
        assert next(chunks) == b"event: tick\r\ndata: ann\r\n\r\n"
        client.reset()
        eventually(lambda: log[-2:] == ["closed", "teardown"], "the end of the stream")
    assert set(log[:-2]) == {"/events"}


@ADD
def test_proxy_fix(app: Flask, way: str) -> None:
    put_around(app, way, ProxyFix, x_for=1, x_proto=1, x_host=1, x_prefix=1)

    @app.get("/where")
    def where() -> dict[str, Any]:
        return {
            "addr": request.remote_addr,
            "url": request.url,
            "root": request.script_root,
            "url_for": asyncflask.url_for("where", _external=True),
        }

    forwarded = {
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "example.org",
        "X-Forwarded-Prefix": "/prefix",
    }
    answer = {
        "addr": "1.2.3.4",
        "url": "https://example.org/prefix/where",
        "root": "/prefix",
        "url_for": "https://example.org/prefix/where",
    }
    assert app.test_client().get("/where", headers=forwarded).json == answer
    with Server(app) as server:
        response = server.get("/where", headers=forwarded)
        assert asyncflask.json.loads(response.body) == answer


def test_errors_reach_the_middleware(app: Flask, log: list[Any]) -> None:
    """As an answer, or, where exceptions are propagated, as the exception."""

    class Catching:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            except KeyError as error:
                log.append(error.args)
                await PlainTextResponse("caught", 500)(scope, receive, send)

    app.add_middleware(Catching)
    assert "Internal Server Error" in app.test_client().get("/error").text
    app.testing = True
    assert app.test_client().get("/error").text == "caught"
    assert log == [("in the view",)]


def test_a_timeout_in_middleware_cancels_an_async_view_and_outlasts_a_sync_one(
    app: Flask, log: list[Any]
) -> None:
    class Timeout:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await self.app(scope, receive, send)
                return
            try:
                async with asyncio.timeout(0.1):
                    await self.app(scope, receive, send)
            except TimeoutError:
                await PlainTextResponse("too late", 504)(scope, receive, send)

    app.add_middleware(Timeout)

    @app.get("/slow-async")
    async def slow_async() -> str:
        await asyncio.sleep(5)
        return "never"

    @app.get("/slow-sync")
    def slow_sync() -> str:
        time.sleep(0.3)
        log.append("ended")
        return "never"

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server:
        assert server.get("/slow-async").status == 504
        assert log == ["teardown"]
        log.clear()
        assert server.get("/slow-sync").status == 504
        assert log == ["ended", "teardown"]


def test_abort_in_a_hook_goes_through_the_middleware(app: Flask) -> None:
    app.add_middleware(Base)

    @app.before_request
    async def closed() -> None:
        abort(403)

    response = app.test_client().get("/")
    assert (response.status_code, response.headers["X-Base"]) == (403, "/")
