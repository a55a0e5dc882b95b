"""uvicorn as the development server runs it: until a signal, with a limit on the time that its end takes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import AccessFormatter, DefaultFormatter

from ..typing import ASGIApp
from .reloader import is_running_from_reloader
from .terminal import end, leave, say, stopping_signals

# Seconds for the rest (shutdown functions, threads) after those for requests, before the process is ended.
REST = 3


def serve(
    app: ASGIApp | str,
    sock: socket.socket,
    settings: Mapping[str, Any],
    tls: ssl.SSLContext | None,
    *,
    on_started: Callable[[], None] | None = None,
    parent: int = 0,
) -> None:
    """Serve on that socket until a signal comes or the process `parent` has ended; closes the socket."""
    server = Server(_config(app, settings, tls), on_started, parent)
    # The reloader's child is about to end, and its parent may be about to say so once more.
    restore = not is_running_from_reloader()
    with stopping_signals(server.handle_exit, restore) as previous, server.time_limit(), server.quiet_stop():
        server.run(sockets=[sock])
    if not server.started:
        sys.exit(3)
    if server.stopped_by is not None:
        end(server.stopped_by, previous)


def _config(app: ASGIApp | str, settings: Mapping[str, Any], tls: ssl.SSLContext | None) -> uvicorn.Config:
    if settings["log_config"] is None:
        _configure_logging(settings.get("use_colors"))
    config = uvicorn.Config(app, **settings)
    config.load()
    if tls is not None:
        config.ssl = tls
    return config


def _configure_logging(use_colors: bool | None) -> None:
    """Let uvicorn's loggers print, unless the application has set them up."""
    access = LOGGING_CONFIG["formatters"]["access"]["fmt"]
    for name, stream, formatter in (
        ("uvicorn", sys.stderr, DefaultFormatter("%(levelprefix)s %(message)s", use_colors=use_colors)),
        ("uvicorn.access", sys.stdout, AccessFormatter(access, use_colors=use_colors)),
    ):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter)
            logger.addHandler(handler)
            logger.propagate = False
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    errors = logging.getLogger("uvicorn.error")
    if errors.level == logging.NOTSET:
        errors.setLevel(logging.WARNING)
    # How applications have silenced the request log so far.
    werkzeug = logging.getLogger("werkzeug")
    if werkzeug.disabled or werkzeug.level > logging.INFO:
        logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


class Server(uvicorn.Server):
    """uvicorn's server, without a traceback, a signal or a wait at its end."""

    def __init__(
        self, config: uvicorn.Config, on_started: Callable[[], None] | None = None, parent: int = 0
    ) -> None:
        super().__init__(config)
        self.on_started = on_started
        self.parent = parent if os.name == "posix" else 0
        self.stopped_by: int | None = None
        self._stopping = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and self.on_started is not None:
            self.on_started()

    async def on_tick(self, counter: int) -> bool:
        if self.parent and os.getppid() != self.parent:
            self.should_exit = True
            self._stopping.set()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes a connection that has not asked for anything yet. One that was accepted just now gets
        # the time to: during a reload no request is to be lost.
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.05)
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again at the end; `serve` deals with signals.
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            leave(128 + sig)
        self.should_exit = True
        self.stopped_by = sig
        self._stopping.set()

    @contextmanager
    def quiet_stop(self) -> Iterator[None]:
        """Keep uvicorn from reporting that the requests it cancels at the end are cancelled."""

        def is_news(record: logging.LogRecord) -> bool:
            error = record.exc_info[1] if record.exc_info else None
            return not (self.should_exit and isinstance(error, asyncio.CancelledError))

        logger = logging.getLogger("uvicorn.error")
        logger.addFilter(is_news)
        try:
            yield
        finally:
            logger.removeFilter(is_news)

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """End the process if stopping takes too long: a sync view cannot be interrupted otherwise."""
        grace = self.config.timeout_graceful_shutdown
        ended = threading.Event()

        def watch() -> None:
            self._stopping.wait()
            if not ended.wait(None if grace is None else grace + REST):
                say("Stopped while the application was still busy.")
                leave(0)

        threading.Thread(target=watch, name="asyncflask-stop", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            self._stopping.set()


@contextmanager
def failure_page(
    sock: socket.socket, settings: Mapping[str, Any], tls: ssl.SSLContext | None, failure: ASGIApp
) -> Iterator[None]:
    """Answer requests on that socket in the place of an application that could not start.

    :param failure: answers them, see `asyncflask.debug.startup.Failure`.
    """
    server = Server(_config(failure, {**settings, "lifespan": "off"}, tls))
    thread = threading.Thread(target=server.run, args=([sock.dup()],), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
