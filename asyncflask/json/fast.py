"""JSON with orjson or msgspec, as `DefaultJSONProvider` writes and reads it.

The library does what it does in the same way as `json`; everything else is left to `json`, an error too. What
differs nevertheless is said in the docstrings of the two classes, and in docs/performance.md.
"""

from __future__ import annotations

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

    def dumps_compact(self, obj: Any) -> str:
        """`dumps` without spaces."""
        try:
            # orjson would not ask another `default` about UUIDs and enums.
            if self.default is _default or _is_finite((obj,), True):
                data: bytes = self._dumps(obj, _to_orjson, self._sorted if self.sort_keys else self._options)
                # It writes NaN as null.
                if b"null" not in data or _is_finite((obj,), False):
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
