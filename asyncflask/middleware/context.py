"""The outermost layer: the contexts of a request, its route, its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException

from ..concurrency import Walk, current_walk, is_async, lent_worker
from ..ctx import AppContext, RequestContext
from ..environ import route_path
from ..globals import _cv_app, _cv_request
from ..routing import RouteMatcher, convert
from ..signals import appcontext_popped, appcontext_pushed, appcontext_tearing_down, request_tearing_down
from ..typing import Receive, Scope, Send
from ..wrappers import Response
from . import SENT, Layer, overridden
from .disconnect import Connection, until_disconnect
from .signals import emit

if TYPE_CHECKING:
    from ..app import Flask


class ContextMiddleware:
    """Runs each request as a `Walk` in a context of its own: push, match, answer, tear down.

    The response is sent after the teardown functions, as Flask does, so that a
    client that has its answer finds everything released; a streaming one before,
    since its generator uses what they release.
    """

    def __init__(self, app: Layer, flask: Flask) -> None:
        self.app = app
        self.flask = flask
        self.matcher = RouteMatcher(
            flask.url_map,  # type: ignore[arg-type]
            subdomains=flask.url_map.host_matching
            or flask.subdomain_matching
            or overridden(flask, "create_url_adapter") is not None,
        )
        self._teardown: Callable[..., Awaitable[None]] = do_teardown_request
        self._teardown_app: Callable[..., Awaitable[None]] = do_teardown_appcontext
        if (replaced := overridden(flask, "do_teardown_request")) is not None:
            self._teardown = lambda app, ctx, error: current_walk.get().call(replaced, error)
        if (replaced_app := overridden(flask, "do_teardown_appcontext")) is not None:
            self._teardown_app = lambda app, error: current_walk.get().call(replaced_app, error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        flask = self.flask
        worker = None if current_walk.get(None) is None else lent_worker()
        walk = Walk(copy_context(), flask.worker_pool, worker)
        await walk.run(self.walk(walk, scope, receive, send))

    async def walk(self, walk: Walk, scope: Scope, receive: Receive, send: Send) -> None:
        flask = self.flask
        current_walk.set(walk)
        ctx = RequestContext(flask, scope, receive=receive)
        # A server's context is nobody's; the test client's is the test's own, and its `g` is to be seen.
        client = scope.get("asyncflask.client")
        app_ctx: Any = None if client is None else _cv_app.get(None)
        borrowed = app_ctx is not None and app_ctx.app is flask
        if not borrowed:
            app_ctx = AppContext(flask)
            app_ctx.held = True
            _cv_app.set(app_ctx)
        ctx.held = True
        _cv_request.set(ctx)

        error: BaseException | None = None
        response: Any = SENT
        streamed = False
        connection: Connection | None = None
        try:
            if not borrowed and appcontext_pushed.receivers:
                await emit(appcontext_pushed, flask)
            try:
                await self.match(ctx, walk)
            except Exception as failed:
                ctx.failed = failed  # raised where it is answered
            response = await self.app(scope, receive, send)
            # Nor is an answer held back by a sync callable that a timeout has left behind.
            if response is not SENT and (walk.pending or not response.is_sequence):
                streamed = True
                await walk.to_loop()
                async with until_disconnect(ctx.request, receive) as connection:
                    await response(scope, receive, send)
        except BaseException as raised:
            error = raised
        try:
            await self.end(ctx, walk, response if streamed else None, error, borrowed)
        except BaseException as failed:
            if error is not None and failed is not error:
                failed.__context__ = error
            raise
        finally:
            ctx.held = False
            if not borrowed:
                app_ctx.held = False
            if client is not None:
                client.keep(app_ctx, ctx)
        if connection is not None and connection.lost:
            return
        if error is not None:
            raise error
        if response is SENT or streamed:
            return
        await walk.to_loop()
        if response._on_close:
            try:
                await response(scope, receive, send)
            finally:
                await response.aclose()
        else:
            await response(scope, receive, send)

    async def match(self, ctx: RequestContext, walk: Walk) -> None:
        """Find the rule. What is wrong with the URL is raised later, when the hooks have run."""
        request = ctx.request
        if self.flask.config["TRUSTED_HOSTS"] is not None:
            try:
                _ = ctx.url_adapter
            except HTTPException as untrusted:
                request.routing_exception = untrusted
                return
        path = route_path(request.scope)
        found = self.matcher.match(f"/{path.lstrip('/')}" if path else "", request.method)
        if found is not None:
            target, texts = found
            if target.runs_user_code:
                view_args = await walk.call(convert, target, texts)
            else:
                view_args = convert(target, texts)
            if view_args is not None:
                request.url_rule = target.rule
                request.view_args = view_args
                request.streams_body = target.stream
                return
        if self.matcher.runs_user_code:
            await walk.call(ctx.match_request)
        else:
            ctx.match_request()
        request.streams_body = getattr(request.url_rule, "stream", False)

    async def end(
        self,
        ctx: RequestContext,
        walk: Walk,
        streamed: Response | None,
        error: BaseException | None,
        borrowed: bool,
    ) -> None:
        """Close and tear down, once, whatever else happens to the request meanwhile."""
        flask = self.flask
        if (
            streamed is None
            and not walk.pending
            and not flask.teardown_request_funcs
            and not flask.teardown_appcontext_funcs
            and not ctx.request.has_something_to_close()
            and not request_tearing_down.receivers
            and not appcontext_tearing_down.receivers
            and not appcontext_popped.receivers
            and self._teardown is do_teardown_request
            and self._teardown_app is do_teardown_appcontext
        ):
            return
        error = ctx.error if error is None else error
        if error is not None and flask.should_ignore_error(error):
            error = None
        coroutine = self._end(ctx, walk, streamed, error, borrowed)
        if streamed is not None or walk.pending or self._has_async_teardown():
            await walk.uncancelled(coroutine)
        else:
            await coroutine  # nothing in it waits on the loop, where alone it could be cancelled

    def _has_async_teardown(self) -> bool:
        flask = self.flask
        return any(map(is_async, flask.teardown_appcontext_funcs)) or any(
            is_async(func) for funcs in flask.teardown_request_funcs.values() for func in funcs
        )

    async def _end(
        self,
        ctx: RequestContext,
        walk: Walk,
        streamed: Response | None,
        error: BaseException | None,
        borrowed: bool,
    ) -> None:
        failures: list[Exception] = []
        await walk.settled()
        if streamed is not None:
            await collect(failures, streamed.aclose())
        await collect(failures, self._teardown(self.flask, ctx, error))
        if ctx.request.has_something_to_close():
            await collect(failures, walk.call(ctx.request.close))
        if not borrowed:
            await collect(failures, self._teardown_app(self.flask, error))
            if appcontext_popped.receivers:
                await collect(failures, emit(appcontext_popped, self.flask))
        if failures:
            raise failures[0]


async def do_teardown_request(app: Flask, ctx: RequestContext, error: BaseException | None) -> None:
    """Call the `teardown_request` functions, all of them; the first exception is raised at the end."""
    walk = current_walk.get()
    failures: list[Exception] = []
    for name in (*ctx.request.blueprints, None):
        for func in reversed(app.teardown_request_funcs.get(name, ())):
            await collect(failures, walk.call(func, error))
    if request_tearing_down.receivers:
        await collect(failures, emit(request_tearing_down, app, exc=error))
    if failures:
        raise failures[0]


async def do_teardown_appcontext(app: Flask, error: BaseException | None) -> None:
    """Call the `teardown_appcontext` functions, all of them; the first exception is raised at the end."""
    walk = current_walk.get()
    failures: list[Exception] = []
    for func in reversed(app.teardown_appcontext_funcs):
        await collect(failures, walk.call(func, error))
    if appcontext_tearing_down.receivers:
        await collect(failures, emit(appcontext_tearing_down, app, exc=error))
    if failures:
        raise failures[0]


async def collect(failures: list[Exception], step: Awaitable[Any]) -> None:
    """Go on after a failure: what comes later is to be released all the same."""
    try:
        await step
    except Exception as failure:
        failures.append(failure)
