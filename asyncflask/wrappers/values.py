"""From what a view returned to a response."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from ..concurrency import is_async
from ..globals import request
from ..json.provider import answers_as_default
from .response import Response, check_status

if TYPE_CHECKING:
    from ..protocols import Application

_ALLOWED = (
    "The return type must be a string, bytes, dict, list, an iterator or async iterator of strings or bytes,"
    " a Response, an ASGI or WSGI application, or a tuple of one of these with a status and headers."
)


def quick_conversions(app: Application) -> dict[type, Callable[[Any], Response]]:
    """What makes a response of a value as `make_response` does, for types of which it is known beforehand."""
    cls = app.response_class
    if app._replacement_of("make_response") is not None:
        return {}
    if cls is not Response or Response.default_mimetype != "text/html":
        return {cls: _same}
    conversions: dict[type, Callable[[Any], Response]] = {Response: _same, str: Response.html}
    if answers_as_default(app.json):
        conversions[dict] = conversions[list] = app.json.response_of
    return conversions


def _same(response: Response) -> Response:
    return response


def make_response(app: Application, rv: Any) -> Response:
    """See `Flask.make_response`."""
    status: Any = None
    headers: Any = None
    if isinstance(rv, tuple):
        if len(rv) == 3:
            rv, status, headers = rv
        elif len(rv) == 2:
            if type(rv[1]) is not int and isinstance(rv[1], Headers | dict | tuple | list):
                rv, headers = rv
            else:
                rv, status = rv
        else:
            raise TypeError(
                "The view function did not return a valid response tuple. The tuple must have the form"
                f" (body, status, headers), (body, status), or (body, headers), but the view for"
                f" {request.endpoint!r} returned {len(rv)} values."
            )
    if isinstance(rv, Coroutine):  # a sync decorator that makes a response of an async view's value
        rv = app.call_from_sync(lambda: rv)
        if isinstance(rv, tuple) and status is None and headers is None:
            return app.make_response(rv)  # type: ignore[no-any-return]
    if rv is None:
        raise TypeError(
            f"The view function for {request.endpoint!r} did not return a valid response. The function"
            f" either returned None or ended without a return statement. {_ALLOWED}"
        )
    if not isinstance(rv, app.response_class):
        if (
            type(rv) is str
            and headers is None
            and app.response_class is Response
            and Response.default_mimetype == "text/html"
        ):
            rv = Response.of(rv.encode(), "text/html; charset=utf-8")
        elif isinstance(rv, str | bytes | bytearray) or hasattr(rv, "__next__") or hasattr(rv, "__anext__"):
            rv = app.response_class(rv, status=status, headers=headers)
            status = headers = None
        elif isinstance(rv, dict | list):
            rv = app.json.response(rv)
        elif isinstance(rv, HTTPException):
            page = error_page(rv) if app.response_class is Response else None
            if page is None:
                rv = app.make_response(rv.get_response())
            else:
                error, rv = rv, Response.of(page, "text/html; charset=utf-8")
                rv.status_code = error.code
        elif isinstance(rv, BaseResponse):
            rv = app.response_class.force_type(rv)
        elif callable(rv):
            rv = _response_of(app, rv)
        else:
            raise TypeError(
                f"The view function for {request.endpoint!r} did not return a valid response: it was a"
                f" {type(rv).__name__}. {_ALLOWED}"
            )
    if status is not None:
        if isinstance(status, str | bytes | bytearray):
            rv.status = status
        else:
            rv.status_code = status
        if not 100 <= rv.status_code <= 999:
            check_status(rv.status_code, rv.status)
    if headers:
        rv.headers.update(headers)
    return cast(Response, rv)


def _response_of(flask: Application, app: Callable[..., Any]) -> Response:
    """The response of a WSGI application, or of an ASGI one whose response is known already."""
    if is_async(app):
        body = getattr(app, "body", None)
        if not isinstance(body, bytes):
            raise TypeError(
                f"{type(app).__name__} is an ASGI application, which makes its response when it is run:"
                " return it from the view by itself, without a status or headers."
            )
        response: Response = flask.response_class(body, status=app.status_code)  # type: ignore[attr-defined]
        response.headers.clear()
        for name, value in app.raw_headers:  # type: ignore[attr-defined]
            response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        return response
    try:
        return cast(Response, flask.response_class.force_type(app, request.environ))
    except TypeError as error:
        raise TypeError(
            f"The view function for {request.endpoint!r} did not return a valid response: {app!r} was"
            f" called as a WSGI application and failed with {error}. {_ALLOWED}"
        ).with_traceback(error.__traceback__) from None


def error_page(error: HTTPException) -> bytes | None:
    """The body of the response that an exception is in itself; None when there is more to that response."""
    description: Any = error.description
    if error.response is not None or error.code is None:
        return None
    # Plain text only: a `Markup` is equal to the text that looks like it, which is to be escaped.
    if description is not None and (type(description) is not str or len(description) > 500):
        return None
    cls: Any = type(error)
    return _error_page(cls, error.code, description)


@lru_cache(100)
def _error_page(cls: Any, code: int, description: str | None) -> bytes | None:
    for name in ("get_response", "get_headers", "get_body", "get_description", "name"):
        if getattr(cls, name) is not getattr(HTTPException, name):
            return None  # it may look at the request
    if isinstance(cls.description, property):
        return None
    error: HTTPException = HTTPException.__new__(cls)  # its own may want arguments
    error.code, error.description = code, description
    return error.get_body().encode()
