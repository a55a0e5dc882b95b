"""A chapter as a process of its own: started by its ``app.run()``, asked over HTTP, stopped again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
COMMAND_TIMEOUT = 60.0
PORT_ATTEMPTS = 5


def environment() -> dict[str, str]:
    """The variables of a chapter's process: ours, without what would configure a framework."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "WERKZEUG_"))}
    paths = [*kept.get("PYTHONPATH", "").split(os.pathsep), str(ROOT)]
    return kept | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "NO_COLOR": "1",
        "COLUMNS": "80",
    }


def free_port() -> int:
    """A port that the system says is free now; whoever uses it must be ready to lose it to another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _default_interrupt() -> None:
    """Let Ctrl-C reach the process also where the test run itself was started with it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Server:
    """``python script.py PORT``, from the moment it answers until the end of the ``with`` block."""

    def __init__(self, script: Path, cwd: Path, *, python_options: Sequence[str] = ()) -> None:
        self.command = [sys.executable, *python_options, str(script)]
        self.cwd = cwd
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        try:
            for attempt in range(1, PORT_ATTEMPTS + 1):
                self.port = free_port()
                self._log.seek(0)
                self._log.truncate()
                self.process = subprocess.Popen(
                    [*self.command, str(self.port)],
                    cwd=self.cwd,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_default_interrupt,
                )
                if self._started():
                    return self
                # The port may have been taken between the probe and the server: the next one is tried.
                if attempt == PORT_ATTEMPTS or not self._lost_the_port():
                    raise RuntimeError(f"{self.command} did not start:\n{self.log()}")
        except BaseException:
            self.stop()
            self._log.close()
            raise
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()

    def run_on(self, port: int) -> tuple[int, str]:
        """Run the script on a port where it cannot serve, until it gives up: its exit code and its words."""
        command = [*self.command, str(port)]
        done = subprocess.run(
            command,
            cwd=self.cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
        return done.returncode, done.stdout

    def log(self) -> str:
        """What the process has printed so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """End the process with a signal, or with SIGKILL when it does not listen. Gives its exit code."""
        process = getattr(self, "process", None)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT)
        return int(process.returncode)

    def _started(self) -> bool:
        """Wait until the process has announced its address and takes connections; False when it ended.

        The announcement shows that it is this process, and not another on the same port, that answers.
        """
        deadline = time.monotonic() + START_TIMEOUT
        announced = False
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            announced = announced or f"Running on {self.url}" in self.log()
            if announced:
                try:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                except OSError:
                    pass
                else:
                    return True
            time.sleep(0.02)
        return False

    def _lost_the_port(self) -> bool:
        return self.process.poll() is not None and "in use" in self.log().lower()


def run_command(
    package: str, arguments: Sequence[str], cwd: Path, *, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """``python -m flask ...`` or ``python -m asyncflask ...`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", package, *arguments],
        cwd=cwd,
        env=environment() | variables,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=COMMAND_TIMEOUT,
        check=False,
    )
