"""What happens before the view, and between the view and the response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from ..concurrency import _inner_walk, current_walk, inner_walk, is_async, is_awaitable, outside
from ..ctx import RequestContext
from ..environ import without_routing
from ..globals import _cv_request
from ..sessions import SecureCookieSession, SecureCookieSessionInterface
from ..signals import Signal, request_finished, request_started
from ..typing import Message, Receive, Scope, Send
from . import SENT, Layer, overridden
from .errors import answer_error, handle_exception
from .sessions import has_session_to_save, save_session, take_over_session
from .signals import emit

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Response


class BeforeRequestMiddleware:
    """Receives the body and runs the hooks before the view; a value from one of them ends the walk."""

    def __init__(self, app: Layer, flask: Flask) -> None:
        self.app = app
        self.flask = flask
        self._replaced = overridden(flask, "preprocess_request")

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        flask = self.flask
        ctx = _cv_request.get()
        if (
            flask.before_request_funcs
            or flask.url_value_preprocessors
            or (Signal.in_use and request_started.receivers)
            or self._replaced is not None
            or ctx.request.has_body
        ):
            return self._run_first(scope, receive, send)
        return self.app(scope, receive, send)

    async def _run_first(self, scope: Scope, receive: Receive, send: Send) -> Any:
        flask = self.flask
        ctx = _cv_request.get()
        request = ctx.request
        ahead = request.has_body and not request.streams_body and not request.passes_body_on
        if ahead and request.routing_exception is None:
            walk = current_walk()
            await walk.to_loop()
            await request.body.receive()
            if request.body.refused is not None:
                walk.is_bridged = True  # the view may raise the limit, and has to wait for the rest then
        if request_started.receivers:
            await emit(request_started, flask)
        if self._replaced is not None:
            value = await current_walk().call(self._replaced)
        else:
            value = await preprocess_request(flask, ctx)
        if value is not None:
            return value
        return await self.app(scope, receive, send)


#: The names under which functions are kept when there is no blueprint.
_APPLICATION = (None,)


async def preprocess_request(app: Flask, ctx: RequestContext) -> Any:
    """Call the URL value preprocessors, then the `before_request` functions until one gives a value."""
    walk = _inner_walk.get() or ctx.walk or current_walk()
    request = ctx.request
    blueprints = request.blueprints
    names = (None, *reversed(blueprints)) if blueprints else _APPLICATION
    if app.url_value_preprocessors:
        for name in names:
            for func in app.url_value_preprocessors.get(name, ()):
                await walk.call(func, request.endpoint, request.view_args)
    if app.before_request_funcs:
        for name in names:
            for func in app.before_request_funcs.get(name, ()):
                if is_async(func):
                    straight = not walk.in_thread and not walk.is_bridged
                    value = await (func() if straight else walk.call(func))
                elif walk.in_thread:
                    value = func()
                    if value is not None and is_awaitable(value):
                        value = await walk.awaited(value)
                else:
                    value = await walk.call(func)
                if value is not None:
                    return value
    return None


class AfterRequestMiddleware:
    """Makes the view's value a response, lets hooks and session add to it, and answers unhandled errors."""

    def __init__(self, app: Layer, flask: Flask) -> None:
        self.app = app
        self.flask = flask
        self._replaced = overridden(flask, "full_dispatch_request")
        self._replaced_process = overridden(flask, "process_response")
        self._replaced_finalize = overridden(flask, "finalize_request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx = _cv_request.get()
        try:
            if ctx.failed is not None:
                raise ctx.failed
            if self._replaced is not None:
                return await current_walk().call(self._replaced)
            value = await self.app(scope, receive, send)
        except Exception as error:
            return await self.fail(ctx, error)
        return await self.finish(ctx, value, scope, send)

    async def recover(self, ctx: RequestContext, error: Exception) -> tuple[Any, Any]:
        """What answers an exception of a view that was called without the layers further in: a value that is
        to be made a response once it is no longer being handled, or the response when nobody took it."""
        try:
            return await answer_error(self.flask, error), None
        except Exception as unhandled:
            del error  # whose traceback refers to this frame
            return None, await self.fail(ctx, unhandled)

    async def finish(self, ctx: RequestContext, value: Any, scope: Scope, send: Send) -> Any:
        """The response to what a view has returned."""
        flask = self.flask
        sender = None
        try:
            if type(value) is not str and is_asgi_app(value):
                await current_walk().to_loop()
                sender = _Sender(flask, ctx, send)
                await value(without_routing(scope), ctx.request.body.replay, sender)
                return SENT
            if self._replaced_finalize is not None:
                return await current_walk().call(self._replaced_finalize, value)
            if callable(value) and not isinstance(value, WerkzeugResponse | HTTPException):
                await current_walk().to_thread()  # a WSGI application
            response = flask.make_response(value)
            if self._replaced_process or (Signal.in_use and request_finished.receivers):
                return await pass_hooks(flask, ctx, response)
            if flask.after_request_funcs or ctx._after_request_functions or has_session_to_save(flask, ctx):
                return await process_response(flask, ctx, response)
            return response
        except Exception as error:
            if sender is not None and sender.started:
                raise
            return await self.fail(ctx, error)

    async def fail(self, ctx: RequestContext, error: Exception) -> Any:
        """The response to an exception that nobody has handled."""
        ctx.error = error
        replaced = overridden(self.flask, "handle_exception")
        if replaced is not None:
            return await current_walk().call(replaced, error)
        return await finalize_request(self.flask, await handle_exception(self.flask, error), True)


async def finalize_request(app: Flask, value: Any, from_error_handler: bool = False) -> Response:
    """Make a response and let the hooks and the session add to it.

    :param from_error_handler: log what they raise instead of raising it: there is an error already.
    """
    if callable(value) and not isinstance(value, WerkzeugResponse | HTTPException):
        await current_walk().to_thread()  # a WSGI application
    response = app.make_response(value)
    ctx = _cv_request.get()
    if not from_error_handler:
        return await pass_hooks(app, ctx, response)
    try:
        response = await pass_hooks(app, ctx, response)
    except Exception:
        app.logger.exception("Request finalizing failed with an error while handling an error")
    return response


async def pass_hooks(app: Flask, ctx: RequestContext, response: Response) -> Response:
    """Let the hooks and the session add to a response, and tell those who want to know of it."""
    replaced = overridden(app, "process_response")
    if replaced is not None:
        response = await current_walk().call(replaced, response)
    elif app.after_request_funcs or ctx._after_request_functions or has_session_to_save(app, ctx):
        response = await process_response(app, ctx, response)
    if request_finished.receivers:
        await emit(request_finished, app, response=response)
    return response


async def process_response(app: Flask, ctx: RequestContext, response: Response) -> Response:
    """Call the `after_this_request` and `after_request` functions, then save the session."""
    if ctx._after_request_functions or app.after_request_funcs:
        walk = _inner_walk.get() or ctx.walk or current_walk()
        functions = list(ctx._after_request_functions)
        for name in (*ctx.request.blueprints, None):
            functions += app.after_request_funcs.get(name, ())[::-1]
        for func in functions:
            if is_async(func):
                straight = not walk.in_thread and not walk.is_bridged
                response = await (func(response) if straight else walk.call(func, response))
            elif walk.in_thread:
                returned: Any = func(response)
                response = await walk.awaited(returned) if is_awaitable(returned) else returned
            else:
                response = await walk.call(func, response)
            if response is None:
                raise TypeError(
                    f"{func!r} has returned None: an 'after_request' function returns the response that it is"
                    " called with, or another one."
                )
    if has_session_to_save(app, ctx):
        interface, session = app.session_interface, ctx._session
        if type(interface) is SecureCookieSessionInterface and type(session) is SecureCookieSession:
            interface.save_session(app, session, response)
        else:
            await save_session(app, ctx, response)
    return response


def is_asgi_app(value: object) -> bool:
    """Whether a view's value is an ASGI application that is not a response of ours: a Starlette
    response, a FastAPI application, an ``async def app(scope, receive, send)``."""
    return (
        type(value) is not str
        and callable(value)
        and not isinstance(value, WerkzeugResponse)
        and is_async(value)
    )


def started_response(app: Flask, message: Message) -> Response:
    """The response that an ASGI application has started, for the hooks to change."""
    response: Response = app.response_class(status=message["status"])
    response.headers.clear()
    for name, value in message.get("headers", ()):
        response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    response.automatically_set_content_length = False
    return response


class _Sender:
    """The `send` for an ASGI application: its response passes the hooks when it starts."""

    def __init__(self, app: Flask, ctx: RequestContext, send: Send) -> None:
        self._app = app
        self._ctx = ctx
        self._send = send
        self._sent = 0
        self._is_replaced = False
        self.started = False

    async def __call__(self, message: Message) -> None:
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            # A walk of its own: the application may be sending from another task.
            response = await inner_walk(self._app.worker_pool).run(self._process(message))
            self.started = True
            if self._is_replaced:
                await self._send_whole(response)
                return
            message = {**message, "status": response.status_code, "headers": response.asgi_headers()}
        await outside(partial(self._send, message))
        self._sent += 1
        if self._sent % 16 == 0:
            await asyncio.sleep(0)  # neither the application nor the server need ever wait, but others do

    async def _send_whole(self, response: Response) -> None:
        request = self._ctx.request
        walk = inner_walk(self._app.worker_pool)
        await walk.run(response._send_and_close(walk, request.scope, request.body.replay, self._send))

    async def _process(self, message: Message) -> Response:
        made = response = started_response(self._app, message)
        if "Set-Cookie" in response.headers:
            take_over_session(self._app, self._ctx, response)
        response = await pass_hooks(self._app, self._ctx, response)
        self._is_replaced = response is not made
        return response
