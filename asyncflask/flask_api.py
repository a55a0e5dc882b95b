"""What Flask 3.2 does otherwise than 3.1, and how both are served.

Most of it is an addition and always there. What contradicts 3.1 depends on ``app.config["FLASK_API"]``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from .concurrency import is_async
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


def is_next(app: Any) -> bool:
    """Whether an application asks for the answers of Flask 3.2 where they contradict those of 3.1."""
    version = app.config["FLASK_API"]
    if version not in ("3.1", "3.2"):
        raise ValueError(f"FLASK_API is {version!r}; it is '3.1' or '3.2', the version of Flask to be like.")
    return bool(version == "3.2")


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
        from .ctx import AppContext  # which is above

        kwargs.pop("ctx", None)
        return method(self, *(args[1:] if args and isinstance(args[0], AppContext) else args), **kwargs)

    return cast(F, called)


#: The messages of the groups that `CollectedErrors` raises.
CONTEXT_ERRORS = "Errors during context teardown"
REQUEST_ERRORS = "Errors during request teardown"
APP_ERRORS = "Errors during app teardown"


class CollectedErrors:
    """Lets the blocks of ``with`` go on after an error. Flask 3.2 calls all that is to be called at the end,
    and raises what it has raised as one group.

    :param app: the application; where it is to be like Flask 3.1, errors pass.
    """

    def __init__(self, app: Any) -> None:
        self._is_on = is_next(app)
        self.errors: list[Exception] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not self._is_on or not isinstance(error, Exception):
            return False
        self.errors.append(error)
        return True

    def raise_all(self, message: str) -> None:
        """Raise what was collected, as a group."""
        if self.errors:
            try:
                raise ExceptionGroup(message, self.errors)
            finally:
                self.errors = []  # whose tracebacks refer to the frames of the blocks
