"""`anyio.from_thread` in sync callables: its `run` and `run_sync` wait there for the event loop.

anyio looks in a thread for the token of the loop that the thread works for, and lets the backend that the
token names do the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from anyio import NoEventLoopError

from .current import active_walk
from .waiting import async_to_sync
from .worker import anyio_token


class Backend:
    """What anyio calls in such a thread. The loop is found when it is wanted, since a thread works for one
    request after the other."""

    @staticmethod
    def run_async_from_thread(
        func: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...], token: object
    ) -> Any:
        walk = active_walk()
        if walk is None:
            raise NoEventLoopError("This thread works for no request, and no event loop token was given.")
        return async_to_sync(func, walk._pool)(*args)

    @classmethod
    def run_sync_from_thread(cls, func: Callable[..., Any], args: tuple[Any, ...], token: object) -> Any:
        async def on_the_loop() -> Any:
            return func(*args)

        return cls.run_async_from_thread(on_the_loop, (), token)


anyio_token.backend_class = Backend
