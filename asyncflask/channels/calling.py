"""One name for sync and async code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from ..concurrency.loop_thread import is_running_loop


def from_anywhere(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Make a method of a coroutine method: on an event loop it is awaited, in a thread it is just called.

    :param method: of something that has the `Channels` as ``_channels``.
    """

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_running_loop():
            return method(self, *args, **kwargs)
        return self._channels.call_from_sync(method, self, *args, **kwargs)

    return call
