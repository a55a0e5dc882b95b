"""Work that goes on when the response has been sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast
from weakref import proxy

from .concurrency.loop_thread import background_loop, is_running_loop
from .globals import request_context

if TYPE_CHECKING:
    from .protocols import Application

Work = Callable[[], Any]


class BackgroundTasks:
    """The background tasks of an application.

    :param app: the application; referred to weakly.
    """

    def __init__(self, app: Application) -> None:
        self._app: Application = cast("Application", proxy(app))
        # By what is done when they have ended; they may be on several loops.
        self._running: dict[Future[None], asyncio.Task[None] | None] = {}
        self._lock = threading.Lock()

    def add(self, work: Work) -> None:
        """Run it once the response of the current request is sent, in a websocket and outside at once.

        :param work: takes nothing.
        """
        ctx = request_context()
        walk = None if ctx is None or ctx.request.scope["type"] != "http" else ctx._walk
        if walk is not None and not walk.is_over:
            walk.afterwards = [*walk.afterwards, lambda: self.start(work)]
        else:
            self.start(work)

    def start(self, work: Work) -> None:
        """Run it now: on the running loop, in sync code on one in the background."""
        loop = asyncio.get_running_loop() if is_running_loop() else background_loop.loop
        ended: Future[None] = Future()
        with self._lock:
            self._running[ended] = None
        ended.add_done_callback(self._forget)

        def begin() -> None:
            # A context of its own: the request's ends with the request.
            task = loop.create_task(self._run(work), context=Context())
            task.add_done_callback(lambda _: ended.set_result(None))
            with self._lock:
                self._running[ended] = task

        if is_running_loop():
            begin()
        else:
            loop.call_soon_threadsafe(begin)

    def _forget(self, ended: Future[None]) -> None:
        with self._lock:
            self._running.pop(ended, None)

    async def _run(self, work: Work) -> None:
        app = self._app
        try:
            async with app.app_context():
                value = await app.ensure_async(work)()
                if isawaitable(value):  # a sync function around an ``async def``
                    await value
        except Exception:
            app.logger.exception("Exception in a background task")

    async def finish(self) -> None:
        """Wait for those that run, at most ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds; then cancel them."""
        timeout = self._app.config["BACKGROUND_TASK_SHUTDOWN_TIMEOUT"]
        end = asyncio.get_running_loop().time() + timeout
        while running := dict(self._running):  # one may add another
            left = end - asyncio.get_running_loop().time()
            if left > 0:
                await asyncio.wait([asyncio.wrap_future(ended) for ended in running], timeout=left)
                continue
            for task in running.values():
                if task is not None:
                    task.get_loop().call_soon_threadsafe(task.cancel)
            self._app.logger.warning("%d background tasks are cancelled: the server ends", len(running))
            await asyncio.wait([asyncio.wrap_future(ended) for ended in running], timeout=1)
            return
