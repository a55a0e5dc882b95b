"""From a path to a rule.

`app.url_map` is Werkzeug's, and what it says is what counts. `RouteMatcher` is a
faster way to the same answer for the requests that match: it follows the states
of Werkzeug's own matcher with everything looked up once that does not depend on
the request. For all else (nothing found, another method, a redirect, subdomains)
it says that it does not know, and Werkzeug is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

from werkzeug.routing import Map as WerkzeugMap
from werkzeug.routing.matcher import State

from .rules import Map
from .target import Target, is_builtin


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

    def by_method(self) -> dict[str, Target]:
        """Where requests that end here go, by their method, as far as that is all there is to it."""
        targets: dict[str, Target] = {}
        for target in self.targets:
            if target.methods is None:
                break
            if not target.websocket:
                for method in target.methods:
                    targets.setdefault(method, target)
        return {method: target for method, target in targets.items() if target.is_plain}


class _Leaf:
    """What ends in one variable below a static path: most rules with variables do.

    :param accepts: whether it takes a last part.
    :param static: the last parts that other rules have.
    :param targets: the rules by method.
    """

    __slots__ = ("accepts", "static", "targets")

    def __init__(
        self, accepts: Callable[[str], object], static: Container[str], targets: dict[str, Target]
    ) -> None:
        self.accepts = accepts
        self.static = static
        self.targets = targets

    @classmethod
    def below(cls, node: _Node) -> _Leaf | None:
        """The leaf of a state, if it has one."""
        if not node.dynamic:
            return None
        match_part, _, final, _, child = node.dynamic[0]
        # `match_part` is a method of a compiled pattern, which a type checker takes for any function.
        variable = _LONE_VARIABLE.fullmatch(match_part.__self__.pattern)  # type: ignore[attr-defined]
        if final or variable is None:
            return None
        accepts = _QUICK.get(variable[1], match_part)
        return cls(accepts, node.static, child.by_method())


#: The pattern of a part that is one variable and nothing else.
_LONE_VARIABLE = re.compile(r"\(\?P<__werkzeug_0>((?:(?!\(\?P<).)*)\)\\Z")
#: What says the same of a part, which has no slash, as the patterns of ``int`` and ``string``.
_QUICK: dict[str, Callable[[str], object]] = {r"\d+": str.isdecimal, "[^/]{1,}": bool}


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
        self._leaves: dict[str, _Leaf] = {}
        #: Whether matching may call converters that are not Werkzeug's.
        self.runs_user_code = not all(map(is_builtin, url_map.converters.values()))
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
        leaf = self._leaves.get(head)
        if leaf is not None and not websocket:
            target = leaf.targets.get(method)
            if target is not None and tail not in leaf.static and leaf.accepts(tail):
                return target, (tail,)
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

    def _collect_static(self, node: _Node, parts: tuple[str, ...]) -> None:
        """Note the rules without variables: of two with the same path the first one that accepts the
        method is the one that Werkzeug takes, and neither is preceded by one with variables."""
        leaf = _Leaf.below(node)
        if leaf is not None:
            self._leaves["/".join(parts)] = leaf
        for part, child in node.static.items():
            path = "/".join((*parts, part))
            targets = child.by_method()
            if targets and path[:2] != "//":  # which is for Werkzeug
                self.static[path] = {method: (target, ()) for method, target in targets.items()}
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
