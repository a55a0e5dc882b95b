"""Calling what is to be called at the end, all of it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from .callables import as_coroutine, is_async, is_awaitable
from .walk import Walk


class Ending:
    """Goes on after a failure: what comes later is to be released all the same.

    It all runs in the request's own task, since an async function may have to close there what a hook has
    opened (a task group of anyio's, a cancel scope). So a cancellation from outside ends the function that
    it meets, and no other.

    :param walk: the walk that it is part of.
    :param is_cancelled: whether the task may have been cancelled by now.
    """

    def __init__(self, walk: Walk, is_cancelled: bool = False) -> None:
        self.walk = walk
        self.is_cancelled = is_cancelled
        #: What was raised: a cancellation first.
        self.failures: list[BaseException] = []

    async def call(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Call a function of the user, sync or async. Being cancelled may end it, but does not keep it from
        beginning."""
        result: Any = None
        try:
            if not is_async(func):
                await self.walk.to_thread()
                result = func(*args, **kwargs)
                if not is_awaitable(result):
                    return
        except Exception as failure:
            self.failures.append(failure)
            return
        await self.do(as_coroutine, func(*args, **kwargs) if result is None else result)

    async def do(self, func: Callable[..., Awaitable[Any]], *args: Any, shielded: bool = True) -> None:
        """Await ``func(...)`` on the loop. What it raises is kept for `raise_first`.

        :param shielded: False for what may leave a scope of anyio's that it has entered before.
        """
        try:
            await self.walk.to_loop()
        except CancelledError as cancelled:
            self._note(cancelled)
        try:
            # A scope of anyio's that has been cancelled cancels at every `await` from then on.
            if shielded and self.is_cancelled and anyio.current_effective_deadline() == float("-inf"):
                with anyio.CancelScope(shield=True):
                    await func(*args)
                    await self.walk.to_loop()
            else:
                await func(*args)
        except CancelledError as cancelled:
            self._note(cancelled)
        except Exception as failure:
            self.failures.append(failure)

    def _note(self, cancelled: CancelledError) -> None:
        self.is_cancelled = True
        self.failures.insert(0, cancelled)

    def raise_first(self) -> None:
        """Raise what was raised first."""
        if self.failures:
            try:
                raise self.failures[0]
            finally:
                self.failures.clear()  # whose tracebacks refer to this frame
