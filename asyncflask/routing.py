"""From a path to a rule.

`app.url_map` is Werkzeug's, and what it says is what counts. `RouteMatcher` is a
faster way to the same answer for the requests that match: it follows the states
of Werkzeug's own matcher with everything looked up once that does not depend on
the request. For all else (nothing found, another method, a redirect, subdomains)
it says that it does not know, and Werkzeug is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, ValidationError
from werkzeug.routing import IntegerConverter as WerkzeugIntegerConverter
from werkzeug.routing import Map as WerkzeugMap
from werkzeug.routing import Rule as WerkzeugRule
from werkzeug.routing import converters as werkzeug_converters
from werkzeug.routing.matcher import State

from .environ import route_path
from .lazy import lazy
from .observed import changed
from .typing import Scope


class Rule(WerkzeugRule):
    """A URL rule, with what only asyncflask knows of a route.

    :param string: the rule.
    :param args: Werkzeug's, and `kwargs`, too.
    :param blocking: False for a sync view that never waits: it is run on the event loop.
    :param stream: the view takes the body while it arrives.
    """

    def __init__(
        self, string: str, *args: Any, blocking: bool = True, stream: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(string, *args, **kwargs)
        self.blocking = blocking
        self.stream = stream
        #: What is mounted there, if this is the rule of a mount.
        self.mount: Any = None
        self.provide_automatic_options = False

    @lazy
    def route(self) -> RuleRoute:
        """The rule in the form that Starlette's routes have."""
        return RuleRoute(self)

    def get_empty_kwargs(self) -> Mapping[str, Any]:
        return {**super().get_empty_kwargs(), "blocking": self.blocking, "stream": self.stream}


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


class IntegerConverter(WerkzeugIntegerConverter):
    """Werkzeug's, for which a number of more digits than Python converts is no match, not an error."""

    def to_python(self, value: str) -> int:
        try:
            return int(super().to_python(value))
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Map(WerkzeugMap):
    """The rules of an application, whose changes are noticed and counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.version = 0
        super().__init__(*args, **kwargs)
        self.converters["int"] = IntegerConverter

    def add(self, rulefactory: Any) -> None:
        super().add(rulefactory)
        self.version += 1
        changed()


_Convert = Callable[[str], Any]


class Target:
    """A rule as the end of a way through the states."""

    __slots__ = (
        "converters",
        "defaults",
        "is_plain",
        "methods",
        "only",
        "rule",
        "runs_user_code",
        "stack",
        "websocket",
    )

    def __init__(self, rule: WerkzeugRule, url_map: WerkzeugMap) -> None:
        self.rule = rule
        #: The layers for its requests, once made.
        self.stack: Any = None
        self.methods = rule.methods
        self.websocket = rule.websocket
        self.defaults = dict(rule.defaults or {})
        self.converters: list[tuple[str, _Convert | None]] = []
        self.runs_user_code = False
        for name, converter in rule._converters.items():
            convert: _Convert | None = converter.to_python
            if type(converter).to_python is BaseConverter.to_python:
                convert = None  # the text itself
            elif type(converter) is IntegerConverter and not (
                converter.fixed_digits or converter.min is not None or converter.max is not None
            ):
                convert = int  # the digits that its pattern has matched
            elif not _is_builtin(type(converter)):
                self.runs_user_code = True
            self.converters.append((str(name), convert))
        #: Its converter, if it has just one.
        self.only = self.converters[0] if len(self.converters) == 1 else None
        # Whether matching it is all there is: no redirect can follow.
        self.is_plain = (
            not rule.alias
            and rule.redirect_to is None
            and not (url_map.redirect_defaults and _may_redirect_to_defaults(rule, url_map))
        )

    def accepts(self, method: str | None, websocket: bool | None) -> bool:
        return (websocket is None or self.websocket == websocket) and (
            method is None or self.methods is None or method in self.methods
        )


def _is_builtin(converter: type) -> bool:
    return converter.__module__ == werkzeug_converters.__name__ or converter is IntegerConverter


def _may_redirect_to_defaults(rule: WerkzeugRule, url_map: WerkzeugMap) -> bool:
    for other in url_map.iter_rules(rule.endpoint):
        if other is rule:
            return False
        if other.provides_defaults_for(rule):
            return True
    return False


class _Node:
    """A state of Werkzeug's matcher."""

    __slots__ = ("dynamic", "static", "targets")

    def __init__(self, state: State, url_map: WerkzeugMap) -> None:
        self.targets = [Target(rule, url_map) for rule in state.rules]
        self.static = {part: _Node(next_state, url_map) for part, next_state in state.static.items()}
        self.dynamic = [
            (re.compile(part.content).match, _group_numbers(part.content), part.final, part.suffixed, node)
            for part, node in ((part, _Node(next_state, url_map)) for part, next_state in state.dynamic)
        ]


