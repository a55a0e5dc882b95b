"""The watchdog of a loop, for as long as there is something to watch."""

from __future__ import annotations

import asyncio
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .watchdog import Place, Watchdog, describe

if TYPE_CHECKING:
    from ..protocols import Application

# One for each loop, however many applications run on it.
_watchdogs: weakref.WeakKeyDictionary[AbstractEventLoop, Watchdog] = weakref.WeakKeyDictionary()


@contextmanager
def watched(app: Application | None, scope: Mapping[str, Any]) -> Iterator[None]:
    """Have the running loop watched, from the first request or the server's start on, and log what holds it
    up for more than ``DEBUG_SLOW_CALLBACK`` seconds.

    The watchdog ends with the lifespan, or with the loop. A test client's loop has nobody else to hold up.
    """
    limit = None if app is None else app.config["DEBUG_SLOW_CALLBACK"]
    if not limit or app is None or "asyncflask.client" in scope:
        yield
        return
    loop = asyncio.get_running_loop()
    watchdog = _watchdogs.get(loop)
    is_first = watchdog is None
    if watchdog is None:
        watchdog = _watchdogs[loop] = Watchdog(limit, _reporter(app))
    watchdog.start()
    if scope["type"] == "lifespan":
        try:
            yield
        finally:
            if is_first:  # another application on this loop may outlive one that is mounted in it
                watchdog.stop()
                _watchdogs.pop(loop, None)
        return
    task = asyncio.current_task()
    if task is not None:
        watchdog.requests[task] = scope
    try:
        yield
    finally:
        if task is not None:
            watchdog.requests.pop(task, None)


def _reporter(app: Application) -> Any:
    logger = app.logger  # and not the application, which the loop's watchdog might outlive

    def report(place: Place, seconds: float, has_ended: bool) -> None:
        logger.warning(describe(place, seconds, has_ended))

    return report
