"""Views and error handlers in Starlette's form: they are called with one of its requests, and return one of
its responses.

Libraries for Starlette register such with ``app.add_route`` and ``app.add_exception_handler``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from inspect import isclass, isfunction, ismethod
from typing import TYPE_CHECKING, Any, cast

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.routing import WebSocketRoute, get_name

from .concurrency import current_walk
from .globals import _cv_app
from .typing import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from .protocols import Application

_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
_CONVERTERS = {None: "", "str": "", "int": "int:", "float": "float:", "path": "path:", "uuid": "uuid:"}


def add_endpoint(
    app: Application, path: str, endpoint: Callable[..., Any], methods: Iterable[str] | None, name: str | None
) -> None:
    """Register an endpoint of Starlette's: see `Flask.add_route`."""
    is_function = isfunction(endpoint) or ismethod(endpoint) or isinstance(endpoint, partial)
    is_class = isclass(endpoint) and issubclass(endpoint, HTTPEndpoint)
    if methods is None and not is_function:
        methods = [method for method in _METHODS if not is_class or hasattr(endpoint, method.lower())]
    app.add_url_rule(
        as_rule(path),
        name or get_name(endpoint),
        as_view(endpoint) if is_function or is_class else _passing_on(endpoint, endpoint),
        methods=methods or ("GET",),
        provide_automatic_options=None if is_function else False,
    )


def add_websocket_endpoint(
    app: Application, path: str, endpoint: Callable[..., Any], name: str | None
) -> None:
    """Register a websocket endpoint of Starlette's: see `Flask.add_websocket_route`."""
    route = WebSocketRoute(path, endpoint, name=name)
    app.add_url_rule(as_rule(path), route.name, _passing_on(route.app, endpoint), websocket=True)


def as_rule(path: str) -> str:
    """A path of Starlette's, ``/item/{number:int}``, as a rule: ``/item/<int:number>``.

    :raises ValueError: for a converter that has no counterpart.
    """

    def variable(found: re.Match[str]) -> str:
        if found[2] not in _CONVERTERS:
            raise ValueError(
                f"The converter {found[2]!r} in {path!r} is Starlette's or its user's: use one of"
                f" {', '.join(key for key in _CONVERTERS if key)}, or 'add_url_rule' with a converter of"
                " 'app.url_map.converters'."
            )
        return f"<{_CONVERTERS[found[2]]}{found[1]}>"

    return _PARAMETER.sub(variable, path)


def as_view(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A view that calls a function of Starlette's form, or the method of a class of them."""

    async def view(**path_params: Any) -> Any:
        ctx = _cv_app.get()
        scope = _routed(ctx.request.scope, endpoint, path_params)
        function: Any = endpoint
        if isclass(endpoint):
            method = ctx.request.method.lower()
            has_none = method == "head" and not hasattr(endpoint, "head")
            function = getattr(cast(Any, endpoint)(scope, None, None), "get" if has_none else method)
        return await current_walk().call(function, Request(scope, cast(Any, ctx.request.body.replay)))

    return _named(view, endpoint)


def _passing_on(app: ASGIApp, endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A view that an ASGI application answers for."""

    async def view(**path_params: Any) -> ASGIApp:
        routed = _routed(_cv_app.get().request.scope, endpoint, path_params)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**routed, **scope}, receive, send)

        return answer

    return _named(view, endpoint)


def _named(view: Callable[..., Any], endpoint: Any) -> Callable[..., Any]:
    view.__name__ = get_name(endpoint)
    view.__module__ = endpoint.__module__
    view.__doc__ = endpoint.__doc__
    return view


def as_error_handler(handler: Callable[..., Any]) -> Callable[[Exception], Any]:
    """An error handler that calls one of Starlette's."""

    async def handle(error: Exception) -> Any:
        ctx = _cv_app.get()
        request = Request({**ctx.request.scope}, cast(Any, ctx.request.body.replay))
        return await current_walk().call(handler, request, error)

    return handle


def _routed(scope: Scope, endpoint: Callable[..., Any], path_params: dict[str, Any]) -> Scope:
    """What Starlette's router would have made of a scope."""
    return {**scope, "endpoint": endpoint, "path_params": path_params}


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
