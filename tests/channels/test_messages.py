"""Publishing and listening, the same in memory and in Redis."""

from __future__ import annotations

import asyncio
import datetime
import gc
import threading
import weakref
from typing import Any

import pytest

from asyncflask import Flask
from asyncflask.channels import ChannelsUnavailable, InvalidName, MessageTooLarge, SlowReader

from .conftest import MakeApp, eventually, new_app, nothing_more, run, take


@pytest.mark.parametrize(
    ("data", "expected", "content"),
    [
        ("text", "text", "text"),
        ("", "", ""),
        ("Grüße 👋\n\0", "Grüße 👋\n\0", "Grüße 👋\n\0"),
        ("half \ud800", "half ?", "half ?"),
        (b"\x00\xff b", b"\x00\xff b", b"\x00\xff b"),
        (b"", b"", b""),
        (bytearray(b"x"), b"x", b"x"),
        (None, None, "null"),
        (0, 0, "0"),
        ([1, "b"], [1, "b"], '[1, "b"]'),
        ({"half": "\udfff"}, {"half": "\udfff"}, '{"half": "\\udfff"}'),
        ({"at": datetime.date(2030, 1, 2)}, {"at": "Wed, 02 Jan 2030 00:00:00 GMT"}, None),
    ],
)
def test_what_is_published_comes_as_it_was(app: Flask, data: Any, expected: Any, content: Any) -> None:
    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            id = await app.channels.publish("a", data)
            message = await anext(messages)
            assert (message.name, message.id, message.data) == ("a", id, expected)
            assert type(message.data) is type(expected)
            if content is not None:
                assert message.content == content
        (kept,) = await app.channels.history("a")
        assert kept.data == expected

    run(main())


def test_a_value_belongs_to_who_asks_for_it(app: Flask) -> None:
    async def main() -> None:
        async with app.channels.subscribe("a") as one, app.channels.subscribe("a") as other:
            await app.channels.publish("a", {"seen": []})
            (await anext(one)).data["seen"].append("by one")
            assert await take(other, 1) == [{"seen": []}]

    run(main())


def test_what_cannot_be_dumped_is_an_error_at_once(app: Flask) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="not JSON serializable"):
            app.channels.publish("a", object())

    run(main())


def test_all_who_listen_hear_the_same_in_order(app: Flask, make_app: MakeApp) -> None:
    async def main() -> None:
        async with (
            app.channels.subscribe("a") as first,
            app.channels.subscribe("a", "b") as second,
            app.channels.subscribe("c") as third,
        ):
            publishing = [app.channels.publish("ab"[number % 2], number) for number in range(80)]
            ids = [await each for each in publishing]
            assert ids == sorted(ids, key=lambda id: [int(part) for part in id.split("-")])
            assert len(set(ids)) == 80
            assert await take(first, 40) == list(range(0, 80, 2))
            assert await take(second, 80) == list(range(80))
            await nothing_more(third)

    run(main())


def test_what_was_published_before_is_not_heard(app: Flask) -> None:
    async def main() -> None:
        await app.channels.publish("a", "before")
        async with app.channels.subscribe("a") as messages:
            await app.channels.publish("a", "now")
            assert await take(messages, 1) == ["now"]
        await app.channels.publish("a", "after")
        async with app.channels.subscribe("a") as messages:
            await nothing_more(messages)

    run(main())


@pytest.mark.parametrize(
    ("after", "names", "expected"),
    [
        ("0", "a", [0, 2, 4, 6, 8]),
        ("0-0", "ab", list(range(10))),
        (3, "ab", [4, 5, 6, 7, 8, 9]),
        (3, "b", [5, 7, 9]),
        (4, "b", [5, 7, 9]),
        (9, "ab", []),
        ("99999999999999-0", "ab", []),
    ],
)
def test_going_on_after_an_id(app: Flask, after: Any, names: str, expected: list[int]) -> None:
    async def main() -> None:
        publish = app.channels.publish
        ids = [await publish("ab"[number % 2], number) for number in range(10)]
        begin = after if isinstance(after, str) else ids[after]
        async with app.channels.subscribe(*names, after=begin) as messages:
            assert messages.gap is (begin > "9")
            live = await publish("a" if "a" in names else "b", "live")
            assert await take(messages, len(expected) + 1) == [*expected, "live"]
            assert messages.last_id == live
            await nothing_more(messages, 0.02)
        heard = await app.channels.history(*names, after=begin)
        assert [message.data for message in heard] == [*expected, *(["live"] if begin < "9" else [])]

    run(main())


