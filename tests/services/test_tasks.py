"""The example of a task queue: arq, with real workers that are killed."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from tests.channels.conftest import redis_server
from tests.channels.redis_server import RedisServer
from tests.example_server import ROOT, ExampleServer
from tests.extensions.needs import absent

__all__ = ["redis_server"]

if importlib.util.find_spec("arq") is None:
    absent("arq is not installed: 'nox -s services' has it")

ARQ = "-m arq examples.tasks.arq_worker.Worker"


class WorkerProcess:
    def __init__(self, command: str, log: Path, **environment: str) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command.split()],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(40) is not None, self._log.read_text()


@pytest.fixture
def environment(redis_server: RedisServer) -> dict[str, str]:
    return {"REDIS_URL": redis_server.url, "JOB_SECONDS": "4"}


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[ExampleServer]:
    command = "-m uvicorn examples.tasks.app:app --port {port} --no-access-log"
    with ExampleServer(command, tmp_path, **environment) as server:
        yield server


def begin(server: ExampleServer, pages: int) -> str:
    response = httpx.post(f"{server.url}/reports/{pages}", timeout=30)
    assert response.status_code == 202
    return str(response.json()["report"])


def progress(server: ExampleServer, report: str, until: str, seconds: float = 90) -> list[dict[str, Any]]:
    """What the page is told, up to something."""
    told = []
    deadline = monotonic() + seconds
    with httpx.stream("GET", f"{server.url}/reports/{report}/progress", timeout=seconds) as response:
        for line in response.iter_lines():
            assert monotonic() < deadline, told
            if line.startswith("data:"):
                told.append(json.loads(line.removeprefix("data:")))
                if until in told[-1]:
                    return told
    raise AssertionError(f"the stream has ended: {told}")


@pytest.mark.timeout(180)
def test_progress_and_retries(served: ExampleServer, environment: dict[str, str], tmp_path: Path) -> None:
    worker = WorkerProcess(ARQ, tmp_path / "worker", **environment)
    try:
        told = progress(served, begin(served, 3), "done")
        assert told[0]["try"] == 1
        assert told[1:] == [{"page": 1}, {"page": 2}, {"page": 3}, {"done": 3}]
        told = progress(served, begin(served, 0), "gave")
        assert [each["try"] for each in told if "try" in each] == [1, 2, 3]
        worker.stop()
    finally:
        worker.kill()


@pytest.mark.timeout(240)
def test_the_job_of_a_worker_that_is_killed_is_done_again(
    served: ExampleServer, environment: dict[str, str], tmp_path: Path
) -> None:
    worker = WorkerProcess(ARQ, tmp_path / "first", **environment, PAGE_SECONDS="2")
    report = begin(served, 2)
    progress(served, report, "page")
    worker.kill()
    other = WorkerProcess(ARQ, tmp_path / "second", **environment, PAGE_SECONDS="0.1")
    try:
        told = progress(served, report, "done", 150)
        assert len({each["by"] for each in told if "by" in each}) == 2
        assert told[-3:] == [{"page": 1}, {"page": 2}, {"done": 2}]
    finally:
        other.kill()
