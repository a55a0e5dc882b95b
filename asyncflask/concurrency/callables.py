"""Functions that give a coroutine, and those that do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import CO_COROUTINE, iscoroutinefunction
from typing import Any, TypeVar

T = TypeVar("T")


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


async def as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
