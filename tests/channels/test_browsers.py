"""Channels over websockets and Server-Sent Events, with both test clients and over a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from lifecycle.server import Server
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from asyncflask import Flask, request, websocket
from asyncflask.channels import Message, pump
from asyncflask.sse import ServerSentEvent
from asyncflask.testing import WebsocketClosed, WebsocketResponseError

from .conftest import MakeApp, eventually, run
from .redis_server import RedisServer

BOTH = pytest.mark.parametrize("kind", ["def", "async def"])


def add_routes(app: Flask) -> Flask:
    left = app.extensions["left"] = []

    @app.websocket("/rooms/<name>")
    async def room(name: str) -> None:
        async def take(data: str | bytes) -> None:
            await app.channels.publish(name, data)

        try:
            async with app.channels.subscribe(name, after=websocket.args.get("after"), buffer=50) as messages:
                await pump(messages, take)
        finally:
            left.append(name)

    @app.websocket("/sync/<name>")
    async def sync(name: str) -> None:
        def take(data: str) -> None:
            app.channels.publish(name, {"said": data})

        def say(message: Message) -> str:
            return json.dumps({"id": message.id, **message.data})

        async with app.channels.subscribe(name) as messages:
            await pump(messages, take, say)

    @app.websocket("/listen/<name>")
    async def listen(name: str) -> None:
        async with app.channels.subscribe(name, buffer=5, when_full="disconnect") as messages:
            await pump(messages)

    @app.get("/events/<name>")
    def events(name: str) -> Any:
        return app.channels.event_stream(name, "all", history=request.args.get("history", 0, int))

    @app.get("/async-events/<name>")
    async def async_events(name: str) -> Any:
        return app.channels.event_stream(
            name, event=lambda message: ServerSentEvent(message.data, id=message.id, event=message.name)
        )

    @app.post("/publish/<name>")
    def publish(name: str) -> Any:
        return {"id": app.channels.publish(name, request.json)}

    return app


@pytest.fixture
def site(app: Flask) -> Flask:
    return add_routes(app)


# -- websockets --


def test_both_ways(site: Flask) -> None:
    client = site.test_client()
    with client.websocket_connect("/rooms/a") as ada, client.websocket_connect("/rooms/a") as bob:
        for data in ("text", b"bytes", '{"json": 1}'):
            ada.send(data)
            assert ada.receive() == bob.receive() == data
        client.post("/publish/a", json={"json": [1]})
        assert ada.receive() == bob.receive() == '{"json": [1]}'
    assert site.extensions["left"] == ["a", "a"]


def test_both_ways_with_sync_functions(site: Flask) -> None:
    with site.test_client().websocket_connect("/sync/a") as ada:
        ada.send("x")
        message = ada.receive_json()
        assert message["said"] == "x"
        assert message["id"] == site.channels.history("a")[0].id


def test_with_the_async_client(site: Flask) -> None:
    async def main() -> None:
        async with site.test_client() as client:
            async with client.websocket_connect("/rooms/a") as ada:
                await ada.send("x")
                assert await ada.receive() == "x"
                await client.post("/publish/a", json=5)
                assert await ada.receive() == "5"

    run(main())


def test_a_client_that_comes_back(site: Flask) -> None:
    client = site.test_client()
    ids = [client.post("/publish/a", json=number).json["id"] for number in range(5)]
    with client.websocket_connect("/rooms/a", query_string={"after": ids[2]}) as ada:
        assert [ada.receive(), ada.receive()] == ["3", "4"]
    for path in ("/rooms/a?after=x", "/rooms/a%20b"):
        with pytest.raises(WebsocketResponseError) as refused:
            client.websocket_connect(path)
        assert refused.value.status_code == 400


def test_what_is_too_large_closes(make_app: MakeApp) -> None:
    site = add_routes(make_app(max_message_size=100))
    with site.test_client().websocket_connect("/rooms/a") as ada:
        ada.send("x" * 99)
        assert ada.receive() == "x" * 99
        ada.send("x" * 200)
        with pytest.raises(WebsocketClosed) as closed:
            ada.receive()
        assert closed.value.code == 1009


def test_a_slow_client_is_closed(site: Flask) -> None:
    async def main() -> None:
        with Server(site, lifespan="off") as server:
            url = f"ws://127.0.0.1:{server.port}/listen/a"
            async with (
                connect(url, proxy=None, max_queue=1, compression=None) as slow,
                httpx_client(server) as client,
            ):
                for _ in range(1000):
                    await client.post("/publish/a", json="x" * 30_000)
                    if slow.state.name != "OPEN":
                        break
                with suppress(ConnectionClosed):
                    async for _ in slow:
                        pass
                assert slow.close_code == 1013
            assert server.errors == []

    run(main(), 60)


def test_clients_that_are_gone_are_noticed(site: Flask) -> None:
    """Whether something is published or not, and nothing is left of them."""

    async def main() -> None:
        with Server(site) as server, site.app_context():
            url = f"ws://127.0.0.1:{server.port}/rooms/a"
            for publishing in (False, True):
                site.extensions["left"].clear()
                clients = [await connect(url, proxy=None) for _ in range(20)]
                async with httpx_client(server) as client:
                    await client.post("/publish/a", json=1)
                    for number, each in enumerate(clients):
                        if number % 2:
                            each.transport.abort()
                        else:
                            await each.close()
                    if publishing:
                        for _ in range(5):
                            await client.post("/publish/a", json=1)
                    await eventually(lambda: site.extensions["left"] == ["a"] * 20)
            assert server.errors == []

    run(main())


def test_a_server_that_ends_with_clients(site: Flask) -> None:
    async def main() -> None:
        with Server(site) as server:
            async with (
                connect(f"ws://127.0.0.1:{server.port}/rooms/a", proxy=None) as ada,
                stream(server, "/events/a") as events,
            ):
                await ada.send("x")
                assert await ada.recv() == "x"
                assert (await anext(events))["data"] == "x"
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(site.channels.end(), server.loop))
                with pytest.raises(ConnectionClosed) as closed:
                    await ada.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
                with pytest.raises(StopAsyncIteration):
                    await anext(events)
        assert server.errors == []

    run(main())


# -- events --


def httpx_client(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=20)


@asynccontextmanager
async def stream(
    server: Server, path: str, last_id: str | None = None
) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """The events of a stream; the id that comes at the beginning is put into the first."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with httpx_client(server) as client, client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200

        async def events() -> AsyncIterator[dict[str, str]]:
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "data" in event:
                    yield event
                    event = {}

        yield events()


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_events(site: Flask, lifespan: str) -> None:
    async def main() -> None:
        with Server(site, lifespan=lifespan) as server:
            async with httpx_client(server) as client:
                await client.post("/publish/a", json="before")
                async with stream(server, "/events/a") as events, stream(server, "/async-events/a") as other:
                    await asyncio.sleep(0.2)
                    id = (await client.post("/publish/a", json="now")).json()["id"]
                    event = await anext(events)
                    assert (event["data"], event["id"]) == ("now", id)
                    assert await anext(other) == {"data": "now", "id": id, "event": "a"}
                    await client.post("/publish/all", json=["for all"])
                    assert (await anext(events))["data"] == '["for all"]'
        assert server.errors == []

    run(main())


