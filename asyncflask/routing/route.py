"""Rules in the form of Starlette's routes."""

from __future__ import annotations

import re
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Rule as WerkzeugRule

from ..environ import route_path
from ..typing import Scope

_VARIABLE = re.compile(r"<(?:[^<>]*:)?(\w+)>")


class RuleRoute(BaseRoute):
    """A rule as one of Starlette's routes, for middleware that wants to know where a request has gone.

    :ivar path: the rule, ``/user/<int:id>``.
    :ivar path_format: the same as Starlette writes it, ``/user/{id}``.
    """

    def __init__(self, rule: WerkzeugRule) -> None:
        self.rule = rule
        self.path = rule.rule
        self.path_format = _VARIABLE.sub(r"{\1}", rule.rule)
        self.name = self.endpoint = rule.endpoint
        self.methods = rule.methods
        self._beginning = rule.rule.partition("<")[0].rstrip("/")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request that the scope is of goes this way."""
        if self.rule.map is None or scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        path = route_path(scope) or "/"
        if not path.startswith(self._beginning) and "//" not in path:
            return Match.NONE, {}  # those who look for a request's route ask each
        scheme = "ws" if scope["type"] == "websocket" else "http"
        adapter = self.rule.map.bind("", url_scheme=scheme, path_info=path)
        mount = getattr(self.rule, "mount", None)
        level = Match.FULL
        try:
            try:
                rule, values = adapter.match(method=scope.get("method", "GET"), return_rule=True)
            except MethodNotAllowed:
                if mount is not None or not self.methods:
                    raise
                level = Match.PARTIAL  # if with a method of its own it is this rule
                own = min(self.methods, key=("OPTIONS", "HEAD").__contains__)
                rule, values = adapter.match(method=own, return_rule=True)
        except HTTPException:
            covered = mount is not None and mount.covers(route_path(scope))
            return (Match.FULL, {"endpoint": self.endpoint}) if covered else (Match.NONE, {})
        if rule is not self.rule:
            return Match.NONE, {}
        return level, {"endpoint": self.endpoint, "path_params": dict(values)}

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}>"
