"""Calling the server from within a request."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from functools import partial
from typing import Any, TypeVar, cast

from .current import active_walk
from .walk import TO_LOOP, switch

T = TypeVar("T")


async def outside(make: Callable[[], Awaitable[T]]) -> T:
    """Await the server's `receive` or `send` in the server's context.

    A server may start the next request of a connection from within them; it
    would inherit what this one has set.
    """
    walk = active_walk()
    if walk is None:
        return await make()
    if walk.server_context is None and walk.is_served:
        await switch(TO_LOOP)  # where `go_on` makes it
    if walk.server_context is None:
        return await make()
    return cast(T, await _in_context(walk.server_context, make))


async def _made_outside(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


@types.coroutine
def _in_context(context: Context, make: Callable[[], Awaitable[Any]]) -> Generator[Any, Any, Any]:
    coroutine = _made_outside(make)
    step: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        try:
            asked = context.run(step)
        except StopIteration as end:
            return end.value
        try:
            step = partial(coroutine.send, (yield asked))
        except BaseException as error:
            step = partial(coroutine.throw, error)
