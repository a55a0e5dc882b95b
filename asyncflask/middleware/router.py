"""From the path of a request to the stack of layers that answers it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, NoMatchFound
from starlette.routing import Router as StarletteRouter
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import WebsocketMismatch

from .. import observed
from ..environ import route_path
from ..globals import _cv_app
from ..routing import NOWHERE, RouteMatcher, Rule, convert
from ..typing import Receive, Scope, Send
from . import Stack
from .errors import FailedMatching
from .layer import overridden
from .teardown import Teardown

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Request


class Router(StarletteRouter):
    """Starlette's router for the rules of a `werkzeug.routing.Map`.

    :param flask: the application.
    """

    def __init__(self, flask: Application) -> None:
        self.flask = flask
        super().__init__(redirect_slashes=False, lifespan=cast(Any, flask.lifespan_context))
        # By the rule and the kind of its requests, see `Route`.
        self._stacks: dict[tuple[int, ...], Stack] = {}
        self._made_for: object = None
        self._rules: Any = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Run the stack of the request's route. The route of most requests was found before they began."""
        if scope["type"] == "lifespan":
            return super().__call__(scope, receive, send)
        ctx: Any = _cv_app.get()
        route: Stack | None = ctx._route
        if route is None:
            return self._find_first(scope, receive, send)
        request = ctx.request
        if request.has_body and not request.body.complete:
            return route.receiving(scope, receive, send)
        return route.handle(scope, receive, send)

    async def _find_first(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        try:
            await self._match_with_werkzeug(ctx)
        except Exception as failed:
            is_websocket = scope["type"] == "websocket"
            bottom = FailedMatching(failed)
            ctx._route = Stack(self.flask, None, False, False, is_websocket, self, bottom=bottom)
            ctx._route.has_failed = True
        else:
            ctx._route = self._described(ctx.request, self.instead(ctx.request))
        return await ctx._route.receiving(scope, receive, send)

    @property
    def routes(self) -> list[BaseRoute]:
        """The rules in the form of Starlette's routes, for middleware that looks there."""
        return [rule.route for rule in self.flask.url_map.iter_rules() if isinstance(rule, Rule)]

    @routes.setter
    def routes(self, routes: list[BaseRoute]) -> None:
        """Starlette's router begins with a list of its own."""

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of an endpoint below the application, for Starlette's ``request.url_for``; `Flask.url_for`
        is what views use.

        :raises NoMatchFound: when no rule has that name and those variables.
        """
        for route in self.routes:
            with suppress(NoMatchFound):
                return route.url_path_for(name, **path_params)
        raise NoMatchFound(name, path_params)

    # -- matching -------------------------------------------------------------------------------

    def match(self, request: Request, websocket: bool = False) -> Stack | None:
        """Find the rule, or that there is none, where that is all there is to it; otherwise None."""
        if self._made_for is not observed.setup:
            self._prepare()
        if self._asks_werkzeug:
            return None
        scope = request.scope
        is_below = "root_path" in scope and scope["root_path"]  # twice as fast as get()
        path: str = route_path(scope) if is_below else scope["path"]
        method = request.method
        if path in self._static and not websocket and (found := self._static[path].get(method)) is not None:
            pass  # the way of the rules without variables
        elif (found := self.matcher.match(path, method, websocket)) is None:
            return None
        if found is NOWHERE:
            request.routing_exception = NotFound()
            if not self._match_mount(request, path) and not websocket:
                return self._nowhere
            return self._described(request, self.instead(request))
        target, texts = found
        if not texts:
            view_args = target.defaults.copy() if target.defaults else {}
        elif target.runs_user_code or (view_args := convert(target, texts)) is None:
            return None
        request.url_rule = target.rule
        request.view_args = view_args
        stack: Stack = target.stack
        if stack is None or stack.made_for is not self._made_for or method == "OPTIONS":
            stack = self._stack_of(target, request, path)
        return self._described(request, stack)

    def _described(self, request: Request, stack: Stack) -> Stack:
        """Leave in the scope what Starlette's router leaves there, for middleware that looks at the one it
        has passed on. Where this application is mounted, the router around it stays: it builds the URLs."""
        scope = request.scope
        if stack.rule is not None:
            if "router" in scope:
                scope["path_params"] = {**scope.get("path_params", {}), **(request.view_args or {})}
            else:
                scope["router"] = self
                scope["path_params"] = request.view_args or {}
            scope["endpoint"] = stack.view
            scope["route"] = stack.starlette_route
            if stack.takes_body:
                request.streams_body = stack.streams_body
                request.passes_body_on = stack.passes_body_on
        return stack

    async def _match_with_werkzeug(self, ctx: Any) -> None:
        """Find the rule the long way. What is wrong with the URL is raised later, when the hooks have run."""
        request = ctx.request
        try:
            _ = ctx.url_adapter  # which checks the host
        except HTTPException as untrusted:
            request.routing_exception = untrusted
            return
        if self.matcher.runs_user_code:
            await ctx._walk.call(ctx.match_request)
        else:
            ctx.match_request()
        path = route_path(request.scope)
        if request.routing_exception is not None or self._is_for_mounts(request):
            self._match_mount(request, path)

    def _match_mount(self, request: Request, path: str) -> bool:
        """Look for what is mounted where no rule is."""
        if not self.flask.mounts or not (
            isinstance(request.routing_exception, NotFound | MethodNotAllowed | WebsocketMismatch)
            or self._is_for_mounts(request)
        ):
            return False
        for mount in self.flask.mounts:
            if mount.covers(path):
                request.routing_exception = None
                request.url_rule = mount.rule
                request.view_args = {"path": path[len(mount.path) :].lstrip("/")}
                return True
        return False

    def _is_for_mounts(self, request: Request) -> bool:
        """Whether it is for static files where there is no folder of them: a mounted application's own may be
        meant."""
        return self._has_no_static_files and request.endpoint == "static"

    # -- stacks ---------------------------------------------------------------------------------

    def instead(self, request: Request) -> Stack:
        """The stack for where a request goes now."""
        rule: Any = request.url_rule
        leads_on = request.routing_exception is None
        is_automatic = (
            leads_on and request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
        )
        return self._stack(rule, leads_on, bool(is_automatic), request.scope["type"] == "websocket")

    def teardown_of(self, ctx: Any) -> Teardown:
        """The end of a request: that of where it has gone in the end."""
        route = ctx._route
        if route is None or route.rule is not ctx.request.url_rule:
            route = self.instead(ctx.request)
        teardown: Teardown = route.teardown
        return teardown

    def _stack_of(self, target: Any, request: Request, path: str) -> Stack:
        if self._is_for_mounts(request) and self._match_mount(request, path):
            return self.instead(request)
        stack = self.instead(request)
        if not stack.is_automatic_options and target.rule.endpoint != "static":
            target.stack = stack
        return stack

    def _stack(self, rule: Any, *kind: bool) -> Stack:
        if self._made_for is not observed.setup:
            self._prepare()
        key = id(rule), *kind
        stack = self._stacks.get(key)
        if stack is None or stack.made_for is not self._made_for:
            stack = self._stacks[key] = Stack(self.flask, rule, *kind, self)
        return stack

    def _prepare(self) -> None:
        """Work out anew what depends on the setup."""
        flask = self.flask
        self._made_for = observed.setup
        self._stacks = {}
        self._asks_werkzeug = (
            flask.config["TRUSTED_HOSTS"] is not None
            or flask.request_class.trusted_hosts is not None
            or overridden(flask, "create_url_adapter") is not None
        )
        self._has_no_static_files = flask.static_folder is not None and not os.path.isdir(flask.static_folder)
        rules = flask.url_map, flask.url_map.version
        if rules != self._rules:
            self._rules = rules
            with_domains = flask.url_map.host_matching or flask.subdomain_matching
            self.matcher = RouteMatcher(flask.url_map, subdomains=with_domains)
            self._static = self.matcher.static
        self._nowhere = self._stack(None, False, False, False)
