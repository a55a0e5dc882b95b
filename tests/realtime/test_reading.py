"""Who takes a websocket's messages from the server: the view while it waits for one, else the framework."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asyncflask import Flask, websocket
from asyncflask.websocket import WebsocketDisconnect


class Server:
    """A server with one websocket, in-process.

    :ivar reading: whether the application waits in `receive` now.
    """

    def __init__(self, view: Callable[[], Awaitable[Any]]) -> None:
        self.app = Flask(__name__, static_folder=None)
        self.app.add_url_rule("/", "view", view, websocket=True)
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reading = 0

    async def receive(self) -> dict[str, Any]:
        assert not self.reading, "two at a time cannot receive"
        self.reading += 1
        try:
            return await self.messages.get()
        finally:
            self.reading -= 1

    async def send(self, message: Any) -> None:
        self.sent.put_nowait(message)

    def start(self) -> asyncio.Task[None]:
        self.messages.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws",
            "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "", "headers": [(b"host", b"x")],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "subprotocols": [], "extensions": {},
        }  # fmt: skip
        return asyncio.create_task(self.app(scope, self.receive, self.send))

    def say(self, text: str) -> None:
        self.messages.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.messages.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hear(self) -> Any:
        while True:
            message = await asyncio.wait_for(self.sent.get(), 5)
            if message["type"] == "websocket.send":
                return message["text"]
            if message["type"] == "websocket.close":
                return message["code"]


async def echo() -> None:
    while True:
        await websocket.send(await websocket.receive())


def test_a_waiting_view_takes_no_task_of_its_own() -> None:
    async def main() -> None:
        server = Server(echo)
        request = server.start()
        for number in range(3):
            server.say(str(number))
            assert await server.hear() == str(number)
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {request, asyncio.current_task()}
        server.leave()
        await request

    asyncio.run(main())


def test_messages_keep_their_order_over_timeouts() -> None:
    async def view() -> None:
        while True:
            try:
                async with asyncio.timeout(0.002):
                    text = await websocket.receive()
            except TimeoutError:
                await asyncio.sleep(0.001)
            else:
                await websocket.send(text)

    async def main() -> None:
        server = Server(view)
        request = server.start()
        for number in range(100):
            server.say(str(number))
            if number % 7 == 0:
                await asyncio.sleep(0.0015)
        assert [await server.hear() for _ in range(100)] == [str(number) for number in range(100)]
        server.leave()
        await request

    asyncio.run(main())


def test_a_client_that_goes_while_the_view_waits_for_something_else() -> None:
    ended: list[str] = []

    async def view() -> None:
        await websocket.receive()
        try:
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        server = Server(view)
        request = server.start()
        server.say("hello")
        await asyncio.sleep(0.01)
        server.leave()
        await asyncio.wait_for(request, 5)
        assert ended == ["cancelled"]

    asyncio.run(main())


def test_tasks_of_the_view_may_receive_beside_it() -> None:
    async def view() -> None:
        async def child() -> None:
            for _ in range(20):
                await websocket.send(f"child {await websocket.receive()}")

        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            for _ in range(20):
                await websocket.send(f"view {await websocket.receive()}")

    async def main() -> None:
        server = Server(view)
        request = server.start()
        heard = []
        for number in range(40):
            server.say(str(number))
            heard.append(await server.hear())
        assert {text.split()[0] for text in heard} == {"child", "view"}
        assert sorted(int(text.split()[1]) for text in heard) == list(range(40))
        await asyncio.wait_for(request, 5)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_task_that_closes_wakes_the_view() -> None:
    told: list[int] = []

    async def view() -> None:
        async def close() -> None:
            await asyncio.sleep(0.01)
            await websocket.close(4001)

        task = asyncio.create_task(close())
        await websocket.send("ready")
        with pytest.raises(WebsocketDisconnect) as raised:
            await websocket.receive()
        told.append(raised.value.code)
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        await task

    async def main() -> None:
        server = Server(view)
        request = server.start()
        assert await server.hear() == "ready"
        assert await server.hear() == 4001
        await asyncio.wait_for(request, 5)
        assert told == [4001]
        assert server.reading == 0

    asyncio.run(main())
