"""Functions that give a coroutine, and those that do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import CO_COROUTINE, iscoroutinefunction
from typing import Any, TypeVar, cast

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


def is_async(func: Callable[..., Any]) -> bool:
    """Whether calling `func` gives a coroutine: an ``async def`` function or method, a partial of
    one, or an object whose ``__call__`` is one."""
    try:
        flags: int = func.__code__.co_flags
        return flags & CO_COROUTINE != 0
    except AttributeError:
        while isinstance(func, partial):
            func = func.func
        if isinstance(func, type):
            return False
        return iscoroutinefunction(func) or iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004


def is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


def as_raised(error: E) -> E:
    """What a sync function of the user has raised.

    Python makes a RuntimeError of a StopIteration that leaves a coroutine (PEP 479). Where that coroutine was
    one of the framework's, which Flask has none of, it is taken for what it was.
    """
    cause = error.__cause__
    if type(error) is RuntimeError and isinstance(cause, StopIteration) and cause.__traceback__ is not None:
        module: str = cause.__traceback__.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == __name__.partition(".")[0]:
            return cast(E, cause)
    return error


async def as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