def test_a_browser_goes_on_where_it_was(site: Flask) -> None:
    """Also one that has not got a message yet."""

    async def main() -> None:
        with Server(site) as server:
            async with httpx_client(server) as client:

                async def publish(name: str, *data: Any) -> list[str]:
                    return [(await client.post(f"/publish/{name}", json=each)).json()["id"] for each in data]

                async with client.stream("GET", "/events/a") as response:
                    async for line in response.aiter_lines():
                        if line.startswith("id: "):
                            id = line.removeprefix("id: ")
                            break
                await publish("a", 1)
                await publish("all", 2)
                await publish("b", 3)
                await publish("a", 4)
                async with stream(server, "/events/a", id) as events:
                    heard = [await anext(events) for _ in range(3)]
                assert [event["data"] for event in heard] == ["1", "2", "4"]
                async with stream(server, "/events/a?history=100", heard[1]["id"]) as events:
                    assert (await anext(events))["data"] == "4"
                async with stream(server, "/events/a?history=2") as events:
                    assert [(await anext(events))["data"] for _ in range(2)] == ["2", "4"]
                # What somebody else's id means nobody knows.
                async with stream(server, "/events/a?history=1", "an id of somebody else") as events:
                    assert (await anext(events))["data"] == "4"
        assert server.errors == []

    run(main())


