"""Calling the server from within a request."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from typing import Any, TypeVar

from .callables import as_coroutine
from .current import active_walk
from .walk import TO_LOOP, Walk, switch

T = TypeVar("T")

_STEPPED = (types.CoroutineType, types.GeneratorType)


async def outside(make: Callable[[], Awaitable[T]]) -> T:
    """Await the server's `receive` or `send` in the server's context.

    A server may start the next request of a connection from within them; it
    would inherit what this one has set.
    """
    walk = active_walk()
    if walk is None:
        return await make()
    context = await outer_context(walk)
    return await (make() if context is None else in_context(context, make))


async def outer_context(walk: Walk) -> Context | None:
    """The server's context; None where the application was called by something else."""
    if walk.server_context is None and walk.is_served:
        await switch(TO_LOOP)  # where `go_on` makes it
    return walk.server_context


@types.coroutine
def in_context(context: Context, func: Callable[..., Awaitable[T]], *args: Any) -> Generator[Any, Any, T]:
    """Await ``func(*args)`` in another context.

    :param context: the context, which no other thread is in.
    """
    awaitable: Any = context.run(func, *args)
    steps = awaitable if type(awaitable) in _STEPPED else as_coroutine(awaitable)
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            if error is None:
                asked = context.run(steps.send, value)
            else:
                try:
                    asked = context.run(steps.throw, error)
                finally:
                    error = None  # whose traceback refers to this frame
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            value = yield asked
        except BaseException as interruption:
            error = interruption
