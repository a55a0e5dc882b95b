"""What is there once for each event loop: connections and tasks cannot be shared between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One of a kind for each running loop, made when it is first asked for.

    :param make: makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        made = self._made.get(loop)
        if made is None:
            for closed in [loop for loop in list(self._made) if loop.is_closed()]:
                self._made.pop(closed, None)
            made = self._made[loop] = self._make()
        return made

    def peek(self) -> T | None:
        """That of the running loop, if there is one."""
        return self._made.get(asyncio.get_running_loop())

    def pop(self) -> T | None:
        """Forget that of the running loop, and return it."""
        return self._made.pop(asyncio.get_running_loop(), None)

    def items(self) -> list[tuple[asyncio.AbstractEventLoop, T]]:
        """Those of all loops that are not closed."""
        return [(loop, made) for loop, made in list(self._made.items()) if not loop.is_closed()]


def spawn(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin a task that keeps nothing of the request in which it happens to begin."""
    return asyncio.get_running_loop().create_task(coroutine, context=Context())


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run them until one ends, and cancel the others; raise what that one raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        failures = [task for task in tasks if not task.cancelled() and task.exception() is not None]
    for task in failures:
        if task in done:
            task.result()
