"""The innermost layer: Starlette's router, with all of the application's rules as one of its routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from starlette.routing import BaseRoute, Match
from starlette.routing import Router as StarletteRouter

from .bridge import bridged
from .concurrency import Walk, _inner_walk, current_walk, is_async, is_awaitable
from .globals import _cv_request
from .middleware import overridden
from .middleware.disconnect import end_watch
from .typing import Receive, Scope, Send

if TYPE_CHECKING:
    from .app import Flask


class RulesRoute(BaseRoute):
    """The `url_map`: calls the view of the rule that `ContextMiddleware` has found, and returns its value."""

    def __init__(self, flask: Flask) -> None:
        self.flask = flask
        self.replaced = overridden(flask, "dispatch_request")

    def matches(self, scope: Any) -> tuple[Match, Any]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    def handle(self, scope: Any, receive: Any, send: Any) -> Any:
        if self.replaced is not None:
            return current_walk().call(self.replaced)
        return dispatch_request(self.flask)


async def dispatch_request(flask: Flask) -> Any:
    """Call the view, or raise what was wrong with the URL."""
    ctx = _cv_request.get()
    request = ctx.request
    if request.routing_exception is not None:
        flask.raise_routing_exception(request)
    rule: Any = request.url_rule
    if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return flask.make_default_options_response()
    view = flask.view_functions[rule.endpoint]
    view_args: Any = request.view_args
    walk = _inner_walk.get() or ctx.walk or current_walk()
    if is_async(view):
        if walk.in_thread:
            await walk.to_loop()
        coroutine = view(**view_args)
        walk.on_wait = ctx
        try:
            return await bridged(coroutine) if walk.is_bridged else await coroutine
        finally:
            walk.on_wait = None
            if ctx.connection is not None:
                end_watch(ctx)
    walk.on_wait = ctx  # it may be a decorator around an async view
    try:
        return await call_sync_view(walk, rule, view, view_args)
    finally:
        walk.on_wait = None
        end_watch(ctx)


async def call_sync_view(walk: Walk, rule: Any, view: Callable[..., Any], view_args: Any) -> Any:
    """Call a view in the thread, or, with ``blocking=False``, on the loop."""
    if getattr(rule, "blocking", True):
        if not walk.in_thread:
            await walk.to_thread()
        value = view(**view_args)
        return await walk.awaited(value) if type(value) is not str and is_awaitable(value) else value
    await walk.to_loop()
    value = view(**view_args)
    return await value if is_awaitable(value) else value


class Router(StarletteRouter):
    """Starlette's router; a request goes to its route without being matched once more.

    :param flask: the application.
    """

    def __init__(self, flask: Flask) -> None:
        self.rules = RulesRoute(flask)
        super().__init__(
            routes=[self.rules], redirect_slashes=False, lifespan=cast(Any, flask.lifespan_context)
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] == "http":
            rules = self.rules
            return (
                dispatch_request(rules.flask)
                if rules.replaced is None
                else rules.handle(scope, receive, send)
            )
        return super().__call__(scope, receive, send)
