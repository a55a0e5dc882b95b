"""Methods of Flask that an application overrides, in the place of the layers that do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..concurrency import current_walk
from ..globals import _cv_app
from ..typing import Receive, Scope, Send
from .finalize import make_response
from .handover import hand_over, is_asgi_app
from .layer import Layer, Route


class OverriddenDispatch:
    """`full_dispatch_request`: all from `request_finished` to the view."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    @classmethod
    def around(cls, app: Layer, route: Any) -> Layer:
        route.full_dispatch = app
        replaced = route.overridden("full_dispatch_request")
        return app if replaced is None else cls(replaced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        ctx._channels = scope, receive, send  # should it call the framework's
        return await current_walk().call(self.method)


class OverriddenProcessing:
    """`finalize_request`, `process_response`: what makes a response and adds to it."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        self.finalize = route.overridden("finalize_request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        value = await self.app(scope, receive, send)
        ctx: Any = _cv_app.get()
        if is_asgi_app(value):
            return await hand_over(ctx, value, scope, send)
        if self.finalize is not None:
            return await current_walk().call(self.finalize, value)
        return await self.process(ctx, await make_response(self.flask, value))

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response that the application's `process_response` makes of another."""
        return await current_walk().call(self.flask.process_response, response)


class OverriddenView:
    """`dispatch_request`: the view."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return await current_walk().call(self.method)
