"""The application for Litestar."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.params import FromPath, JSONBody, URLEncodedBody

from .data import ARTICLE, GREETING, pause, pause_sync


def create_app(extra_routes: int = 0) -> Litestar:
    handlers: list[Any] = []
    for number in range(extra_routes):
        if number % 2:

            @get(f"/section{number}/items/{{item_id:int}}", media_type=MediaType.TEXT)
            async def extra_with_id(item_id: FromPath[int]) -> str:
                return str(item_id)

            handlers.append(extra_with_id)
        else:

            @get(f"/section{number}/items", media_type=MediaType.TEXT)
            async def extra() -> str:
                return "0"

            handlers.append(extra)

    @get("/plain", media_type=MediaType.TEXT)
    async def plain() -> str:
        return GREETING

    @get("/json")
    async def json() -> dict[str, Any]:
        return ARTICLE

    @get("/users/{user_id:int}", media_type=MediaType.TEXT)
    async def user(user_id: FromPath[int]) -> str:
        return f"user {user_id}"

    @get("/sync", media_type=MediaType.TEXT, sync_to_thread=True)
    def sync() -> str:
        return GREETING

    @post("/form", media_type=MediaType.TEXT, status_code=200)
    async def form(data: URLEncodedBody[dict[str, str]]) -> str:
        return f"{data['name']}, {data['city']}"

    @post("/articles", media_type=MediaType.TEXT, status_code=200)
    async def article(data: JSONBody[dict[str, Any]]) -> str:
        return f"{data['title']}"

    @get("/wait", media_type=MediaType.TEXT)
    async def wait() -> str:
        await pause()
        return GREETING

    @get("/wait-sync", media_type=MediaType.TEXT, sync_to_thread=True)
    def wait_sync() -> str:
        pause_sync()
        return GREETING

    def not_found(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
        return Response("not found", status_code=404, media_type=MediaType.TEXT)

    return Litestar(
        [*handlers, plain, json, user, sync, form, article, wait, wait_sync],
        exception_handlers={404: not_found},
        openapi_config=None,
        logging_config=None,
    )
