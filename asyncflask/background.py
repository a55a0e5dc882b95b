"""Work that goes on when the response has been sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, cast
from weakref import proxy

from .concurrency import is_running_loop
from .globals import _cv_request
from .threads import background_loop

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .app import Flask

Work = Callable[[], Any]


class BackgroundTasks:
    """The background tasks of an application.

    :param app: the application; referred to weakly.
    """

    def __init__(self, app: Flask) -> None:
        self._app: Flask = cast("Flask", proxy(app))
        self._running: set[asyncio.Task[Any] | Future[Any]] = set()
        self._lock = threading.Lock()

    def add(self, work: Work) -> None:
        """Run it once the response of the current request is sent, in a websocket and outside at once.

        :param work: takes nothing.
        """
        ctx = _cv_request.get(None)
        walk = None if ctx is None or ctx.request.scope["type"] != "http" else ctx.walk
        if walk is not None and not walk.is_over:
            walk.afterwards = [*walk.afterwards, lambda: self.start(work)]
        else:
            self.start(work)

    def start(self, work: Work) -> None:
        """Run it now: on the running loop, in sync code on one in the background."""
        if is_running_loop():
            # A context of its own: the request's ends with the request.
            task: Any = asyncio.get_running_loop().create_task(self._run(work), context=Context())
        else:
            task = asyncio.run_coroutine_threadsafe(self._run(work), background_loop.loop)
        with self._lock:
            self._running.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: Any) -> None:
        with self._lock:
            self._running.discard(task)

    async def _run(self, work: Work) -> None:
        app = self._app
        try:
            async with app.app_context():
                await app.ensure_async(work)()
        except Exception:
            app.logger.exception("Exception in a background task")

    async def finish(self) -> None:
        """Wait for those that run, at most ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds; then cancel them."""
        with self._lock:
            running = [
                task if isinstance(task, asyncio.Task) else asyncio.wrap_future(task)
                for task in self._running
            ]
        if not running:
            return
        timeout = self._app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"]
        _, late = await asyncio.wait(running, timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            self._app.logger.warning("%d background tasks were cancelled: the server ends", len(late))
            await asyncio.wait(late, timeout=1)
