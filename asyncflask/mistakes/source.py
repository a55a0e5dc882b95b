"""Where something is written: the expression that raised an exception, the function that is a view."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from linecache import getline
from types import CodeType, FunctionType
from typing import Any


def raised_by(error: BaseException) -> str:
    """The source of the expression that an exception was raised in, or its line; empty without any."""
    traceback = error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    line = getline(code.co_filename, traceback.tb_lineno, traceback.tb_frame.f_globals)
    first, last, start, end = list(code.co_positions())[traceback.tb_lasti // 2]
    if first != traceback.tb_lineno or start is None:
        return line.strip()
    raw = line.encode()  # the columns are those of bytes
    return raw[start : end if last == first else None].decode(errors="replace").strip()


def function_of(view: Any) -> Any:
    """The function that somebody has written: the one inside of what `functools.wraps` has marked, or else of
    a wrapper that refers to one; the class of a class-based view."""
    view = inspect.unwrap(view)
    cls = getattr(view, "view_class", None)
    if cls is not None:
        return cls
    view = getattr(view, "__func__", view)
    inner = [cell.cell_contents for cell in getattr(view, "__closure__", None) or () if _is_full(cell)]
    functions = [value for value in inner if isinstance(value, FunctionType)]
    return function_of(functions[0]) if len(functions) == 1 else view


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # nothing is in it yet
        return False


def place_of(view: Callable[..., Any]) -> tuple[str, int] | None:
    """The file and the line of the function that is a view; None if it is not written in Python."""
    function = function_of(view)
    code = getattr(function, "__code__", None)
    if isinstance(function, type):
        methods = (value for value in vars(function).values() if isinstance(value, FunctionType))
        code = min((method.__code__ for method in methods), key=lambda c: c.co_firstlineno, default=None)
    return (code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def described(view: Callable[..., Any]) -> str:
    """A view with the place that it is written at, for messages."""
    place = place_of(view)
    name = getattr(function_of(view), "__qualname__", repr(view)).rpartition("<locals>.")[2]
    return repr(name) if place is None else f"{name!r} ({short(place[0])}:{place[1]})"


def short(file: str) -> str:
    """A path relative to the current folder, if it is in there."""
    relative = (
        os.path.relpath(file) if os.path.splitdrive(file)[0] == os.path.splitdrive(os.getcwd())[0] else file
    )
    return file if relative.startswith(os.pardir) else relative
