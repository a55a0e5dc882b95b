"""The walk that the calling code is part of, and walks within it."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar, copy_context
from threading import get_ident

from ..globals import _cv_app
from .pool import WorkerPool
from .walk import Walk
from .worker import Worker

_UNSET = object()

#: A walk that runs for sync code which waits for it, in the place of the request's own.
_inner_walk: ContextVar[Walk | None] = ContextVar("asyncflask.inner_walk", default=None)


def active_walk() -> Walk | None:
    """The walk that the calling code is part of, if any."""
    walk = _inner_walk.get()
    if walk is None:
        ctx = _cv_app.get(None)
        if ctx is not None:
            walk = ctx._walk
    return walk


def current_walk() -> Walk:
    """The walk that the calling framework coroutine is part of."""
    walk = _inner_walk.get()
    if walk is None:
        walk = _cv_app.get()._walk
    assert walk is not None, "called outside of a walk"
    return walk


def leave_inner_walk() -> Context:
    """A copy of the current context for a walk of its own."""
    context = copy_context()
    context.run(_inner_walk.set, None)
    return context


def inner_walk(pool: WorkerPool | None) -> Walk:
    """A walk for one of the framework's coroutines within other async code."""
    context = copy_context()
    walk = Walk(context, pool, lent_worker())
    outer = active_walk()
    if outer is not None:
        walk.server_context = outer.server_context
    context.run(_inner_walk.set, walk)
    return walk


def walk_of_this_loop(loop: asyncio.AbstractEventLoop) -> Walk | None:
    walk = active_walk()
    if walk is None:
        return None
    if walk.loop is None and walk._thread == get_ident():
        walk.loop = loop  # not asked for before its first step has ended: that takes a system call
    # While a walk is in its thread, that thread runs user code which may be waiting for us. A task may also
    # live longer than the walk that it was started in.
    return None if walk.loop is not loop or walk.in_thread or walk.is_over else walk


def lent_worker() -> Worker | None:
    """The thread that what runs on this loop now should use for sync callables, if that is settled."""
    walk = walk_of_this_loop(asyncio.get_running_loop())
    return None if walk is None or walk.jobs else walk.worker


def adopt(context: Context) -> None:
    """Set here what was set in a copy of this context."""
    for variable, value in context.items():
        if variable is not _inner_walk and variable.get(_UNSET) is not value:
            variable.set(value)
