"""What an application uses to write and read JSON."""

from __future__ import annotations

import dataclasses
import json
import uuid
import weakref
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from json import encoder as _stdlib
from typing import IO, TYPE_CHECKING, Any, AnyStr, TypeGuard, cast

from werkzeug.http import http_date
from werkzeug.utils import get_content_type

from ..observed import changed

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


class JSONProvider:
    """The JSON operations of an application; ``app.json`` is an instance.

    For another JSON library, implement `dumps` and `loads` in a subclass and
    set it as ``json_provider_class`` of a ``Flask`` subclass, or an instance of
    it as ``app.json``. The other methods are built on these two.

    :param app: the application; kept as a weak proxy, so that the two do not keep each other alive.
    """

    def __init__(self, app: Application) -> None:
        self._app: Application = cast("Application", weakref.proxy(app))

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize a value to JSON text.

        :param kwargs: for the JSON library.
        """
        raise NotImplementedError(f"Implement dumps() in {type(self).__name__}.")

    def dump(self, obj: Any, fp: IO[str], **kwargs: Any) -> None:
        """Serialize a value into a file.

        :param fp: a file opened for writing text; as UTF-8, or it will not be JSON (RFC 8259 section 8.1).
        :param kwargs: for the JSON library.
        """
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Deserialize JSON.

        :param s: text or UTF-8 bytes.
        :param kwargs: for the JSON library.
        """
        raise NotImplementedError(f"Implement loads() in {type(self).__name__}.")

    def load(self, fp: IO[AnyStr], **kwargs: Any) -> Any:
        """Deserialize JSON from a file.

        :param fp: a file opened for reading text or UTF-8 bytes.
        :param kwargs: for the JSON library.
        """
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args and kwargs:
            raise TypeError(
                "app.json.response() takes either args or kwargs, not both. Put everything"
                " into one dict, or into one list."
            )
        if not args and not kwargs:
            return None
        if len(args) == 1:
            return args[0]
        return args or kwargs

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A JSON response; `jsonify` calls this.

        :param args: the value, or several values that become a list.
        :param kwargs: the items of a dict. Without any argument the value is None.
        :raises TypeError: when there are both.
        """
        obj = self._prepare_response_obj(args, kwargs)
        response: Response = self._app.response_class(self.dumps(obj), mimetype="application/json")
        return response


def _default(o: Any) -> Any:
    if isinstance(o, date):  # a datetime is one too
        return http_date(o)
    import decimal  # here, as few applications have one: it takes half a MiB

    if isinstance(o, (decimal.Decimal, uuid.UUID)):
        return str(o)
    if dataclasses.is_dataclass(o):
        return dataclasses.asdict(o)  # type: ignore[arg-type]
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(f"Object of type {type(o).__name__} is not JSON serializable")


@lru_cache(8)
def _content_type(mimetype: str) -> str:
    return get_content_type(mimetype, "utf-8")


class _Encoder(json.JSONEncoder):
    """A `json.JSONEncoder` that is made once and used for many values.

    The standard one makes its C encoder anew for every value, because the C
    encoder notes the containers that it is inside of. This one keeps a C
    encoder that takes no notes; only a value that nests too deep is given
    to the standard way, which then says whether it is circular.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._encode: Callable[[Any, int], tuple[str, ...]] | None = None
        make: Callable[..., Any] | None = getattr(_stdlib, "c_make_encoder", None)
        if make is not None:
            text = _stdlib.encode_basestring_ascii if self.ensure_ascii else _stdlib.encode_basestring
            # markers, default, encoder, indent, separators, sort_keys, skipkeys, allow_nan
            separators = self.key_separator, self.item_separator
            self._encode = make(None, self.default, text, None, *separators, self.sort_keys, False, True)

    def encode(self, o: Any) -> str:
        if self._encode is not None:
            try:
                return "".join(self._encode(o, 0))
            except RecursionError:
                pass
        return super().encode(o)


