"""After a fork: threads do not live on in the child process, and what they had is made anew there.

Celery's prefork pool, multiprocessing's "fork" and gunicorn's ``--preload`` fork a process that has used the
application already.
"""

from __future__ import annotations

import asyncio
import os
from typing import Protocol, TypeVar
from weakref import WeakSet


class Renewable(Protocol):
    def renew(self) -> None:
        """Forget the parent's threads. Nothing else runs in the process yet."""


T = TypeVar("T", bound=Renewable)

_renewable: WeakSet[Renewable] = WeakSet()
#: Loops that say they run, in threads that are not there.
_lost: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def renewed_after_fork(thing: T) -> T:
    """Have it made anew in every child process."""
    _renewable.add(thing)
    return thing


def lose(loop: asyncio.AbstractEventLoop) -> None:
    """Note in a child process that the thread of this loop is the parent's, unless it is the one that has
    forked."""
    if asyncio._get_running_loop() is not loop:
        _lost.add(loop)


def runs(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop runs, in this very process."""
    return loop.is_running() and loop not in _lost


def _renew() -> None:
    for thing in list(_renewable):
        thing.renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)