def test_beginning_with_the_last(app: Flask) -> None:
    async def main() -> None:
        for number in range(10):
            await app.channels.publish("ab"[number % 2], number)
        async with app.channels.subscribe("a", "b", history=3) as messages:
            start = messages.last_id
            await app.channels.publish("b", 10)
            assert await take(messages, 4) == [7, 8, 9, 10]
        async with app.channels.subscribe("a", "b", after=start) as messages:
            assert await take(messages, 4) == [7, 8, 9, 10]
        async with app.channels.subscribe("empty", history=3) as messages:
            await app.channels.publish("empty", 1)
            assert await take(messages, 1) == [1]
        # More than there is room for: they are what was asked for.
        async with app.channels.subscribe("a", "b", history=9, buffer=2, when_full="drop") as messages:
            assert await take(messages, 9) == list(range(2, 11))

    run(main())


def test_where_one_is_before_the_first_message(app: Flask) -> None:
    """Who loses the connection then misses nothing, either."""

    async def main() -> None:
        await app.channels.publish("a", "before")
        async with app.channels.subscribe("a", "b") as messages:
            start = messages.last_id
        await app.channels.publish("b", "meanwhile")
        async with app.channels.subscribe("a", "b", after=start) as messages:
            assert await take(messages, 1) == ["meanwhile"]
            await nothing_more(messages)

    run(main())


def test_history(app: Flask, make_app: MakeApp) -> None:
    async def main() -> None:
        ids = [await app.channels.publish("ab"[number % 2], number) for number in range(10)]
        history = app.channels.history

        async def of(*args: Any, **kwargs: Any) -> list[Any]:
            return [message.data for message in await history(*args, **kwargs)]

        assert await of("a") == [0, 2, 4, 6, 8]
        assert await of("a", count=2) == [6, 8]
        assert await of("a", "b", count=3) == [7, 8, 9]
        assert await of("a", count=0) == []
        assert await of("a", "b", after=ids[4]) == [5, 6, 7, 8, 9]
        assert await of("a", "b", after="0", count=3) == [0, 1, 2]
        assert await of("none") == await of("none", after="0") == []

    run(main())


def test_only_the_last_are_kept(make_app: MakeApp) -> None:
    app = make_app(history=5)

    async def main() -> None:
        first = await app.channels.publish("a", "first")
        for number in range(20):
            await app.channels.publish("a", number)
        assert [message.data for message in await app.channels.history("a")] == [15, 16, 17, 18, 19]
        kept = (await app.channels.history("a"))[0].id
        for after, gap in [(first, True), (kept, False), ("0", False)]:
            async with app.channels.subscribe("a", after=after) as messages:
                assert messages.gap is gap
                assert await take(messages, 4 if after == kept else 5) == list(
                    range(16 if after == kept else 15, 20)
                )

    run(main())


def test_what_is_old_is_forgotten(make_app: MakeApp) -> None:
    app = make_app(history_seconds=0.3)

    async def main() -> None:
        first = await app.channels.publish("a", 1)
        await app.channels.publish("a", 2)
        assert len(await app.channels.history("a")) == 2
        await asyncio.sleep(0.5)
        assert await app.channels.history("a") == []
        async with app.channels.subscribe("a", after=first) as messages:
            assert messages.gap
            await app.channels.publish("a", 3)
            assert await take(messages, 1) == [3]

    run(main())


# -- slow readers --


