"""Methods of a websocket that were called without ``await``, in debug mode and in tests.

Python's own warning comes when the coroutine is thrown away, on the terminal; the client sees a refused
websocket.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import CORO_CREATED, getcoroutinestate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..websocket import Websocket

_METHODS = ("accept", "send", "send_json", "receive", "receive_json", "close")


@contextmanager
def watched(websocket: Websocket) -> Iterator[None]:
    """Take note of the calls to a websocket while its view runs.

    :raises RuntimeError: at the end, if one of them was never awaited.
    """
    called: list[tuple[str, Coroutine[Any, Any, Any]]] = []
    for name in _METHODS:
        setattr(websocket, name, _noting(name, getattr(websocket, name), called))
    try:
        yield
        _check(called)
    finally:
        called.clear()
        for name in _METHODS:
            delattr(websocket, name)


def _noting(
    name: str,
    method: Callable[..., Coroutine[Any, Any, Any]],
    called: list[tuple[str, Coroutine[Any, Any, Any]]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(method)
    def noted(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine = method(*args, **kwargs)
        called[:] = [item for item in called if getcoroutinestate(item[1]) == CORO_CREATED]
        called.append((name, coroutine))
        return coroutine

    return noted


def _check(called: list[tuple[str, Coroutine[Any, Any, Any]]]) -> None:
    forgotten = [name for name, coroutine in called if getcoroutinestate(coroutine) == CORO_CREATED]
    for _, coroutine in called:
        if getcoroutinestate(coroutine) == CORO_CREATED:
            coroutine.close()
    if forgotten:
        name = forgotten[0]
        raise RuntimeError(
            f"'websocket.{name}()' was called without 'await', so nothing was done: write 'await"
            f" websocket.{name}(...)'."
        )
