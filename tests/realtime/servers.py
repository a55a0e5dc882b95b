"""Servers that run `tests.realtime.site` in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 20.0  # seconds
STOP_TIMEOUT = 10.0  # seconds

_UVICORN = [
    "-m",
    "uvicorn",
    "{app}",
    "--port",
    "{port}",
    "--no-access-log",
    "--timeout-graceful-shutdown",
    "3",
]
_GRANIAN = [
    *("-m", "granian", "{app}", "--interface", "asgi", "--port", "{port}", "--no-access-log"),
    *("--workers-kill-timeout", "3"),
]
#: How each server is started, as arguments of Python.
COMMANDS = {
    "uvicorn-websockets": [*_UVICORN, "--ws", "websockets", "--loop", "uvloop", "--http", "httptools"],
    "uvicorn-sansio": [*_UVICORN, "--ws", "websockets-sansio", "--loop", "asyncio", "--http", "h11"],
    "uvicorn-wsproto": [*_UVICORN, "--ws", "wsproto", "--loop", "uvloop", "--http", "h11"],
    "hypercorn": ["-m", "hypercorn", "{app}", "--bind", "127.0.0.1:{port}", "--graceful-timeout", "2"],
    "granian": [*_GRANIAN, "--loop", "asyncio"],
    "daphne": ["-m", "daphne", "{app}", "--port", "{port}", "--verbosity", "1"],
}


def free_port() -> int:
    """A TCP port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process for the length of a ``with`` block.

    :param kind: one of `COMMANDS`.
    :param app: what it runs.
    """

    def __init__(self, kind: str, app: str = "tests.realtime.site:app") -> None:
        self.kind = kind
        self.app = app
        self.port = free_port()

    def __enter__(self) -> Self:
        self._log = tempfile.NamedTemporaryFile(prefix=f"{self.kind}-", suffix=".log")
        command = [part.format(app=self.app, port=self.port) for part in COMMANDS[self.kind]]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        try:
            eventually(self._answers, f"{self.kind} answers", START_TIMEOUT)
        except BaseException as error:
            error.add_note(self.log())
            self.__exit__(None, None, None)
            raise
        return self

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.kind} has ended with {self.process.returncode}")
        try:
            return self.get("/flooded") is not None
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(STOP_TIMEOUT)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # its workers, too
            self.process.wait(STOP_TIMEOUT)
            self._log.close()

    def stop(self) -> int:
        """Shut it down with SIGTERM, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT)

    def log(self) -> str:
        """What it has written so far."""
        return Path(self._log.name).read_text(errors="replace")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
            return str(response.read().decode())

    def journal(self, name: str) -> list[str]:
        """What has happened to the request of that name."""
        events: list[str] = json.loads(self.get(f"/journal/{name}"))
        return events

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


def eventually(condition: Callable[[], Any], what: str, timeout: float = 5.0) -> None:
    """Wait until a condition holds.

    :raises AssertionError: when it does not in time.
    """
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"After {timeout} seconds still not: {what}"
        time.sleep(0.02)
