"""What happens before the view, and between the view and the response."""

from __future__ import annotations

from typing import Any

from .. import observed
from ..concurrency import _inner_walk, current_walk, is_async, is_awaitable
from ..globals import _cv_app
from ..signals import request_started
from ..typing import Receive, Scope, Send
from ..wrappers.values import quick_conversions
from .finalize import make_response
from .handover import hand_over, is_asgi_app
from .layer import Functions, Layer, Route
from .overridden import OverriddenProcessing
from .sessions import SessionMiddleware
from .signals import emit


class BeforeRequestMiddleware:
    """Runs the hooks before the view; a value from one of them is taken for the view's."""

    def __init__(self, app: Layer, route: Route) -> None:
        flask = route.flask
        self.app = app
        self.flask = flask
        self.route = route
        self.rule = route.rule
        self.preprocessors = route.inwards(flask.url_value_preprocessors)
        self.functions = route.inwards(
            flask.before_websocket_funcs if route.is_websocket else flask.before_request_funcs
        )
        self.is_announced = not route.is_websocket and request_started.has_receivers(flask)
        self.replaced = None if route.is_websocket else route.overridden("preprocess_request")

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        layer = cls(app, route)
        return (
            layer if layer.functions or layer.preprocessors or layer.is_announced or layer.replaced else app
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        request = ctx.request
        try:
            if self.is_announced:
                await emit(request_started, self.flask)
            value = await (self.run(ctx) if self.replaced is None else current_walk().call(self.replaced))
        finally:
            leads_on = request.routing_exception is None
            if request.url_rule is not self.rule or leads_on is not self.route.leads_on:
                # One of them has changed where the request goes.
                ctx._route = self.route.router.instead(request)
        if value is not None:
            return value
        if ctx._route is not self.route:
            return await ctx._route.dispatch(scope, receive, send)
        return await self.app(scope, receive, send)

    async def run(self, ctx: Any) -> Any:
        """Call the functions until one of the hooks gives a value."""
        walk = _inner_walk.get() or ctx._walk
        for func, _ in self.preprocessors:
            await walk.call(func, ctx.request.endpoint, ctx.request.view_args)
        for func, waits in self.functions:
            if waits and not walk.in_thread and not walk.is_bridged:
                value = await func()
            elif walk.in_thread and not waits:
                value = func()
                if value is not None and is_awaitable(value):
                    value = await walk.awaited(value)
            else:
                value = await walk.call(func)
            if value is not None:
                return value
        return None


class AfterRequestMiddleware:
    """Makes the view's value a response, and lets the hooks after the view have it."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        self.route = route
        self.has_functions = bool(route.after_functions)
        self.conversions = quick_conversions(route.flask)

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        is_replaced = route.overridden("finalize_request") or route.overridden("process_response")
        return OverriddenProcessing(app, route) if is_replaced else cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        value = await self.app(scope, receive, send)
        ctx: Any = _cv_app.get()
        convert = self.conversions.get(type(value))
        if convert is not None:
            response = convert(value)
        elif is_asgi_app(value):
            return await hand_over(ctx, value, scope, send)
        else:
            response = await make_response(self.flask, value)
        if self.route.made_for is not observed.setup:
            self.catch_up(ctx)
        if self.has_functions or ctx._after_request_functions or ctx._route is not self.route:
            return await self.process(ctx, response)
        return response

    def catch_up(self, ctx: Any) -> None:
        """The setup was changed by this request, or beside it: what comes now is done as it is now."""
        if ctx._outdated is None:
            ctx._outdated = ctx._route
        ctx._route = self.route.router.instead(ctx.request)

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response after the `after_this_request` and `after_request` functions."""
        walk = _inner_walk.get() or ctx._walk
        functions: Functions = (ctx._route or self.route).after_functions
        if ctx._after_request_functions:
            functions = (*((func, is_async(func)) for func in ctx._after_request_functions), *functions)
        for func, waits in functions:
            if waits and not walk.in_thread and not walk.is_bridged:
                response = await func(response)
            elif walk.in_thread and not waits:
                response = func(response)
                if is_awaitable(response):
                    response = await walk.awaited(response)
            else:
                response = await walk.call(func, response)
            if response is None:
                raise TypeError(
                    f"{func!r} has returned None: an 'after_request' function returns the response that it is"
                    " called with, or another one."
                )
        return response


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """What is inside of a layer that is used by itself."""


async def preprocess_request(ctx: Any) -> Any:
    """Call the `url_value_preprocessor` and `before_request` functions of the current request."""
    return await BeforeRequestMiddleware(nothing, ctx._route).run(ctx)


async def process_response(ctx: Any, response: Any) -> Any:
    """Let the `after_request` functions and the session add to a response."""
    response = await AfterRequestMiddleware(nothing, ctx._route).process(ctx, response)
    return await SessionMiddleware(nothing, ctx._route).process(ctx, response)
