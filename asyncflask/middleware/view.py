"""The innermost callable of a request: it calls the view, or says what was wrong with the URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..concurrency import _inner_walk, is_async, is_awaitable
from ..concurrency.bridge import bridged
from ..globals import _cv_app
from ..typing import Receive, Scope, Send
from .body import receive_rest
from .layer import Layer, Route
from .overridden import OverriddenView


def view_of(route: Route) -> Layer:
    """What answers the requests of a route."""
    replaced = route.overridden("dispatch_request")
    if replaced is not None and not route.is_websocket:
        return OverriddenView(replaced)
    return own_view_of(route)


def own_view_of(route: Route) -> Layer:
    """`view_of` where the application has no `dispatch_request` of its own."""
    if not route.leads_on:
        return RoutingError(route)
    if route.is_websocket:
        return WebsocketView(route)
    if route.is_automatic_options:
        return AutomaticOptions(route)
    if route.view is None:
        return MissingView(route)
    if is_async(route.view):
        return AsyncView(route.view)
    return SyncView(route.view) if getattr(route.rule, "blocking", True) else LoopView(route.view)


async def dispatch_request(ctx: Any) -> Any:
    """Call the view of a request, or raise what was wrong with the URL."""
    return await own_view_of(ctx._route)(*ctx._channels)


class AsyncView:
    """An ``async def`` view, on the event loop."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        ctx: Any = _cv_app.get()
        walk = _inner_walk.get() or ctx._walk
        arguments = ctx.request.view_args
        if walk.in_thread or walk.is_bridged:
            called: Awaitable[Any] = walk.call(self.view, **arguments)
        else:
            called = self.view(**arguments) if arguments else self.view()
        return called


class SyncView:
    """A ``def`` view, in a worker thread. It may be a decorator around an ``async def``, whose coroutine it
    returns: that is awaited on the event loop."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        walk = _inner_walk.get() or ctx._walk
        if not walk.in_thread:
            await walk.to_thread()
        value = self.view(**ctx.request.view_args)
        if type(value) is str or not is_awaitable(value):
            return value
        await receive_rest(ctx.request, walk, value)
        return await walk.awaited(value)


class LoopView:
    """A ``def`` view declared with ``blocking=False``, on the event loop."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.view = view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        await (_inner_walk.get() or ctx._walk).to_loop()
        value = self.view(**ctx.request.view_args)
        return await value if is_awaitable(value) else value


class WebsocketView:
    """The view of a websocket, on the event loop, also if it is a decorator around an ``async def``."""

    def __init__(self, route: Route) -> None:
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        walk = ctx._walk
        await walk.to_loop()
        if self.route.view is None:
            raise KeyError(self.route.rule.endpoint)
        value = self.route.view(**(ctx.request.view_args or {}))
        if walk.is_bridged and isinstance(value, Coroutine):
            return await bridged(value)
        return await value if is_awaitable(value) else value


class RoutingError:
    """Raises what was wrong with the URL."""

    def __init__(self, route: Route) -> None:
        self.flask = route.flask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        self.flask.raise_routing_exception(_cv_app.get().request)


class AutomaticOptions:
    """Answers OPTIONS with the methods that the path allows."""

    def __init__(self, route: Route) -> None:
        self.flask = route.flask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return self.flask.make_default_options_response()


class MissingView:
    """A rule whose endpoint nobody has registered a view for."""

    def __init__(self, route: Route) -> None:
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        raise KeyError(self.route.rule.endpoint)
