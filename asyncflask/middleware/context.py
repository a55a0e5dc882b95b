"""The outermost layer: the contexts of a request, its route, its end."""

from __future__ import annotations

import os
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import WebsocketMismatch

from ..concurrency import (
    ServedWalk,
    Walk,
    _inner_walk,
    as_coroutine,
    current_walk,
    is_async,
    is_awaitable,
    leave_inner_walk,
    lent_worker,
    outside,
)
from ..ctx import RequestContext, ServedAppContext, ServedRequestContext
from ..environ import route_path
from ..globals import _cv_app, _cv_request
from ..json.provider import DefaultJSONProvider, answers_as_default
from ..router import call_sync_view
from ..routing import NOWHERE, RouteMatcher, convert
from ..sessions import SecureCookieSessionInterface
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
from .disconnect import Connection, end_watch, until_disconnect
from .hooks import AfterRequestMiddleware, preprocess_request
from .sessions import may_be_session
from .signals import emit
from .websocket import WebsocketMiddleware

if TYPE_CHECKING:
    from ..app import Flask


#: The content type, as a header, and the body of a response that has nothing else to it.
Plain = tuple[tuple[bytes, bytes], bytes]
_HTML = (b"content-type", b"text/html; charset=utf-8")

#: The methods of an application that, replaced, take part between the contexts and the view.
_BETWEEN = (
    "dispatch_request",
    "finalize_request",
    "full_dispatch_request",
    "make_response",
    "preprocess_request",
    "process_response",
)


