"""JSON with orjson or msgspec, as `DefaultJSONProvider` writes and reads it.

The library does what it does in the same way as `json`; everything else is left to `json`, an error too. What
differs nevertheless is said in the docstrings of the two classes, and in docs/performance.md.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterable
from importlib import import_module
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any

from .provider import DefaultJSONProvider, _default

if TYPE_CHECKING:
    from ..protocols import Application

_SCALARS = frozenset((str, int, bool, type(None)))
#: What `json` writes without asking `default`, subclasses included.
_KNOWN = (str, int, float, dict, list, tuple)

#: A float as `marshal` writes it, noted for later or not, with the exponent of NaN and infinity (IEEE 754).
#: Two, since each begins with a byte that is looked for quickly.
_NAN = tuple(re.compile(kind + rb".{6}[\xf0-\xff][\x7f\xff]", re.DOTALL) for kind in (b"g", b"\xe7"))

#: Makes every digit a zero.
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
#: Any number of fewer digits fits into 64 bits.
_LONG = b"0" * 19


def _imported(name: str, user: object) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(
            f"{type(user).__name__} needs {name}: install 'asyncflask[{name}]'.", name=name
        ) from None


def _is_finite(values: Iterable[Any], strict: bool) -> bool:
    """Whether there is neither NaN nor infinity in the values, all the way down.

    :param strict: nor anything that is not of JSON's own types, a key or an instance of a subclass included.
    """
    for value in values:
        kind = type(value)
        if kind in _SCALARS:
            continue
        if kind is float:
            if value - value != 0:
                return False
        elif kind is dict:
            if strict:
                for key in value:
                    if type(key) is not str:
                        return False
            if not _is_finite(value.values(), strict):
                return False
        elif kind is list or kind is tuple:
            if not _is_finite(value, strict):
                return False
        elif strict:
            return False
    return True


def _has_no_nan(value: Any) -> bool:
    """Whether there is neither NaN nor infinity, as `_is_finite` tells in ten times the time.

    `marshal` writes a float as a letter and eight bytes. Elsewhere, text or integers, such bytes are rare.
    """
    try:
        data = marshal.dumps(value)
    except ValueError:  # of another type than its own, or nested deep
        return _is_finite((value,), False)
    if b"\x7f" not in data and b"\xff" not in data:  # the first bits of the exponent
        return True
    return not any(pattern.search(data) for pattern in _NAN) or _is_finite((value,), False)


def _to_orjson(o: Any) -> Any:
    """`_default`, asked by orjson. What it raises, orjson turns into an error of its own."""
    if isinstance(o, _KNOWN):
        raise TypeError  # json has its rules for subclasses
    value = _default(o)
    if type(value) is dict and not _is_finite((value,), False):
        raise TypeError
    return value


def _to_text(data: bytes, ensure_ascii: bool) -> str:
    text = data.decode()
    return _escaped(text) if ensure_ascii and (not data.isascii() or b"\x7f" in data) else text


def _escaped(text: str) -> str:
    """JSON without spaces and with the characters escaped that json escapes: they are in strings only."""
    if "\\" not in text:  # then a backslash is one of Python's escapes
        data = text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
        if b"\\U" not in data:
            return data.decode().replace("\x7f", "\\u007f")
    # The quotation marks and backslashes, which are escaped along, are put back.
    return encode_basestring_ascii(text)[1:-1].replace('\\"', '"').replace("\\\\", "\\")


class OrjsonProvider(DefaultJSONProvider):
    """`DefaultJSONProvider` by orjson, which the extra ``asyncflask[orjson]`` installs.

    What is different: floats may be written in another notation, ``1e-7`` for ``1e-07``. And as long as
    `default` is not replaced, an `enum.Enum` is written as its value, where `json` refuses those that are
    neither text nor numbers, and an `orjson.Fragment` as what it contains.

    orjson is used where there is no space in the JSON: by `response` unless it indents, for session cookies,
    and by `dumps` with ``separators=(",", ":")`` and nothing else; and by `loads` without further arguments.

    :raises ModuleNotFoundError: when orjson is not installed.
    """

    def __init__(self, app: Application) -> None:
        super().__init__(app)
        orjson = _imported("orjson", self)
        self._dumps = orjson.dumps
        self._loads = orjson.loads
        self._options: int = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        self._options |= orjson.OPT_PASSTHROUGH_SUBCLASS
        self._sorted: int = self._options | orjson.OPT_SORT_KEYS

        self._newline: int = orjson.OPT_APPEND_NEWLINE

    def dumps_compact(self, obj: Any) -> str:
        """`dumps` without spaces."""
        data = self._dumped(obj)
        return super().dumps_compact(obj) if data is None else _to_text(data, self.ensure_ascii)

    def _dumped(self, obj: Any, options: int = 0) -> bytes | None:
        """What orjson makes of a value, None where that is not what `json` would make of it."""
        options |= self._sorted if self.sort_keys else self._options
        try:
            # orjson would not ask another `default` about UUIDs and enums.
            if self.default is _default or _is_finite((obj,), True):
                data: bytes = self._dumps(obj, _to_orjson, options)
                # It writes NaN as null.
                if b"null" not in data or _has_no_nan(obj):
                    return data
        except Exception:
            pass  # json may know better, or says what is wrong
        return None

    def _write(self, obj: Any) -> bytes | None:
        data = self._dumped(obj, self._newline)
        if data is None or not self.ensure_ascii or (data.isascii() and b"\x7f" not in data):
            return data
        return _escaped(data[:-1].decode()).encode() + b"\n"

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Deserialize JSON.

        :param s: text or UTF-8 bytes.
        :param kwargs: for `json.loads`.
        :raises ValueError: when it is not JSON.
        :raises RecursionError: when it nests too deep.
        """
        if not kwargs:
            try:
                data = s.encode() if type(s) is str else s
                # It reads integers that do not fit into 64 bits as floats.
                if type(data) is bytes and _LONG not in data.translate(_ZEROS):
                    return self._loads(data)
            except ValueError:
                pass
        return super().loads(s, **kwargs)


