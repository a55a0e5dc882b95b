"""What is left of a body: received before an async view is called, or left where nobody has asked for it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..body import AHEAD_SIZE, Body
from ..concurrency import Walk, is_async
from ..globals import _cv_app
from ..typing import Message, Receive, Scope, Send
from .layer import Layer, Route


class BodyMiddleware:
    """Receives the body for a view on the event loop. Hooks have been asked by then, and may have refused it;
    a ``stream=True`` view takes it itself; a mounted application has the server's own `receive`."""

    def __init__(self, app: Layer) -> None:
        self.app = app

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        if not route.leads_on or route.view is None:
            return app
        return cls(app) if is_async(route.view) or not getattr(route.rule, "blocking", True) else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        await receive_rest(ctx.request, ctx._walk)
        return await self.app(scope, receive, send)


async def receive_rest(request: Any, walk: Walk, waiting: Any = None) -> None:
    """Receive what has not arrived yet of a body that no view takes itself.

    :param waiting: a coroutine that waits for it, closed when that fails.
    """
    if not request.has_body or request.streams_body or request.passes_body_on:
        return
    body = request.body
    if body.complete:
        return
    try:
        await walk.to_loop()
        await body.receive()
    except BaseException:
        if isinstance(waiting, Coroutine):
            waiting.close()
        raise


#: What is taken of a body that nobody wanted before its connection is closed, in bytes and seconds: a client
#: that still sends would not get to read the answer.
DRAINED_SIZE, DRAINED_SECONDS = 512 * 1024, 0.5


def unread(request: Any, send: Send) -> Send:
    """The `send` for a request as its body is now."""
    if request.passes_body_on or request.scope.get("http_version", "1.1")[0] != "1":
        return send
    return UnreadBody(request.body, send)


class UnreadBody:
    """The `send` for a request whose body has not arrived. If it has not been received by the time of the
    response, that says that the connection is closed after it (RFC 9112 section 9.3)."""

    def __init__(self, body: Body, send: Send) -> None:
        self._body = body
        self._send = send
        self._is_left = False

    async def __call__(self, message: Message) -> None:
        body = self._body
        if message["type"] == "http.response.start":
            if body.is_small() and not body.complete:
                await body.drain(AHEAD_SIZE, 0)  # it may be there
            if not body.complete:
                self._is_left = True
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        elif self._is_left and not message.get("more_body", False) and not body.complete:
            if message.get("body"):
                await self._send({**message, "more_body": True})
                message = {"type": "http.response.body", "body": b""}
            await body.drain(DRAINED_SIZE, DRAINED_SECONDS)
        await self._send(message)
