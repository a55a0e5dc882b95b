"""Serve an application, written for Flask, by a real uvicorn in a process of its own.

It is what a function of a test module returns; that imports `flask` in its body, and gets asyncflask::

    def hello():
        from flask import Flask

        app = Flask(__name__)

        @app.get("/")
        async def index():
            return place()

        return app


    def test_hello():
        with served(hello) as server, server.client() as client:
            assert client.get("/").json() == ON_THE_LOOP
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
TIMEOUT = 30.0

#: What `place` says in an async view, and in a sync one.
ON_THE_LOOP = {"loop": True, "thread": True}
IN_A_WORKER = {"loop": False, "thread": False}

#: That of this process, if it serves.
_server: Any = None


def place() -> dict[str, bool]:
    """Whether this runs on the very loop of the server, and in its thread; for the views."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    thread = threading.current_thread()
    return {"loop": loop is _server.loop, "thread": thread is _server._thread}


class Served:
    """A server in another process."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        #: What was logged as an error, once the server has stopped.
        self.errors: list[str] = []

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=TIMEOUT, trust_env=False, **options)

    def stop(self) -> None:
        out, err = self._process.communicate("stop\n", TIMEOUT)
        assert self._process.returncode == 0, err
        self.errors = json.loads(out)


@contextmanager
def served(build: Callable[[], Any], *, expect_errors: bool = False) -> Iterator[Served]:
    """Serve what `build` returns.

    :param build: a function of a module below the root of this project, without arguments.
    :param expect_errors: whether the server may have logged errors; otherwise that is a failure.
    """
    module = ".".join(Path(build.__code__.co_filename).relative_to(ROOT).with_suffix("").parts)
    command = [sys.executable, "-m", "tests.extensions.serving", module, build.__qualname__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload]
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server has not started:\n{process.communicate()[1]}")
            server = Served(process, int(line))
            yield server
            if process.poll() is None:
                server.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
    assert expect_errors or not server.errors, server.errors


def main(module: str, name: str) -> None:
    """Serve in this process: print the port, stop at the next line of input, print the errors."""
    importlib.import_module("asyncflask.as_flask")
    from tests.extensions import serving
    from tests.lifecycle.server import Server

    app = getattr(importlib.import_module(module), name)()
    with Server(app) as server:
        serving._server = server  # that of `place`; this module is __main__
        print(server.port, flush=True)
        sys.stdin.readline()
    print(json.dumps(server.errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
