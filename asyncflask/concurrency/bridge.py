"""Sync code on the event loop that waits all the same.

An `async def` view calls `render_template`, which calls a context processor, and
that is `async def` and waits for a database. Between the two is a sync function,
which cannot await. A greenlet can be left in the middle of it: the coroutine
is stepped in one, `wait` switches out of it with what is to be awaited, and back
into it with the result.

That costs about a microsecond a step, so only those requests are bridged that may
need it, see `ContextMiddleware`. The first of them imports greenlet, which takes a MiB
with C++'s library.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

#: The module `greenlets`, when it has been imported.
_greenlets: ModuleType | None = None


def _import_greenlets() -> ModuleType:
    global _greenlets
    from . import greenlets  # see above

    _greenlets = greenlets
    return greenlets


class _Wanted:
    """What sync code waits for."""

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[Any]) -> None:
        self.awaitable = awaitable


def can_wait() -> bool:
    """Whether `wait` may be called here."""
    return _greenlets is not None and isinstance(_greenlets.getcurrent(), _greenlets.Bridged)


def wait(awaitable: Awaitable[T]) -> T:
    """Await something from sync code that a bridged coroutine has called."""
    assert _greenlets is not None, "called outside of a bridged coroutine"
    parent = _greenlets.getcurrent().parent
    assert parent is not None, "called outside of a bridged coroutine"
    result: T = parent.switch(_Wanted(awaitable))
    return result


class bridged:
    """Await a coroutine in which sync code can `wait`.

    :param coroutine: a coroutine that is stepped on the event loop only.
    """

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, Any]:
        greenlets = _greenlets or _import_greenlets()
        step: Callable[[], Any] = partial(self._coroutine.send, None)
        value: Any
        while True:
            child = greenlets.Bridged(step)
            child.gr_context = greenlets.getcurrent().gr_context
            try:
                asked = child.switch()
                while isinstance(asked, _Wanted):
                    try:
                        result = yield from asked.awaitable.__await__()
                    except BaseException as error:
                        asked = child.throw(error)
                    else:
                        asked = child.switch(result)
            except StopIteration as end:
                return end.value
            try:
                value = yield asked
            except BaseException as error:
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, value)
