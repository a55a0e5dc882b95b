"""The example of a deployment: nginx in front of two processes, Redis behind them."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.channels.conftest import eventually, redis_server
from tests.channels.redis_server import RedisServer

from .servers import Nginx, UnixServer

__all__ = ["redis_server"]

Site = tuple[Nginx, list[UnixServer], RedisServer]


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that nginx may enter, which is another user; pytest's folders are for the user alone."""
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def site(redis_server: RedisServer, folder: Path) -> Iterator[Site]:
    figures = folder / "figures"
    figures.mkdir()
    environment = {"REDIS_URL": redis_server.url, "SECRET_KEY": "test", "DRAIN_DELAY": "0.1"}
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(figures)
    with ExitStack() as stack:
        servers = []
        for number in (1, 2):
            path = folder / f"{number}.sock"
            command = [sys.executable, "-m", "asyncflask", "--app", "examples.deploy.app", "run"]
            servers.append(
                UnixServer([*command, "--uds", str(path)], path, folder / f"{number}.log", **environment)
            )
            stack.enter_context(servers[-1])
        nginx = stack.enter_context(Nginx(folder))
        yield nginx, servers, redis_server


def test_sessions_and_messages_over_both_processes(site: Site) -> None:
    nginx, _, _ = site
    processes = set()
    with httpx.Client(base_url=nginx.url) as client:
        for number in range(1, 41):
            answer = client.get("/").json()
            assert answer["visits"] == number
            processes.add(answer["process"])
        assert len(processes) == 2
        for _ in range(10):
            assert client.post("/sign", data={"name": "Ada"}).status_code == 302
            assert client.get("/").json()["messages"] == ["Thank you, Ada!"]


def test_what_the_application_sees_of_the_client(site: Site) -> None:
    nginx, _, _ = site
    host = nginx.url.removeprefix("http://")
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    assert httpx.get(f"{nginx.url}/seen-as", headers=forged).json() == {
        "url": f"http://{host}/seen-as",
        "address": "127.0.0.1",
        "secure": False,
    }


def test_behind_a_proxy_with_tls(site: Site) -> None:
    _, servers, _ = site
    transport = httpx.HTTPTransport(uds=str(servers[0].path))
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "Host": "shop.example"}
    with httpx.Client(transport=transport, base_url="http://shop.example") as client:
        assert client.get("/seen-as", headers=headers).json() == {
            "url": "https://shop.example/seen-as",
            "address": "192.0.2.7",
            "secure": True,
        }


def test_streams_and_websockets(site: Site) -> None:
    """What one process publishes comes from the other one, at once."""
    nginx, _, _ = site

    async def main() -> None:
        names = [f"guest {number}" for number in range(10)]
        heard: dict[str, list[str]] = {"stream": [], "one": [], "two": []}

        async def stream(client: httpx.AsyncClient) -> None:
            async with client.stream("GET", "/guests") as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        heard["stream"].append(line.removeprefix("data:").strip())

        async def listen(what: str) -> None:
            async with connect(nginx.url.replace("http", "ws") + "/guests/live") as websocket:
                async for message in websocket:
                    heard[what].append(str(message))

        async with httpx.AsyncClient(base_url=nginx.url, timeout=20) as client:
            tasks = [asyncio.create_task(each) for each in (stream(client), listen("one"), listen("two"))]
            await asyncio.sleep(1)
            for name in names:
                assert (await client.post("/sign", data={"name": name})).status_code == 302, nginx.log
            await eventually(lambda: all(each == names for each in heard.values()))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_one_is_killed_and_the_other_goes_on(site: Site) -> None:
    """Of requests that change nothing none fails, and the session is the same."""
    nginx, servers, _ = site
    answers: list[int] = []

    async def main() -> None:
        async with httpx.AsyncClient(base_url=nginx.url, timeout=20) as client:
            await client.get("/")
            for number in range(200):
                if number == 50:
                    servers[0].stop(signal.SIGKILL)
                if number == 120:
                    servers[0].start()
                answers.append((await client.get("/seen-as")).status_code)
            visits = (await client.get("/")).json()["visits"]
        assert visits == 2

    asyncio.run(main())
    assert answers == [200] * 200


def test_redis_is_restarted(site: Site) -> None:
    nginx, _, redis = site
    with httpx.Client(base_url=nginx.url) as client:
        client.get("/")
        redis.stop(signal.SIGKILL)
        assert client.get("/").status_code == 503
        assert client.get("/seen-as").status_code == 200
        redis.start()
        assert [client.get("/").json()["visits"] for _ in range(4)] == [2, 3, 4, 5]


def test_figures_of_all_processes(site: Site) -> None:
    """Whichever process is asked: the sum."""
    nginx, _, _ = site
    with httpx.Client(base_url=nginx.url) as client:
        for _ in range(40):
            client.get("/seen-as")
        for _ in range(6):
            text = client.get("/metrics/").text
            found = re.search(r'requests_total\{rule="/seen-as",status="200"\} (\S+)', text)
            assert found is not None
            assert float(found[1]) == 40


def test_health(site: Site) -> None:
    nginx, _, _ = site
    assert httpx.get(f"{nginx.url}/readyz").json() == {"status": "ready", "checks": {}}
    assert httpx.get(f"{nginx.url}/healthz").status_code == 200
