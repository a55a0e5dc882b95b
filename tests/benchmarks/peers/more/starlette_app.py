"""The applications for Starlette."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from .data import CHUNK, CHUNKS, EVENT, EVENTS, FOLDER, GREETING, HEADERS, LARGE, ROUTES, ROWS, SECRET_KEY


def create_streams() -> Starlette:
    environment = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True)

    async def generator(request: Request) -> Response:
        return StreamingResponse((CHUNK for _ in range(CHUNKS)), media_type="text/html")

    async def async_generator(request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(CHUNKS):
                yield CHUNK

        return StreamingResponse(chunks(), media_type="text/html")

    async def template(request: Request) -> Response:
        return StreamingResponse(
            environment.get_template("table.html").generate(rows=ROWS), media_type="text/html"
        )

    async def events(request: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            for _ in range(EVENTS):
                yield f"data: {json.dumps(EVENT)}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    return Starlette(
        routes=[
            Route("/generator", generator),
            Route("/async-generator", async_generator),
            Route("/template", template),
            Route("/events", events),
        ]
    )


def create_uploads() -> Starlette:
    async def raw(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def file(request: Request) -> Response:
        async with request.form() as form:
            return PlainTextResponse(str(form["file"].file.seek(0, 2)))  # type: ignore[union-attr]

    return Starlette(routes=[Route("/raw", raw, methods=["POST"]), Route("/file", file, methods=["POST"])])


def create_files() -> Starlette:
    async def download(request: Request) -> Response:
        return FileResponse(FOLDER / "static" / request.path_params["name"])

    return Starlette(
        routes=[
            Route("/download/{name}", download),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
        ]
    )


def create_answers() -> Starlette:
    async def plain(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    async def redirected(request: Request) -> Response:
        return RedirectResponse("/plain", 302)

    async def flashed(request: Request) -> Response:
        session = request.session
        session["_flashes"] = [*session.get("_flashes", ()), ("message", "saved")]
        return RedirectResponse("/plain", 302)

    async def aborted(request: Request) -> Response:
        raise HTTPException(403)

    async def large(request: Request) -> Response:
        return Response(orjson.dumps(LARGE), media_type="application/json")

    async def forbidden(request: Request, error: Exception) -> Response:
        return PlainTextResponse("forbidden", 403)

    return Starlette(
        routes=[
            Route("/plain", plain),
            Route("/post", plain, methods=["POST"]),
            Route("/redirect", redirected),
            Route("/flash", flashed, middleware=[Middleware(SessionMiddleware, secret_key=SECRET_KEY)]),
            Route("/abort", aborted),
            Route("/large", large),
        ],
        exception_handlers={403: forbidden},
    )


class AddHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                for name, value in HEADERS:
                    headers.append((name.lower().encode(), value.encode()))
            await send(message)

        await self.app(scope, receive, send_with_headers)


def create_headers() -> Starlette:
    async def plain(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    return Starlette(routes=[Route("/plain", plain)], middleware=[Middleware(AddHeaders)])


#: Starlette has no signals: what its requests take without.
create_signals = create_unsent_signals = create_other_signals = create_answers


def create_websockets() -> Starlette:
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())

    return Starlette(routes=[WebSocketRoute("/echo", echo)])


def create_factory() -> Starlette:
    async def view(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    return Starlette(
        routes=[Route(rule.replace("<int:item_id>", "{item_id:int}"), view) for _, rule in ROUTES]
    )


def test_client() -> Callable[[], Any]:
    client = TestClient(create_answers())
    return lambda: client.get("/plain")
