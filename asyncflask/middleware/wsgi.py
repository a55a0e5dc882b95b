"""WSGI middleware around the application: what has been put into ``app.wsgi_app``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from werkzeug.exceptions import ClientDisconnected
from werkzeug.middleware.proxy_fix import ProxyFix as WSGIProxyFix

from ..concurrency import Walk, inner_walk, outside
from ..concurrency.waiting import async_to_sync
from ..typing import ASGIApp, Message, Receive, Scope, Send
from ..wsgi.body import ResponseBody
from ..wsgi.environ import Exchange, WSGIApp
from ..wsgi.start_response import StartResponse
from .body import UnreadBody
from .proxy_fix import ProxyFix

if TYPE_CHECKING:
    from ..protocols import Application


class Entrance:
    """Where the ways through the WSGI middleware around an application begin.

    Werkzeug's `ProxyFix`, as the outermost, becomes the one for ASGI. Websockets, which WSGI does not know,
    go past all other middleware. A request that has passed it already, since a WSGI server has called it,
    goes straight on.

    :param app: what is inside.
    :param flask: the application that it belongs to.
    :param wsgi_app: the outermost middleware.
    """

    def __init__(self, app: ASGIApp, flask: Application, wsgi_app: WSGIApp) -> None:
        self.app = app
        self.for_requests = app
        fixes, rest = split(wsgi_app)
        if not flask._is_own_wsgi_app(rest):
            self.for_requests = WSGIMiddleware(app, flask, rest)
        self.for_requests = _fixed(self.for_requests, fixes)
        self.for_websockets = _fixed(app, [*fixes, *_fixes_within(rest, flask)])

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        if "asyncflask.wsgi" in scope or scope["type"] == "lifespan":
            return self.app(scope, receive, send)
        way = self.for_requests if scope["type"] == "http" else self.for_websockets
        return way(scope, receive, send)


class WSGIMiddleware:
    """Calls WSGI middleware around the rest of the application, in a worker thread, as a WSGI server would.

    While the middleware waits for the application, its thread runs the sync functions of the request. The
    body that it hands back untouched is sent without a thread.

    :param app: the rest.
    :param flask: the application that it belongs to.
    :param wsgi_app: the middleware.
    """

    def __init__(self, app: ASGIApp, flask: Application, wsgi_app: WSGIApp) -> None:
        self.app = app
        self.flask = flask
        self.wsgi_app = wsgi_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = copy_context()
        exchange = Exchange(self.app, self.flask, scope, receive, context, asyncio.get_running_loop())
        exchange.receive_ahead()
        if scope.get("http_version", "1.1")[0] == "1" and not exchange.input.complete:
            send = UnreadBody(exchange.input, send)
        walk = inner_walk(self.flask.worker_pool)
        walk.server_context = context
        await walk.run(self._answer(walk, exchange, send))

    async def _answer(self, walk: Walk, exchange: Exchange, send: Send) -> None:
        response = _Response(walk, send)
        result: Any = None
        await walk.to_thread()
        try:
            result = self.wsgi_app(exchange.environ(), response.start)
            await response.send_body(result)
        except ClientDisconnected:
            if not exchange.input.is_cut:
                raise
            await walk.to_loop()
            await response.answer_nobody()
        finally:
            response.start.end()
            try:
                if hasattr(result, "close"):
                    await _close(walk, result)
            finally:
                exchange.afterwards.begin()


async def _close(walk: Walk, result: Any) -> None:
    if type(result) is not ResponseBody or not result.call.is_over:
        await walk.to_thread()
        result.close()


class _Response:
    """What the middleware gives, on its way to the server.

    :param walk: the request's, around the middleware.
    :param send: the server's.
    """

    def __init__(self, walk: Walk, send: Send) -> None:
        self._walk = walk
        self._send = send
        self.start = StartResponse(cast(Any, async_to_sync(self._send_piece, None)))

    async def send_body(self, result: Iterable[bytes]) -> None:
        """Send it, from the iterable that the middleware has returned."""
        walk, start = self._walk, self.start
        if type(result) is ResponseBody and not result.is_touched and not start.is_sent:
            await walk.to_loop()
            await result.call.pass_on(start.message(), self._send_outside)
            return
        if type(result) is list or type(result) is tuple:
            await walk.to_loop()
            for piece in result:
                await self._send_piece(piece)
        else:
            iterator = iter(result)
            while True:
                await walk.to_thread()
                piece = next(iterator, None)
                await walk.to_loop()
                if piece is None:
                    break
                await self._send_piece(piece)
        if not start.is_sent:
            await self._send_outside(start.message())
        await self._send_outside({"type": "http.response.body", "body": b""})

    async def answer_nobody(self) -> None:
        """The client has gone while its body was read."""
        if self.start.is_sent:
            return
        with suppress(OSError, RuntimeError):  # a server may say that it cannot (ASGI specification, "Send")
            await self._send_outside({"type": "http.response.start", "status": 499, "headers": []})
            await self._send_outside({"type": "http.response.body", "body": b""})

    async def _send_piece(self, piece: bytes) -> None:
        if piece:
            if not self.start.is_sent:
                await self._send_outside(self.start.message())
            await self._send_outside({"type": "http.response.body", "body": piece, "more_body": True})

    async def _send_outside(self, message: Message) -> None:
        await outside(partial(self._send, message))


# -- ProxyFix -----------------------------------------------------------------------------------


def split(wsgi_app: Any) -> tuple[list[WSGIProxyFix], WSGIApp]:
    """Those of Werkzeug's `ProxyFix` that are the outermost middleware, and what is in them."""
    fixes = []
    while _is_proxy_fix(wsgi_app):
        fixes.append(wsgi_app)
        wsgi_app = wsgi_app.app
    return fixes, wsgi_app


def _is_proxy_fix(wsgi_app: Any) -> bool:
    """Whether it does what Werkzeug's does."""
    cls = type(wsgi_app)
    return (
        isinstance(wsgi_app, WSGIProxyFix)
        and cls.__call__ is WSGIProxyFix.__call__
        and cls._get_real_value is WSGIProxyFix._get_real_value
    )


def _fixed(app: ASGIApp, fixes: list[WSGIProxyFix]) -> ASGIApp:
    for fix in reversed(fixes):
        app = ProxyFix(app, fix.x_for, fix.x_proto, fix.x_host, fix.x_port, fix.x_prefix)
    return app


def _fixes_within(wsgi_app: Any, flask: Application) -> list[WSGIProxyFix]:
    """Each `ProxyFix` further in, as far as the middleware around it keeps it where it can be seen."""
    found: list[WSGIProxyFix] = []
    layer, seen = [wsgi_app], {id(flask)}
    for _ in range(20):  # whoever has more middleware than that
        layer = [inner for outer in layer for inner in _kept_in(outer) if id(inner) not in seen]
        seen.update(map(id, layer))
        found += filter(_is_proxy_fix, layer)
    return found


def _kept_in(wsgi_app: Any) -> Iterator[Any]:
    """The callables that one keeps: in attributes, as arguments (`functools.partial`), in a closure."""
    values = [getattr(wsgi_app, "__self__", None), getattr(wsgi_app, "func", None)]
    values += [cell.cell_contents for cell in getattr(wsgi_app, "__closure__", None) or () if _is_full(cell)]
    values += getattr(wsgi_app, "args", ()) if isinstance(wsgi_app, partial) else ()
    values += getattr(wsgi_app, "__dict__", {}).values()
    return (value for value in values if callable(value) and not isinstance(value, type))


def _is_full(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
