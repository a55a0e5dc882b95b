"""Async functions in templates.

What calls them is compiled code of Jinja's, which is sync: where it meets an awaitable it waits for the event
loop, as any sync code in a worker thread does. On the loop only a request can that is bridged, which costs a
few microseconds: all are once an async function is registered. So it is an error there to meet one that only
the template knows of.

(Jinja's own way, ``enable_async``, compiles all templates to coroutines, which takes two times as long.)
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from types import AsyncGeneratorType, CoroutineType
from typing import Any

from markupsafe import Markup
from werkzeug.local import LocalProxy

from ..concurrency import is_async
from ..concurrency.bridge import can_wait
from ..concurrency.loop_thread import is_running_loop
from ..globals import current_app
from ..mistakes.awaiting import refuse_coroutines
from ..observed import changed

#: What most functions return.
PLAIN = frozenset((str, Markup, int, float, bool, type(None), list, tuple, dict))
_ASYNC = frozenset((AsyncGeneratorType, CoroutineType))
_ENDED: Any = object()


@lru_cache
def is_async_type(kind: Any) -> bool:
    """Whether values of a type are awaited, or iterated over by ``async for``."""
    return hasattr(kind, "__await__") or (hasattr(kind, "__aiter__") and not hasattr(kind, "__iter__"))


def awaited(value: Any) -> Any:
    """The result of an awaitable; a sync iterator for an async iterable.

    :raises RuntimeError: on the event loop, when nothing can wait there.
    """
    if not hasattr(type(value), "__await__"):
        return AwaitedIterator(value)
    if is_running_loop() and not can_wait():
        name = getattr(value, "__qualname__", repr(value))
        if hasattr(value, "close"):
            value.close()
        raise _cannot_wait(name.rpartition("<locals>.")[2])
    return call_on_loop(lambda: value)


def call_on_loop(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call an async function and wait for its result."""
    return current_app.call_from_sync(func, *args, **kwargs)


def prepare(variables: dict[str, Any]) -> None:
    """Let ``for`` go over the async generators among the variables of a template.

    :raises TypeError: for a coroutine among them, which nobody has awaited.
    """
    if not _ASYNC.isdisjoint(map(type, variables.values())):
        refuse_coroutines(variables)
        for name, value in variables.items():
            if type(value) is AsyncGeneratorType and not current_app.jinja_env.is_async:
                variables[name] = AwaitedIterator(value)


class AwaitedIterator:
    """An async iterable, for sync code."""

    def __init__(self, source: AsyncIterable[Any]) -> None:
        self._source = aiter(source)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if is_running_loop() and not can_wait():
            raise _cannot_wait(getattr(self._source, "__qualname__", type(self._source).__name__))
        value = call_on_loop(anext, self._source, _ENDED)
        if value is _ENDED:
            raise StopIteration
        return value


class Functions(dict[str, Any]):
    """The filters, tests or globals of an environment.

    :param functions: those that Jinja has, which are sync.
    :param wraps: whether async ones are to give their results, as filters and tests are called without the
        context in between that looks at what it gets.
    """

    def __init__(self, functions: Mapping[str, Any], wraps: bool = False) -> None:
        super().__init__(functions)
        self._wraps = wraps
        #: Whether there are async ones.
        self.has_async = False

    def _taken(self, function: Any) -> Any:
        # What a proxy stands for is not there yet.
        if issubclass(type(function), LocalProxy) or not callable(function) or not is_async(function):
            return function
        if not self.has_async:
            self.has_async = True
            changed()  # requests are bridged from now on
        return _sync(function) if self._wraps else function

    def __setitem__(self, name: str, function: Any) -> None:
        super().__setitem__(name, self._taken(function))

    def setdefault(self, name: str, default: Any = None) -> Any:
        return super().setdefault(name, self._taken(default))

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, function in dict(*args, **kwargs).items():
            self[name] = function

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Functions:  # type: ignore[override, misc]
        self.update(other)
        return self


def _sync(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return awaited(function(*args, **kwargs))

    return wrapper


def _cannot_wait(name: str) -> RuntimeError:
    return RuntimeError(
        f"{_place()}: {name!r} is async, and has to be waited for. In an 'async def' view 'render_template'"
        " waits for the filters, tests, globals and context processors that are registered, and for nothing"
        " else: write 'await render_template_async(...)' there."
    )


def _place() -> str:
    """Where in which template that is."""
    frame = sys._getframe(1)
    while frame is not None and "__jinja_template__" not in frame.f_globals:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return "In a template"
    template = frame.f_globals["__jinja_template__"]
    return f"{template.name or 'The template'}, line {template.get_corresponding_lineno(frame.f_lineno)}"
