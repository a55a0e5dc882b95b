"""The outermost layer: the contexts of a request, its route, its end."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from werkzeug.exceptions import HTTPException

from ..concurrency import (
    Walk,
    _inner_walk,
    as_coroutine,
    current_walk,
    is_async,
    is_awaitable,
    leave_inner_walk,
    lent_worker,
)
from ..ctx import AppContext, RequestContext
from ..environ import route_path
from ..globals import _cv_app, _cv_request
from ..routing import RouteMatcher, convert
from ..signals import (
    Signal,
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    before_render_template,
    message_flashed,
    request_tearing_down,
    template_rendered,
)
from ..typing import Receive, Scope, Send
from ..wrappers import Request, Response
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

    def __init__(self, app: Layer, flask: Flask, router: Layer) -> None:
        self.app = app
        self.flask = flask
        #: Where what is not a request goes: the lifespan.
        self.router = router
        self.matcher = RouteMatcher(
            flask.url_map,
            subdomains=flask.url_map.host_matching
            or flask.subdomain_matching
            or overridden(flask, "create_url_adapter") is not None,
        )
        #: Whether sync functions such as `render_template` call async ones that the user has registered.
        self.has_async_in_sync = any(
            is_async(func)
            for functions in (
                *flask.template_context_processors.values(),
                *flask.url_default_functions.values(),
                flask.url_build_error_handlers,
            )
            for func in functions
        )
        self._replaces_teardown = False
        self._teardown: Callable[..., Awaitable[None]] = do_teardown_request
        self._teardown_app: Callable[..., Awaitable[None]] = do_teardown_appcontext
        if (replaced := overridden(flask, "do_teardown_request")) is not None:
            self._replaces_teardown = True
            self._teardown = lambda app, ctx, error: current_walk().call(replaced, error)
        if (replaced_app := overridden(flask, "do_teardown_appcontext")) is not None:
            self._replaces_teardown = True
            self._teardown_app = lambda app, error: current_walk().call(replaced_app, error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.router(scope, receive, send)
            return
        if _cv_request.get(None) is None and _inner_walk.get() is None:
            walk = Walk(copy_context(), self.flask.worker_pool)
        else:
            walk = Walk(leave_inner_walk(), self.flask.worker_pool, lent_worker())
        response: Response | None = await walk.run(self.walk(walk, scope, receive, send))
        if response is not None:
            await response(scope, receive, send)

    async def walk(self, walk: Walk, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Everything up to the response that is to be sent; None when it has been sent already."""
        flask = self.flask
        request = flask.request_class(scope, True, False, receive)
        ctx = RequestContext(flask, scope, request)
        ctx.walk = walk
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

        if self.has_async_in_sync or (
            Signal.in_use
            and (before_render_template.receivers or template_rendered.receivers or message_flashed.receivers)
        ):
            walk.is_bridged = True

        error: BaseException | None = None
        response: Any = SENT
        streamed = False
        connection: Connection | None = None
        try:
            if Signal.in_use and not borrowed and appcontext_pushed.receivers:
                await emit(appcontext_pushed, flask)
            if not self.match(request):
                await self.match_with_werkzeug(ctx, walk)
            if request.has_body and (request.streams_body or request.routing_exception is not None):
                walk.is_bridged = True  # `request.form` may have to wait for the body
            response = await self.app(scope, receive, send)
            # Nor is an answer held back by a sync callable that a timeout has left behind.
            if response is not SENT and (type(response.response) is not list or walk.jobs):
                streamed = True
                await walk.to_loop()
                async with until_disconnect(request, receive, send) as connection:
                    await response(scope, connection.receive, connection.send)
        except BaseException as raised:
            error = raised
        try:
            if (
                streamed
                or flask.teardown_request_funcs
                or flask.teardown_appcontext_funcs
                or walk.jobs
                or request.has_something_to_close()
                or Signal.in_use
                or self._replaces_teardown
            ):
                await self.end(ctx, walk, response if streamed else None, error, borrowed)
        except BaseException as failed:
            if error is not None and failed is not error:
                failed.__context__ = error
            raise
        finally:
            if request.routing_exception is not None and request.routing_exception is not error:
                request.routing_exception.__traceback__ = None  # whose frames refer to the request
            if client is not None:
                ctx.held = False
                if not borrowed:
                    app_ctx.held = False
                client.keep(app_ctx, ctx)
        if connection is not None and connection.lost:
            return None
        if error is not None:
            raise error
        if response is SENT or streamed:
            return None
        if not response._on_close:
            return cast(Response, response)
        await walk.to_loop()
        try:
            await walk.outside(response(scope, receive, send))
        finally:
            await walk.uncancelled(response.aclose())
        return None

    def match(self, request: Request) -> bool:
        """Find the rule, if that is all there is to it."""
        scope = request.scope
        path: str = route_path(scope) if scope.get("root_path") else scope["path"]
        if path[:2] == "//":
            return False
        found = self.matcher.match(path, request.method)
        if found is None or self.flask.config["TRUSTED_HOSTS"] is not None:
            return False
        target, texts = found
        if target.runs_user_code:
            return False
        view_args = convert(target, texts) if texts else {**target.defaults}
        if view_args is None:
            return False
        request.url_rule = target.rule
        request.view_args = view_args
        request.streams_body = target.stream
        return True

    async def match_with_werkzeug(self, ctx: RequestContext, walk: Walk) -> None:
        """Find the rule the long way. What is wrong with the URL is raised later, when the hooks have run."""
        request = ctx.request
        try:
            _ = ctx.url_adapter  # which checks the host
        except HTTPException as untrusted:
            request.routing_exception = untrusted
            return
        try:
            if self.matcher.runs_user_code:
                await walk.call(ctx.match_request)
            else:
                ctx.match_request()
        except Exception as failed:
            ctx.failed = failed  # a converter; raised where it is answered
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
        error = ctx.error if error is None else error
        if error is not None and self.flask.should_ignore_error(error):
            error = None
        coroutine = self._end(ctx, walk, streamed, error, borrowed)
        if streamed is not None or walk.jobs or self._has_async_teardown():
            await walk.uncancelled(coroutine)
        else:
            await coroutine  # nothing in it waits on the loop, where alone it could be cancelled

    def _has_async_teardown(self) -> bool:
        flask = self.flask
        signals = (request_tearing_down, appcontext_tearing_down, appcontext_popped) if Signal.in_use else ()
        return any(
            is_async(func)
            for functions in (
                flask.teardown_appcontext_funcs,
                *flask.teardown_request_funcs.values(),
                *(signal.receivers_for(flask) for signal in signals),
            )
            for func in functions
        )

    async def _end(
        self,
        ctx: RequestContext,
        walk: Walk,
        streamed: Response | None,
        error: BaseException | None,
        borrowed: bool,
    ) -> None:
        failures: list[BaseException] = []
        await collect(failures, walk.settled())
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
    walk = current_walk()
    failures: list[BaseException] = []
    for name in (*ctx.request.blueprints, None):
        for func in reversed(app.teardown_request_funcs.get(name, ())):
            await collect(failures, call_uncancelled(walk, func, error))
    if request_tearing_down.receivers:
        await collect(failures, emit(request_tearing_down, app, exc=error))
    if failures:
        raise failures[0]


async def do_teardown_appcontext(app: Flask, error: BaseException | None) -> None:
    """Call the `teardown_appcontext` functions, all of them; the first exception is raised at the end."""
    walk = current_walk()
    failures: list[BaseException] = []
    for func in reversed(app.teardown_appcontext_funcs):
        await collect(failures, call_uncancelled(walk, func, error))
    if appcontext_tearing_down.receivers:
        await collect(failures, emit(appcontext_tearing_down, app, exc=error))
    if failures:
        raise failures[0]


async def call_uncancelled(walk: Walk, func: Callable[..., Any], *args: Any) -> None:
    """`Walk.call`, also for a sync function that turns out to return an awaitable."""
    if is_async(func):
        await walk.call(func, *args)
        return
    await walk.to_thread()
    result = func(*args)
    if is_awaitable(result):
        await walk.uncancelled(as_coroutine(result))


async def collect(failures: list[BaseException], step: Awaitable[Any]) -> None:
    """Go on after a failure: what comes later is to be released all the same."""
    try:
        await step
    except (Exception, CancelledError) as failure:
        failures.append(failure)
