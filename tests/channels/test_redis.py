"""What only Redis can do: several processes, connections that break, a server that is away."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest

import asyncflask.channels.redis.link as link_module
import asyncflask.channels.redis.reader as reader_module
from asyncflask import Flask
from asyncflask.channels import ChannelsUnavailable, MessagesLost
from asyncflask.channels.redis import RedisBackend

from .conftest import eventually, new_app, nothing_more, run, take
from .redis_server import RedisServer, Wire


def test_two_applications_hear_each_other(shared_redis: RedisServer) -> None:
    one, other = (new_app(shared_redis.url, prefix="two") for _ in range(2))
    stranger = new_app(shared_redis.url, prefix="two-others")

    async def main() -> None:
        async with (
            one.channels.subscribe("a") as first,
            other.channels.subscribe("a") as second,
            stranger.channels.subscribe("a") as third,
        ):
            await one.channels.publish("a", 1)
            await other.channels.publish("a", 2)
            assert await take(first, 2) == await take(second, 2) == [1, 2]
            await nothing_more(third)

    run(main())


def test_a_process_reads_what_it_listens_to_and_nothing_else(redis_server: RedisServer) -> None:
    """On one connection, however many listen; and when nobody does, on none."""
    app, other = new_app(redis_server.url), new_app(redis_server.url)

    async def main() -> None:
        with redis_server.client() as redis:

            def readers() -> list[Any]:
                return list(redis.client_list(_type="pubsub"))

            async with AsyncExitStack() as stack:
                for number in range(50):
                    name = f"room:{number % 5}"
                    await stack.enter_async_context(app.channels.subscribe(name))
                assert len(readers()) == 1
                assert len(redis.pubsub_channels()) == 5
                assert all(count == 1 for _, count in redis.pubsub_numsub(*redis.pubsub_channels()))
                before = int(readers()[0].get("tot-net-out", 0))
                for _ in range(200):
                    await other.channels.publish("elsewhere", "x" * 1000)
                assert int(readers()[0].get("tot-net-out", 0)) - before < 1000
                heard = await stack.enter_async_context(app.channels.subscribe("room:0"))
                await other.channels.publish("room:0", 1)
                assert await take(heard, 1) == [1]
            await eventually(lambda: not readers() and not redis.pubsub_channels())

    run(main())


def test_nothing_is_left_behind(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "LINGER", 0.1)
    app = new_app(redis_server.url)

    async def main() -> None:
        async with app.channels.subscribe("a"), app.channels.presence("a").track("Ada"):
            await app.channels.publish("a", 1)
        await eventually(lambda: not redis_server.connections())
        await eventually(lambda: len(asyncio.all_tasks()) == 1 + 1)  # this, and the one that waits for it
        assert app.channels.backend._links.items() == []
        # And again.
        async with app.channels.subscribe("a") as messages:
            await app.channels.publish("a", 2)
            assert await take(messages, 1) == [2]
            await app.channels.close()
            assert [message async for message in messages] == []
            assert not redis_server.connections()
            assert len(asyncio.all_tasks()) == 2
        # Closed by the loop's end.
        subscription = app.channels.subscribe("a")
        await subscription.__aenter__()
        await app.channels.publish("a", 3)

    run(main())
    assert not redis_server.connections()
    with redis_server.client() as redis:
        assert sorted(redis.keys()) == ["channels:clock", "channels:stream:a"]
        assert all(0 < redis.ttl(key) <= 24 * 60 * 60 for key in redis.scan_iter())


def test_closing_publishes_what_is_to_be_published(shared_redis: RedisServer) -> None:
    app = new_app(shared_redis.url, prefix="closing")

    async def main() -> None:
        for number in range(1000):
            app.channels.publish("a", number)
        await app.channels.close()
        assert [message.data for message in await app.channels.history("a", count=1000)] == list(range(1000))

    run(main())


def test_who_is_there_when_the_loop_ends_is_not_there_afterwards(shared_redis: RedisServer) -> None:
    app = new_app(shared_redis.url, prefix="ending")

    async def stay() -> None:
        async with app.channels.presence("a").track("Ada"):
            await asyncio.sleep(60)

    async def main(number: int) -> Any:
        staying = [asyncio.create_task(stay()) for _ in range(number)]
        await asyncio.sleep(0.1)
        assert all(not task.done() for task in staying)
        return await app.channels.presence("a").list()

    assert run(main(3)) == {"Ada": [None] * 3}
    assert run(main(0)) == {}


# -- connections that break --


def test_a_message_is_published_once_though_connections_break(redis_server: RedisServer) -> None:
    """All of them, again and again, those that publish and those that listen."""
    app, other = new_app(redis_server.url), new_app(redis_server.url)

    async def main() -> None:
        async with (
            app.channels.subscribe("a", "b") as here,
            other.channels.subscribe("a", "b") as there,
            other.channels.subscribe("a", "b", buffer=3) as slow,
        ):

            async def publish(app: Flask, number: int) -> None:
                for count in range(300):
                    await app.channels.publish("ab"[count % 2], [number, count])
                    await asyncio.sleep(0.003)

            publishing = asyncio.gather(publish(app, 0), publish(other, 1))
            killed = 0
            while not publishing.done():
                await asyncio.sleep(0.1)
                killed += await asyncio.to_thread(redis_server.cut)
            await publishing
            assert killed > 10
            heard = await take(here, 600)
            for number in range(2):
                assert [each for each in heard if each[0] == number] == [[number, c] for c in range(300)]
            assert await take(there, 600) == heard
            assert await take(slow, 600) == heard
            for messages in (here, there, slow):
                await nothing_more(messages)
            kept = await app.channels.history("a", "b", count=1000)
            assert [message.data for message in kept] == heard

    run(main(), 60)


def test_an_answer_that_is_lost(redis_server: RedisServer) -> None:
    """Whether it was published only Redis knows, and so it is asked."""
    wire = Wire(redis_server.port)

    async def main() -> None:
        async with wire.laid():
            app = new_app(wire.url)
            async with app.channels.subscribe("a") as messages:
                await app.channels.publish("a", "first")
                for number in range(5):
                    wire.swallows = f"message {number}".encode()
                    publishing = asyncio.ensure_future(app.channels.publish("a", f"message {number}"))
                    before = wire.swallowed
                    await eventually(lambda before=before: wire.swallowed > before)
                    wire.swallows = None
                    await publishing
                await app.channels.publish("a", "last")
                assert await take(messages, 7) == ["first", *(f"message {n}" for n in range(5)), "last"]
                await nothing_more(messages)
            await app.channels.close()

    run(main())


def test_a_server_that_is_restarted(redis_server: RedisServer) -> None:
    app = new_app(redis_server.url, timeout=20)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages, app.channels.presence("a").track("Ada"):
            await app.channels.publish("a", 1)
            for number in (signal.SIGTERM, signal.SIGKILL):
                await asyncio.to_thread(redis_server.stop, number)
                publishing = [app.channels.publish("a", count) for count in range(10)]
                await asyncio.sleep(0.2)
                await asyncio.to_thread(redis_server.start)
                for each in publishing:
                    await each
            assert await take(messages, 21) == [1, *range(10), *range(10)]
            await nothing_more(messages)
            assert await app.channels.presence("a").list() == {"Ada": [None]}

    run(main(), 60)


def test_a_server_that_comes_back_empty_and_with_an_older_clock(redis_server: RedisServer) -> None:
    app = new_app(redis_server.url)

    async def main() -> None:
        with redis_server.client() as redis:
            # The clock was ahead by a day.
            redis.set("channels:clock", "9999999999999-5 old")
            async with (
                app.channels.subscribe("a") as messages,
                app.channels.subscribe("a", after="0") as other,
            ):
                id = await app.channels.publish("a", "ahead")
                assert id == "9999999999999-6"
                assert await take(messages, 1) == await take(other, 1) == ["ahead"]
                redis.flushall()
                redis_server.cut()
                again = await app.channels.publish("a", "behind")
                assert len(again) == len(id)
                assert again < id
                assert await take(messages, 1) == await take(other, 1) == ["behind"]

    run(main())


@pytest.mark.parametrize("breaks", [True, False])
def test_a_redis_that_has_forgotten_all(redis_server: RedisServer, breaks: bool) -> None:
    app = new_app(redis_server.url)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages, app.channels.subscribe("a", buffer=2) as slow:
            for round in range(5):
                for number in range(10):
                    await app.channels.publish("a", [round, number])
                assert await take(messages, 10) == [[round, number] for number in range(10)]
                if round == 0:
                    assert await take(slow, 10) == [[round, number] for number in range(10)]
                with redis_server.client() as redis:
                    redis.flushall()
                if breaks:
                    redis_server.cut()
            await nothing_more(messages)

    run(main())


def test_a_replica_that_has_not_been_told_all(redis_server: RedisServer) -> None:
    """It has taken over, and its clock is behind: whoever listens is told, and does not go on with a gap."""
    app, other = new_app(redis_server.url), new_app(redis_server.url)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            await app.channels.publish("a", 1)
            assert await take(messages, 1) == [1]
            with redis_server.client() as redis:
                id, epoch = redis.get("channels:clock").split()
                untold = [await app.channels.publish("a", number) for number in (2, 3)]
                assert await take(messages, 2) == [2, 3]
                redis.xdel("channels:stream:a", *untold)
                redis.set("channels:clock", f"{id} {epoch}")
                redis_server.cut("pubsub")
            with pytest.raises(MessagesLost):
                await asyncio.wait_for(anext(messages), 10)
            async with other.channels.subscribe("a", after="99999999999999-0") as again:
                assert again.gap
                await other.channels.publish("a", 4)
                assert await take(again, 1) == [4]

    run(main())


def test_a_clock_that_is_evicted(redis_server: RedisServer) -> None:
    """Ids grow all the same."""
    app = new_app(redis_server.url)

    async def main() -> None:
        with redis_server.client() as redis:
            redis.set("channels:clock", "9999999999999-5 old")
            async with app.channels.subscribe("a") as messages:
                await app.channels.publish("a", 1)
                redis.delete("channels:clock")
                assert await app.channels.publish("a", 2) == "9999999999999-7"
                assert await take(messages, 2) == [1, 2]

    run(main())


def test_scripts_that_are_forgotten(redis_server: RedisServer) -> None:
    app = new_app(redis_server.url)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            with redis_server.client() as redis:
                for number in range(3):
                    await app.channels.publish("a", number)
                    redis.script_flush()
            assert await take(messages, 3) == [0, 1, 2]

    run(main())


def test_a_cut_that_lasts_longer_than_the_history(redis_server: RedisServer) -> None:
    """Whoever listens is told, and nobody goes on with a gap."""
    wire = Wire(redis_server.port)

    async def main() -> None:
        async with wire.laid():
            app, other = (new_app(url, history=10) for url in (wire.url, redis_server.url))
            async with (
                app.channels.subscribe("a") as messages,
                app.channels.subscribe("a", when_full="drop") as careless,
                app.channels.subscribe("b") as untouched,
            ):
                await app.channels.publish("a", "first")
                await take(messages, 1), await take(careless, 1)
                wire.swallows = b""  # whatever is sent
                redis_server.cut("pubsub")
                for number in range(30):
                    await other.channels.publish("a", number)
                await other.channels.publish("b", "b")
                wire.swallows = None
                with pytest.raises(MessagesLost):
                    await asyncio.wait_for(anext(messages), 20)
                assert await take(careless, 10) == list(range(20, 30))
                assert careless.gap
                assert await take(untouched, 1) == ["b"]
            await app.channels.close()

    run(main())


def test_a_server_that_does_not_answer_is_noticed(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the connection is there: a machine that was switched off sends no word."""
    monkeypatch.setattr(reader_module, "PING", 0.2)
    app = new_app(redis_server.url, timeout=10)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            await asyncio.sleep(0.7)
            assert not caplog.records  # it answers
            redis_server.freeze()
            await eventually(lambda: "has not answered" in caplog.text)
            assert len(caplog.records) == 1
            redis_server.thaw()
            await app.channels.publish("a", 1)
            assert await take(messages, 1) == [1]

    with caplog.at_level(logging.WARNING):
        run(main())


