"""The rules of an application: Werkzeug's, with what asyncflask adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.routing import IntegerConverter as WerkzeugIntegerConverter
from werkzeug.routing import Map as WerkzeugMap
from werkzeug.routing import Rule as WerkzeugRule
from werkzeug.routing import ValidationError

from ..lazy import lazy
from ..observed import changed
from .route import RuleRoute


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