class ContextMiddleware:
    """Runs each request as a `Walk` in a context of its own: push, match, answer, tear down.

    The response is sent after the teardown functions, as Flask does, so that a
    client that has its answer finds everything released; a streaming one before,
    since its generator uses what they release.
    """

    def __init__(self, app: Layer, flask: Flask, router: Layer) -> None:
        self.app = app
        self.flask = flask
        #: Where what is neither a request nor a websocket goes: the lifespan.
        self.router = router
        self.websockets = WebsocketMiddleware(flask, self)
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
        #: The next layer, if all that are further in are the framework's own, see `is_view_next`.
        self.after: AfterRequestMiddleware | None = None
        if isinstance(app, AfterRequestMiddleware) and not any(overridden(flask, name) for name in _BETWEEN):
            self.after = app
        #: Whether the folder of static files is not there: then a mounted application's own may be meant.
        self.has_no_static_files = flask.static_folder is not None and not os.path.isdir(flask.static_folder)
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
            other = self.websockets if scope["type"] == "websocket" else self.router
            await other(scope, receive, send)
            return
        flask = self.flask
        request: Request | None = None
        if _cv_request.get(None) is None and _inner_walk.get() is None:
            walk = ServedWalk()
            walk._context = copy_context()
            walk._pool = flask.worker_pool
            if scope["method"] != "GET" and flask.request_class is Request:
                # A usual body is received right here, in the server's context, before there is another.
                request = Request(scope)
                request._receive = receive
                request._app = flask
                if (
                    request.has_body
                    and self.match(request)
                    and request.routing_exception is None
                    and not request.streams_body
                    and not flask.mounts
                ):
                    await request.open_body().receive_directly(flask.config["MAX_CONTENT_LENGTH"])
        else:
            walk = ServedWalk()
            walk._context = leave_inner_walk()
            walk._pool = flask.worker_pool
            walk.worker = lent_worker()
        response: Response | Plain | None
        try:
            try:
                asked = walk.begin(self.walk(walk, scope, receive, send, request))
            except StopIteration as end:  # nothing in it had to wait
                response = end.value
            else:
                response = await walk.go_on(asked)
            if type(response) is tuple:
                content_type, body = response
                headers = [content_type, (b"content-length", b"%d" % len(body))]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
            elif response is not None:
                await response(scope, receive, send)  # type: ignore[operator]
        finally:
            if walk.afterwards:
                for start in walk.afterwards:
                    start()

    async def walk(
        self,
        walk: Walk,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: Request | None,
    ) -> Response | Plain | None:
        """Everything up to the response that is to be sent.

        :param request: the request, if it has been made already.
        :returns: the response, or None when it has been sent already.
        """
        flask = self.flask
        if request is None:
            request = flask.request_class(scope)
            request._receive = receive
            request._app = flask
            is_matched = self.match(request)
        else:
            is_matched = (
                request.url_rule is not None
                or request.routing_exception is not None
                or (not request.has_body and self.match(request))
            )
        ctx = ServedRequestContext()
        ctx.app = flask
        ctx.request = request
        ctx.walk = walk
        # A server's context is nobody's; the test client's is the test's own, and its `g` is to be seen.
        client: Any = None
        app_ctx: Any = None
        borrowed = False
        if "asyncflask.client" in scope:
            client = scope["asyncflask.client"]
            app_ctx = _cv_app.get(None)
            borrowed = app_ctx is not None and app_ctx.app is flask
        if not borrowed:
            app_ctx = ServedAppContext()
            app_ctx.app = flask
            _cv_app.set(app_ctx)
        _cv_request.set(ctx)
        if "asyncflask.debug_contexts" in scope:
            scope["asyncflask.debug_contexts"].append((app_ctx, ctx))

        has_signals = Signal.in_use
        if self.has_async_in_sync or (
            has_signals
            and (before_render_template.receivers or template_rendered.receivers or message_flashed.receivers)
        ):
            walk.is_bridged = True

        error: BaseException | None = None
        response: Any = SENT
        streamed = False
        connection: Connection | None = None
        try:
            if has_signals and not borrowed and appcontext_pushed.receivers:
                await emit(appcontext_pushed, flask)
            if not is_matched:
                await self.match_with_werkzeug(ctx, walk)
            if flask.mounts and (request.routing_exception is not None or self.has_no_static_files):
                self.match_mount(request)
            waits_for_body = False
            if request.has_body and ((body := request._opened_body) is None or not body.complete):
                waits_for_body = True
                if (
                    request.streams_body
                    or request.passes_body_on
                    or request.routing_exception is not None
                    or request.body.refused is not None
                    or request.body.is_announced_too_large()
                ):
                    walk.is_bridged = True  # `request.form` may have to wait for it
            after = self.after
            rule: Any = request.url_rule
            # Whether the layers have nothing to do before the view but to call the hooks.
            if (
                after is not None
                and type(flask.session_interface) is SecureCookieSessionInterface
                and not has_signals
                and not walk.is_bridged
                and not walk.in_thread
                and (
                    (rule is not None and request.method != "OPTIONS")
                    or request.routing_exception is not None
                )
            ):
                try:
                    if waits_for_body:
                        await request.body.receive()
                    value = None
                    if flask.before_request_funcs or flask.url_value_preprocessors:
                        if rule is not None:
                            scope["endpoint"] = flask.view_functions.get(rule.endpoint)
                        value = await preprocess_request(flask, ctx)
                        rule = request.url_rule
                    if value is None:
                        if request.routing_exception is not None:
                            flask.raise_routing_exception(request)
                        scope["endpoint"] = view = flask.view_functions[rule.endpoint]
                        view_args: Any = request.view_args
                        walk.on_wait = ctx
                        try:
                            if is_async(view):
                                if walk.in_thread:
                                    await walk.to_loop()
                                value = await (view(**view_args) if view_args else view())
                            else:
                                value = await call_sync_view(walk, rule, view, view_args)
                        finally:
                            walk.on_wait = None
                            if ctx.connection is not None:
                                end_watch(ctx)
                    has_failed = False
                except Exception as raised:
                    has_failed = True
                    value, response = await after.recover(ctx, raised)
                if has_failed:
                    if response is None:
                        response = await after.finish(ctx, value, scope, send)
                    value = None  # it may be the exception, whose traceback refers to this frame
                else:
                    response = self.plain_answer(ctx, walk, value)
                    if response is None:
                        response = await after.finish(ctx, value, scope, send)
                    elif not (
                        flask.teardown_request_funcs
                        or flask.teardown_appcontext_funcs
                        or request._opened_body is not None
                        or Signal.in_use
                        or self._replaces_teardown
                        or client is not None
                        or ctx.lost
                    ):
                        plain: Plain = response
                        return plain  # with nothing to be torn down
            else:
                if rule is not None:
                    scope["endpoint"] = flask.view_functions.get(rule.endpoint)
                response = await self.app(scope, receive, send)
            # Nor is an answer held back by a sync callable that a timeout has left behind.
            if type(response) is not tuple and response is not SENT:
                if type(response.response) is not list or walk.jobs:
                    streamed = True
                    await walk.to_loop()
                    async with until_disconnect(request, receive, send) as connection:
                        await response(scope, connection.receive, connection.send)
                elif response._has_own_headers:
                    response.prepare(scope)  # it may use the request, which it is sent without
        except BaseException as raised:
            error = raised
        try:
            if (
                streamed
                or flask.teardown_request_funcs
                or flask.teardown_appcontext_funcs
                or walk.jobs
                or (request._opened_body is not None and request.has_something_to_close())
                or Signal.in_use
                or self._replaces_teardown
            ):
                await self.end(ctx, walk, response if streamed else None, error, borrowed)
        except BaseException as failed:
            if error is not None and failed is not error:
                failed.__context__ = error
            is_complete = error is None and (streamed or response is SENT)
            if not (is_complete and is_logged_only(flask, scope, failed)):
                raise
        finally:
            if request.routing_exception is not None and request.routing_exception is not error:
                request.routing_exception.__traceback__ = None  # whose frames refer to the request
            ctx.error = None  # whose do so, too
            if client is not None:
                ctx.held = False
                if not borrowed:
                    app_ctx.held = False
                client.keep(app_ctx, ctx)
        if (ctx.lost or (connection is not None and connection.lost)) and (
            # Other errors than the client's going are not hidden by it.
            not isinstance(error, Exception) or isinstance(error, ClientDisconnected | OSError)
        ):
            if ctx.lost:
                await answer_nobody(walk, send)
            return None
        if error is not None:
            raise error
        if response is SENT or streamed:
            return None
        if type(response) is tuple or not (response._on_close or response._has_own_close):
            return response  # type: ignore[no-any-return]
        await walk.to_loop()
        is_complete = False
        try:
            await outside(lambda: response(scope, receive, send))
            is_complete = True
        finally:
            try:
                await walk.uncancelled(response.aclose())
            except Exception as failed:
                if not (is_complete and is_logged_only(flask, scope, failed)):
                    raise
        return None

    def plain_answer(self, ctx: RequestContext, walk: Walk, value: Any) -> Plain | None:
        """What a view returned as it is to be sent, when none of the layers has anything to do with it."""
        flask = self.flask
        if (
            flask.after_request_funcs
            or ctx._after_request_functions
            or walk.jobs
            or ctx._session is not None
            or (b"cookie" in ctx.request.raw_headers and may_be_session(flask, ctx))
            or Signal.in_use  # since the view
        ):
            return None
        if flask.response_class is Response and Response.default_mimetype == "text/html":
            try:
                kind = type(value)
                if kind is str:
                    return _HTML, value.encode()
                if kind is bytes:
                    return _HTML, value
                json = flask.json
                if (
                    (kind is dict or kind is list)
                    and (type(json) is DefaultJSONProvider or answers_as_default(json))
                    and not json._is_patched
                ):
                    plain = (b"content-type", json.response_content_type()), json.response_body(value)
                    # What is asked for other types may have used them meanwhile.
                    if ctx._session is None and not ctx._after_request_functions:
                        return plain
            except Exception:
                return None  # the layers will meet it again, where it counts as theirs
        return None

    async def find_route(self, ctx: RequestContext, walk: Walk) -> None:
        """Find the rule, or what is mounted, for a websocket."""
        if not self.match(ctx.request, websocket=True):
            await self.match_with_werkzeug(ctx, walk)
        if ctx.request.routing_exception is not None:
            self.match_mount(ctx.request)
        rule = ctx.request.url_rule
        if rule is not None:
            ctx.request.scope["endpoint"] = self.flask.view_functions.get(rule.endpoint)

    def match_mount(self, request: Request) -> None:
        """Look for what is mounted where no rule is."""
        if isinstance(request.routing_exception, NotFound | MethodNotAllowed | WebsocketMismatch) or (
            self.has_no_static_files and request.endpoint == "static"
        ):
            path = route_path(request.scope)
            for mount in self.flask.mounts:
                if mount.covers(path):
                    request.routing_exception = None
                    request.url_rule = mount.rule
                    request.view_args = {"path": path[len(mount.path) :].lstrip("/")}
                    self.describe_route(request)
                    request.passes_body_on = True
                    return

    def match(self, request: Request, websocket: bool = False) -> bool:
        """Find the rule, or that there is none, if that is all there is to it."""
        scope = request.scope
        path: str = route_path(scope) if scope.get("root_path") else scope["path"]
        if self.flask.config["TRUSTED_HOSTS"] is not None or request.trusted_hosts is not None:
            return False
        found = self.matcher.match(path, request.method, websocket)
        if found is None:
            return False
        if found is NOWHERE:
            request.routing_exception = NotFound()
            return True
        target, texts = found
        if texts:
            if target.runs_user_code:
                return False
            view_args = convert(target, texts)
            if view_args is None:
                return False
        else:
            view_args = target.defaults.copy() if target.defaults else {}
        request.url_rule = target.rule
        request.view_args = view_args
        if target.stream:
            request.streams_body = True
        # Where tracing and metrics look for it; the endpoint comes with the view.
        scope["route"] = target.route
        if "router" in scope:
            describe_parameters(scope, view_args)
        else:
            scope["router"] = self.flask
            scope["path_params"] = view_args
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
        if request.url_rule is not None:
            self.describe_route(request)

    def describe_route(self, request: Request) -> None:
        """Leave in the scope what Starlette leaves there, for middleware that looks at the one it has passed
        on. Where this application is mounted, the router around it stays: it builds the URLs."""
        rule, scope = request.url_rule, request.scope
        assert rule is not None
        scope["route"] = getattr(rule, "route", None)
        scope.setdefault("router", self.flask)
        describe_parameters(scope, request.view_args or {})

    async def tear_down(
        self, ctx: RequestContext, walk: Walk, error: BaseException | None, borrowed: bool
    ) -> None:
        """The end of a websocket."""
        if error is not None and self.flask.should_ignore_error(error):
            error = None
        await self._end(ctx, walk, None, error, borrowed)

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


