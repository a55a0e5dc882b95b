"""Text from anywhere, as text that can be shown: bounded, printable, encodable."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

MAX_MESSAGE = 4_000  # characters of a message or note
MAX_NAME = 500  # characters of a file, function or type name


def clean(text: str, limit: int) -> str:
    """Shorten a text, and escape what does not print: terminals obey it, UTF-8 may not encode it."""
    text = str.__str__(text)  # of no subclass: a Markup would not be escaped in HTML
    left_out = len(text) - limit
    if left_out > 0:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() or character in "\t\n" else ascii(character)[1:-1]
            for character in text
        )
    return f"{text} … ({left_out} more characters)" if left_out > 0 else text


def text_of(value: object) -> str:
    """``str(value)``, or a text that says why there is none."""
    try:
        return clean(str(value), MAX_MESSAGE)
    except BaseException:  # also a SystemExit: it must not end the server from within __str__
        return "<no text: __str__ failed>"


def type_name(error: BaseException) -> str:
    """The type of an exception as Python's traceback names it."""
    try:
        module, name = type(error).__module__, type(error).__qualname__
        return clean(name if module in ("builtins", "__main__") else f"{module}.{name}", MAX_NAME)
    except Exception:
        return "exception without a name"


def cut_middle(items: list[T], limit: int) -> list[T | int]:
    """Keep ``limit`` items, half of them from either end, and between them the number left out."""
    if len(items) <= limit:
        return [*items]
    tail = limit // 2
    return [*items[: limit - tail], len(items) - limit, *items[len(items) - tail :]]