# -- a server that is away --


@pytest.mark.parametrize("how", ["away", "frozen"])
def test_what_cannot_be_done_is_given_up_in_time(redis_server: RedisServer, how: str) -> None:
    app = new_app(redis_server.url, timeout=0.5)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.post("/")
    def publish() -> str:
        return str(app.channels.publish("a", "x"))

    async def main() -> None:
        channels = app.channels
        async with channels.subscribe("a") as messages:
            assert (await asyncio.to_thread(app.test_client().post, "/")).status_code == 200
            await take(messages, 1)
            redis_server.freeze() if how == "frozen" else redis_server.stop()
            calls = [
                lambda: channels.publish("a", 1),
                lambda: channels.history("a"),
                lambda: channels.history("a", after="0"),
                lambda: channels.group("g").add("a"),
                lambda: channels.group("g").publish(1),
                lambda: channels.presence("a").list(),
                lambda: channels.subscribe("b").__aenter__(),
                lambda: channels.subscribe("a", after="0").__aenter__(),
                lambda: channels.presence("a").track("Ada").__aenter__(),
            ]
            started = asyncio.get_running_loop().time()

            async def give_up(call: Any) -> None:
                with pytest.raises(ChannelsUnavailable, match="Redis is not to be reached"):
                    await call()

            await asyncio.gather(*(give_up(call) for call in calls))
            response = await asyncio.to_thread(app.test_client().post, "/")
            assert response.status_code == 503
            assert "Redis" not in response.text
            assert str(redis_server.port) not in response.text
            assert asyncio.get_running_loop().time() - started < 4
            redis_server.thaw() if how == "frozen" else redis_server.start()
            await eventually(lambda: publishes(app))
            async with asyncio.timeout(20):
                while (await anext(messages)).data != "there":
                    pass
        await channels.close()

    async def publishes(app: Flask) -> bool:
        try:
            await app.channels.publish("a", "there")
        except ChannelsUnavailable:
            return False
        return True

    run(main(), 60)


