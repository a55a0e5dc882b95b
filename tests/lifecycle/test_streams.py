"""Bodies that are sync iterators: they stay in their thread, and their chunks leave from the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asyncflask import Flask, Response

MADE_AHEAD = 400_000  # bytes; far more than may be kept waiting


class Client:
    """Asks an application once, and takes what is sent when it likes.

    :param takes: called with each body message; may wait, or raise.
    """

    def __init__(self, app: Any, takes: Callable[[Client, bytes], Any] | None = None) -> None:
        self.app = app
        self.takes = takes
        self.status: int | None = None
        self.bodies: list[bytes] = []
        self.gone = asyncio.Event()
        self.is_complete = False

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        body = message.get("body", b"")
        if self.takes is not None and body:
            await self.takes(self, body)
        self.bodies.append(body)
        self.is_complete = not message.get("more_body", False)

    @property
    def body(self) -> bytes:
        return b"".join(self.bodies)

    async def ask(self, path: str = "/") -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"x")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
        }  # fmt: skip
        await self.app(scope, self.receive, self.send)


def application(stream: Callable[[], Iterator[Any]], threads: int = 2) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["WORKER_THREADS"] = threads
    app.add_url_rule("/", "index", lambda: Response(stream()))
    app.add_url_rule("/ping", "ping", lambda: "pong")
    return app


def test_chunks_arrive_in_order_and_whole() -> None:
    def stream() -> Iterator[str | bytes]:
        for number in range(20_000):
            yield f"{number},"
            yield b""

    client = Client(application(stream))
    asyncio.run(client.ask())
    assert client.body == b"".join(b"%d," % number for number in range(20_000))
    assert len(client.bodies) < 10_000
    assert client.is_complete


def test_each_chunk_leaves_while_the_next_is_waited_for() -> None:
    arrived = [threading.Event() for _ in range(5)]

    def stream() -> Iterator[str]:
        for number, before in enumerate([None, *arrived[:-1]]):
            assert before is None or before.wait(10), f"chunk {number - 1} has not left"
            yield str(number)

    async def take(client: Client, body: bytes) -> None:
        arrived[int(body)].set()

    client = Client(application(stream), take)
    asyncio.run(client.ask())
    assert client.bodies == [b"0", b"1", b"2", b"3", b"4", b""]


def test_it_is_stepped_and_closed_in_one_thread() -> None:
    threads = set()

    def stream() -> Iterator[bytes]:
        try:
            for _ in range(50):
                threads.add(threading.get_ident())
                yield b"x" * 50_000
        finally:
            threads.add(threading.get_ident())

    client = Client(application(stream))
    asyncio.run(client.ask())
    assert len(client.body) == 2_500_000
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_it_waits_for_a_slow_reader_without_being_at_work() -> None:
    made = 0

    def stream() -> Iterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1000
            yield b"x" * 1000

    async def main() -> None:
        reads = asyncio.Event()

        async def take(client: Client, body: bytes) -> None:
            await reads.wait()

        app = application(stream, threads=1)
        slow = Client(app, take)
        asking = asyncio.create_task(slow.ask())
        await asyncio.sleep(0.2)
        assert 0 < made < MADE_AHEAD
        ping = Client(app)
        await asyncio.wait_for(ping.ask("/ping"), 5)
        assert ping.body == b"pong"
        before = made
        await asyncio.sleep(0.05)
        assert made == before
        reads.set()
        await asking
        assert slow.body == b"x" * 1_000_000
        assert slow.is_complete

    asyncio.run(main())


def test_what_came_before_an_error_is_sent() -> None:
    def stream() -> Iterator[str]:
        for number in range(500):
            yield f"{number},"
        raise LookupError("in the middle")

    client = Client(application(stream))
    with pytest.raises(LookupError, match="in the middle"):
        asyncio.run(client.ask())
    assert client.body == b"".join(b"%d," % number for number in range(500))
    assert not client.is_complete


def test_stop_iteration_ends_no_more_than_the_stream() -> None:
    class Numbers:
        def __init__(self) -> None:
            self.left = 3

        def __iter__(self) -> Numbers:
            return self

        def __next__(self) -> str:
            if not self.left:
                raise StopIteration("enough")
            self.left -= 1
            return str(self.left)

    client = Client(application(Numbers))  # type: ignore[arg-type]
    asyncio.run(client.ask())
    assert (client.body, client.is_complete) == (b"210", True)


@pytest.mark.parametrize("size", [10, 100_000], ids=["running", "waiting for room"])
def test_a_client_that_goes_ends_it(size: int) -> None:
    closed: list[int] = []

    def stream() -> Iterator[bytes]:
        thread = threading.get_ident()
        try:
            while True:
                time.sleep(0.001)
                yield b"x" * size
        finally:
            closed.append(threading.get_ident() - thread)

    async def main() -> None:
        async def take(client: Client, body: bytes) -> None:
            if len(client.bodies) == 3:
                client.gone.set()
                await asyncio.sleep(30)

        client = Client(application(stream), take)
        await asyncio.wait_for(client.ask(), 10)
        assert not client.is_complete
        assert closed == [0]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_server_that_takes_no_more_ends_it() -> None:
    closed: list[bool] = []

    def stream() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(True)

    async def main() -> None:
        async def take(client: Client, body: bytes) -> None:
            if len(client.bodies) == 3:
                raise OSError("gone")

        client = Client(application(stream), take)
        with pytest.raises(OSError, match="gone"):
            await asyncio.wait_for(client.ask(), 10)
        assert closed == [True]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_cancellation_from_outside_ends_it() -> None:
    closed: list[bool] = []

    def stream() -> Iterator[bytes]:
        try:
            while True:
                time.sleep(0.001)
                yield b"x" * 1000
        finally:
            closed.append(True)

    async def main() -> None:
        client = Client(application(stream))
        asking = asyncio.create_task(client.ask())
        while len(client.bodies) < 5:
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert closed == [True]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