def test_a_slow_reader_reads_on_in_the_history(make_app: MakeApp) -> None:
    """And holds up nobody."""
    app = make_app(history=1000, buffer=10)

    async def main() -> None:
        async with app.channels.subscribe("a", "b") as slow, app.channels.subscribe("a", "b") as fast:
            for number in range(400):
                await app.channels.publish("ab"[number % 2], number)
                if number % 8 == 7:
                    await take(fast, 8)
            assert len(slow._buffer) <= 10
            reading = asyncio.create_task(take(slow, 600))
            for number in range(400, 600):
                await app.channels.publish("ab"[number % 2], number)
            assert await reading == list(range(600))
            assert slow.dropped == 0
            await app.channels.publish("a", "live again")
            assert await take(slow, 1) == ["live again"]
            await nothing_more(slow)

    run(main())


def test_a_reader_that_is_too_slow_for_the_history_is_told(make_app: MakeApp) -> None:
    app = make_app(history=50, buffer=10)

    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            for number in range(100):
                await app.channels.publish("a", number)
            assert await take(messages, 10) == list(range(10))
            with pytest.raises(SlowReader):
                await anext(messages)
            with pytest.raises(StopAsyncIteration):
                await anext(messages)
            async with app.channels.subscribe("a", after=messages.last_id) as again:
                assert again.gap
                assert await take(again, 50) == list(range(50, 100))

    run(main())


def test_the_oldest_are_dropped(app: Flask) -> None:
    async def main() -> None:
        async with app.channels.subscribe("a", buffer=10, when_full="drop") as messages:
            for number in range(100):
                await app.channels.publish("a", number)
            await eventually(lambda: messages.dropped == 90)
            assert await take(messages, 10) == list(range(90, 100))

    run(main())


def test_a_slow_reader_is_disconnected(app: Flask) -> None:
    async def main() -> None:
        async with (
            app.channels.subscribe("a", buffer=10, when_full="disconnect") as messages,
            app.channels.subscribe("a") as other,
        ):
            for number in range(11):
                await app.channels.publish("a", number)
            assert await take(other, 11) == list(range(11))
            with pytest.raises(SlowReader, match="10 messages"):
                await anext(messages)
            async with app.channels.subscribe("a", after=messages.last_id) as again:
                assert await take(again, 11) == list(range(11))

    run(main())


def test_a_replay_is_no_slowness(app: Flask) -> None:
    async def main() -> None:
        for number in range(100):
            await app.channels.publish("a", number)
        for when_full in ("drop", "disconnect"):
            async with app.channels.subscribe("a", after="0", buffer=10, when_full=when_full) as messages:
                assert await take(messages, 100) == list(range(100))
                assert messages.dropped == 0

    run(main())


# -- subscriptions --


def test_names_come_and_go(app: Flask) -> None:
    async def main() -> None:
        async with app.channels.subscribe("a") as messages:
            await messages.add("b", "c", "a")
            assert messages.names == ("a", "b", "c")
            for name in "abc":
                await app.channels.publish(name, name)
            assert await take(messages, 3) == ["a", "b", "c"]
            messages.remove("a", "b", "unknown")
            for name in "abc":
                await app.channels.publish(name, name)
            assert await take(messages, 1) == ["c"]
            await messages.add("a")
            await app.channels.publish("a", "again")
            assert await take(messages, 1) == ["again"]
            with pytest.raises(InvalidName):
                await messages.add("no name")

    run(main())


def test_leaving_and_coming_at_once(app: Flask) -> None:
    """Whoever comes hears everything from then on, whoever leaves at that moment."""

    async def main() -> None:
        for round in range(100):
            messages = app.channels.subscribe("a")
            await messages.__aenter__()
            messages.close()
            async with app.channels.subscribe("a") as again:
                await app.channels.publish("a", round)
                assert await take(again, 1) == [round]

    run(main())


def test_many_come_and_go(app: Flask) -> None:
    async def visit(number: int) -> None:
        name = f"room:{number % 7}"
        for round in range(5):
            async with app.channels.subscribe(name) as messages:
                await app.channels.publish(name, [number, round])
                async with asyncio.timeout(20):
                    async for message in messages:
                        if message.data == [number, round]:
                            break

    async def main() -> None:
        await asyncio.gather(*(visit(number) for number in range(60)))

    run(main())