class MsgspecProvider(DefaultJSONProvider):
    """`DefaultJSONProvider` by msgspec, which the extra ``asyncflask[msgspec]`` installs.

    What is different: floats may be written in another notation, ``1e-7`` for ``1e-07``.

    msgspec is used where there is no space in the JSON: by `response` unless it indents, for session cookies,
    and by `dumps` with ``separators=(",", ":")`` and nothing else; and by `loads` without further arguments.
    It has its own ways to write dates, sets, bytes and more, which cannot be turned off, so it is given only
    values that consist of JSON's own types. To see to that takes longer than to write them.

    :raises ModuleNotFoundError: when msgspec is not installed.
    """

    def __init__(self, app: Application) -> None:
        super().__init__(app)
        msgspec = _imported("msgspec", self)
        self._encode = msgspec.json.encode
        self._decode = msgspec.json.decode

    def dumps_compact(self, obj: Any) -> str:
        """`dumps` without spaces."""
        try:
            if _is_finite((obj,), True):
                data: bytes = self._encode(obj, order="deterministic" if self.sort_keys else None)
                return _to_text(data, self.ensure_ascii)
        except Exception:
            pass  # json may know better, or says what is wrong
        return super().dumps_compact(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Deserialize JSON.

        :param s: text or UTF-8 bytes.
        :param kwargs: for `json.loads`.
        :raises ValueError: when it is not JSON.
        :raises RecursionError: when it nests too deep.
        """
        if not kwargs and (type(s) is str or type(s) is bytes):
            try:
                return self._decode(s)
            except Exception:  # its errors have not always been ValueErrors
                pass
        return super().loads(s, **kwargs)
