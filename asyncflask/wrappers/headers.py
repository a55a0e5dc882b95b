"""Header fields: as the client sent them, and as ASGI wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote

from werkzeug.datastructures import (
    Headers,
)
from werkzeug.datastructures.mixins import ImmutableHeadersMixin
from werkzeug.exceptions import BadRequestKeyError
from werkzeug.http import parse_date
from werkzeug.urls import iri_to_uri

from ..lazy import lazy


class RequestHeaders(ImmutableHeadersMixin, Headers):  # type: ignore[misc]
    """The headers that the client sent; they cannot be changed.

    :param raw: as they are in the scope.
    """

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    @lazy
    def _list(self) -> list[tuple[str, str]]:
        names = _names
        return [(names.get(name) or _written(name), value.decode("latin-1")) for name, value in self._raw]

    @lazy
    def _first(self) -> dict[bytes, bytes]:
        return dict(reversed(self._raw))

    def _value_of(self, key: str) -> str | None:
        try:
            value = self._first.get(key.lower().encode("latin-1"))
        except (UnicodeEncodeError, AttributeError):
            return None  # no name of a header, or no string
        return None if value is None else value.decode("latin-1")

    def get(self, key: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:  # type: ignore[override]
        value = self._value_of(key)
        if value is None:
            return default
        if type is None:
            return value
        try:
            return type(value)
        except ValueError:
            return default

    def _get_key(self, key: str) -> str:
        value = self._value_of(key)
        if value is None:
            raise BadRequestKeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._value_of(key) is not None

    def clear(self) -> None:
        """Do nothing, as under Flask."""

    def copy(self) -> NoReturn:
        """Not there; ``Headers(request.headers)`` is a copy that can be changed.

        :raises TypeError: always, as under Flask.
        """
        raise TypeError(f"{type(self).__name__!r} cannot be copied; make 'Headers(request.headers)' of it.")

    __copy__ = copy

    def __or__(self, other: object) -> NoReturn:
        self.copy()


#: Names of headers as they are usually written, by how they come in ASGI.
_names: dict[bytes, str] = {}


def _written(name: bytes) -> str:
    written = name.decode("latin-1").title()
    if len(_names) < 200:  # a client may send any
        _names[name] = written
    return written


def valid_date(value: str | None) -> datetime | None:
    """The date in a header. With Werkzeug's own, one that is out of the calendar's range fails later on."""
    try:
        date = parse_date(value)
        if date is not None:
            date.astimezone(UTC)
        return date
    except OverflowError:
        return None


def is_out_of_range(value: str) -> bool:
    """Whether that would be a date if the calendar had it."""
    try:
        return parse_date(value) != valid_date(value)
    except OverflowError:
        return True


#: Header names as ASGI wants them, by how they were written.
raw_names: dict[str, bytes] = {}


def raw_header(name: str, value: str) -> tuple[bytes, bytes]:
    raw = raw_names.get(name)
    if raw is None:
        raw = name.lower().encode("latin-1")
        if not raw or any(byte <= 32 or byte in b':"(),/;<=>?@[\\]{}' or byte >= 127 for byte in raw):
            raise ValueError(f"{name!r} cannot be sent: it is no name of a header (RFC 9110 section 5.1).")
        if raw == b"location" or raw == b"content-location":
            return raw, _uri(value)
        if len(raw_names) < 500:
            raw_names[name] = raw
    return raw, value.encode("latin-1")


def _uri(value: str) -> bytes:
    try:
        return iri_to_uri(value).encode("latin-1")
    except ValueError:  # no URL, such as "http://["; the client may make of it what it can
        return quote(value, safe="!#$%&'()*+,-./:;=?@_~").encode("latin-1")
