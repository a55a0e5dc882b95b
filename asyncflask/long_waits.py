"""In debug mode: a word when requests wait for a thread."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .protocols import Application

#: Seconds until the next word.
PAUSE = 1.0


def long_waits(app: Application) -> Callable[[float], None]:
    """What a pool of threads tells of long waits.

    :param app: the application; referred to weakly.
    """
    reference = weakref.ref(app)
    last = -PAUSE

    def log(seconds: float) -> None:
        nonlocal last
        app = reference()
        now = monotonic()
        limit = app.config["DEBUG_SLOW_CALLBACK"] if app is not None and app.debug else None
        if app is None or not limit or seconds < limit or now - last < PAUSE:
            return
        last = now
        app.logger.warning(
            "A request has waited %.2f s for a thread: all %d are at work (WORKER_THREADS). Sync views, hooks"
            " and teardown functions need one, also around async views.",
            seconds,
            app.config["WORKER_THREADS"],
        )

    return log
