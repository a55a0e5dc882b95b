"""The outermost layer: the context of a request, its walk, its end."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import suppress
from contextvars import Token, copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected, RequestTimeout

from ..concurrency import ServedWalk, Walk, _inner_walk, leave_inner_walk, lent_worker, outside
from ..ctx import ServedContext
from ..disconnect import end_watch, until_disconnect
from ..globals import _cv_app
from ..signals import appcontext_pushed
from ..typing import Receive, Scope, Send
from ..wrappers import Response
from .body import unread
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
        try:
            try:
                asked = walk.begin(self.answer(ctx, scope, receive, send))
            except StopIteration as end:  # nothing in it had to wait
                response = end.value
            else:
                response = await walk.go_on(asked)
            if response is not None:
                if request.has_body and not request.body.complete:
                    send = unread(request, send)
                messages = response.messages(scope)
                if messages is None:
                    await response(scope, receive, send)
                else:
                    await send(messages[0])
                    await send(messages[1])
        finally:
            if walk.afterwards:
                for start in walk.afterwards:
                    start()

    async def answer(self, ctx: ServedContext, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Everything up to the response that is to be sent.

        :returns: the response, or None when it has been sent already.
        """
        walk, route, request = ctx._walk, ctx._route, ctx.request
        # The router has found most routes already; it finds the others inside of the context.
        layers = self.app if route is None else route.handle
        if request.has_body:
            body = request.open_body()
            if route is not None and route.receives_ahead and body.is_small():
                # Nothing has been set in the context yet that the server could leave to the next request.
                try:
                    await body.receive_ahead(walk)
                except ClientDisconnected:
                    return Response(status=499)  # for nobody, see `_answer_nobody`
                except RequestTimeout as late:
                    return Response(late.get_body(), 408, {"Connection": "close"})
            if not body.complete:
                walk.is_bridged = True  # `request.form` may have to wait for it
                layers = layers if route is None else route.receiving
                send = unread(request, send)
        is_tested = "asyncflask.client" in scope
        if is_tested:
            # A server's context is nobody's; the test client's is the test's own, and its `g` is to be seen.
            outer = _cv_app.get(None)
            ctx._shared = None if outer is None or outer.app is not self.flask else outer.app_ctx
        token = _cv_app.set(ctx)
        error: BaseException | None = None
        response: Any = SENT
        sent: Response | None = None
        walk.on_wait = ctx
        try:
            if route is None or not route.begins_at_once:
                await self._begin(ctx)
            response = await layers(scope, receive, send)
            if walk.on_wait is None:
                await end_watch(ctx)
            walk.on_wait = None
            if (
                response._content_type is not None
                and ctx._route is route
                and route.ends_at_once
                and not walk.jobs
                and not is_tested
                and not (request.has_body and request.has_something_to_close())
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
            walk.on_wait = None
            try:
                await end_watch(ctx)
            except CancelledError as cancelled:
                error = cancelled
        return await self._conclude(ctx, token, response, sent, error, scope, receive, send)

    async def _conclude(
        self,
        ctx: ServedContext,
        token: Token[Any],
        response: Any,
        sent: Response | None,
        error: BaseException | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> Response | None:
        """Tear down; then raise what has ended the request, or send what takes its time.

        :param token: of the context, which a stream is sent without.
        :returns: as `answer`.
        """
        walk = ctx._walk
        try:
            await self._end(ctx, sent, error)
        except BaseException as failed:
            if error is not None and failed is not error:
                failed.__context__ = error
            is_complete = error is None and response is SENT
            if not (is_complete and _is_logged_only(self.flask, scope, failed)):
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
        is_complete = False
        try:
            await self._send(ctx, response, scope, receive, send)
            is_complete = True
        except CancelledError:
            if not ctx._lost:
                raise
        finally:
            try:
                await response.aclose()
            except Exception as failed:
                if not (is_complete and _is_logged_only(self.flask, scope, failed)):
                    raise
        return None

    async def _begin(self, ctx: ServedContext) -> None:
        if "asyncflask.debug_contexts" in ctx.request.scope:
            ctx.request.scope["asyncflask.debug_contexts"].append(ctx)
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


def _is_logged_only(app: Application, scope: Scope, error: BaseException) -> bool:
    """Log what a function raised when the response was complete, unless a test wants to see it.

    A server that is told of an exception closes the connection, on which the next request may be already.
    """
    if (
        not isinstance(error, Exception)
        or "asyncflask.client" in scope
        or app.testing
        or app.config["PROPAGATE_EXCEPTIONS"]
    ):
        return False
    place = f"{scope['path']} [{scope['method']}]"
    app.logger.error(f"Exception on {place}, after the response was sent", exc_info=error)
    return True


async def _answer_nobody(walk: Walk, send: Send) -> None:
    """Answer a request whose client has gone, with the status that proxies log for it. Middleware wants that:
    Starlette's `BaseHTTPMiddleware` raises without a response, and metrics would count an error."""
    await walk.to_loop()
    start = {"type": "http.response.start", "status": 499, "headers": [(b"content-length", b"0")]}
    with suppress(OSError, RuntimeError):  # a server may say that it cannot (ASGI specification, "Send")
        await outside(lambda: send(start))
        await outside(lambda: send({"type": "http.response.body", "body": b""}))
