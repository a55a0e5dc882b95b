"""Exception groups: what stands for all that has failed in the tasks of a ``TaskGroup``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException as StarletteHTTPException
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from ..protocols import Application


@contextmanager
def leading(app: Application, group: ExceptionGroup[Exception], blueprints: list[str]) -> Iterator[Exception]:
    """The exception to be handled for a group: of those in it the most severe one, whose ``__context__`` is
    the group inside of the block. The others are logged.

    It is the group itself when it has a handler of its own, or when there is one in it that nobody handles.
    """
    leaves = list(_leaves(group))
    leader: Exception = group
    if _has_own_handler(app, group, blueprints) or not all(
        _is_handled(app, leaf, blueprints) for leaf in leaves
    ):
        try:
            yield group
        finally:
            del group, leader, leaves  # whose tracebacks may refer to this frame
        return
    leader = max(leaves, key=_severity)  # the first of several
    _log_others(app, leaves, leader)
    before = leader.__context__
    leader.__context__ = group
    try:
        yield leader
    finally:
        leader.__context__ = before  # or the two would keep each other
        del group, leader, leaves


def _log_others(app: Application, leaves: list[Exception], leader: Exception) -> None:
    for leaf in leaves:
        if leaf is not leader:
            level = logging.ERROR if _severity(leaf) >= 500 else logging.WARNING
            app.logger.log(level, "Exception beside %r, which is handled", leader, exc_info=leaf)


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _has_own_handler(app: Application, group: ExceptionGroup[Exception], blueprints: list[str]) -> bool:
    """Whether there is a handler for groups; one for all exceptions is for what is in them."""
    spec: Any = app.error_handler_spec
    classes = [cls for cls in type(group).__mro__ if issubclass(cls, BaseExceptionGroup)]
    return any(
        spec[name].get(None, {}).get(cls) is not None
        for name in (*blueprints, None)
        if name in spec
        for cls in classes
    )


def _is_handled(app: Application, error: Exception, blueprints: list[str]) -> bool:
    if isinstance(error, HTTPException) and not app.trap_http_exception(error):
        return True
    return isinstance(error, StarletteHTTPException) or (
        app._find_error_handler(error, blueprints) is not None
    )


def _severity(error: Exception) -> int:
    """The status that stands for an exception."""
    if isinstance(error, StarletteHTTPException):
        return error.status_code
    if not isinstance(error, HTTPException):
        return 500
    code: int | None = error.code
    if code is None and error.response is not None:
        code = getattr(error.response, "status_code", None)
    return code or 500
