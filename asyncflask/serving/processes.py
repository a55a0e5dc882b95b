"""Several processes on one address: ``asyncflask run --workers N``, uvicorn's supervisor with more sockets.

On one socket that all of them share, whoever wakes up first takes all connections that wait: of wrk's 32 one
process often has all. With a socket for each (``SO_REUSEPORT``) Linux shares them out evenly, but a socket
that is closed takes those with it that wait on it. So the supervisor makes the sockets, a place for each
process, and keeps them: who takes over a place takes over its socket, with all who wait there.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from .address import announce, clean_up, listen
from .drain import KEEP_ALIVE, DrainingServer
from .server import configure_logging
from .terminal import say


def listen_for(number: int, host: str, port: int) -> list[socket.socket]:
    """Listening sockets for that many processes: one for each, or one for all where the system would not
    share the connections out.

    Exits with one line on stderr if there cannot be any.
    """
    first = listen(host, port)
    if host.startswith("unix://") or not sys.platform.startswith("linux"):
        return [first]
    address, family = first.getsockname(), first.family
    first.close()  # that the address was free is known now: with the option it could be taken twice
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    options: dict[str, Any] = {"family": family, "reuse_port": True, "dualstack_ipv6": both, "backlog": 2048}
    return [socket.create_server(address[:2], **options) for _ in range(number)]


#: Seconds that requests under way have when a process ends.
GRACE = 25


class WorkerProcess(Process):
    """A process that drains before it ends.

    :param place: the number of its place.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], place: int) -> None:
        self.place = place
        super().__init__(config, sockets)

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            configure_logging(None)
            self._server = DrainingServer(self.config)
        return self._server


class Supervisor(Multiprocess):
    """Keeps a process at each place. HUP replaces all of them, TTIN and TTOU add and remove one.

    :param config: uvicorn's, with an application that can be imported.
    :param sockets: one for each place, or one for all.
    """

    def __init__(self, config: uvicorn.Config, sockets: Sequence[socket.socket]) -> None:
        super().__init__(config, list(sockets))
        self.processes: list[WorkerProcess] = []  # type: ignore[assignment]

    def start_at(self, place: int) -> WorkerProcess:
        process = WorkerProcess(self.config, [self.sockets[place % len(self.sockets)]], place)
        process.start()
        return process

    def init_processes(self) -> None:
        self.processes = [self.start_at(place) for place in range(self.processes_num)]

    def restart_all(self) -> None:
        """Replace all processes. The new ones serve before the old ones are told to end; while these drain,
        nothing waits for them."""
        new = [self.start_at(process.place) for process in self.processes]
        limit = self.config.timeout_worker_healthcheck + 30
        if not all(process.wait_until_ready(limit, self.should_exit) for process in new):
            for process in new:
                process.kill()
                process.join()
            if not self.should_exit.is_set():
                say("The new processes have not started: the old ones go on.")
            return
        old, self.processes = self.processes, new
        for process in old:
            process.terminate()
        for process in old:
            process.join()

    def keep_subprocess_alive(self) -> None:
        """Put another process in the place of one that has ended, or hangs."""
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                say("The application did not start.")
                self.should_exit.set()
                return
            self.processes[index] = self.start_at(process.place)

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self.start_at(len(self.processes)))


def run_processes(factory: str, number: int, host: str, port: int, settings: dict[str, Any]) -> None:
    """Serve an application with several processes until Ctrl-C or SIGTERM.

    :param factory: the import path of what makes it, ``module:function``.
    :param number: of processes.
    :param settings: of `uvicorn.Config`.
    """
    sockets = listen_for(number, host, port)
    config = uvicorn.Config(
        factory,
        factory=True,
        workers=number,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        **{"proxy_headers": False, **settings},
    )
    scheme = "https" if settings.get("ssl_certfile") else "http"
    announce(host, sockets[0], scheme)
    supervisor = Supervisor(config, sockets)
    try:
        supervisor.run()
    finally:
        for sock in sockets:
            sock.close()
        clean_up(host)
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)
