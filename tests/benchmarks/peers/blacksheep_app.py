"""The application for BlackSheep.

Handlers take the request and return a response: what its documentation calls normalized, and does not wrap.
"""

from __future__ import annotations

from functools import partial
from json import dumps

from blacksheep import Application, Request, Response, Router
from blacksheep.server.responses import json as json_response
from blacksheep.server.responses import text
from blacksheep.settings.json import json_settings

from .data import ARTICLE, GREETING, pause

# Its own encoder, for types that are not measured here, takes longer.
json_settings.use(dumps=partial(dumps, separators=(",", ":")))

# It calls `def` handlers on the event loop.
WITHOUT = frozenset({"sync", "sync-64", "wait-sync"})


def create_app(extra_routes: int = 0) -> Application:
    app = Application(router=Router())

    async def extra(request: Request) -> Response:
        return text(str((request.route_values or {}).get("item_id", 0)))

    async def plain(request: Request) -> Response:
        return text(GREETING)

    async def json(request: Request) -> Response:
        return json_response(ARTICLE)

    async def user(request: Request) -> Response:
        return text(f"user {int(request.route_values['user_id'])}")

    async def form(request: Request) -> Response:
        form = await request.form()
        return text(f"{form['name']}, {form['city']}")

    async def article(request: Request) -> Response:
        article = await request.json()
        return text(f"{article['title']}")

    async def wait(request: Request) -> Response:
        await pause()
        return text(GREETING)

    async def not_found(app: Application, request: Request, error: Exception) -> Response:
        return text("not found", 404)

    for number in range(extra_routes):
        path = f"/section{number}/items/{{int:item_id}}" if number % 2 else f"/section{number}/items"
        app.router.add_get(path, extra)
    app.router.add_get("/plain", plain)
    app.router.add_get("/json", json)
    app.router.add_get("/users/{int:user_id}", user)
    app.router.add_post("/form", form)
    app.router.add_post("/articles", article)
    app.router.add_get("/wait", wait)
    app.exceptions_handlers[404] = not_found
    return app
