"""From an exception to what answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from starlette.exceptions import HTTPException as StarletteHTTPException
from werkzeug.exceptions import BadRequestKeyError, HTTPException, InternalServerError, default_exceptions
from werkzeug.routing import RoutingException

from .. import observed
from ..concurrency import _inner_walk, current_walk, is_async
from ..globals import _cv_app
from ..observed import ErrorHandlers
from ..signals import got_request_exception
from ..typing import Receive, Scope, Send
from .finalize import finalize_request
from .layer import Layer, Route, overridden
from .signals import emit

if TYPE_CHECKING:
    from ..protocols import Application


class UnhandledErrorMiddleware:
    """Answers what nobody has handled: with what the handler for 500 gives, or a plain 500."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        self.replaced = route.overridden("handle_exception")

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        return cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception as error:
            ctx: Any = _cv_app.get()
            if ctx._has_started:
                raise  # there is an answer already
            if not ctx._route.ends_at_once:
                ctx._error = error
            if self.replaced is not None:
                return await current_walk().call(self.replaced, error)
            return await answer_unhandled(ctx, error)


class ErrorHandlerMiddleware:
    """Lets the registered error handlers answer what hooks and views raise. What no handler takes goes on
    outwards."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        self.route = route
        # Async handlers that have been found before, by the classes of their exceptions.
        self._found: dict[type, Callable[..., Awaitable[Any]]] = {}

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        return cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception as error:
            handler = self._found.get(type(error)) or self._find(error)
            ctx: Any = _cv_app.get()
            if handler is None or ctx._route is not self.route or self.route.made_for is not observed.setup:
                return await answer_error(self.flask, error)
            walk = _inner_walk.get() or ctx._walk
            direct = not (walk.in_thread or walk.is_bridged)
            return await (handler(error) if direct else walk.call(handler, error))

    def _find(self, error: Exception) -> Callable[..., Any] | None:
        """The async handler for an exception, if it depends on nothing but the class of that."""
        flask = self.flask
        spec = flask.error_handler_spec
        if isinstance(error, HTTPException) and (
            error.code is None
            or "code" in vars(error)
            or isinstance(error, BadRequestKeyError | RoutingException)
        ):
            return None
        if (
            type(spec) is not ErrorHandlers
            or not spec.are_observed
            or flask.config["TRAP_HTTP_EXCEPTIONS"]
            or flask.config["TRAP_BAD_REQUEST_ERRORS"]
            or any(overridden(flask, name) for name in _DECIDING)
        ):
            return None
        handler = flask._find_error_handler(error, self.route.blueprints)
        if handler is not None and is_async(handler):
            self._found[type(error)] = handler
            return handler
        return None


#: The methods that decide about an exception, before its handler does.
_DECIDING = ("handle_user_exception", "handle_http_exception", "trap_http_exception", "_find_error_handler")


class FailedMatching:
    """The innermost callable of a request whose URL could not be matched since a converter has failed."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        raise self.error


async def answer_unhandled(ctx: Any, error: Exception) -> Any:
    """The response to an exception that no handler took."""
    flask = ctx.app
    value = await handle_exception(flask, error)
    replaced = overridden(flask, "finalize_request")
    if replaced is not None:
        return await current_walk().call(replaced, value, from_error_handler=True)
    return await finalize_request(ctx, value, from_error_handler=True)


def answer_error(app: Application, error: Exception) -> Awaitable[Any]:
    """`handle_user_exception`, or what the application has in its place."""
    replaced = overridden(app, "handle_user_exception")
    return handle_user_exception(app, error) if replaced is None else current_walk().call(replaced, error)


async def handle_user_exception(app: Application, error: Exception) -> Any:
    """What a handler returned for the exception, or the exception itself if it is an HTTP one.

    :raises: the exception, when nobody takes it.
    """
    if isinstance(error, HTTPException):
        if isinstance(error, BadRequestKeyError) and (app.debug or app.config["TRAP_BAD_REQUEST_ERRORS"]):
            error.show_exception = True
        if not app.trap_http_exception(error):
            handler = overridden(app, "handle_http_exception") or http_error_handler(app, error)
            return error if handler is None else await _handled(handler, error)
    handler = app._find_error_handler(error, _cv_app.get().request.blueprints)
    if handler is not None:
        return await _handled(handler, error)
    if isinstance(error, StarletteHTTPException):
        return await handle_user_exception(app, _from_starlette(error))
    try:
        raise error
    finally:
        del error  # whose traceback refers to this frame


async def handle_http_exception(app: Application, error: HTTPException) -> Any:
    """What a handler returned for the exception, else the exception, which is a response in itself."""
    handler = http_error_handler(app, error)
    return error if handler is None else await _handled(handler, error)


def http_error_handler(app: Application, error: HTTPException) -> Callable[..., Any] | None:
    """The handler that is to be asked about an HTTP exception."""
    # Without a code it carries a response to be sent as it is; routing exceptions are not errors.
    if error.code is None or isinstance(error, RoutingException):
        return None
    return app._find_error_handler(error, _cv_app.get().request.blueprints)


def _handled(handler: Callable[..., Any], error: Exception) -> Awaitable[Any]:
    walk = current_walk()
    if walk.in_thread or walk.is_bridged or not is_async(handler):
        return walk.call(handler, error)
    called: Awaitable[Any] = handler(error)
    return called


def _from_starlette(error: StarletteHTTPException) -> HTTPException:
    converted: Any = _class_for(error.status_code)(description=error.detail)
    converted.headers_of_starlette = error.headers or {}
    converted.__cause__ = error
    return cast(HTTPException, converted)


@lru_cache
def _class_for(status_code: int) -> Any:
    base = default_exceptions.get(status_code, HTTPException)

    class FromStarlette(base):  # type: ignore[valid-type, misc]
        code = status_code
        headers_of_starlette: Mapping[str, str] = {}

        def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
            return [*super().get_headers(*args, **kwargs), *self.headers_of_starlette.items()]

    FromStarlette.__name__ = base.__name__
    return FromStarlette


async def handle_exception(app: Application, error: Exception) -> Any:
    """The answer to an exception that no handler took: the one of the handler for 500, or a plain 500.

    :raises: the exception, when exceptions are propagated: in debug mode, in tests, or with
        ``PROPAGATE_EXCEPTIONS``.
    """
    if got_request_exception.receivers:
        await emit(got_request_exception, app, exception=error)
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    if propagate is None:
        propagate = app.testing or app.debug
    if propagate:
        raise error
    app.log_exception((type(error), error, error.__traceback__))
    server_error = InternalServerError(original_exception=error)
    handler = app._find_error_handler(server_error, _cv_app.get().request.blueprints)
    if handler is not None:
        return await current_walk().call(handler, server_error)
    return server_error
