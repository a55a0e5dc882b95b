"""Signals during a request."""

from __future__ import annotations

from typing import Any

from blinker import Signal

from ..concurrency import current_walk
from ..globals import _cv_app
from ..signals import request_finished
from ..typing import Receive, Scope, Send
from .layer import SENT, Layer, Route


async def emit(signal: Signal, app: Any, **values: Any) -> None:
    """Call the receivers of a signal, sync and async ones, each in its place."""
    if signal.is_muted or not signal.receivers:
        return
    walk = current_walk()
    for receiver in signal.receivers_for(app):
        await walk.call(receiver, app, **values)


class RequestFinishedMiddleware:
    """Sends `request_finished` with the response."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        return cls(app, route) if request_finished.has_receivers(route.flask) else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        response = await self.app(scope, receive, send)
        return response if response is SENT else await self.process(_cv_app.get(), response)

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, unchanged."""
        await emit(request_finished, self.flask, response=response)
        return response
