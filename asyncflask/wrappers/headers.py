"""Header fields: as the client sent them, and as ASGI wants them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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

    As in a WSGI environ a name has one value (see `environ.joined`), dashes and underscores in the name that
    is asked for are the same, and names that were sent with underscores are left out: a proxy that sets a
    header removes what a client has sent under that name, but not under the other.

    :param raw: the values by their names in lower case.
    """

    def __init__(self, raw: Mapping[bytes, bytes]) -> None:
        self._raw = raw

    @lazy
    def _list(self) -> list[tuple[str, str]]:
        names = _names
        return [
            (names.get(name) or _written(name), value.decode("latin-1"))
            for name, value in self._raw.items()
            if b"_" not in name
        ]

    def _value_of(self, key: str) -> str | None:
        try:
            value = self._raw.get(key.lower().replace("_", "-").encode("latin-1"))
        except (UnicodeEncodeError, AttributeError, TypeError):
            return None  # no name of a header, or no string
        return None if value is None else value.decode("latin-1")

    def getlist(self, key: str, type: Callable[[str], Any] | None = None) -> list[Any]:
        """The value in a list, which is empty without one, or where `type` raises a ValueError."""
        value = self.get(key, None, type)
        return [] if value is None else [value]

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
        date = parse_date(value)
        if date is not None:
            date.astimezone(UTC)
    except OverflowError:
        return True
    return False


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


#: What no value of a header may have (RFC 9110 section 5.5): control characters but the tab, and what Latin-1
#: has not. Servers close the connection rather than send it.
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
#: Those that are encoded when they are sent.
_ENCODED = frozenset(("location", "content-location"))


def check_values(items: Sequence[tuple[str, str]]) -> None:
    """Refuse headers that no server would send.

    :raises ValueError: with the name of the header.
    """
    for name, _ in items:
        if name not in raw_names:
            raw_header(name, "")
    text = "".join([value for _, value in items])
    if text.isascii() and text.isprintable():
        return
    for name, value in items:
        if not is_sendable(name, value):
            raise ValueError(
                f"The value of the header {name!r} cannot be sent: {value[:200]!r} has characters that no"
                " header may have (RFC 9110 section 5.5). Encode them, with urllib.parse.quote() for one."
            )


def is_sendable(name: str, value: str) -> bool:
    """Whether a server would send that."""
    return _UNSENDABLE.search(value) is None or name.lower() in _ENCODED


#: A path, and perhaps a query, in which there is nothing to encode, as most are.
_PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9/._~-]*(?:\?[A-Za-z0-9&=._~-]+)?")


def _uri(value: str) -> bytes:
    if _PLAIN_PATH.fullmatch(value) is not None:
        return value.encode()
    try:
        return iri_to_uri(value).encode("latin-1")
    except ValueError:  # no URL, such as "http://["; the client may make of it what it can
        return quote(value, safe="!#$%&'()*+,-./:;=?@_~").encode("latin-1")
