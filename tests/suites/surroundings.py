"""A pytest plugin with what the tests of extensions expect to find around them, the same in both runs.

It is loaded last, after `flask` has been decided on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: The port on which docker-compose.yml of Flask-Limiter has Redis.
REDIS_PORT = 46379


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    # Their tests are mostly a package of the name `tests`, too, which is to be found instead of this one.
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]

    import flask.signals

    expected = "asyncflask" if os.environ["ASYNCFLASK_AS_FLASK"] else "flask"
    if flask.Flask.__module__.partition(".")[0] != expected:
        raise pytest.UsageError(f"flask is {flask.Flask.__module__}, and was to be {expected}")

    # Flask-RESTful's tests ask for it; Flask 2.3 has removed it, as it was always true by then.
    flask.signals.signals_available = True  # type: ignore[attr-defined]


class Services:
    """Stands for the plugin lovely-pytest-docker: starts Redis without Docker, skips what needs others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis: subprocess.Popen[bytes] | None = None

    def start(self, *names: str) -> None:
        for name in names:
            if name != "redis":
                pytest.skip(f"there is no server of {name}")
            if self.redis is None:
                self._start_redis()

    def _start_redis(self) -> None:
        server = shutil.which("redis-server")
        if server is None:
            pytest.skip("there is no redis-server")
        options = ("--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "")
        self.redis = subprocess.Popen([server, *options], cwd=self.folder, stdout=subprocess.DEVNULL)

    def wait_for_service(
        self, name: str, port: int, is_up: Callable[[str, int], bool], timeout: float = 20
    ) -> None:
        deadline = time.monotonic() + timeout
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"redis-server does not answer on port {REDIS_PORT} after {timeout:g} s")
            time.sleep(0.05)

    def _answers(self) -> bool:
        import redis

        try:
            with redis.Redis(port=REDIS_PORT) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        if self.redis is not None:
            self.redis.terminate()
            self.redis.wait(10)


@pytest.fixture(scope="session")
def docker_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services = Services(tmp_path_factory.mktemp("services"))
    try:
        yield services
    finally:
        services.stop()
