"""The application for Starlette."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .data import ARTICLE, GREETING, ITEMS, SECRET_KEY, pause, pause_sync


def create_app(extra_routes: int = 0) -> Starlette:
    async def extra(request: Request) -> Response:
        return PlainTextResponse(str(request.path_params.get("item_id", 0)))

    async def plain(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    async def json(request: Request) -> Response:
        return JSONResponse(ARTICLE)

    async def user(request: Request) -> Response:
        return PlainTextResponse(f"user {request.path_params['user_id']}")

    def sync(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    async def form(request: Request) -> Response:
        form = await request.form()
        return PlainTextResponse(f"{form['name']}, {form['city']}")

    async def article(request: Request) -> Response:
        article = await request.json()
        return PlainTextResponse(f"{article['title']}")

    async def wait(request: Request) -> Response:
        await pause()
        return PlainTextResponse(GREETING)

    def wait_sync(request: Request) -> Response:
        pause_sync()
        return PlainTextResponse(GREETING)

    async def not_found(request: Request, error: Exception) -> Response:
        return PlainTextResponse("not found", 404)

    routes = [
        Route(f"/section{number}/items/{{item_id:int}}" if number % 2 else f"/section{number}/items", extra)
        for number in range(extra_routes)
    ]
    routes += [
        Route("/plain", plain),
        Route("/json", json),
        Route("/users/{user_id:int}", user),
        Route("/sync", sync),
        Route("/form", form, methods=["POST"]),
        Route("/articles", article, methods=["POST"]),
        Route("/wait", wait),
        Route("/wait-sync", wait_sync),
    ]
    return Starlette(routes=routes, exception_handlers={404: not_found})


class Hooks:
    """Before and after hooks in Starlette's fastest form: one middleware, without a Request of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-content-type-options", b"nosniff"))
            await send(message)

        scope.setdefault("state", {})["user"] = scope["session"].get("user", "guest")
        if not any(name == b"user-agent" for name, _ in scope["headers"]):
            await Response(status_code=400)(scope, receive, send_hardened)
            return
        await self.app(scope, receive, send_hardened)


def create_full_app() -> Starlette:
    templates = _templates()

    async def page(request: Request) -> Response:
        return _render_page(templates, request)

    return _full_app(templates, page)


def create_full_sync_app() -> Starlette:
    """The view is ``def``; the hooks are middleware, which is always async."""
    templates = _templates()

    def page(request: Request) -> Response:
        return _render_page(templates, request)

    return _full_app(templates, page)


def _templates() -> Jinja2Templates:
    return Jinja2Templates(directory=Path(__file__).parent / "templates")


def _render_page(templates: Jinja2Templates, request: Request) -> Response:
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    context = {"title": "Items", "user": request.state.user, "visits": session["visits"], "items": ITEMS}
    return templates.TemplateResponse(request, "page.html", context)


def _full_app(templates: Jinja2Templates, page: Callable[[Request], Any]) -> Starlette:
    async def index(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    async def item(request: Request) -> Response:
        return PlainTextResponse(f"item {request.path_params['item_id']}")

    app = Starlette(
        routes=[Route("/", index), Route("/items/{item_id:int}", item), Route("/page", page)],
        middleware=[Middleware(SessionMiddleware, secret_key=SECRET_KEY), Middleware(Hooks)],
    )
    # Paths, as the other peers write them, and cheaper than the absolute URLs of request.url_for.
    templates.env.globals["url_for"] = app.url_path_for
    return app
