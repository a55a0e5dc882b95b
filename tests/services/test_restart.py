"""Processes are replaced under load, behind nginx, and no request fails but those of one that is killed."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from lifecycle.loops import eventually
from realtime.servers import free_port

ROOT = Path(__file__).parents[2]
CLIENTS = 8

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")

APP = """
import asyncio, os, time
from asyncflask import Flask, request

app = Flask(__name__)

@app.get("/")
async def index():
    await asyncio.sleep(0.002)
    return str(os.getpid())

@app.post("/echo")
def echo():
    time.sleep(0.002)
    return request.get_data()

@app.get("/slow")
async def slow():
    await asyncio.sleep(0.5)
    return "slow"

@app.get("/events")
async def events():
    async def generate():
        while True:
            yield "data: 1\\n\\n"
            await asyncio.sleep(0.1)
    return generate(), {"Content-Type": "text/event-stream"}

@app.after_serving
def ended():
    with open("ended", "a") as file:
        file.write(f"{os.getpid()}\\n")
"""

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream application {{
        server {upstream};
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://application;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
            proxy_buffering off;
        }}
    }}
}}
"""

GUNICORN = ["-m", "gunicorn", "site_under_load:app", "-k", "asyncflask.serving.workers.AsyncflaskWorker"]
SERVERS = {
    "gunicorn": ([*GUNICORN, "-w", "2", "-b", "unix:{folder}/app.sock"], "unix:{folder}/app.sock"),
    "workers": (
        ["-m", "asyncflask", "--app", "site_under_load", "run", "--workers", "2", "-p", "{port}"],
        "127.0.0.1:{port}",
    ),
    "workers on a Unix socket": (
        ["-m", "asyncflask", "--app", "site_under_load", "run", "-w", "2", "-h", "unix://{folder}/app.sock"],
        "unix:{folder}/app.sock",
    ),
}


class Site:
    """Two processes and nginx before them, for the length of a ``with`` block."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        (folder / "site_under_load.py").write_text(APP)
        self.port = free_port()
        values = {"folder": str(folder), "port": str(free_port())}
        command, upstream = SERVERS[kind]
        self._command = [sys.executable, *(part.format(**values) for part in command)]
        user = "user root;" if os.geteuid() == 0 else ""
        settings = {**values, "port": self.port, "upstream": upstream.format(**values), "user": user}
        (folder / "nginx.conf").write_text(NGINX.format(**settings))

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{self.folder}"}
        self._log = open(self.folder / "server.log", "w")
        self.server = self._start(self._command, env=environment)
        self._nginx = self._start(["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")])
        eventually(self._answers, "the site answers", timeout=30)
        eventually(lambda: len(self.workers()) == 2, "there are two processes", timeout=10)
        return self

    def _start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, cwd=self.folder, stdout=self._log, stderr=subprocess.STDOUT, **options
        )

    def _answers(self) -> bool:
        try:
            return self.get("/")[0] == 200
        except OSError:
            return False

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """The processes that serve now."""
        found = subprocess.run(["pgrep", "-P", str(self.server.pid)], capture_output=True, text=True)
        names = [(int(pid), Path(f"/proc/{pid}/cmdline")) for pid in found.stdout.split()]
        return [pid for pid, name in names if name.exists() and b"resource_tracker" not in name.read_bytes()]

    def __exit__(self, *exc_info: object) -> None:
        self.server.terminate()
        try:
            self.server.wait(40)
        finally:
            self.server.kill()
            self._nginx.terminate()
            self._nginx.wait(10)
            self._log.close()


class Load:
    """Clients that ask again and again, each in its own way, and what has failed for them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopped = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=20)
        while not self._stopped.is_set():
            body = os.urandom(500 if number % 4 else 100_000) if number % 2 else None
            try:
                if body is not None:
                    connection.request("POST", "/echo", body=body)
                else:
                    connection.request("GET", "/slow" if number == 2 else "/")
                response = connection.getresponse()
                data = response.read()
                if response.status != 200 or (body is not None and data != body):
                    self.failures.append(f"{response.status} {data[:80]!r}")
                else:
                    self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if number % 3 == 0:
                connection.close()
        connection.close()


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with Site(request.param, tmp_path) as running:
        yield running


def changed(site: Site, before: list[int]) -> bool:
    now = site.workers()
    return len(now) == 2 and not set(now) & set(before)


@pytest.mark.timeout(240)
def test_a_rolling_restart_loses_no_request(site: Site) -> None:
    events = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    events.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with events, Load(site) as load:
        time.sleep(1)
        for _ in range(3):
            before = site.workers()
            site.server.send_signal(signal.SIGHUP)
            eventually(lambda pids=before: changed(site, pids), "both are replaced", timeout=40)
            time.sleep(0.5)
        for pid in site.workers():
            os.kill(pid, signal.SIGTERM)
            eventually(lambda pid=pid: pid not in site.workers(), "it has ended", timeout=30)
            eventually(lambda: len(site.workers()) == 2, "it is replaced", timeout=30)
            time.sleep(1)
        answered = load.answered
        time.sleep(0.5)
        assert load.answered > answered
    assert load.failures == [], (site.folder / "nginx.log").read_text()
    ended = (site.folder / "ended").read_text().split()
    assert len(ended) == len(set(ended)) == 8  # after_serving ran once in each


@pytest.mark.timeout(120)
def test_a_process_that_is_killed_takes_its_own_requests_only(site: Site) -> None:
    with Load(site) as load:
        time.sleep(1)
        os.kill(site.workers()[0], signal.SIGKILL)
        time.sleep(0.3)
        during = len(load.failures)
        eventually(lambda: len(site.workers()) == 2, "it is replaced", timeout=30)
        time.sleep(2)
        answered = load.answered
        time.sleep(0.5)
        assert load.answered > answered
    assert len(load.failures) <= during + CLIENTS  # what was on its connections, which nginx has kept
