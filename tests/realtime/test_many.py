"""A thousand websockets at once, and what a server keeps for clients and views that do not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from realtime.servers import Server, eventually

SECONDS = 10
MIB = 2**20

#: One for each implementation of the protocol. Daphne keeps all that it sends and receives, without a bound:
#: neither side is told to wait.
KINDS = ["uvicorn-websockets", "uvicorn-sansio", "uvicorn-wsproto", "hypercorn", "granian"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("uvicorn-websockets") as running:
        yield running


def open_websocket(server: Server, path: str) -> connect:
    return connect(
        server.url(path),
        proxy=None,
        compression=None,
        open_timeout=60,
        close_timeout=SECONDS,
        ping_interval=None,
    )


async def together(server: Server, path: str, count: int, talk: str) -> list[list[str | bytes]]:
    """Open so many websockets, and when all are, send ten messages on each; the answers of each.

    :param path: where, with ``{}`` for the number of each.
    :param talk: what is sent, with ``{0}`` for the number of the websocket, and ``{1}`` of the message.
    """
    everyone = asyncio.Barrier(count)
    opening = asyncio.Semaphore(100)  # the handshakes at a time: a listening socket has a short queue

    async def one(number: int) -> list[str | bytes]:
        async with opening:
            client: ClientConnection = await open_websocket(server, path.format(number)).__aenter__()
        try:
            await everyone.wait()
            answers = []
            for turn in range(10):
                await client.send(talk.format(number, turn))
                answers.append(await client.recv())
            return answers
        finally:
            await client.close()

    async with asyncio.timeout(60):
        return await asyncio.gather(*(one(number) for number in range(count)))


def test_a_thousand_websockets_lose_nothing(server: Server) -> None:
    answers = asyncio.run(together(server, "/echo?id=thousand", 1000, "{0} {1}"))
    for number, received in enumerate(answers):
        assert received == [f"{number} {turn}" for turn in range(10)]

    def torn_down() -> int:
        return sum(event.startswith("teardown") for event in server.journal("thousand"))

    eventually(lambda: torn_down() == 1000, "all are torn down", SECONDS)
    events = server.journal("thousand")
    assert events.count("view ended") == 1000
    assert {event for event in events if event.startswith("teardown")} == {
        "teardown NoneType same thread True"
    }
    assert "Traceback" not in server.log()


def test_contexts_of_many_are_apart(server: Server) -> None:
    answers = asyncio.run(together(server, "/mine/{0}?id={0}", 100, "{1}"))
    for number, received in enumerate(answers):
        assert received == [f"{number} {number} /mine/{number} {turn}" for turn in range(10)]


def size(server: Server) -> int:
    return int(server.get("/memory"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_does_not_read(kind: str) -> None:
    """The view waits in `send` once the buffers between are full, which are the server's and the kernel's."""

    async def main() -> int:
        async with open_websocket(server, "/flood?id=unread") as client:
            assert await client.recv() == "ready"
            client.transport.pause_reading()
            before, since = -1, time.monotonic()
            while (sent := int(await asyncio.to_thread(server.get, "/flooded"))) != before:
                assert time.monotonic() < since + SECONDS, f"{sent} messages sent, and it does not stop"
                before = sent
                await asyncio.sleep(0.3)
            client.transport.abort()
            return sent

    with Server(kind) as server:
        base = size(server)
        sent = asyncio.run(main())
        assert 0 < sent * 65536 < 32 * MIB
        assert size(server) - base < 16 * MIB
        eventually(lambda: len(server.journal("unread")) == 3, "the view has ended")
        assert server.journal("unread") == ["started", "view ended", "teardown NoneType same thread True"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_that_does_not_receive(kind: str) -> None:
    """The client waits in `send`; nothing is lost when the view goes on."""
    count, length = 400, 262_144  # 100 MiB

    async def main() -> int:
        sent = 0

        async def pour(client: ClientConnection) -> None:
            nonlocal sent
            for number in range(count):
                await client.send(bytes([number % 256]) * length)
                sent += 1

        async with asyncio.timeout(60), open_websocket(server, "/slow?id=slow") as client:
            assert await client.recv() == "ready"
            pouring = asyncio.create_task(pour(client))
            before = -1
            while sent != before:  # until it waits
                before = sent
                await asyncio.sleep(0.3)
            grown = size(server) - base
            assert sent < count / 2
            await asyncio.to_thread(server.get, "/go")
            for _ in range(count):
                assert await client.recv() == str(length)
            await pouring
            return grown

    with Server(kind) as server:
        base = size(server)
        assert asyncio.run(main()) < 16 * MIB
