"""The way of a websocket: its context, its walk, its end. It is the request's, with other layers inside."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers

from ..concurrency import Walk, _inner_walk, current_walk, leave_inner_walk, lent_worker, outside
from ..ctx import ServedContext
from ..globals import _cv_app
from ..signals import appcontext_pushed
from ..typing import Message, Receive, Scope, Send
from ..websocket import Websocket, WebsocketConnection, WebsocketDisconnect
from .layer import SENT
from .router import Router
from .sessions import save_session
from .signals import emit
from .websocket_layers import NORMAL, POLICY_VIOLATION

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


class WebsocketMiddleware:
    """Runs each websocket as a `Walk` in a context of its own.

    :param app: the router.
    :param flask: the application.
    """

    def __init__(self, app: Router, flask: Application) -> None:
        self.app = app
        self.flask = flask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nested = _cv_app.get(None) is not None or _inner_walk.get() is not None
        context = leave_inner_walk() if nested else copy_context()
        walk = Walk(context, self.flask.worker_pool, lent_worker() if nested else None)
        walk.server_context = copy_context()
        await walk.run(self.answer(walk, scope, receive, send))

    async def answer(self, walk: Walk, scope: Scope, receive: Receive, send: Send) -> None:
        """From the handshake to the end."""
        flask = self.flask
        websocket = flask.websocket_class(scope)
        websocket._app = flask
        ctx = ServedContext()
        ctx.app, ctx._walk, ctx.request = flask, walk, websocket
        client = scope.get("asyncflask.client")
        outer = None if client is None else _cv_app.get(None)
        ctx._shared = None if outer is None or outer.app is not flask else outer.app_ctx
        _cv_app.set(ctx)
        if "asyncflask.debug_contexts" in scope:
            scope["asyncflask.debug_contexts"].append(ctx)
        walk.is_bridged = True  # an async context processor may be met at any time

        connection = WebsocketConnection(receive, send)
        websocket.open(receive, send, connection)
        websocket._before_accept = self._add_session_cookie
        error: BaseException | None = None
        try:
            if ctx._shared is None:
                await emit(appcontext_pushed, flask)
            message = await outside(receive)
            if message["type"] == "websocket.connect":  # or it has gone already
                connection.watch(walk.server_context)
                ctx._route = self.app.match(websocket, websocket=True)
                response = await self.app(scope, receive, send)
                await walk.to_loop()
                await self._finish(websocket, response)
        except BaseException as raised:
            error = raised
            if isinstance(raised, BaseExceptionGroup) and raised.split(CancelledError)[1] is None:
                error = WebsocketDisconnect(1006)  # out of a TaskGroup, which wraps what its body raises
        finally:
            await walk.to_loop()
            connection.stop()
            await connection.take_back_cancellation()
            gone = connection.lost or isinstance(error, WebsocketDisconnect)
            try:
                await self.app.teardown_of(ctx).run(ctx, None, None if gone else error)
            finally:
                await self._let_go(ctx, websocket)
        if error is not None and not (gone and isinstance(error, CancelledError)):
            raise error

    async def _finish(self, websocket: Websocket, response: Response) -> None:
        """Close the websocket, or refuse it."""
        if websocket.closed or websocket._connection.lost:
            return
        if websocket.accepted:
            await websocket.close(NORMAL)
        elif response is SENT:
            await websocket.close(POLICY_VIOLATION)
        else:
            websocket.closed = True
            await refuse(websocket, response)

    async def _let_go(self, ctx: ServedContext, websocket: Websocket) -> None:
        if websocket._connection.lost and not websocket.accepted and not websocket.closed:
            await ctx._walk.to_loop()
            with suppress(Exception):  # some servers keep waiting for an answer
                await outside(lambda: websocket._send({"type": "websocket.close", "code": 1006}))
        client = websocket.scope.get("asyncflask.client")
        if client is not None:
            ctx._held = False
            client.keep(ctx)

    async def _add_session_cookie(self, headers: Headers) -> None:
        ctx: Any = _cv_app.get()
        if ctx._session is None or not getattr(ctx._session, "modified", True):
            return
        response = self.flask.response_class()
        await save_session(self.flask, ctx, response)
        for cookie in response.headers.getlist("Set-Cookie"):
            headers.add("Set-Cookie", cookie)


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
    await current_walk().to_loop()
    # uvicorn knows that the handshake is answered when the connection has been closed, and logs an error
    # before.
    for _ in range(2):
        await asyncio.sleep(0)
