"""Values that views return though no response can be made of them, and what to return instead."""

from __future__ import annotations

import dataclasses
from typing import Any


def instead_of(value: Any) -> str:
    """What to return in the place of a value; a sentence, or nothing."""
    if isinstance(value, tuple) and len(value) in (2, 3):
        return _instead_of_tuple(value)
    cls = type(value)
    if isinstance(value, type):
        return f"It was the class itself: return an object, or what is in one, not {value.__name__!r}."
    if hasattr(value, "model_dump"):  # pydantic's models
        return "For a model of pydantic: return value.model_dump(mode='json')."
    if hasattr(cls, "__struct_fields__"):
        return "For a struct of msgspec: return msgspec.to_builtins(value)."
    if dataclasses.is_dataclass(value):
        return "For a dataclass: return jsonify(value), or dataclasses.asdict(value)."
    if hasattr(cls, "__attrs_attrs__"):
        return "For a class of attrs: return attrs.asdict(value)."
    if isinstance(value, set | frozenset):
        return "For a set: return sorted(value), or list(value)."
    if isinstance(value, bool | int | float):
        return "For a number: return str(value) as text, jsonify(value) as JSON, '', 204 for a status alone."
    if hasattr(value, "isoformat"):
        return "For a date or time: return value.isoformat()."
    if hasattr(value, "_asdict"):
        return "For a named tuple, or a row of SQLAlchemy: return value._asdict()."
    if hasattr(value, "__dict__") or hasattr(value, "__slots__"):
        return f"For an object of your own: return a dict of what a client may see of {cls.__name__!r}."
    return ""


def _instead_of_tuple(value: tuple[Any, ...]) -> str:
    first, *rest = value
    if isinstance(first, int) and isinstance(rest[0], str | bytes | dict | list):
        return f"It began with {first!r}: the status comes second, (body, status). Are they swapped?"
    return ""
