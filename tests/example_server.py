"""An example, served as its documentation says: by a command, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.extensions.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 30.0  # seconds


class ExampleServer:
    """A server, started and stopped as often as a test likes, always on the same port.

    :param command: the arguments for Python, where ``{port}`` stands for the port
    :param folder: an empty one; what the server prints is in its file ``log``.
    :param environment: variables in addition to those of this process.
    """

    def __init__(self, command: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, *command.format(port=self.port).split()]
        self._log = folder / "log"
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._log.write_bytes(b"")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._accepts, self._process, " ".join(self._command), TIMEOUT)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it as the system would; with SIGKILL it is as if it had crashed."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"the server does not stop:\n{self.log}") from None
        assert "Traceback" not in self.log, self.log

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
