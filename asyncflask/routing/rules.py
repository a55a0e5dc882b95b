"""The rules of an application: Werkzeug's, with what asyncflask adds to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any

from starlette.routing import BaseRoute
from werkzeug.routing import IntegerConverter as WerkzeugIntegerConverter
from werkzeug.routing import Map as WerkzeugMap
from werkzeug.routing import Rule as WerkzeugRule
from werkzeug.routing import ValidationError

from ..lazy import lazy
from ..observed import changed
from .route import HTTPRuleRoute, WebsocketRuleRoute


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
    def route(self) -> BaseRoute:
        """The rule in the form that Starlette's routes have, or the mount that it is of."""
        if self.mount is not None:
            return self.mount.route  # type: ignore[no-any-return]
        return WebsocketRuleRoute(self) if self.websocket else HTTPRuleRoute(self)

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., Any]:
        """The function that builds its URLs, compiled when the first is built: that takes nine tenths of the
        time of adding a rule. Where something may be wrong with it, it is said here and now: with defaults,
        with a variable that is there twice, or whose name Python keeps for itself."""
        compiled = super()._compile_builder
        names = [name for is_variable, name in self._trace if is_variable]
        is_odd = len({*names}) < len(names) or any(iskeyword(name) or name == "__debug__" for name in names)
        if self.defaults or is_odd:
            return compiled(append_unknown)

        def build(rule: Any, /, **values: Any) -> Any:
            built = compiled(append_unknown).__get__(rule, None)
            setattr(rule, "_build_unknown" if append_unknown else "_build", built)
            return built(**values)

        return build

    def get_empty_kwargs(self) -> Mapping[str, Any]:
        return {**super().get_empty_kwargs(), "blocking": self.blocking, "stream": self.stream}


class IntegerConverter(WerkzeugIntegerConverter):
    """Werkzeug's, for which a number of more digits than Python converts is no match, not an error."""

    def to_python(self, value: str) -> int:
        try:
            return int(super().to_python(value))
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Map(WerkzeugMap):
    """The rules of an application, whose changes are noticed and counted."""

    version = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.converters["int"] = IntegerConverter

    @classmethod
    def adopt(cls, url_map: WerkzeugMap) -> None:
        """Let changes of another map of Werkzeug's be noticed from now on."""
        if isinstance(url_map, cls):
            return
        kind = type(url_map)
        url_map.__class__ = cls if kind is WerkzeugMap else type(kind.__name__, (cls, kind), {})
        if url_map.converters.get("int") is WerkzeugIntegerConverter:
            url_map.converters["int"] = IntegerConverter

    def add(self, rulefactory: Any) -> None:
        super().add(rulefactory)
        self.version += 1
        changed()
