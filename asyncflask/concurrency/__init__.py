"""Sync and async code together: where each callable runs, and how one kind waits for the other.

- `walk`: the coroutine of a request, stepped on the loop and in a thread in turn; `current` finds it.
- `worker`, `pool`: the threads. `loop_thread`: an event loop where no server runs.
- `in_worker`: coroutines wait for sync code. `waiting`: sync code waits for coroutines, in a thread;
  `bridge`: the same on the event loop.
- `outside`: calls of the server. `ending`: what is called at the end, all of it.
- `inbox`, `completion`: how threads report to the loop, and what the loop waits for.
"""

from .callables import as_coroutine, is_async, is_awaitable
from .completion import outlasted
from .current import _inner_walk, active_walk, current_walk, inner_walk, leave_inner_walk, lent_worker
from .outside import outside
from .walk import ServedWalk, Walk

__all__ = [
    "ServedWalk",
    "Walk",
    "_inner_walk",
    "active_walk",
    "as_coroutine",
    "current_walk",
    "inner_walk",
    "is_async",
    "is_awaitable",
    "leave_inner_walk",
    "lent_worker",
    "outlasted",
    "outside",
]