def test_nobody_waits_for_long_behind_others(redis_server: RedisServer) -> None:
    """What was given up does not hold up what comes later."""
    app = new_app(redis_server.url, timeout=0.5)

    async def main() -> None:
        await app.channels.publish("a", "x")
        redis_server.freeze()
        loop = asyncio.get_running_loop()

        async def publish() -> float:
            started = loop.time()
            with pytest.raises(ChannelsUnavailable):
                await app.channels.publish("a", "y")
            return loop.time() - started

        publishing = []
        for _ in range(30):
            publishing.append(asyncio.create_task(publish()))
            await asyncio.sleep(0.05)
        assert max(await asyncio.gather(*publishing)) < 1.2
        redis_server.thaw()
        await app.channels.close()

    run(main())


def test_a_queue_has_an_end(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflask.channels.redis.writer.QUEUE", 20)
    app = new_app(redis_server.url)

    async def main() -> None:
        published = [app.channels.publish("a", number) for number in range(20)]
        with pytest.raises(ChannelsUnavailable, match="20 messages wait"):
            app.channels.publish("a", 20)
        for each in published:
            await each
        await app.channels.publish("a", 21)

    run(main())


def test_a_redis_that_refuses(redis_server: RedisServer) -> None:
    app = new_app(redis_server.url, timeout=5)

    async def main() -> None:
        await app.channels.publish("a", "x")
        with redis_server.client() as redis:
            redis.config_set("maxmemory", 1)
            with pytest.raises(ChannelsUnavailable, match=r"Redis has refused: .*maxmemory"):
                await app.channels.publish("a", "x")
            redis.config_set("maxmemory", 0)
        await app.channels.publish("a", "y")
        assert len(await app.channels.history("a")) == 2

    run(main())


def test_a_wrong_password(redis_server: RedisServer) -> None:
    with redis_server.client() as redis:
        redis.config_set("requirepass", "secret")
    wrong, right = (
        new_app(redis_server.url.replace("//", f"//:{password}@"), timeout=5)
        for password in ("wrong", "secret")
    )

    async def main() -> None:
        with pytest.raises(ChannelsUnavailable, match=r"has refused: .*password"):
            await wrong.channels.publish("a", "x")
        async with right.channels.subscribe("a") as messages:
            await right.channels.publish("a", "x")
            assert await take(messages, 1) == ["x"]

    run(main())


# -- configuration --


@pytest.mark.parametrize("url", ["http://localhost", "redis", "amqp://x"])
def test_a_url_that_is_none(url: str) -> None:
    app = new_app(url)
    with pytest.raises(ValueError, match="CHANNELS_URL is 'memory://'"):
        app.channels.publish("a", "x")
    with pytest.raises(ValueError, match="CHANNELS_URL"):
        with app.test_client():
            pass


def test_a_backend_of_ones_own(shared_redis: RedisServer) -> None:
    import redis.asyncio

    made = []

    def connect() -> Any:
        made.append(redis.asyncio.Redis(port=shared_redis.port, decode_responses=False))
        return made[-1]

    app = new_app("memory://")
    app.channels.backend = RedisBackend(connect)

    async def main() -> None:
        async with app.channels.subscribe("own") as messages:
            await app.channels.publish("own", "x")
            assert await take(messages, 1) == ["x"]
        await app.channels.close()

    run(main())
    run(main())
    assert len(made) == 2


def test_without_the_package_it_is_said_what_to_install() -> None:
    code = """
import sys
sys.modules["redis"] = None
from asyncflask import Flask
app = Flask("x")
app.config["CHANNELS_URL"] = "redis://127.0.0.1:1/0"
try:
    app.channels.publish("a", "x")
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Channels in Redis need the package redis: pip install asyncflask[redis]\n"
