"""Who is there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncflask import Flask

from .conftest import MakeApp, eventually, run


def test_being_there(app: Flask, make_app: MakeApp) -> None:
    async def main() -> None:
        presence = app.channels.presence("room:1")
        assert await presence.list() == {}
        async with presence.track("Zoë", {"status": "busy"}), presence.track("Ada"):
            async with app.channels.presence("room:1").track("Ada", [1]):
                people = await presence.list()
                assert list(people) == ["Ada", "Zoë"]
                assert people["Zoë"] == [{"status": "busy"}]
                assert sorted(people["Ada"], key=str) == [None, [1]] or sorted(people["Ada"], key=str) == [
                    [1],
                    None,
                ]
            assert await presence.list() == {"Ada": [None], "Zoë": [{"status": "busy"}]}
            assert await app.channels.presence("room:2").list() == {}
        assert await presence.list() == {}

    run(main())


def test_a_visit_that_fails_ends(app: Flask) -> None:
    async def main() -> None:
        presence = app.channels.presence("room")
        with pytest.raises(ZeroDivisionError):
            async with presence.track("Ada"):
                raise ZeroDivisionError

        async def stay() -> None:
            async with presence.track("Bob"):
                await asyncio.sleep(60)

        staying = asyncio.create_task(stay())
        await eventually(presence.list)
        staying.cancel()
        await asyncio.wait([staying])
        assert await presence.list() == {}

    run(main())


def test_telling_something_else(app: Flask) -> None:
    async def main() -> None:
        presence = app.channels.presence("room")
        async with presence.track("Ada", "reads") as visit:
            await visit.update("writes")
            assert await presence.list() == {"Ada": ["writes"]}
        assert await presence.list() == {}

    run(main())


async def watch(app: Flask, name: str, seen: list[Any]) -> None:
    async for people in app.channels.presence(name).watch():
        seen.append(people)


def test_watching(app: Flask, make_app: MakeApp) -> None:
    """Each change is seen, and those of other processes."""
    other = make_app() if app.config["CHANNELS_URL"] != "memory://" else app

    async def main() -> None:
        seen: list[Any] = []
        watching = [asyncio.create_task(watch(app, "room", seen)) for _ in range(3)]
        await eventually(lambda: seen == [{}] * 3)
        async with other.channels.presence("room").track("Ada") as visit:
            await eventually(lambda: seen[-3:] == [{"Ada": [None]}] * 3)
            await visit.update(5)
            await eventually(lambda: seen[-3:] == [{"Ada": [5]}] * 3)
        await eventually(lambda: seen[-3:] == [{}] * 3)
        seen[-1]["mine"] = 1
        assert seen[-2] == {}
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        assert app.channels.watches.get() == {}

    run(main())


def test_watching_many_who_come_at_once(app: Flask) -> None:
    async def main() -> None:
        seen: list[Any] = []
        watching = asyncio.create_task(watch(app, "room", seen))

        async def come(number: int) -> None:
            async with app.channels.presence("room").track(str(number)):
                await eventually(lambda: seen and len(seen[-1]) == 100)

        await eventually(lambda: seen)
        await asyncio.gather(*(come(number) for number in range(100)))
        await eventually(lambda: seen[-1] == {})
        assert len(seen) < 40  # it was not looked for each of them
        watching.cancel()
        await asyncio.wait([watching])

    run(main())


def test_who_stays_is_there_and_who_has_crashed_is_not(make_app: MakeApp) -> None:
    app = make_app(presence_seconds=0.6)

    async def main() -> None:
        presence = app.channels.presence("room")
        seen: list[Any] = []
        watching = asyncio.create_task(watch(app, "room", seen))
        async with presence.track("Ada"):
            # As a process does that says no more.
            await app.channels.backend.add(" presence room", [b'["id","Bob",null]'], 0.6)
            await eventually(lambda: seen and list(seen[-1]) == ["Ada", "Bob"])
            await eventually(lambda: list(seen[-1]) == ["Ada"])
            await asyncio.sleep(1.5)
            assert list(await presence.list()) == ["Ada"]
            assert list(seen[-1]) == ["Ada"]
        watching.cancel()
        await asyncio.wait([watching])

    run(main())


def test_nobody_is_left_who_goes_while_it_is_said_that_he_is_there(make_app: MakeApp) -> None:
    app = make_app(presence_seconds=0.03)

    async def main() -> None:
        presence = app.channels.presence("room")

        async def visit(number: int) -> None:
            for _ in range(5):
                async with presence.track(str(number)):
                    await asyncio.sleep(0.013)

        await asyncio.gather(*(visit(number) for number in range(20)))
        app.config["CHANNELS_PRESENCE_SECONDS"] = 30
        await asyncio.sleep(0.2)
        assert await presence.list() == {}
        assert app.channels.rounds.get()._visits == {}

    run(main())


def test_watching_ends_with_the_server(app: Flask) -> None:
    async def main() -> None:
        seen: list[Any] = []
        watching = asyncio.create_task(watch(app, "room", seen))
        await eventually(lambda: seen)
        await app.channels.end()
        await asyncio.wait_for(watching, 5)

    run(main())