def test_a_browser_that_was_away_for_too_long_is_told(make_app: MakeApp) -> None:
    site = add_routes(make_app(history=5))

    async def main() -> None:
        with Server(site) as server:
            async with httpx_client(server) as client:
                ids = [(await client.post("/publish/a", json=number)).json()["id"] for number in range(20)]
            async with stream(server, "/events/a", ids[0]) as events:
                heard = [await anext(events) for _ in range(6)]
            assert [(event.get("event"), event["data"]) for event in heard] == [
                ("gap", ""),
                *((None, str(number)) for number in range(15, 20)),
            ]

    run(main())


def test_bytes_are_no_event(site: Flask) -> None:
    async def main() -> None:
        with Server(site) as server:
            async with stream(server, "/events/a") as events:
                await asyncio.sleep(0.2)
                await site.channels.publish("a", b"bytes")
                with pytest.raises((httpx.RemoteProtocolError, StopAsyncIteration)):
                    await anext(events)
            await eventually(lambda: server.errors)
        assert "Server-Sent Events are text" in server.errors[0]
        await site.channels.close()

    run(main())


def test_what_is_no_name_is_400(site: Flask) -> None:
    site.config["PROPAGATE_EXCEPTIONS"] = False
    assert site.test_client().get("/events/a%20b").status_code == 400


def test_a_stream_that_is_never_sent_leaves_nothing(site: Flask) -> None:
    @site.get("/other")
    async def other() -> str:
        site.channels.event_stream("a")
        return "something else"

    async def main() -> None:
        async with site.test_client() as client:
            assert (await client.get("/other")).text == "something else"
        assert len(asyncio.all_tasks()) == 2

    run(main())


def test_streams_while_redis_is_away(redis_server: RedisServer) -> None:
    """They end, and browsers come again; those who are there wait."""
    from .conftest import new_app

    site = add_routes(new_app(redis_server.url, timeout=0.5))

    async def main() -> None:
        with Server(site) as server:
            async with (
                stream(server, "/events/a") as events,
                connect(f"ws://127.0.0.1:{server.port}/rooms/a", proxy=None) as ada,
            ):
                await ada.send("x")
                assert (await anext(events))["data"] == await ada.recv() == "x"
                redis_server.stop()
                async with stream(server, "/events/a") as late:
                    with pytest.raises(StopAsyncIteration):
                        await anext(late)
                with pytest.raises(Exception, match="HTTP 503"):
                    await connect(f"ws://127.0.0.1:{server.port}/rooms/a", proxy=None)
                async with httpx_client(server) as client:
                    site.config["PROPAGATE_EXCEPTIONS"] = False
                    assert (await client.post("/publish/a", json=1)).status_code == 503
                await ada.send("y")
                with pytest.raises(ConnectionClosed) as closed:
                    await ada.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
                redis_server.start()
                async with httpx_client(server) as client:
                    while (await client.post("/publish/a", json="back")).status_code == 503:
                        pass
                event = await anext(events)
                assert event["data"] == "back"

    run(main(), 60)