def describe_parameters(scope: Scope, view_args: dict[str, Any]) -> None:
    """Add what the rule took from the path to what those of a parent took."""
    scope["path_params"] = {**scope.get("path_params", {}), **view_args}


def is_logged_only(app: Flask, scope: Scope, error: BaseException) -> bool:
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


async def answer_nobody(walk: Walk, send: Send) -> None:
    """Answer a request whose client has gone, with the status that proxies log for it. Middleware wants that:
    Starlette's `BaseHTTPMiddleware` raises without a response, and metrics would count an error."""
    await walk.to_loop()
    start = {"type": "http.response.start", "status": 499, "headers": [(b"content-length", b"0")]}
    with suppress(OSError, RuntimeError):  # a server may say that it cannot (ASGI specification, "Send")
        await outside(lambda: send(start))
        await outside(lambda: send({"type": "http.response.body", "body": b""}))


async def do_teardown_request(app: Flask, ctx: RequestContext, error: BaseException | None) -> None:
    """Call the `teardown_request` functions, all of them; the first exception is raised at the end."""
    walk = current_walk()
    failures: list[BaseException] = []
    is_websocket = ctx.request.scope["type"] == "websocket"
    functions = app.teardown_websocket_funcs if is_websocket else app.teardown_request_funcs
    for name in (*ctx.request.blueprints, None):
        for func in reversed(functions.get(name, ())):
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
