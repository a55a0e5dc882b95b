"""The application for Falcon."""

from __future__ import annotations

from typing import Any

import falcon
from falcon.asgi import App, Request, Response

from .data import ARTICLE, GREETING, pause, pause_sync


class Extra:
    async def on_get(self, request: Request, response: Response, item_id: int = 0) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = str(item_id)


class Plain:
    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = GREETING


class Json:
    async def on_get(self, request: Request, response: Response) -> None:
        response.media = ARTICLE


class User:
    async def on_get(self, request: Request, response: Response, user_id: int) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"user {user_id}"


class Sync:
    """A responder is always async; this is how its documentation has it call what blocks."""

    async def on_get(self, request: Request, response: Response) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = await falcon.sync_to_async(self.greet)

    def greet(self) -> str:
        return GREETING


class Form:
    async def on_post(self, request: Request, response: Response) -> None:
        form = await request.get_media()
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"{form['name']}, {form['city']}"


class Article:
    async def on_post(self, request: Request, response: Response) -> None:
        article = await request.get_media()
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"{article['title']}"


class Wait:
    async def on_get(self, request: Request, response: Response) -> None:
        await pause()
        response.content_type = falcon.MEDIA_TEXT
        response.text = GREETING


class WaitSync(Sync):
    def greet(self) -> str:
        pause_sync()
        return GREETING


async def not_found(
    request: Request, response: Response | None, error: Exception, params: dict[str, Any], **kwargs: Any
) -> None:
    assert response is not None
    response.status = falcon.HTTP_404
    response.content_type = falcon.MEDIA_TEXT
    response.text = "not found"


def create_app(extra_routes: int = 0) -> App:
    app = App()
    extra = Extra()
    for number in range(extra_routes):
        app.add_route(
            f"/section{number}/items/{{item_id:int}}" if number % 2 else f"/section{number}/items", extra
        )
    app.add_route("/plain", Plain())
    app.add_route("/json", Json())
    app.add_route("/users/{user_id:int}", User())
    app.add_route("/sync", Sync())
    app.add_route("/form", Form())
    app.add_route("/articles", Article())
    app.add_route("/wait", Wait())
    app.add_route("/wait-sync", WaitSync())
    app.add_error_handler(falcon.HTTPNotFound, not_found)
    return app
