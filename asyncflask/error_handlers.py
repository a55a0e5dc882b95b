"""Error handlers: what they can be registered for, and which one is for an exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, default_exceptions

if TYPE_CHECKING:
    from .protocols import Application


def class_and_code(exc_class_or_code: Any) -> tuple[type[Exception], int | None]:
    """What a handler is registered for, see `Scaffold.register_error_handler`."""
    if isinstance(exc_class_or_code, int):
        try:
            exc_class: Any = default_exceptions[exc_class_or_code]
        except KeyError:
            raise ValueError(
                f"'{exc_class_or_code}' is not a recognized HTTP error code."
                " Use a subclass of HTTPException with that code instead."
            ) from None
    else:
        exc_class = exc_class_or_code
    if isinstance(exc_class, Exception):
        raise TypeError(
            f"{exc_class!r} is an instance, not a class. Handlers can only be registered for"
            " Exception classes or HTTP error codes."
        )
    if not isinstance(exc_class, type):
        raise TypeError(
            f"{exc_class!r} is not a class. Handlers can only be registered for Exception classes or HTTP"
            " error codes."
        )
    if not issubclass(exc_class, Exception):
        raise ValueError(
            f"'{exc_class.__name__}' is not a subclass of Exception. Handlers can only be registered for"
            " Exception classes or HTTP error codes."
        )
    return exc_class, exc_class.code if issubclass(exc_class, HTTPException) else None


def find_error_handler(app: Application, e: Exception, blueprints: list[str]) -> Callable[..., Any] | None:
    """The handler for an exception: by code before by class, the blueprint's before the application's,
    the nearest class first."""
    exc_class = type(e)
    code = exc_class.code if issubclass(exc_class, HTTPException) else None
    spec = app.error_handler_spec
    for c in (code, None) if code is not None else (None,):
        for name in (*blueprints, None):
            handlers = spec[name].get(c) if name in spec else None
            if handlers:
                for cls in exc_class.__mro__:
                    handler = handlers.get(cls)
                    if handler is not None:
                        return handler
    return None
