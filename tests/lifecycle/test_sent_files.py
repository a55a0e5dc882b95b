"""Files that are sent: closed in every case, and without a thread that rests while the client is slow."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from asyncflask import Flask, Response, send_file

from .test_streams import Client

SMALL, LARGE = b"0123456789" * 1000, bytes(range(256)) * 8192  # 10 KB, 2 MB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.bin").write_bytes(SMALL)
    (tmp_path / "large.bin").write_bytes(LARGE)
    return tmp_path


def application(folder: Path) -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.get("/sync/<name>")
    def sync(name: str) -> Response:
        return send_file(folder / name)

    @app.get("/async/<name>")
    async def async_(name: str) -> Response:
        return send_file(folder / name)

    return app


class Request(Client):
    """As `Client`, with headers, a method and extensions of the server."""

    def __init__(self, app: Any, takes: Any = None, **scope: Any) -> None:
        super().__init__(self.call, takes)
        self._app = app
        self._scope = scope
        self.headers: dict[bytes, bytes] = {}
        self.sent_path: str | None = None

    async def call(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, **self._scope}, receive, send)

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
        if message["type"] == "http.response.pathsend":
            assert not self.is_complete
            self.sent_path, self.is_complete = message["path"], True
            return
        await super().send(message)


def open_files(folder: Path) -> list[str]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    return [link for link in links if link.startswith(str(folder))]


CASES: list[tuple[dict[str, Any], int, slice]] = [
    ({}, 200, slice(None)),
    ({"method": "HEAD"}, 200, slice(0)),
    ({"headers": [(b"if-modified-since", b"Wed, 01 Jan 2048 00:00:00 GMT")]}, 304, slice(0)),
    ({"headers": [(b"range", b"bytes=1000-4999")]}, 206, slice(1000, 5000)),
    ({"headers": [(b"range", b"bytes=-10")]}, 206, slice(-10, None)),
]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("name", "content"), [("small.bin", SMALL), ("large.bin", LARGE)])
@pytest.mark.parametrize(("scope", "status", "part"), CASES, ids=["whole", "HEAD", "304", "range", "last"])
def test_what_is_asked_for_is_sent_and_the_file_closed(
    folder: Path, kind: str, name: str, content: bytes, scope: dict[str, Any], status: int, part: slice
) -> None:
    async def main() -> None:
        request = Request(application(folder), **scope)
        await request.ask(f"/{kind}/{name}")
        assert (request.status, request.body) == (status, content[part])
        if status != 304:
            length = len(content) if scope.get("method") == "HEAD" else len(content[part])
            assert request.headers[b"content-length"] == b"%d" % length
        assert request.is_complete
        assert open_files(folder) == []

    asyncio.run(main())


def test_hooks_see_a_file(folder: Path) -> None:
    """What compresses or changes bodies leaves files alone by that."""
    seen: list[tuple[bool, bool]] = []
    app = application(folder)

    @app.after_request
    def look(response: Response) -> Response:
        seen.append((response.direct_passthrough, response.is_sequence))
        return response

    asyncio.run(Request(app).ask("/sync/small.bin"))
    assert seen == [(True, False)]


def test_a_file_that_grows_is_sent_as_announced(folder: Path) -> None:
    app = application(folder)

    @app.after_request
    def grow(response: Response) -> Response:
        with (folder / "small.bin").open("ab") as file:
            file.write(b"more")
        return response

    request = Request(app)
    asyncio.run(request.ask("/sync/small.bin"))
    assert request.body == SMALL


def test_slow_readers_of_files_rest_no_threads(folder: Path) -> None:
    async def main() -> None:
        reads = asyncio.Event()

        async def take(client: Client, body: bytes) -> None:
            await reads.wait()

        app = application(folder)
        app.config["WORKER_THREADS"] = 2
        slow = [Request(app, take) for _ in range(30)]
        tasks = [asyncio.create_task(each.ask("/sync/large.bin")) for each in slow]
        while any(each.status is None for each in slow):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(app.worker_pool.threads) <= 4
        reads.set()
        await asyncio.gather(*tasks)
        assert all(each.body == LARGE for each in slow)
        assert open_files(folder) == []

    asyncio.run(main())


def test_functions_of_the_response_keep_its_thread(folder: Path) -> None:
    threads: list[int] = []
    app = Flask(__name__, static_folder=None)

    @app.get("/")
    def view() -> Response:
        threads.append(threading.get_ident())
        response = send_file(folder / "large.bin")
        response.call_on_close(lambda: threads.append(threading.get_ident()))
        return response

    async def main() -> None:
        requests = [Request(app) for _ in range(5)]
        await asyncio.gather(*(request.ask() for request in requests))

    asyncio.run(main())
    assert len(threads) == 10
    assert all(threads.count(thread) % 2 == 0 for thread in set(threads))


def test_a_client_that_goes_leaves_no_file(folder: Path) -> None:
    async def main() -> None:
        async def take(client: Client, body: bytes) -> None:
            client.gone.set()
            await asyncio.sleep(30)

        request = Request(application(folder), take)
        await asyncio.wait_for(request.ask("/sync/large.bin"), 10)
        assert not request.is_complete
        assert open_files(folder) == []

    asyncio.run(main())


PATHSEND = {"extensions": {"http.response.pathsend": {}}}


def test_a_server_may_send_the_file_itself(folder: Path) -> None:
    request = Request(application(folder), **PATHSEND)
    asyncio.run(request.ask("/sync/large.bin"))
    assert (request.status, request.body) == (200, b"")
    assert request.sent_path == str(folder / "large.bin")
    assert request.headers[b"content-length"] == b"%d" % len(LARGE)
    assert open_files(folder) == []


def test_not_what_has_become_of_it_since(folder: Path) -> None:
    app = application(folder)

    @app.after_request
    def replace(response: Response) -> Response:
        (folder / "other.bin").write_bytes(b"other")
        (folder / "other.bin").replace(folder / "large.bin")
        return response

    request = Request(app, **PATHSEND)
    asyncio.run(request.ask("/sync/large.bin"))
    assert request.sent_path is None
    assert request.body == LARGE


def test_nor_a_range(folder: Path) -> None:
    request = Request(application(folder), headers=[(b"range", b"bytes=0-999999")], **PATHSEND)
    asyncio.run(request.ask("/sync/large.bin"))
    assert request.sent_path is None
    assert request.body == LARGE[:1_000_000]