def test_a_wait_that_is_cancelled_loses_nothing(app: Flask) -> None:
    async def main() -> None:
        heard: list[int] = []
        async with app.channels.subscribe("a", buffer=5) as messages:

            async def publish() -> None:
                for number in range(200):
                    await app.channels.publish("a", number)

            publishing = asyncio.create_task(publish())
            while len(heard) < 200:
                try:
                    async with asyncio.timeout(0.0005):
                        heard.append((await anext(messages)).data)
                except TimeoutError:
                    pass
            await publishing
        assert heard == list(range(200))

    run(main())


def test_closing_ends_the_iteration(app: Flask) -> None:
    async def main() -> None:
        async with app.channels.subscribe("a") as messages, app.channels.subscribe("a") as other:
            waiting = asyncio.create_task(anext(messages))
            await asyncio.sleep(0.01)
            messages.close()
            with pytest.raises(StopAsyncIteration):
                await waiting
            await app.channels.publish("a", "x")
            await take(other, 1)
            await app.channels.publish("a", "y")
            waiting = asyncio.create_task(take(other, 2))
            await eventually(lambda: not other._buffer)
            await app.channels.end()
            assert [message.data async for message in other] == []
            waiting.cancel()

    run(main())


def test_no_reference_cycle_is_left(make_app: MakeApp) -> None:
    """Neither of a subscription that has ended, nor of one that was too slow, nor of a visit."""
    app = make_app(history=5, buffer=2)

    async def use() -> list[weakref.ref[Any]]:
        async with (
            app.channels.subscribe("a") as messages,
            app.channels.subscribe("a", when_full="disconnect") as other,
            app.channels.presence("a").track("Ada") as visit,
        ):
            watching = app.channels.presence("a").watch()
            await anext(watching)
            await watching.aclose()
            for number in range(10):
                await app.channels.publish("a", number)
            await take(messages, 2)
            for each in (messages, other):
                with pytest.raises(SlowReader):
                    await anext(each)
            waiting = asyncio.create_task(anext(app.channels.subscribe("b")))
            await asyncio.sleep(0.01)
            waiting.cancel()
            return [weakref.ref(messages), weakref.ref(other), weakref.ref(visit)]

    async def main() -> None:
        left = await use()
        await asyncio.sleep(0.1)
        assert [each() for each in left] == [None, None, None]

    gc.collect()
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


# -- limits --

BAD_NAMES = ["", " ", "a b", "a\n", "\0", "x" * 201, "\u202e", "\ud800", "\u00a0", None, 5, b"a", ["a"]]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_what_is_no_name(app: Flask, name: Any) -> None:
    async def main() -> None:
        channels = app.channels
        for call in (
            lambda: channels.publish(name, "x"),
            lambda: channels.subscribe(name),
            lambda: channels.subscribe("a", name),
            lambda: channels.presence(name),
            lambda: channels.group(name),
        ):
            with pytest.raises(InvalidName):
                call()
        for coroutine in (channels.history(name), channels.group("g").add(name)):
            with pytest.raises(InvalidName):
                await coroutine

    run(main())


@pytest.mark.parametrize(
    "name", ["a", "x" * 200, "room:5", "Küche_2", "*", "{a}", "a/b?c", "clock", "stream:a", "👋"]
)
def test_names(app: Flask, name: str) -> None:
    async def main() -> None:
        async with app.channels.subscribe(name, "other") as messages:
            await app.channels.publish(name, "x")
            message = await anext(messages)
            assert (message.name, message.data) == (name, "x")
        assert len(await app.channels.history(name)) == 1

    run(main())


@pytest.mark.parametrize(
    "id",
    ["", "x", "1", "1-", "-1", "1-x", "1-1-1", "1" * 5000, f"{2**64}-0", f"0-{2**64}", "\u0661", 5, b"1"],
)
def test_what_is_no_id(app: Flask, id: Any) -> None:
    async def main() -> None:
        with pytest.raises(InvalidName):
            app.channels.subscribe("a", after=id)
        with pytest.raises(InvalidName):
            await app.channels.history("a", after=id)

    run(main())


