"""A rule as the end of a way through the matcher's states, and the values of its variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import BaseConverter
from werkzeug.routing import Map as WerkzeugMap
from werkzeug.routing import Rule as WerkzeugRule
from werkzeug.routing import converters as werkzeug_converters

from .rules import IntegerConverter

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
            elif not is_builtin(type(converter)):
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


def is_builtin(converter: type) -> bool:
    return converter.__module__ == werkzeug_converters.__name__ or converter is IntegerConverter


def _may_redirect_to_defaults(rule: WerkzeugRule, url_map: WerkzeugMap) -> bool:
    for other in url_map.iter_rules(rule.endpoint):
        if other is rule:
            return False
        if other.provides_defaults_for(rule):
            return True
    return False


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
