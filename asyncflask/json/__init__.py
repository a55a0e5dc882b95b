"""JSON as the current application writes and reads it."""

from __future__ import annotations

import json as _json
from typing import IO, TYPE_CHECKING, Any, AnyStr

from ..globals import _cv_app, current_app
from .provider import _default

if TYPE_CHECKING:
    from ..wrappers import Response
    from .provider import JSONProvider


def _provider() -> JSONProvider | None:
    # What current_app.json is, at a tenth of the time: session cookies are on the way of every request.
    context = _cv_app.get(None)
    return None if context is None else context.app.json


def dumps(obj: Any, **kwargs: Any) -> str:
    """Serialize a value to JSON text, with ``current_app.json`` or, outside of an application context,
    with `json.dumps`.

    :param kwargs: for the one or the other.
    """
    provider = _provider()
    if provider is not None:
        return provider.dumps(obj, **kwargs)
    kwargs.setdefault("default", _default)
    return _json.dumps(obj, **kwargs)


def dump(obj: Any, fp: IO[str], **kwargs: Any) -> None:
    """Serialize a value into a file, with ``current_app.json`` or, outside of an application context,
    with `json.dump`.

    :param fp: a file opened for writing text, as UTF-8.
    :param kwargs: for the one or the other.
    """
    provider = _provider()
    if provider is not None:
        provider.dump(obj, fp, **kwargs)
    else:
        kwargs.setdefault("default", _default)
        _json.dump(obj, fp, **kwargs)


def loads(s: str | bytes, **kwargs: Any) -> Any:
    """Deserialize JSON, with ``current_app.json`` or, outside of an application context, with
    `json.loads`.

    :param s: text or UTF-8 bytes.
    :param kwargs: for the one or the other.
    """
    provider = _provider()
    if provider is not None:
        return provider.loads(s, **kwargs)
    return _json.loads(s, **kwargs)


def load(fp: IO[AnyStr], **kwargs: Any) -> Any:
    """Deserialize JSON from a file, with ``current_app.json`` or, outside of an application context, with
    `json.load`.

    :param fp: a file opened for reading text or UTF-8 bytes.
    :param kwargs: for the one or the other.
    """
    provider = _provider()
    if provider is not None:
        return provider.load(fp, **kwargs)
    return _json.load(fp, **kwargs)


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """A JSON response, made by ``current_app.json.response``.

    A view may return a dict or a list as it is; this is for any other value,
    and for code that wants the response object.

    :param args: the value, or several values that become a list.
    :param kwargs: the items of a dict. Without any argument the value is None.
    :raises TypeError: when there are both.
    :raises RuntimeError: outside of an application context.
    """
    provider = _provider()
    if provider is None:
        provider = current_app.json  # raises, and says what is missing
    return provider.response(*args, **kwargs)


if not TYPE_CHECKING:  # for a type checker there are no such names

    def __getattr__(name):
        if name in ("JSONDecoder", "JSONEncoder", "htmlsafe_dump", "htmlsafe_dumps"):
            from ..legacy import module_name  # old names

            return module_name(__name__, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
