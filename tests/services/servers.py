"""nginx for the length of a ``with`` block, with the configuration of the example."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.example_server import ROOT
from tests.extensions.needs import absent
from tests.extensions.servers import free_port, wait_until


def find_nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        absent("no nginx: install Debian's nginx-light")
    return found


class Nginx:
    """``examples/deploy/nginx.conf`` as it is, but for its places.

    :param sockets: the folder with the sockets of the processes.
    """

    def __init__(self, sockets: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix="nginx-"))
        text = (ROOT / "examples" / "deploy" / "nginx.conf").read_text()
        places = {"listen 80;": f"listen 127.0.0.1:{self.port};", "/run/shop/": f"{sockets}/"}
        places["/run/nginx.pid"] = f"{self._folder}/pid"
        if os.geteuid() != 0:
            places["user www-data;"] = ""
        for old, new in places.items():
            assert old in text
            text = text.replace(old, new)
        temporary = "".join(
            f"{name}_temp_path {self._folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = text.replace("http {", f"http {{ {temporary}")
        (self._folder / "nginx.conf").write_text(text)
        self._folder.chmod(0o755)
        options = ["-c", str(self._folder / "nginx.conf"), "-e", str(self._folder / "error.log")]
        self._command = [find_nginx(), *options, "-g", "daemon off;"]

    @property
    def log(self) -> str:
        return (self._folder / "error.log").read_text()

    def __enter__(self) -> Self:
        subprocess.run([*self._command, "-t"], check=True, capture_output=True, timeout=20)
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_until(self._accepts, self._process, "nginx")
        return self

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)


class UnixServer:
    """One process of the example, on a unix socket.

    :param path: the socket.
    :param log: where to write what it says.
    """

    def __init__(self, command: list[str], path: Path, log: Path, **environment: str) -> None:
        self.path = path
        self._command = command
        self._log = log
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        wait_until(self._accepts, self._process, " ".join(self._command))

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.path)) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL)