def _group_numbers(pattern: str) -> tuple[int, ...]:
    """The groups of a pattern that are values for converters, in their order."""
    groups = re.compile(pattern).groupindex
    ours = [(int(name[11:]), number) for name, number in groups.items() if name.startswith("__werkzeug_")]
    return tuple(number for _, number in sorted(ours))


class _Unknown(Exception):
    """Only Werkzeug can tell."""


Found = tuple[Target, tuple[str, ...]]

#: What `RouteMatcher.match` returns when no rule has such a path, whatever the method.
NOWHERE: Any = type("NOWHERE", (), {"__repr__": lambda self: "NOWHERE"})()


class RouteMatcher:
    """Matches paths against the rules of a map, as long as nothing out of the ordinary comes of it.

    :param url_map: the rules, as they are now.
    :param subdomains: whether the host takes part in the matching; then it is left to Werkzeug.
    """

    def __init__(self, url_map: Map, subdomains: bool) -> None:
        url_map.update()
        self._root: _Node | None = None
        self.static: dict[str, dict[str, Found]] = {}
        self._by_prefix: dict[str, _Node] = {}
        #: Whether matching may call converters that are not Werkzeug's.
        self.runs_user_code = not all(map(_is_builtin, url_map.converters.values()))
        # Rules for other domains would be reached through a dynamic part of the host.
        domain = url_map._matcher._root.static.get(url_map.default_subdomain or "")
        if not subdomains and domain is not None and not url_map._matcher._root.dynamic:
            self._root = _Node(domain, url_map)
            self._collect_static(self._root, ())

    def match(self, path: str, method: str, websocket: bool = False) -> Any:
        """The rule for a path and the texts of its variables, `NOWHERE`, or None when Werkzeug has to be
        asked."""
        methods = self.static.get(path)
        if methods is not None and not websocket:
            found = methods.get(method)
            if found is not None:
                return found
        if self._root is None or path[:2] == "//":
            return None
        head, _, tail = path.rpartition("/")
        node = self._by_prefix.get(head)
        if node is not None and tail and tail not in node.static:
            found = self._last_part(node, tail, method, websocket)
            if found is not None:
                return found
        parts = path.split("/")
        if self._leads_nowhere(parts):
            return NOWHERE if path[:1] == "/" and "//" not in path else None
        try:
            found = self._follow(self._root, parts, 0, (), method, websocket)
            if found is None:
                # A rule for another method or for websockets would make it another error.
                if path[:1] != "/" or "//" in path:
                    return None
                known = self._follow(self._root, parts, 0, (), None, None) is not None
                return None if known else NOWHERE
        except _Unknown:
            return None
        return found if found[0].is_plain else None

    def _leads_nowhere(self, parts: list[str]) -> bool:
        """Whether the first parts of a path tell already that no rule is for it: the way of most 404s."""
        node = self._root
        for part in parts:
            if node is None or node.dynamic:
                return False
            child = node.static.get(part)
            if child is None:
                return part != ""  # at the end there may be a rule that does without the slash
            node = child
        return False

    @staticmethod
    def _last_part(node: _Node, part: str, method: str, websocket: bool) -> Found | None:
        """A rule for a static path with one variable part at its end: the way that most rules go."""
        for match_part, groups, final, _, child in node.dynamic:
            if final:
                return None
            match = match_part(part)
            if match is not None:
                for target in child.targets:
                    if target.websocket == websocket and (target.methods is None or method in target.methods):
                        if not target.is_plain:
                            return None
                        if len(groups) == 1:
                            return target, (match.group(groups[0]),)
                        return target, tuple(map(match.group, groups))
                return None
        return None

    def _collect_static(self, node: _Node, parts: tuple[str, ...]) -> None:
        """Note the rules without variables: of two with the same path the first one that accepts the
        method is the one that Werkzeug takes, and neither is preceded by one with variables."""
        if node.dynamic:
            self._by_prefix["/".join(parts)] = node
        for part, child in node.static.items():
            methods: dict[str, Target] = {}
            for target in child.targets:
                if target.methods is None:
                    break
                if not target.websocket:
                    for method in target.methods:
                        methods.setdefault(method, target)
            plain: dict[str, Found] = {
                method: (target, ()) for method, target in methods.items() if target.is_plain
            }
            path = "/".join((*parts, part))
            if plain and path[:2] != "//":  # which is for Werkzeug
                self.static[path] = plain
            self._collect_static(child, (*parts, part))

    def _follow(
        self,
        node: _Node,
        parts: list[str],
        at: int,
        values: tuple[str, ...],
        method: str | None,
        websocket: bool | None,
    ) -> Found | None:
        """The way through the states; None stands for any method, and for websockets or not."""
        if at == len(parts):
            for target in node.targets:
                if target.accepts(method, websocket):
                    return target, values
            with_slash = node.static.get("")
            if with_slash is not None:
                for target in with_slash.targets:
                    if target.accepts(method, websocket):
                        if target.rule.strict_slashes:
                            raise _Unknown  # a redirect
                        return target, values
            return None
        part = parts[at]
        child = node.static.get(part)
        if child is not None:
            found = self._follow(child, parts, at + 1, values, method, websocket)
            if found is not None:
                return found
        for match_part, groups, final, suffixed, child in node.dynamic:
            if final:
                match = match_part("/".join(parts[at:]))
                if match is None:
                    continue
                rest, rest_at = parts, len(parts)
                if suffixed and match.groups()[-1] == "/":
                    rest, rest_at = [""], 0
            else:
                match = match_part(part)
                if match is None:
                    continue
                rest, rest_at = parts, at + 1
            texts = values + tuple(map(match.group, groups))
            found = self._follow(child, rest, rest_at, texts, method, websocket)
            if found is not None:
                return found
        if part == "" and at == len(parts) - 1:
            for target in node.targets:
                if not target.rule.strict_slashes and target.accepts(method, websocket):
                    return target, values
        return None


