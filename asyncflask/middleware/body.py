"""Receiving what is left of a body before an async view is called, which could not wait for it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..concurrency import Walk, is_async
from ..globals import _cv_app
from ..typing import Receive, Scope, Send
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
        await receive_rest(ctx.request, ctx.walk)
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
