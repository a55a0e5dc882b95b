"""The application for FastAPI.

Responses are returned as such and bodies taken from the request: the ways around validation and conversion
that its documentation describes, and without which it is slower.
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from .data import ARTICLE, GREETING, pause, pause_sync


def create_app(extra_routes: int = 0) -> FastAPI:
    app = FastAPI(openapi_url=None)

    async def extra() -> PlainTextResponse:
        return PlainTextResponse("0")

    async def extra_with_id(item_id: int) -> PlainTextResponse:
        return PlainTextResponse(str(item_id))

    for number in range(extra_routes):
        if number % 2:
            app.get(f"/section{number}/items/{{item_id}}")(extra_with_id)
        else:
            app.get(f"/section{number}/items")(extra)

    @app.get("/plain")
    async def plain() -> PlainTextResponse:
        return PlainTextResponse(GREETING)

    @app.get("/json")
    async def json() -> JSONResponse:
        return JSONResponse(ARTICLE)

    @app.get("/users/{user_id}")
    async def user(user_id: int) -> PlainTextResponse:
        return PlainTextResponse(f"user {user_id}")

    @app.get("/sync")
    def sync() -> PlainTextResponse:
        return PlainTextResponse(GREETING)

    @app.post("/form")
    async def form(request: Request) -> PlainTextResponse:
        form = await request.form()
        return PlainTextResponse(f"{form['name']}, {form['city']}")

    @app.post("/articles")
    async def article(request: Request) -> PlainTextResponse:
        article = await request.json()
        return PlainTextResponse(f"{article['title']}")

    @app.get("/wait")
    async def wait() -> PlainTextResponse:
        await pause()
        return PlainTextResponse(GREETING)

    @app.get("/wait-sync")
    def wait_sync() -> PlainTextResponse:
        pause_sync()
        return PlainTextResponse(GREETING)

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("not found", 404)

    return app