def convert(target: Target, texts: tuple[str, ...]) -> dict[str, Any] | None:
    """The values of a rule's variables; None when one of them is not what its converter takes."""
    if not texts:
        return dict(target.defaults)
    values: dict[str, Any] = {}
    try:
        if target.only is not None:
            name, to_python = target.only
            values[name] = texts[0] if to_python is None else to_python(texts[0])
            return {**values, **target.defaults} if target.defaults else values
        for (name, to_python), text in zip(target.converters, texts, strict=True):
            values[name] = text if to_python is None else to_python(text)
    except ValueError:  # a ValidationError is one; `int` raises it for too many digits
        return None
    if target.defaults:
        values.update(target.defaults)
    return values


class UrlBuilder:
    """Builds the paths of those endpoints that have a single rule, as Werkzeug's adapter does.

    :param url_map: the rules. Rules that are added later are taken in.
    """

    def __init__(self, url_map: Map) -> None:
        self._url_map = url_map
        self._version = -1
        self._paths: dict[str, str] = {}
        self._rules: dict[str, WerkzeugRule] = {}

    def build(self, endpoint: str, values: Mapping[str, Any]) -> str | None:
        """The path below the application's root, without its leading slash; None when Werkzeug has to be
        asked."""
        if self._version != self._url_map.version:
            self._compile()
        if not values:
            path = self._paths.get(endpoint)
            if path is not None:
                return path
        rule = self._rules.get(endpoint)
        if rule is None:
            return None
        for value in values.values():
            if value is None:
                return None
        if not rule.arguments <= values.keys():
            return None
        built = rule.build(values)
        return None if built is None else built[1].lstrip("/")

    def _compile(self) -> None:
        url_map = self._url_map
        self._version = url_map.version
        url_map.update()
        self._paths = {}
        self._rules = {}
        if url_map.host_matching:
            return
        for endpoint, rules in url_map._rules_by_endpoint.items():
            rule = rules[0]
            if len(rules) > 1 or rule.websocket or rule.defaults or "<" in (rule.subdomain or ""):
                continue
            if (rule.subdomain or "") != (url_map.default_subdomain or ""):
                continue
            self._rules[endpoint] = rule
            if not rule.arguments:
                built = rule.build({})
                if built is not None:
                    self._paths[endpoint] = built[1].lstrip("/")
