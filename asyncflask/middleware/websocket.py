"""The way of a websocket: contexts, hooks, view, end. It is the request's, with another view at its end."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect as StarletteDisconnect
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ..bridge import bridged
from ..concurrency import (
    Walk,
    _inner_walk,
    current_walk,
    inner_walk,
    is_awaitable,
    leave_inner_walk,
    lent_worker,
    outside,
)
from ..ctx import AppContext, RequestContext
from ..environ import without_routing
from ..globals import _cv_app, _cv_request
from ..signals import appcontext_pushed, got_request_exception
from ..typing import ASGIApp, Message, Receive, Scope, Send
from ..websocket import ClientGone, Websocket, WebsocketConnection, WebsocketDisconnect
from .errors import handle_exception, handle_user_exception
from .hooks import is_asgi_app, started_response
from .sessions import has_session_to_save, is_lazy, save_session
from .signals import emit

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Response
    from .context import ContextMiddleware

#: Close codes (RFC 6455 section 7.4.1).
NORMAL, POLICY_VIOLATION, INTERNAL_ERROR = 1000, 1008, 1011


class WebsocketMiddleware:
    """Runs each websocket as a `Walk` in a context of its own.

    :param contexts: what does that for requests; matching and tearing down are the same.
    """

    def __init__(self, flask: Flask, contexts: ContextMiddleware) -> None:
        self.flask = flask
        self.contexts = contexts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nested = _cv_request.get(None) is not None or _inner_walk.get() is not None
        context = leave_inner_walk() if nested else copy_context()
        walk = Walk(context, self.flask.worker_pool, lent_worker() if nested else None)
        walk.server_context = copy_context()
        await walk.run(self.walk(walk, scope, receive, send))

    async def walk(self, walk: Walk, scope: Scope, receive: Receive, send: Send) -> None:
        """From the handshake to the end."""
        flask = self.flask
        websocket = flask.websocket_class(scope)
        ctx = RequestContext(flask, scope, websocket)
        ctx.walk = walk
        client = scope.get("asyncflask.client")
        app_ctx: Any = None if client is None else _cv_app.get(None)
        borrowed = app_ctx is not None and app_ctx.app is flask
        if not borrowed:
            app_ctx = AppContext(flask)
            app_ctx.held = True
            _cv_app.set(app_ctx)
        ctx.held = True
        _cv_request.set(ctx)
        if "asyncflask.debug_contexts" in scope:
            scope["asyncflask.debug_contexts"].append((app_ctx, ctx))
        walk.is_bridged = True  # an async context processor may be met at any time

        connection = WebsocketConnection(receive, send)
        websocket.open(receive, send, connection)
        websocket._before_accept = self._add_session_cookie
        error: BaseException | None = None
        try:
            if appcontext_pushed.receivers and not borrowed:
                await emit(appcontext_pushed, flask)
            message = await outside(receive)
            if message["type"] != "websocket.connect":
                return  # it has gone already
            connection.watch(walk.server_context)
            await self.contexts.find_route(ctx, walk)
            await self.respond(ctx, walk)
        except BaseException as raised:
            error = raised
            if isinstance(raised, BaseExceptionGroup) and raised.split(CancelledError)[1] is None:
                error = WebsocketDisconnect(1006)  # out of a TaskGroup, which wraps what its body raises
        finally:
            connection.stop()
            gone = connection.lost or isinstance(error, WebsocketDisconnect)
            try:
                await walk.uncancelled(self._end(ctx, walk, ctx.error or (None if gone else error), borrowed))
            finally:
                connection.take_back_cancellation()
                if client is not None:
                    ctx.held = False
                    if not borrowed:
                        app_ctx.held = False
                    client.keep(app_ctx, ctx)
        if error is not None and not (gone and isinstance(error, CancelledError)):
            raise error

    async def _end(
        self, ctx: RequestContext, walk: Walk, error: BaseException | None, borrowed: bool
    ) -> None:
        websocket = ctx.request
        assert isinstance(websocket, Websocket)
        try:
            await self.contexts.tear_down(ctx, walk, error, borrowed)
        finally:
            await walk.to_loop()
            if websocket._connection.lost and not websocket.accepted and not websocket.closed:
                with suppress(Exception):  # some servers keep waiting for an answer
                    await outside(lambda: websocket._send({"type": "websocket.close", "code": 1006}))

    async def respond(self, ctx: RequestContext, walk: Walk) -> None:
        """Run hooks and view; refuse with what they gave for an answer, or close at the end."""
        flask, websocket = self.flask, ctx.request
        assert isinstance(websocket, Websocket)
        failure: Exception | None = None
        try:
            try:
                value = await self._preprocess(ctx, walk)
                if value is None:
                    value = await self._dispatch(ctx, walk)
            except Exception as error:
                if websocket.accepted:
                    failure = error
                    raise
                value = await handle_user_exception(flask, error)
            if value is not None and is_asgi_app(value) and not websocket.accepted:
                try:
                    await self._hand_over(ctx, walk, value)
                except Exception as error:
                    failure = error
                    raise
                return
            response = None if value is None else flask.make_response(value)
            response = await self._process(ctx, walk, response)
        except Exception as error:
            ctx.error = error
            if websocket.accepted:
                await walk.to_loop()
                await self._fail(ctx, error)
                if error is failure:
                    await self._process(ctx, walk, None)
                return
            response = flask.make_response(await handle_exception(flask, error))
            try:
                response = await self._process(ctx, walk, response)
            except Exception:
                flask.logger.exception("An 'after_websocket' function failed while an error was handled")
        await walk.to_loop()
        if websocket.closed or websocket._connection.lost:
            return
        if websocket.accepted:
            await websocket.close(NORMAL)
        elif response is None:
            await websocket.close(POLICY_VIOLATION)
        else:
            websocket.closed = True
            await refuse(websocket, response)

    async def _preprocess(self, ctx: RequestContext, walk: Walk) -> Any:
        flask, websocket = self.flask, ctx.request
        interface = flask.session_interface
        if not is_lazy(interface):
            session = await walk.call(interface.open_session, flask, websocket)
            ctx._session = interface.make_null_session(flask) if session is None else session
        names = (None, *reversed(websocket.blueprints))
        for name in names:
            for func in flask.url_value_preprocessors.get(name, ()):
                await walk.call(func, websocket.endpoint, websocket.view_args)
        for name in names:
            for func in flask.before_websocket_funcs.get(name, ()):
                value = await walk.call(func)
                if value is not None:
                    return value
        return None

    async def _dispatch(self, ctx: RequestContext, walk: Walk) -> Any:
        websocket = ctx.request
        if ctx.failed is not None:
            raise ctx.failed
        if websocket.routing_exception is not None:
            raise websocket.routing_exception
        rule: Any = websocket.url_rule
        view = self.flask.view_functions[rule.endpoint]
        await walk.to_loop()
        # On the loop also if it is a sync function: a decorator around an async view.
        value = view(**(websocket.view_args or {}))
        if isinstance(value, Coroutine):
            return await bridged(value)
        return await value if is_awaitable(value) else value

    async def _hand_over(self, ctx: RequestContext, walk: Walk, app: ASGIApp) -> None:
        """Let another ASGI application have the websocket, from its beginning."""
        websocket = ctx.request
        assert isinstance(websocket, Websocket)
        await walk.to_loop()
        websocket._connection.hand_over()
        handover = _Handover(self, ctx, websocket)
        try:
            await app(without_routing(websocket.scope), handover.receive, handover.send)
        except (ClientGone, StarletteDisconnect):
            if not websocket._connection.lost:
                raise
            # The client has gone, and the application did not care: that is no error.
        if not handover.has_denied:
            await self._process(ctx, walk, None)

    async def _process(self, ctx: RequestContext, walk: Walk, response: Response | None) -> Response | None:
        flask = self.flask
        for name in (*ctx.request.blueprints, None):
            for func in reversed(flask.after_websocket_funcs.get(name, ())):
                response = await walk.call(func, response)
        if response is not None and has_session_to_save(flask, ctx):
            await save_session(flask, ctx, response)
        return response

    async def _add_session_cookie(self, headers: Headers) -> None:
        ctx, flask = _cv_request.get(), self.flask
        if ctx._session is None or not getattr(ctx._session, "modified", True):
            return
        response = flask.response_class()
        await save_session(flask, ctx, response)
        for cookie in response.headers.getlist("Set-Cookie"):
            headers.add("Set-Cookie", cookie)

    async def _fail(self, ctx: RequestContext, error: Exception) -> None:
        """Close after an exception that came when it was too late to refuse."""
        flask, websocket = self.flask, ctx.request
        assert isinstance(websocket, Websocket)
        code = INTERNAL_ERROR
        if isinstance(error, HTTPException) and (error.code or 500) < 500:
            code = POLICY_VIOLATION
            ctx.error = None
        handler = flask._find_error_handler(error, websocket.blueprints)
        if handler is not None:
            ctx.error = None
            await current_walk().call(handler, error)
            await current_walk().to_loop()
        if not websocket.closed and not websocket._connection.lost:
            try:
                await websocket.close(code)
            except Exception:
                raise error from None  # a server that takes no such code; it closes by itself then
        if ctx.error is None:
            return
        if got_request_exception.receivers:
            await emit(got_request_exception, flask, exception=error)
        propagate = flask.config["PROPAGATE_EXCEPTIONS"]
        if flask.testing if propagate is None else propagate:
            raise error
        flask.log_exception((type(error), error, error.__traceback__))


async def refuse(websocket: Websocket, response: Response) -> None:
    """Answer a handshake with an HTTP response (ASGI specification, "Websocket Denial Response"); where
    the server cannot, with its own."""
    send = websocket._send
    websocket._connection.stop()
    if "websocket.http.response" not in (websocket.scope.get("extensions") or {}):
        await outside(lambda: send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""}))
        return

    async def send_denial(message: Message) -> None:
        denial = {**message, "type": f"websocket.{message['type']}"}
        await outside(lambda: send(denial))

    scope = {**websocket.scope, "type": "http", "method": "GET"}
    try:
        await response(scope, websocket._receive, send_denial)  # type: ignore[arg-type]
    finally:
        await response.aclose()


class _Handover:
    """`receive` and `send` for an ASGI application that takes a websocket over.

    The client is looked out for meanwhile: not every server tells in `send` that it has gone, and an
    application that only sends would do so for ever.
    """

    def __init__(self, layer: WebsocketMiddleware, ctx: RequestContext, websocket: Websocket) -> None:
        self._layer = layer
        self._ctx = ctx
        self._websocket = websocket
        self._has_begun = False
        #: Whether the application has answered the handshake with an HTTP response.
        self.has_denied = False

    async def receive(self) -> Message:
        if not self._has_begun:
            self._has_begun = True
            return {"type": "websocket.connect"}
        return await self._websocket._connection.next_message()

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
        response = await self._layer._process(
            self._ctx, current_walk(), started_response(self._ctx.app, message)
        )
        if response is None:
            return message
        return {**message, "status": response.status_code, "headers": response.asgi_headers()}
