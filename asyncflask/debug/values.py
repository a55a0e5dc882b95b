"""The values of variables as text, whatever their classes do: bounded in size and time, secrets left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import islice
from types import ModuleType
from typing import Any

from werkzeug.local import LocalProxy

from .aside import Aside, TimeIsUp
from .masking import HIDDEN, Mask
from .text import clean

MAX_VALUES = 40  # of one frame or table
MAX_VALUE = 1_000  # characters of one value
MAX_ITEMS = 20  # of a container; half as many in one within it, and so on
MAX_DEPTH = 4  # containers within containers
MAX_ALL = 200_000  # characters in all

SECONDS = 0.25  # for one value
ALL_SECONDS = 1.0

_PLAIN = (bool, int, float, complex, str, bytes, bytearray, type(None), date, time, timedelta, Decimal)
_BRACKETS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A name and a value, both to be read by people."""

    name: str
    text: str


class Describer:
    """Describes values; keeps the account of what may still be described.

    :param mask: what leaves the secrets out.
    :param aside: where ``__repr__`` methods are called.
    """

    def __init__(self, mask: Mask, aside: Aside) -> None:
        self.mask = mask
        self._aside = aside
        self._left = MAX_ALL

    def variables(self, namespace: Mapping[str, Any]) -> list[Value]:
        """The local variables of a frame. Of a module those are left out that say nothing about an error."""
        is_module = "__name__" in namespace and "__builtins__" in namespace
        chosen = (
            (name, value)
            for name, value in namespace.items()
            if not (is_module and issubclass(type(value), (ModuleType, type)))
            and not (name.startswith("__") and name.endswith("__"))
            and not name.startswith(("@", "."))  # pytest's and comprehensions'
        )
        return self.table(chosen)

    def table(self, pairs: Iterable[tuple[Any, Any]]) -> list[Value]:
        """Names and values, secrets among them hidden."""
        pairs = list(islice(pairs, MAX_VALUES + 1))
        values = [Value(self.name(name), self.named(name, value)) for name, value in pairs[:MAX_VALUES]]
        if len(pairs) > MAX_VALUES:
            values.append(Value("…", f"more than {MAX_VALUES}: the others are left out"))
        return values

    def name(self, name: Any) -> str:
        return clean(name if isinstance(name, str) else self.value(name), 200)

    def named(self, name: Any, value: Any) -> str:
        """A value, unless its name says that it is a secret."""
        if self.mask.learn(name, value) and value is not None and type(value) is not bool:
            return HIDDEN
        return self.value(value)

    def value(self, value: Any) -> str:
        """A value as text."""
        if self._left <= 0:
            return "(left out: there is too much to show)"
        try:
            text = self._describe(value, MAX_DEPTH)
        except BaseException as error:  # of a class that is not what it says
            text = f"<{_class_name(value)}: {_class_name(error)} while it was described>"
        text = clean(self.mask.text(text[: 4 * MAX_VALUE]), MAX_VALUE)
        self._left -= len(text)
        return text

    def _describe(self, value: Any, depth: int) -> str:
        if type(value) is LocalProxy:  # `request`, `session`, `g`: what they stand for
            value = self._aside.call(value._get_current_object)
        kind: Any = type(value)
        if any(kind is plain for plain in _PLAIN):  # whatever its own idea of equality is
            return _plain(value)
        for base, brackets in _BRACKETS.items():
            # A dictionary of one's own has keys to be looked at, for secrets; others may be no containers.
            if kind is base or (base is dict and issubclass(kind, dict)):
                opening, closing = brackets
                if kind is not base:
                    opening, closing = f"{_class_name(value)}({opening}", f"{closing})"
                return self._container(value, base, opening, closing, depth)
        if issubclass(kind, str):
            text = str.__str__(str.__getitem__(value, slice(4 * MAX_VALUE)))
            return f"{_class_name(value)}({_plain(text)})"
        return self._repr(value)

    def _container(self, value: Any, base: Any, opening: str, closing: str, depth: int) -> str:
        if depth == 0:
            return f"{opening}…{closing}"
        limit = max(MAX_ITEMS >> (MAX_DEPTH - depth), 3)
        parts = []
        if base is dict:
            for key, item in islice(dict.items(value), limit):
                is_hidden = self.mask.learn(key, item) and item is not None and type(item) is not bool
                shown = HIDDEN if is_hidden else self._describe(item, depth - 1)
                parts.append(f"{self._describe(key, depth - 1)}: {shown}")
        else:
            parts = [self._describe(item, depth - 1) for item in islice(base.__iter__(value), limit)]
        size = base.__len__(value)
        if size > limit:
            parts.append(f"… {size - limit} more")
        if base in (set, frozenset) and not size:
            return f"{base.__name__}()"
        comma = "," if base is tuple and size == 1 else ""
        return f"{opening}{', '.join(parts)}{comma}{closing}"

    def _repr(self, value: Any) -> str:
        try:
            return self._aside.call(lambda: _bounded_repr(value))
        except TimeIsUp:
            return f"<{_class_name(value)}: no time for its __repr__>"
        except BaseException as error:
            return f"<{_class_name(value)}: its __repr__ raised {_class_name(error)}>"


def _bounded_repr(value: Any) -> str:
    return str.__getitem__(repr(value), slice(4 * MAX_VALUE))


def _plain(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > 2_000:
        return f"<int of {value.bit_length()} bits>"
    if isinstance(value, (str, bytes, bytearray)) and len(value) > MAX_VALUE:
        return f"{value[:MAX_VALUE]!r}… {len(value) - MAX_VALUE} more"
    return repr(value)


def _class_name(value: Any) -> str:
    try:
        return clean(type(value).__qualname__, 200)
    except BaseException:
        return "object"
