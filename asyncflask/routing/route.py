"""Rules in the form of Starlette's routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, Route, WebSocketRoute, compile_path
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Rule as WerkzeugRule

from ..environ import route_path
from ..lazy import lazy
from ..typing import Scope

_VARIABLE = re.compile(r"<(?:([^<>:(]*)(?:\([^<>]*\))?:)?(\w+)>")


class RuleRoute(BaseRoute):
    """A rule as one of Starlette's routes, for middleware that wants to know where a request has gone.

    :ivar path: the rule, ``/user/<int:id>``.
    :ivar path_format: the same as Starlette writes it, ``/user/{id}``.
    :ivar name: the endpoint.
    :ivar endpoint: the view function.
    """

    include_in_schema = True

    def __init__(self, rule: WerkzeugRule) -> None:
        self.rule = rule
        self.path = rule.rule
        self.path_format = _VARIABLE.sub(r"{\2}", rule.rule)
        self.name = rule.endpoint
        self.methods = rule.methods
        #: The view functions of the application, by their endpoints.
        self.views: Mapping[str, Callable[..., Any]] = {}
        self._beginning = rule.rule.partition("<")[0].rstrip("/")

    def __getattr__(self, name: str) -> Any:
        if name == "endpoint" and self.name in self.views:
            return self.views[self.name]
        raise AttributeError(name)  # also for an endpoint that has no view: it is not there

    @lazy
    def path_regex(self) -> re.Pattern[str]:
        """What a path looks like, without what converters want of its variables."""
        return compile_path(self._starlette_path())[0]

    @lazy
    def param_convertors(self) -> Any:
        """Starlette's converters for the variables: texts, or paths."""
        return compile_path(self._starlette_path())[2]

    def _starlette_path(self) -> str:
        return _VARIABLE.sub(lambda found: f"{{{found[2]}{':path' * (found[1] == 'path')}}}", self.path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request that the scope is of goes this way."""
        if self.rule.map is None or scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        path = route_path(scope) or "/"
        if not path.startswith(self._beginning) and "//" not in path:
            return Match.NONE, {}  # those who look for a request's route ask each
        scheme = "ws" if scope["type"] == "websocket" else "http"
        adapter = self.rule.map.bind("", url_scheme=scheme, path_info=path)
        level = Match.FULL
        try:
            try:
                rule, values = adapter.match(method=scope.get("method", "GET"), return_rule=True)
            except MethodNotAllowed:
                if not self.methods:
                    raise
                level = Match.PARTIAL  # if with a method of its own it is this rule
                own = min(self.methods, key=("OPTIONS", "HEAD").__contains__)
                rule, values = adapter.match(method=own, return_rule=True)
        except HTTPException:
            return Match.NONE, {}
        if rule is not self.rule:
            return Match.NONE, {}
        return level, {"endpoint": getattr(self, "endpoint", None), "path_params": dict(values)}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path below the application, as Starlette's ``url_for`` asks each route for it.

        :raises NoMatchFound: when the name or the variables are not those of this rule.
        """
        built = None
        if name == self.name and self.rule.suitable_for(path_params):
            built = self.rule.build(path_params, append_unknown=False)
        if built is None or path_params.keys() - self.rule.arguments:
            raise NoMatchFound(name, path_params)
        return URLPath(built[1], protocol="websocket" if self.rule.websocket else "http")

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"


class HTTPRuleRoute(RuleRoute, Route):
    """A rule for HTTP requests."""


class WebsocketRuleRoute(RuleRoute, WebSocketRoute):
    """A rule for websockets."""
