"""An ASGI application that answers in the view's place: a mounted one, or one that the view has returned."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response as WerkzeugResponse

from ..concurrency import current_walk, inner_walk, is_async, outside
from ..disconnect import end_watch
from ..environ import without_routing
from ..typing import ASGIApp, Message, Scope, Send
from .finalize import process
from .layer import SENT
from .sessions import take_over_session

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


def is_asgi_app(value: object) -> bool:
    """Whether a view's value is an ASGI application that is not a response of ours: a Starlette
    response, a FastAPI application, an ``async def app(scope, receive, send)``."""
    return callable(value) and not isinstance(value, WerkzeugResponse) and is_async(value)


async def hand_over(ctx: Any, app: ASGIApp, scope: Scope, send: Send) -> Any:
    """Let an ASGI application answer. Its response passes the layers further out when it starts.

    :returns: `SENT`.
    """
    walk = current_walk()
    await walk.to_loop()
    # It is told itself when the client goes, and two at a time cannot receive.
    walk.on_wait = None
    await end_watch(ctx)
    sender = _Sender(ctx, send)
    try:
        await app(without_routing(scope), ctx.request.body.replay, sender)
    finally:
        ctx._has_started = sender.has_started
    return SENT


def started_response(app: Application, message: Message) -> Response:
    """The response that an ASGI application has started, for the hooks to change."""
    response: Response = app.response_class(status=message["status"])
    response.headers.clear()
    for name, value in message.get("headers", ()):
        response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    response.automatically_set_content_length = False
    return response


class _Sender:
    """The `send` for the application."""

    def __init__(self, ctx: Any, send: Send) -> None:
        self._ctx = ctx
        self._send = send
        self._sent = 0
        self._is_replaced = False
        #: Whether the layers have had the response.
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            # A walk of its own: the application may be sending from another task.
            response = await inner_walk(self._ctx.app.worker_pool).run(self._process(message))
            self.has_started = True
            if self._is_replaced:
                await self._send_whole(response)
                return
            message = {**message, "status": response.status_code, "headers": response.asgi_headers()}
        await outside(partial(self._send, message))
        self._sent += 1
        if self._sent % 16 == 0:
            await asyncio.sleep(0)  # neither the application nor the server need ever wait, but others do

    async def _send_whole(self, response: Response) -> None:
        request = self._ctx.request
        walk = inner_walk(self._ctx.app.worker_pool)
        await walk.run(response.send_and_close(request.scope, request.body.replay, self._send))

    async def _process(self, message: Message) -> Response:
        made = response = started_response(self._ctx.app, message)
        if "Set-Cookie" in response.headers:
            take_over_session(self._ctx.app, self._ctx, response)
        response = await process(self._ctx, response)
        self._is_replaced = response is not made
        return response
