"""The outermost layer: the context of a request, its walk, its end."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected, RequestTimeout

from ..body import nothing_to_receive
from ..concurrency import ServedWalk, Walk, _inner_walk, leave_inner_walk, lent_worker, outside
from ..ctx import ServedContext
from ..disconnect import until_disconnect
from ..globals import _cv_app
from ..signals import appcontext_pushed
from ..typing import Receive, Scope, Send
from ..wrappers import Request, Response
from .body import UnreadBody
from .finalize import process_further
from .layer import SENT, may_wait_in_sync_code
from .router import Router
from .signals import emit
from .websocket import WebsocketMiddleware

if TYPE_CHECKING:
    from ..protocols import Application


class ContextMiddleware:
    """Runs each request as a `Walk` in a context of its own: push, answer, tear down, send.

    The response is sent after the teardown functions, as Flask does, so that a
    client that has its answer finds everything released; a stream that keeps the
    context (`stream_with_context`) before, since it uses what they release.

    :param app: the router.
    :param flask: the application.
    """

    def __init__(self, app: Router, flask: Application) -> None:
        self.app = app
        self.flask = flask
        self.websockets = WebsocketMiddleware(app, flask)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self.websockets if scope["type"] == "websocket" else self.app)(scope, receive, send)
            return
        flask = self.flask
        walk = ServedWalk()
        walk._pool = flask.worker_pool
        walk.is_bridged = walk.in_thread = False
        if _cv_app.get(None) is None and _inner_walk.get() is None:
            walk._context = copy_context()
        else:
            walk._context = leave_inner_walk()
            walk.worker = lent_worker()
        ctx = ServedContext()
        ctx.app = flask
        ctx._walk = walk
        ctx.request = request = flask.request_class(scope)
        request._receive = receive
        request._app = flask
        ctx._route = self.app.match(request)
        if request.has_body:
            if not await receive_ahead(request, ctx._route, send):
                return
            if not request.body.complete:
                walk.is_bridged = True  # `request.form` may have to wait for it
                if not request.passes_body_on and scope.get("http_version", "1.1")[0] == "1":
                    send = UnreadBody(request.body, send)
        try:
            try:
                asked = walk.begin(self.answer(ctx, scope, receive, send))
            except StopIteration as end:  # nothing in it had to wait
                response = end.value
            else:
                response = await walk.go_on(asked)
            if response is not None:
                await response(scope, receive, send)
        finally:
            if walk.afterwards:
                for start in walk.afterwards:
                    start()

    async def answer(self, ctx: ServedContext, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Everything up to the response that is to be sent.

        :returns: the response, or None when it has been sent already.
        """
        walk, route = ctx._walk, ctx._route
        is_tested = "asyncflask.client" in scope
        if is_tested:
            # A server's context is nobody's; the test client's is the test's own, and its `g` is to be seen.
            outer = _cv_app.get(None)
            ctx._shared = None if outer is None or outer.app is not self.flask else outer.app_ctx
        token = _cv_app.set(ctx)
        error: BaseException | None = None
        response: Any = SENT
        sent: Response | None = None
        try:
            if route is None or not route.begins_at_once:
                await self._begin(ctx)
            response = await self.app(scope, receive, send)
            if (
                response._content_type is not None
                and ctx._route is route
                and route.ends_at_once
                and not walk.jobs
                and not is_tested
                and not (ctx.request.has_body and ctx.request.has_something_to_close())
            ):
                return response  # type: ignore[no-any-return]
            if response is not SENT:
                if ctx._outdated is not None:
                    response = await process_further(ctx, response)
                if response._has_own_headers:
                    response.prepare(scope)  # it may use the request, which it is sent without
                # A sync callable that a timeout has left behind does not hold back an answer either.
                if walk.jobs or (ctx._is_streamed and not response.is_sequence):
                    sent, response = response, SENT
                    await self._send(ctx, sent, scope, receive, send)
        except BaseException as raised:
            error = raised
        try:
            await self._end(ctx, sent, error)
        except BaseException as failed:
            if error is not None and failed is not error:
                failed.__context__ = error
            raise
        if ctx._lost and (
            not isinstance(error, Exception) or isinstance(error, ClientDisconnected | OSError)
        ):
            # Other errors than the client's going are not hidden by it.
            if sent is None:
                await _answer_nobody(walk, send)
            return None
        if error is not None:
            raise error
        if response is SENT:
            return None
        if type(response.response) is list and not (response._on_close or response._has_own_close):
            return response  # type: ignore[no-any-return]
        _cv_app.reset(token)
        _inner_walk.set(walk)
        try:
            await self._send(ctx, response, scope, receive, send)
        except CancelledError:
            if not ctx._lost:
                raise
        finally:
            await response.aclose()
        return None

    async def _begin(self, ctx: ServedContext) -> None:
        if may_wait_in_sync_code(self.flask):
            ctx._walk.is_bridged = True
        if ctx._shared is None:
            await emit(appcontext_pushed, self.flask)

    async def _end(self, ctx: ServedContext, sent: Response | None, error: BaseException | None) -> None:
        """Tear down, and let go of what would only be found by the garbage collector.

        :param sent: a response that has been sent already.
        :param error: what has ended the request.
        """
        request = ctx.request
        try:
            if (
                sent is not None
                or ctx._walk.jobs
                or (request._opened_body is not None and request.has_something_to_close())
                or ctx._route is None
                or ctx._route.teardown.is_needed
            ):
                await self.app.teardown_of(ctx).run(ctx, sent, error)
        finally:
            ctx._error = None  # whose frames refer to the context
            if request.routing_exception is not None and request.routing_exception is not error:
                request.routing_exception.__traceback__ = None  # whose frames do so, too
            if "asyncflask.client" in request.scope:
                ctx._held = False
                request.scope["asyncflask.client"].keep(ctx)

    async def _send(
        self, ctx: ServedContext, response: Response, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send a response that takes time, for as long as its client is there."""
        await ctx._walk.to_loop()
        async with until_disconnect(ctx, receive, send) as connection:
            await response(scope, connection.receive, connection.send)


async def receive_ahead(request: Request, route: Any, send: Send) -> bool:
    """Receive a small body before the request begins, in the server's own context.

    :returns: whether the request begins: its client has not left, and the body has come in time.
    """
    if route is None or not route.leads_on or route.streams_body or route.passes_body_on:
        return True
    body = request.body
    try:
        if not body.is_small() or await body.receive_ahead():
            return True
        await _send_nothing(send)
    except RequestTimeout as late:
        response = Response(late.get_body(), 408, {"Connection": "close"})
        await response(request.scope, nothing_to_receive, send)
    return False


async def _answer_nobody(walk: Walk, send: Send) -> None:
    await walk.to_loop()
    await outside(lambda: _send_nothing(send))


async def _send_nothing(send: Send) -> None:
    """Answer a request whose client has gone, with the status that proxies log for it. Middleware wants that:
    Starlette's `BaseHTTPMiddleware` raises without a response, and metrics would count an error."""
    with suppress(OSError, RuntimeError):  # a server may say that it cannot (ASGI specification, "Send")
        await send({"type": "http.response.start", "status": 499, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
