"""The layers of websockets, where they are not those of requests."""

from __future__ import annotations

from typing import Any

from starlette.websockets import WebSocketDisconnect as StarletteDisconnect
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ..concurrency import current_walk, inner_walk
from ..environ import without_routing
from ..globals import _cv_app
from ..signals import got_request_exception
from ..typing import ASGIApp, Message, Receive, Scope, Send
from ..websocket import ClientGone
from .errors import ErrorHandlerMiddleware, answer_error, handle_exception
from .finalize import process
from .handover import is_asgi_app, started_response
from .hooks import BeforeRequestMiddleware
from .layer import SENT, Layer, Route
from .signals import emit

#: Close codes (RFC 6455 section 7.4.1).
NORMAL, POLICY_VIOLATION, INTERNAL_ERROR = 1000, 1008, 1011


class BeforeWebsocketMiddleware(BeforeRequestMiddleware):
    """Runs the hooks before the view; what one of them gives refuses the websocket."""


class WebsocketErrorHandlerMiddleware(ErrorHandlerMiddleware):
    """Lets error handlers give the response that refuses the websocket, while it can be refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception as error:
            if _cv_app.get().request.accepted:  # type: ignore[attr-defined]
                raise
            return await answer_error(self.flask, error)


class AfterWebsocketMiddleware:
    """Makes a value the response that refuses the websocket, and lets the hooks after the view have it."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        return cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        value = await self.app(scope, receive, send)
        ctx: Any = _cv_app.get()
        if value is not None and not ctx.request.accepted and is_asgi_app(value):
            await _hand_over(ctx, value)
            return SENT
        response = SENT if value is None else self.flask.make_response(value)
        ctx._has_started = True  # the hooks are asked once
        return await self.process(ctx, response)

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response after the `after_websocket` functions, which get None where there is none."""
        response = None if response is SENT else response
        for func, _ in ctx._route.after_functions:
            response = await current_walk().call(func, response)
        return SENT if response is None else response


class UnhandledWebsocketErrorMiddleware:
    """Refuses a websocket after an exception that nobody has handled, or closes it when it is too late for
    that."""

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        return cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        try:
            return await self.app(scope, receive, send)
        except Exception as error:
            ctx: Any = _cv_app.get()
            ctx._error = error
            if not ctx.request.accepted:
                return await self._refuse(ctx, await handle_exception(self.flask, error))
            await current_walk().to_loop()
            await self._close(ctx, error)
            if not ctx._has_started:
                await process(ctx, SENT)
            return SENT

    async def _refuse(self, ctx: Any, value: Any) -> Any:
        response: Any = self.flask.make_response(value)
        try:
            return await process(ctx, response)
        except Exception:
            self.flask.logger.exception("An 'after_websocket' function failed while an error was handled")
            return response

    async def _close(self, ctx: Any, error: Exception) -> None:
        flask, websocket = self.flask, ctx.request
        code = INTERNAL_ERROR
        if isinstance(error, HTTPException) and (error.code or 500) < 500:
            code = POLICY_VIOLATION
            ctx._error = None
        handler = flask._find_error_handler(error, websocket.blueprints)
        if handler is not None:
            ctx._error = None
            await current_walk().call(handler, error)
            await current_walk().to_loop()
        if not websocket.closed and not websocket._connection.lost:
            try:
                await websocket.close(code)
            except Exception:
                raise error from None  # a server that takes no such code; it closes by itself then
        if ctx._error is None:
            return
        if got_request_exception.receivers:
            await emit(got_request_exception, flask, exception=error)
        propagate = flask.config["PROPAGATE_EXCEPTIONS"]
        if flask.testing if propagate is None else propagate:
            raise error
        flask.log_exception((type(error), error, error.__traceback__))


async def _hand_over(ctx: Any, app: ASGIApp) -> None:
    """Let another ASGI application have the websocket, from its beginning."""
    websocket = ctx.request
    await current_walk().to_loop()
    websocket._connection.hand_over()
    handover = _Handover(ctx)
    try:
        await app(without_routing(websocket.scope), handover.receive, handover.send)
    except (ClientGone, StarletteDisconnect):
        if not websocket._connection.lost:
            raise
        # The client has gone, and the application did not care: that is no error.
    if not handover.has_denied:
        await process(ctx, SENT)


class _Handover:
    """`receive` and `send` for an ASGI application that takes a websocket over.

    The client is looked out for meanwhile: not every server tells in `send` that it has gone, and an
    application that only sends would do so for ever.
    """

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._websocket = ctx.request
        self._has_begun = False
        #: Whether the application has answered the handshake with an HTTP response.
        self.has_denied = False

    async def receive(self) -> Message:
        if not self._has_begun:
            self._has_begun = True
            return {"type": "websocket.connect"}
        message: Message = await self._websocket._connection.next_message()
        return message

    async def send(self, message: Message) -> None:
        websocket = self._websocket
        connection = websocket._connection
        kind = message["type"]
        if kind == "websocket.send" and connection.lost:
            raise ClientGone("The client has gone.")
        if kind == "websocket.accept":
            headers = Headers()
            await websocket._before_accept(headers)
            raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
            message = {**message, "headers": [*message.get("headers", ()), *raw]}
            websocket.accepted = True
        elif kind == "websocket.close" or kind.startswith("websocket.http.response"):
            websocket.closed = True
            connection.say_goodbye(message.get("code", 1000), message.get("reason") or "")
            if kind == "websocket.http.response.start":
                self.has_denied = True
                # A walk of its own: the application may be sending from another task.
                message = await inner_walk(self._ctx.app.worker_pool).run(self._process(message))
        await connection.pass_on(message)

    async def _process(self, message: Message) -> Message:
        response = await process(self._ctx, started_response(self._ctx.app, message))
        if response is SENT:
            return message
        return {**message, "status": response.status_code, "headers": response.asgi_headers()}
