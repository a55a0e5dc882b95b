"""Warnings about rules that are likely not meant, in debug mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .source import described

if TYPE_CHECKING:
    from ..protocols import Application

_IN_BRACES = re.compile(r"\{([A-Za-z_]\w*)(?::(\w+))?\}")
_VARIABLE = re.compile(r"<(?:([A-Za-z_]\w*)(\([^>]*\))?:)?[A-Za-z_]\w*>")
_CONVERTERS = {"str": "string"}


def warnings(app: Application) -> Iterator[str]:
    """A sentence for each rule of an application that is likely another one than was meant."""
    taken: dict[Any, Any] = {}
    for rule in app.url_map.iter_rules():
        if _IN_BRACES.search(rule.rule):
            yield _braces(app, rule)
        if rule.build_only or rule.alias or rule.redirect_to:
            continue
        methods = {None} if rule.methods is None else rule.methods - {"HEAD", "OPTIONS"}
        for method in sorted(methods or {None}, key=str):
            key = _shape(rule), rule.host, rule.subdomain, rule.websocket, str(rule.defaults), method
            first = taken.setdefault(key, rule)
            if first is not rule and first.endpoint != rule.endpoint:
                yield _twice(app, first, rule, method)
                break


def _shape(rule: Any) -> str:
    """A rule without the names of its variables."""
    return _VARIABLE.sub(lambda found: f"<{found[1] or 'string'}{found[2] or ''}>", rule.rule)


def _braces(app: Application, rule: Any) -> str:
    def variable(found: re.Match[str]) -> str:
        converter = _CONVERTERS.get(found[2], found[2])
        return f"<{converter}:{found[1]}>" if converter else f"<{found[1]}>"

    return (
        f"The rule {rule.rule!r} of {_view(app, rule)} matches braces as they are. Variables are written with"
        f" angle brackets: {_IN_BRACES.sub(variable, rule.rule)!r}."
    )


def _twice(app: Application, first: Any, second: Any, method: str | None) -> str:
    what = f"{method} {second.rule}" if method else second.rule
    return (
        f"{what!r} is registered twice, for {_view(app, first)} and for {_view(app, second)}: the second is"
        " never called. Give one of them another rule or method."
    )


def _view(app: Application, rule: Any) -> str:
    view = app.view_functions.get(rule.endpoint)
    return repr(rule.endpoint) if view is None else described(view)
