"""Overridden methods of the application, with the signature of Flask 3.1 or of 3.2."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from .concurrency import is_async
from .ctx import AppContext
from .globals import _cv_app

F = TypeVar("F", bound=Callable[..., Any])

#: The methods of an application that Flask 3.2 passes the current context to, before the other arguments.
OF_CONTEXT = frozenset(
    (
        "handle_http_exception",
        "handle_user_exception",
        "handle_exception",
        "log_exception",
        "dispatch_request",
        "full_dispatch_request",
        "finalize_request",
        "make_default_options_response",
        "preprocess_request",
        "process_response",
        "do_teardown_request",
        "do_teardown_appcontext",
    )
)


def with_context(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that overrides one of `OF_CONTEXT`, to be called without the context: one with Flask 3.2's
    signature is given it, one with the old signature is returned as it is."""
    if not _takes_context(method):
        return method
    if is_async(method):

        @wraps(method)
        async def passing_async(*args: Any, **kwargs: Any) -> Any:
            return await method(_cv_app.get(), *args, **kwargs)

        return passing_async

    @wraps(method)
    def passing(*args: Any, **kwargs: Any) -> Any:
        return method(_cv_app.get(), *args, **kwargs)

    return passing


def _takes_context(method: Any) -> bool:
    function = getattr(method, "__func__", method)
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    position = 1 if function is not method else 0  # after `self`
    if code.co_argcount <= position:
        return False
    name = code.co_varnames[position]
    annotation = function.__annotations__.get(name)
    if annotation is None:
        return bool(name == "ctx")
    annotated = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return annotated.rpartition(".")[2] in ("AppContext", "RequestContext")


def context_optional(method: F) -> F:
    """Decorate a method of the framework: it may be called with the context before its arguments, as an
    override with Flask 3.2's signature does."""

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("ctx", None)
        return method(self, *(args[1:] if args and isinstance(args[0], AppContext) else args), **kwargs)

    return cast(F, called)