def test_a_message_that_is_too_large(make_app: MakeApp) -> None:
    app = make_app(max_message_size=100)

    async def main() -> None:
        await app.channels.publish("a", "x" * 99)
        for data in ("x" * 100, b"x" * 100, "ü" * 50, ["x" * 96]):
            with pytest.raises(MessageTooLarge, match="CHANNELS_MAX_MESSAGE_SIZE"):
                app.channels.publish("a", data)
        with pytest.raises(MessageTooLarge):
            async with app.channels.presence("a").track("x" * 200):
                pass

    run(main())


def test_too_many_names(make_app: MakeApp) -> None:
    app = make_app(max_names=3)

    async def main() -> None:
        with pytest.raises(ValueError, match="at most 100 names, not 101"):
            app.channels.subscribe(*(str(number) for number in range(101)))
        with pytest.raises(ValueError, match="Say to which names"):
            app.channels.subscribe()
        async with app.channels.subscribe("a", "b") as messages:
            async with app.channels.subscribe("a", "b", "c"):
                with pytest.raises(ChannelsUnavailable, match="CHANNELS_MAX_NAMES is 3"):
                    await messages.add("d")
                assert messages.names == ("a", "b")
            await messages.add("d")
            await app.channels.publish("d", "x")
            assert await take(messages, 1) == ["x"]

    run(main())


def test_options_that_are_none(app: Flask) -> None:
    for options in ({"when_full": "explode"}, {"buffer": 0}, {"history": -1}):
        with pytest.raises(ValueError):
            app.channels.subscribe("a", **options)
    app = new_app("memory://", history=0)
    with pytest.raises(ValueError, match="CHANNELS_HISTORY is a number greater than 0"):
        app.channels.subscribe("a")


def test_bad_input_is_answered_with_4xx(make_app: MakeApp) -> None:
    app = make_app(max_message_size=100)

    @app.post("/<name>")
    def publish(name: str) -> dict[str, str]:
        from asyncflask import request

        return {"id": app.channels.publish(name, request.get_data(as_text=True))}

    @app.get("/<name>")
    async def history(name: str) -> list[Any]:
        from asyncflask import request

        return [m.data for m in await app.channels.history(name, after=request.args.get("after"))]

    app.config["PROPAGATE_EXCEPTIONS"] = False
    client = app.test_client()
    assert client.post("/a", data="text").status_code == 200
    assert client.get("/a").json == ["text"]
    assert client.post("/a%20b", data="text").status_code == 400
    assert client.post("/a", data="x" * 200).status_code == 413
    assert client.get("/a?after=x").status_code == 400


# -- from anywhere --


def test_from_sync_code(app: Flask) -> None:
    """In views, hooks, tasks, commands and plain threads."""

    @app.get("/sync")
    def sync() -> str:
        id: str = app.channels.publish("a", "sync view")
        assert app.channels.history("a", after="0")[-1].id == id
        app.channels.group("g").add("a", "b")
        assert app.channels.group("g").names() == ["a", "b"]
        assert app.channels.presence("a").list() == {}
        return id

    @app.get("/async")
    async def in_async() -> str:
        def within() -> None:
            app.channels.publish("a", "worker")

        await app.sync_to_async(within)()
        app.channels.publish("a", "not awaited")
        return str(await app.channels.publish("a", "async view"))

    @app.get("/task")
    def task() -> str:
        app.add_background_task(app.channels.publish, "a", "task")
        return ""

    @app.cli.command("publish")
    def publish() -> None:
        app.channels.publish("a", "command")

    client = app.test_client()
    id = client.get("/sync").text
    assert id == app.channels.history("a")[0].id
    assert client.get("/async").status_code == 200
    client.get("/task")
    deadline = threading.Event()
    for _ in range(200):
        if app.channels.history("a")[-1].data == "task":
            break
        deadline.wait(0.01)
    result = app.test_cli_runner().invoke(args=["publish"])
    assert result.exit_code == 0, result.output
    assert [message.data for message in app.channels.history("a")] == [
        "sync view",
        "worker",
        "not awaited",
        "async view",
        "task",
        "command",
    ]


