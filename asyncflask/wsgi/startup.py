"""The lifespan under a WSGI server, which knows none: from the first request to the end of the process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..concurrency.loop_thread import background_loop
from .lifespan import Lifespan

if TYPE_CHECKING:
    from ..protocols import Application


class Startup:
    """Runs an application's startup when it is first asked for, and its shutdown when the process ends.

    A startup that fails is tried again with the next request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._lifespan: Lifespan | None = None

    def state(self, app: Application) -> Mapping[str, Any]:
        """What the lifespan has left for requests. Raises what the startup raises."""
        with self._lock:
            if self._lifespan is None:
                lifespan = Lifespan(app, background_loop.loop)
                lifespan.start()
                self._lifespan = lifespan
                atexit.register(self._stop)
            return self._lifespan.state or {}

    def is_of_this_process(self) -> bool:
        """Whether it has not been left behind by a fork."""
        return self._process == os.getpid()

    def _stop(self) -> None:
        if self._lifespan is not None and self.is_of_this_process():
            self._lifespan.stop()


_startups: WeakKeyDictionary[Application, Startup] = WeakKeyDictionary()


def state_of(app: Application) -> Mapping[str, Any] | None:
    """What an application's lifespan has left for requests; None where there is nothing to start."""
    if not (app.has_lifespan or app._middleware or app._replacement_of("asgi_app")):
        return None
    startup = _startups.get(app)
    if startup is None or not startup.is_of_this_process():
        with _lock:
            startup = _startups.get(app)
            if startup is None or not startup.is_of_this_process():
                startup = _startups[app] = Startup()
    return startup.state(app)


_lock = threading.Lock()
