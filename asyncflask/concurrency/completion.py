"""Waiting on the loop for the end of something, through every cancellation."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


@types.coroutine
def awaited(steps: Generator[Any, None, T]) -> Generator[Any, None, T]:
    return (yield from steps)


class Completion:
    """Something that ends once, waited for on the loop to the end: a cancellation does not reach it."""

    __slots__ = ("_future", "_loop", "done")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future = loop.create_future()
        self.done = False

    def set(self) -> None:
        self.done = True
        if not self._future.done():
            self._future.set_result(None)

    def wait(self, on_cancel: Callable[[], None] | None = None) -> Generator[Any, None, BaseException | None]:
        """Returns the cancellation that arrived meanwhile, for the caller to raise in its time."""
        try:
            yield from self._future
        except asyncio.CancelledError as cancelled:
            if on_cancel is not None:
                on_cancel()
            yield from self._outlast_cancellation().__await__()
            return cancelled
        return None

    async def _outlast_cancellation(self) -> None:
        # An anyio scope cancels again on every pass of the loop unless it is shielded off.
        with anyio.CancelScope(shield=True):
            while not self.done:
                self._future = self._loop.create_future()
                try:
                    await self._future
                except asyncio.CancelledError:
                    continue


async def outlasted(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine to its end, in a task of its own. A cancellation that arrives meanwhile is raised
    then."""
    loop = asyncio.get_running_loop()
    completion = Completion(loop)
    task = loop.create_task(coroutine)
    task.add_done_callback(lambda _: completion.set())
    cancelled = await awaited(completion.wait())
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
