"""The route of a request in its span: OpenTelemetry's middleware for ASGI does not know of routes."""

from __future__ import annotations

import sys
from typing import Any

from ..typing import Receive, Scope, Send
from .layer import Layer, Route

_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)


class SpanMiddleware:
    """Names the server's span by the route, ``GET /item/{number}``, and notes it as its ``http.route``
    (OpenTelemetry semantic conventions, "HTTP spans").

    It is there where the middleware is imported, whoever has added it.
    """

    def __init__(self, app: Layer, route: Route) -> None:
        from opentelemetry import trace  # type: ignore[import-not-found]  # it is there, or this layer not

        self.app = app
        self.path: str = route.starlette_route.path_format  # type: ignore[union-attr]
        self.is_mount = getattr(route.rule, "mount", None) is not None
        self.current_span = trace.get_current_span
        self.server = trace.SpanKind.SERVER

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        is_used = "opentelemetry.instrumentation.asgi" in sys.modules and route.starlette_route is not None
        return cls(app, route) if is_used else app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        span: Any = self.current_span()
        if not span.is_recording() or getattr(span, "kind", None) is not self.server:
            return await self.app(scope, receive, send)
        self.describe(span, scope, scope, self.path)
        if not self.is_mount:
            return await self.app(scope, receive, send)
        scope["asyncflask.span"] = span
        try:
            return await self.app(scope, receive, send)
        finally:
            self.describe_inner(scope)  # of a websocket

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, when it starts: the span ends with it."""
        self.describe_inner(ctx.request.scope)
        return response

    def describe_inner(self, scope: Scope) -> None:
        """Note where the request has gone inside of what is mounted."""
        span, inner = scope.get("asyncflask.span"), scope
        while "asyncflask.mounted" in inner:
            inner = inner["asyncflask.mounted"]
        path = getattr(inner.get("route"), "path_format", None)
        if span is not None and inner is not scope and path is not None:
            self.describe(span, scope, inner, path)

    @staticmethod
    def describe(span: Any, scope: Scope, routed: Scope, path: str) -> None:
        """Note where the request has gone.

        :param routed: the scope that the router has had.
        """
        route = routed.get("root_path", "").rstrip("/") + path
        method = scope.get("method", "")  # a websocket has none
        if method and method not in _METHODS:
            method = "HTTP"
        span.update_name(f"{method} {route}".lstrip())
        span.set_attribute("http.route", route)
