"""Spans of OpenTelemetry's middleware for ASGI, as its documentation adds it: named by routes."""

from __future__ import annotations

from typing import Any

import pytest
from lifecycle.server import Server, eventually
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from asyncflask import Blueprint, Flask, abort, websocket


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def provider_of(spans: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


async def page(request: Any) -> PlainTextResponse:
    return PlainTextResponse("page")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def make_app() -> Flask:
    app = Flask("telemetry", static_folder=None)

    @app.get("/item/<int:number>")
    async def item(number: int) -> str:
        return str(number)

    @app.post("/item/<int:number>")
    def change(number: int) -> str:
        abort(409)

    @app.get("/broken/<name>")
    def broken(name: str) -> str:
        raise LookupError(name)

    @app.websocket("/room/<name>")
    async def room(name: str) -> None:
        with trace.get_tracer(__name__).start_as_current_span("own"):
            await websocket.send(name)

    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.add_url_rule("/<path:rest>", "rest", lambda rest: rest)
    app.register_blueprint(blueprint)
    deep = Starlette(routes=[Route("/{name}", page)])
    inner = Starlette(
        routes=[Route("/page/{number:int}", page), Mount("/deep", deep), WebSocketRoute("/ws/{name}", echo)]
    )
    app.mount("/inner", inner)
    return app


def seen(spans: InMemorySpanExporter, count: int) -> list[tuple[str, Any]]:
    def servers() -> list[Any]:
        return [span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER]

    eventually(lambda: len(servers()) == count, f"{count} spans have ended: {servers()}")
    return [(span.name, (span.attributes or {}).get("http.route")) for span in servers()]


EXPECTED = [
    ("GET", "/item/3?a=b", "GET /item/{number}", "/item/{number}"),
    ("POST", "/item/3", "POST /item/{number}", "/item/{number}"),
    ("OPTIONS", "/item/3", "OPTIONS /item/{number}", "/item/{number}"),
    ("GET", "/broken/x", "GET /broken/{name}", "/broken/{name}"),
    ("GET", "/shop/a/b", "GET /shop/{rest}", "/shop/{rest}"),
    ("GET", "/inner/page/3", "GET /inner/page/{number}", "/inner/page/{number}"),
    ("GET", "/inner/deep/x", "GET /inner/deep/{name}", "/inner/deep/{name}"),
    ("GET", "/inner/nothing", "GET /inner/{path}", "/inner/{path}"),
    ("GET", "/nothing", "GET /nothing", None),
    ("DELETE", "/item/3", "DELETE /item/3", None),
]


@pytest.mark.parametrize("way", ["added", "around"])
def test_spans_are_named_by_routes(spans: InMemorySpanExporter, way: str) -> None:
    app = make_app()
    if way == "added":
        app.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider_of(spans))
    else:
        around = OpenTelemetryMiddleware(app.asgi_app, tracer_provider=provider_of(spans))
        app.asgi_app = around  # type: ignore[method-assign]
    with Server(app) as server:
        for method, path, _, _ in EXPECTED:
            server.request(method, path)
        assert seen(spans, len(EXPECTED)) == [(name, route) for _, _, name, route in EXPECTED]


def test_websockets(spans: InMemorySpanExporter) -> None:
    app = make_app()
    app.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider_of(spans))
    with Server(app) as server:
        for path in ("/room/tea", "/inner/ws/tea"):
            with connect(f"ws://127.0.0.1:{server.port}{path}") as client:
                for _ in client:
                    pass
        assert seen(spans, 2) == [("/room/{name}", "/room/{name}"), ("/inner/ws/{name}", "/inner/ws/{name}")]


def test_mounted_in_others(spans: InMemorySpanExporter) -> None:
    for outer in (Starlette(routes=[Mount("/app", make_app())]), Flask("outer", static_folder=None)):
        if isinstance(outer, Flask):
            outer.mount("/app", make_app())
        around = OpenTelemetryMiddleware(outer, tracer_provider=provider_of(spans))
        with Server(around) as server:
            server.get("/app/item/3")
            server.get("/app/inner/page/3")
            assert seen(spans, 2) == [
                ("GET /app/item/{number}", "/app/item/{number}"),
                ("GET /app/inner/page/{number}", "/app/inner/page/{number}"),
            ]
        spans.clear()


def test_a_span_of_ones_own_keeps_its_name(spans: InMemorySpanExporter) -> None:
    app = make_app()

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        with provider_of(spans).get_tracer(__name__).start_as_current_span("mine"):
            await app(scope, receive, send)

    with Server(traced, lifespan="off") as server:
        server.get("/item/3")
    assert [span.name for span in spans.get_finished_spans()] == ["mine"]