def test_on_several_loops(app: Flask) -> None:
    """Each of them hears what is published on the others, and in plain threads, in the same order."""
    everybody = threading.Barrier(4)
    heard: list[list[Any]] = []

    def listen(number: int) -> None:
        async def main() -> None:
            async with app.channels.subscribe("a") as messages:
                await asyncio.to_thread(everybody.wait, 10)
                for count in range(50):
                    app.channels.publish("a", [number, count])
                heard.append(await take(messages, 200))

        run(main())

    threads = [threading.Thread(target=listen, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    everybody.wait(10)
    for count in range(50):
        app.channels.publish("a", [3, count])
    for thread in threads:
        thread.join()
    assert len(heard) == 3
    assert heard[0] == heard[1] == heard[2]
    for number in range(4):
        assert [message for message in heard[0] if message[0] == number] == [[number, c] for c in range(50)]


def test_all_threads_get_the_same_channels(url: str) -> None:
    for _ in range(20):
        app = new_app(url)
        start = threading.Barrier(8)
        found: set[int] = set()

        def ask(app: Flask = app, start: threading.Barrier = start, found: set[int] = found) -> None:
            start.wait()
            found.update([id(app.channels), id(app.channels.backend)])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 2


# -- groups --


def test_groups(app: Flask) -> None:
    async def main() -> None:
        group = app.channels.group("team")
        assert await group.names() == []
        assert await group.publish("nobody") == []
        await group.add("user:1", "user:2")
        await group.add("user:2", "user:3")
        await group.add()
        async with app.channels.subscribe("user:1") as one, app.channels.subscribe("user:2") as two:
            ids = await app.channels.group("team").publish("hello")
            assert len(set(ids)) == 3
            assert await take(one, 1) == await take(two, 1) == ["hello"]
            await group.discard("user:2", "unknown")
            assert await group.names() == ["user:1", "user:3"]
            await group.publish("again")
            assert await take(one, 1) == ["again"]
            await nothing_more(two)
        assert await app.channels.group("other").names() == []
        await group.add("user:4", seconds=0.1)
        await asyncio.sleep(0.3)
        assert await group.names() == ["user:1", "user:3"]
        await group.discard("user:1", "user:3")
        assert await group.names() == []

    run(main())


# -- the application --


def test_the_lifespan_ends_subscriptions_and_tasks_that_listen(app: Flask) -> None:
    """A task in the background that listens for ever is not what the server's end has to wait for."""
    heard: list[Any] = []
    order: list[str] = []

    @app.before_serving
    async def listen() -> None:
        app.add_background_task(work)

    async def work() -> None:
        async with app.channels.subscribe("a") as messages:
            heard.append("ready")
            async for message in messages:
                heard.append(message.data)
        order.append("task")

    @app.after_serving
    async def say_goodbye() -> None:
        await app.channels.publish("a", "goodbye")
        order.append("after_serving")

    async def main() -> float:
        async with app.lifespan_context():
            await eventually(lambda: heard)
            await app.channels.publish("a", 1)
            await eventually(lambda: heard == ["ready", 1])
            started = asyncio.get_running_loop().time()
        assert len(asyncio.all_tasks()) == 2
        return asyncio.get_running_loop().time() - started

    assert run(main()) < 2
    assert order == ["task", "after_serving"]
    assert [message.data for message in app.channels.history("a")] == [1, "goodbye"]


def test_something_else_of_that_name_is_let_alone() -> None:
    """An application that has an attribute `channels` of its own."""
    app = Flask("own")
    app.channels = ["BBC"]  # type: ignore[assignment]

    @app.before_serving
    async def begin() -> None:
        pass

    with app.test_client():
        assert app.channels == ["BBC"]