#: What UTF-8 text of a JSON object or array begins with; a byte order mark does not.
_STARTS = frozenset((b"{", b"["))
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def scan(text: str) -> Any:
    """`json.loads` for text that is nothing but a value, with none of what it does for other input."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else json.loads(text)


_COMPACT = {"separators": (",", ":")}


class DefaultJSONProvider(JSONProvider):
    """JSON with Python's `json` module, and these types more: `datetime` and `date` as HTTP dates
    (RFC 9110 section 5.6.7), `Decimal` and `UUID` as strings, dataclasses as objects, and what has an
    ``__html__`` method as the string that it returns.
    """

    #: Called with an object that `json` cannot serialize; returns one that it can, or raises TypeError.
    default: Callable[[Any], Any] = staticmethod(_default)

    #: Escape what is not ASCII. Without, the output is smaller.
    ensure_ascii = True

    #: Sort the keys of dicts; they must then be all of one type. Without, writing is faster.
    sort_keys = True

    #: Whether `response` leaves out spaces and newlines. None: unless the app is in debug mode.
    compact: bool | None = None

    #: Media type of `response`.
    mimetype = "application/json"

    #: Whether one of the methods was replaced on the instance.
    _is_patched = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("dumps", "loads", "response"):
            super().__setattr__("_is_patched", True)
            changed()
        super().__setattr__(name, value)

    # The settings that an encoder was made with, and the encoder: for json's usual separators, and compact.
    _usual_encoder: tuple[tuple[Any, ...], _Encoder] | None = None
    _compact_encoder: tuple[tuple[Any, ...], _Encoder] | None = None

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize a value to JSON text.

        :param kwargs: for `json.dumps`; the attributes `default`, `ensure_ascii` and `sort_keys` are used
            for those that are not given.
        :raises TypeError: when a value cannot be serialized.
        :raises ValueError: when the value contains itself.
        """
        if not kwargs:
            settings = (self.default, self.ensure_ascii, self.sort_keys)
            made = self._usual_encoder
            if made is None or made[0] != settings:
                made = self._usual_encoder = settings, self._make_encoder()
        elif kwargs == _COMPACT:
            return self.dumps_compact(obj)
        else:
            kwargs.setdefault("default", self.default)
            kwargs.setdefault("ensure_ascii", self.ensure_ascii)
            kwargs.setdefault("sort_keys", self.sort_keys)
            return json.dumps(obj, **kwargs)
        return made[1].encode(obj)

    def dumps_compact(self, obj: Any) -> str:
        """`dumps` without spaces."""
        settings = (self.default, self.ensure_ascii, self.sort_keys)
        made = self._compact_encoder
        if made is None or made[0] != settings:
            made = self._compact_encoder = settings, self._make_encoder(**_COMPACT)
        return made[1].encode(obj)

    def _make_encoder(self, **settings: Any) -> _Encoder:
        return _Encoder(
            default=self.default, ensure_ascii=self.ensure_ascii, sort_keys=self.sort_keys, **settings
        )

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Deserialize JSON.

        :param s: text or UTF-8 bytes.
        :param kwargs: for `json.loads`.
        :raises ValueError: when it is not JSON.
        :raises RecursionError: when it nests too deep.
        """
        if not kwargs:
            if type(s) is str:
                return scan(s)
            if type(s) is bytes and s[:1] in _STARTS and b"\0" not in s[:4]:
                # As `json.loads` goes on once it has found out that this is UTF-8.
                return scan(s.decode("utf-8", "surrogatepass"))
        return json.loads(s, **kwargs)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A JSON response with the media type `mimetype`, ending in a newline. Indented if `compact` is
        False, or None in debug mode.

        :param args: the value, or several values that become a list.
        :param kwargs: the items of a dict. Without any argument the value is None.
        :raises TypeError: when there are both, or a value cannot be serialized.
        """
        return self.response_of(self._prepare_response_obj(args, kwargs))

    def response_of(self, obj: Any) -> Response:
        """The response with one value."""
        response: Response = self._app.response_class.of(
            self.response_body(obj), _content_type(self.mimetype)
        )
        return response

    def response_body(self, obj: Any) -> bytes:
        """The body of `response`."""
        if self.compact is False or (self.compact is None and self._app.config["DEBUG"]):
            text = self.dumps(obj, indent=2)
        elif type(self).dumps is DefaultJSONProvider.dumps and not self._is_patched:
            text = self.dumps_compact(obj)
        else:
            text = self.dumps(obj, **_COMPACT)
        return f"{text}\n".encode()


def answers_as_default(provider: JSONProvider) -> TypeGuard[DefaultJSONProvider]:
    """Whether a dict's `response` is its `response_of`, and nothing else."""
    kind = type(provider)
    return (
        isinstance(provider, DefaultJSONProvider)
        and kind.response is DefaultJSONProvider.response
        and kind._prepare_response_obj is JSONProvider._prepare_response_obj
        and not provider._is_patched
    )
