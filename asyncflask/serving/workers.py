"""A worker for gunicorn: ``gunicorn -k asyncflask.serving.workers.AsyncflaskWorker hello:app``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from types import FrameType
from typing import Any

import uvicorn
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from .drain import KEEP_ALIVE, DrainingServer
from .server import REST


class AsyncflaskWorker(Worker):  # type: ignore[misc]
    """Serves an ASGI application with uvicorn under gunicorn, and loses no request when it is replaced.

    gunicorn's settings count: ``bind``, ``keepalive`` (75 seconds unless set), ``timeout`` (a process whose
    event loop is blocked for longer is ended), ``graceful_timeout``, ``max_requests``,
    ``forwarded_allow_ips``, TLS. At HUP, TERM, or after ``max_requests`` the process drains, see
    `asyncflask.serving.drain.DrainingServer`; requests under way have ``graceful_timeout``, less three
    seconds for the end of the application.

    :cvar settings: further ones of `uvicorn.Config`, for a subclass: ``{"http": "h11"}``.
    """

    settings: dict[str, Any] = {}

    def init_signals(self) -> None:
        """Leave the signals that end the process to the server."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.siginterrupt(signal.SIGUSR1, False)
        signal.signal(signal.SIGABRT, self.handle_abort)

    def run(self) -> None:
        """Serve until a signal comes."""
        for name, log in (("uvicorn.error", self.log.error_log), ("uvicorn.access", self.log.access_log)):
            logger = logging.getLogger(name)
            logger.handlers, logger.level, logger.propagate = log.handlers, log.level, False
        config = uvicorn.Config(self.wsgi, **self._config())
        server = DrainingServer(config)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(self._serve(server))
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    async def _serve(self, server: DrainingServer) -> None:
        def hurry(number: int, frame: FrameType | None) -> None:
            """Ctrl-C, for gunicorn: requests under way have little time, and nobody else waits."""
            server.linger, server.is_behind_balancer = 0, False
            server.config.timeout_graceful_shutdown = REST
            server.should_exit = True

        signal.signal(signal.SIGQUIT, hurry)
        sign_of_life = asyncio.create_task(self._give_signs_of_life())
        try:
            await server.serve(sockets=[getattr(each, "sock", each) for each in self.sockets])
        finally:
            sign_of_life.cancel()

    async def _give_signs_of_life(self) -> None:
        """While the loop runs, also when the server ends."""
        while True:
            self.notify()
            await asyncio.sleep(min(self.timeout / 3, 5) if self.timeout else 5)

    def _config(self) -> dict[str, Any]:
        cfg = self.cfg
        config: dict[str, Any] = {
            "log_config": None,
            "access_log": bool(cfg.accesslog),
            # gunicorn's default is made for threads, which an idle connection would hold.
            "timeout_keep_alive": KEEP_ALIVE if cfg.keepalive == 2 else cfg.keepalive,
            "timeout_graceful_shutdown": max(int(cfg.graceful_timeout) - REST, 1),
            "forwarded_allow_ips": cfg.forwarded_allow_ips,
            "backlog": cfg.backlog,
        }
        if cfg.max_requests > 0:
            config["limit_max_requests"] = self.max_requests
        if cfg.is_ssl:
            config |= {
                "ssl_keyfile": cfg.keyfile,
                "ssl_certfile": cfg.certfile,
                "ssl_ca_certs": cfg.ca_certs,
                "ssl_cert_reqs": cfg.cert_reqs,
            }
            if cfg.ciphers:
                config["ssl_ciphers"] = cfg.ciphers
        return config | self.settings
