"""Requests that a thread has called and waits for: they begin in it, and their sync code stays there."""

from __future__ import annotations

from contextvars import Context

from .current import _inner_walk, leave_inner_walk, lent_worker
from .walk import Walk
from .worker import current_worker


class LendingWalk(Walk):
    """The walk of an application that a thread calls and waits for.

    As long as the thread steps it (`in_thread`), the request that begins within it is stepped there, too, and
    goes to the loop when it first meets something async. One that meets none has never left its thread.
    """

    #: The request's own walk, once it has begun.
    request: Walk | None = None
    #: The context that the request runs in, until somebody has taken out what it has set.
    request_context: Context | None = None

    def request_has_ended(self) -> bool:
        """Whether the request has come to its end. A thread knows of its own steps before the loop does."""
        return self.request is not None and (self.request.is_over or self.request.has_ended_in_thread)


def nest(walk: Walk) -> None:
    """Give the walk of a request that begins within other code its context and its thread."""
    outer = _inner_walk.get()
    walk._context = leave_inner_walk()
    if not isinstance(outer, LendingWalk) or outer.request is not None:
        walk.worker = lent_worker()
        return
    outer.request, outer.request_context = walk, walk._context
    walk.loop = outer.loop
    walk.worker = outer.worker
    if outer.in_thread:
        walk.in_thread, walk.worker = True, current_worker()
