"""Server-Sent Events, read with a parser that follows the HTML standard, section 9.2.6, to the letter."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle.loops import LOOPS, eventually, run_on, soon
from lifecycle.server import APP_NAME, Client, Server, request_bytes

from asyncflask import Flask, Response, g, request, session
from asyncflask.json.provider import DefaultJSONProvider
from asyncflask.sse import EventSourceResponse, ServerSentEvent, last_event_id


@dataclass
class Event:
    """What a browser dispatches."""

    data: str
    type: str = "message"
    last_event_id: str = ""


@dataclass
class Parser:
    """A browser's ``EventSource``, that fails where a browser would ignore something."""

    events: list[Event] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    retry: int | None = None
    last_event_id: str = ""
    _rest: bytes = b""
    _data: str = ""
    _type: str = ""

    def feed(self, chunk: bytes) -> None:
        assert b"\r" not in chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line.decode())

    def end(self) -> None:
        """The stream has ended: in the middle of nothing."""
        assert (self._rest, self._data, self._type) == (b"", "", "")

    def _line(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, colon, value = line.partition(":")
        assert colon
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments.append(value)
            case "event":
                self._type = value
            case "data":
                self._data += value + "\n"
            case "id":
                assert "\0" not in value
                self.last_event_id = value
            case "retry":
                assert value.isascii()
                assert value.isdigit()
                self.retry = int(value)
            case _:
                raise AssertionError(f"there is no field {name!r}")

    def _dispatch(self) -> None:
        if not self._data:
            assert not self._type, "an event that is dropped"
            return
        self.events.append(Event(self._data[:-1], self._type or "message", self.last_event_id))
        self._data = self._type = ""


def parse(stream: bytes) -> Parser:
    parser = Parser()
    parser.feed(stream)
    parser.end()
    return parser


# -- an event ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (ServerSentEvent("x"), b"data: x\n\n"),
        (ServerSentEvent(""), b"data: \n\n"),
        (ServerSentEvent(" x"), b"data:  x\n\n"),
        (ServerSentEvent("a\nb\r\nc\rd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (ServerSentEvent("a\x0b\x0c\x1c\x85\u2028b"), "data: a\x0b\x0c\x1c\x85\u2028b\n\n".encode()),
        (ServerSentEvent("\ud800"), b"data: ?\n\n"),
        (ServerSentEvent({"a": [1, "ä\n"]}), b'data: {"a": [1, "\\u00e4\\n"]}\n\n'),
        (ServerSentEvent(0), b"data: 0\n\n"),
        (ServerSentEvent("x", event="e", id="1"), b"id: 1\nevent: e\ndata: x\n\n"),
        (ServerSentEvent("x", id=7), b"id: 7\ndata: x\n\n"),
        (ServerSentEvent("x", id=""), b"id: \ndata: x\n\n"),
        (ServerSentEvent("", event="e"), b"event: e\ndata: \n\n"),
        (ServerSentEvent(retry=0), b"retry: 0\n\n"),
        (ServerSentEvent(None, id="1"), b"id: 1\n\n"),
        (ServerSentEvent(comment="a\nb"), b": a\n: b\n\n"),
        (
            ServerSentEvent("x", event="e", id="i", retry=10, comment="c"),
            b": c\nretry: 10\nid: i\nevent: e\ndata: x\n\n",
        ),
    ],
)
def test_encoding(event: ServerSentEvent, sent: bytes) -> None:
    assert event.encode() == sent


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"data": "x", "event": "a\nb"}, ValueError, "event of an event is one line"),
        ({"data": "x", "event": "a\rb"}, ValueError, "one line"),
        ({"data": "x", "id": "a\n"}, ValueError, "id of an event is one line"),
        ({"data": "x", "id": "a\rb"}, ValueError, "one line"),
        ({"data": "x", "id": "a\0b"}, ValueError, "NUL"),
        ({"data": "x", "id": 1.5}, TypeError, "id"),
        ({"data": "x", "id": True}, TypeError, "id"),
        ({"data": "x", "event": 1}, TypeError, "event"),
        ({"data": "x", "comment": b"x"}, TypeError, "comment"),
        ({"data": "x", "retry": -1}, ValueError, "milliseconds"),
        ({"data": "x", "retry": 1.5}, TypeError, "milliseconds"),
        ({"data": "x", "retry": True}, TypeError, "milliseconds"),
        ({"data": "x", "retry": "10"}, TypeError, "milliseconds"),
        ({"event": "x"}, ValueError, "data=''"),
        ({}, ValueError, "pass data"),
    ],
)
def test_what_cannot_be_sent(values: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ServerSentEvent(**values)


def test_event_is_a_value() -> None:
    assert ServerSentEvent("x", id="1") == ServerSentEvent("x", id="1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        ServerSentEvent("x").event = "a\nb"  # type: ignore[misc]


one_line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))
events = st.builds(
    ServerSentEvent,
    st.text(),
    event=st.none() | one_line,
    id=st.none() | one_line.filter(lambda text: "\0" not in text),
    retry=st.none() | st.integers(0),
    comment=st.none() | st.text(),
)


def lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@settings(max_examples=300)
@given(st.lists(events, max_size=4), st.integers(1, 50))
def test_round_trip(sent: list[ServerSentEvent], size: int) -> None:
    stream = b"".join(event.encode() for event in sent)
    parser = Parser()
    for start in range(0, len(stream), size):
        parser.feed(stream[start : start + size])
    parser.end()
    expected: list[Event] = []
    last_id = ""
    for event in sent:
        last_id = last_id if event.id is None else str(event.id)
        expected.append(Event("\n".join(lines(event.data)), event.event or "message", last_id))
    assert parser.events == expected
    comments = [line for event in sent if event.comment is not None for line in lines(event.comment)]
    assert parser.comments == comments
    assert parser.retry == next((event.retry for event in reversed(sent) if event.retry is not None), None)


# -- the response --------------------------------------------------------------------------------------------


def make_app(**config: Any) -> Flask:
    app = Flask(APP_NAME, static_folder=None)
    app.secret_key = "secret"
    app.config.update(config)
    return app


ITEMS: list[Any] = ["one\ntwo", {"a": 1}, [1], 5, None, ServerSentEvent("x", event="e", id="1")]
RECEIVED = [
    Event("one\ntwo"),
    Event('{"a": 1}'),
    Event("[1]"),
    Event("5"),
    Event("null"),
    Event("x", "e", "1"),
]


def sync_items() -> Iterator[Any]:
    yield from ITEMS


async def async_items() -> AsyncIterator[Any]:
    for item in ITEMS:
        await asyncio.sleep(0)
        yield item


class AsyncIterable:
    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in ITEMS:
            yield item


SOURCES: dict[str, Callable[[], Any]] = {
    "list": lambda: ITEMS,
    "sync generator": sync_items,
    "async generator": async_items,
    "async iterable": AsyncIterable,
}


@pytest.mark.parametrize("style", ["def", "async def"])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("ping", [15.0, None])
def test_events_arrive(style: str, source: str, ping: float | None) -> None:
    app = make_app()

    def view() -> Any:
        return EventSourceResponse(SOURCES[source](), ping=ping)

    async def async_view() -> Any:
        return view()

    app.add_url_rule("/", "view", view if style == "def" else async_view)
    response = app.test_client().get("/", buffered=True)
    assert response.status_code == 200
    assert parse(response.data).events == RECEIVED
    assert dict(response.headers) == {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
    }


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_hooks_session_and_context(kind: str) -> None:
    app = make_app()

    class Provider(DefaultJSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return f"own {obj}"

    app.json = Provider(app)

    def sync_source() -> Iterator[Any]:
        yield {"path": request.path, "user": session["user"], "g": g.value}

    async def async_source() -> AsyncIterator[Any]:
        for item in sync_source():
            yield item

    @app.before_request
    def before() -> None:
        session["user"] = "me"
        g.value = 3

    @app.after_request
    async def after(response: Response) -> Response:
        assert type(response) is EventSourceResponse
        response.headers["X-After"] = "yes"
        return response

    @app.get("/events")
    def view() -> Any:
        return EventSourceResponse({"sync": sync_source, "async": async_source}[kind]()), 201, {"X-Own": "1"}

    response = app.test_client().get("/events", buffered=True)
    assert response.status_code == 201
    assert (response.headers["X-After"], response.headers["X-Own"]) == ("yes", "1")
    assert "session=" in response.headers["Set-Cookie"]
    assert parse(response.data).events == [Event("own {'path': '/events', 'user': 'me', 'g': 3}")]


def test_status_and_headers() -> None:
    response = EventSourceResponse(
        [], status=202, headers={"cache-control": "no-store", "Content-Type": "x/y", "X-Own": "1"}
    )
    assert response.status_code == 202
    assert dict(response.headers) == {
        "cache-control": "no-store",
        "Content-Type": "text/event-stream; charset=utf-8",
        "X-Own": "1",
        "X-Accel-Buffering": "no",
    }


def test_response_class_of_the_application() -> None:
    """The response is of that class, too, and stays what it is."""
    app = make_app()
    seen: list[Response] = []

    class Own(Response):
        default_mimetype = "text/plain"

        def tag(self) -> None:
            self.headers["X-Tag"] = "1"

    app.response_class = Own

    async def silent() -> AsyncIterator[str]:
        await asyncio.sleep(0.2)
        yield "x"

    @app.after_request
    def after(response: Response) -> Response:
        assert isinstance(response, Own)
        response.tag()
        seen.append(response)
        return response

    @app.get("/")
    def view() -> Any:
        return EventSourceResponse(silent(), ping=0.05)

    response = app.test_client().get("/", buffered=True)
    assert isinstance(seen[0], EventSourceResponse)
    assert response.headers["X-Tag"] == "1"
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert parse(response.data).comments


@pytest.mark.parametrize("source", ["x", b"x", {"a": 1}, 5, None, async_items, ServerSentEvent("x")])
def test_what_is_no_source(source: Any) -> None:
    with pytest.raises(TypeError, match="pass a list"):
        EventSourceResponse(source)


@pytest.mark.parametrize("ping", [0, -1.0])
def test_ping_that_is_no_interval(ping: float) -> None:
    with pytest.raises(ValueError, match="pass None"):
        EventSourceResponse([], ping=ping)


def test_last_event_id() -> None:
    app = make_app()
    app.add_url_rule("/", "view", lambda: {"id": last_event_id(request)})
    client = app.test_client()

    def seen(value: str | None) -> Any:
        return client.get("/", headers={} if value is None else {"Last-Event-ID": value}).json["id"]

    assert seen(None) is None
    assert seen("") is None
    assert seen("12") == "12"
    assert seen("ä€".encode().decode("latin-1")) == "ä€"
    assert seen("\xff") == "\ufffd"


# -- over servers --------------------------------------------------------------------------------------------


class Hypercorn:
    """hypercorn in a thread, for the length of a ``with`` block."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __enter__(self) -> Hypercorn:
        config = hypercorn.config.Config()
        config.bind = ["127.0.0.1:0"]
        config.graceful_timeout = 2
        config.accesslog = config.errorlog = None
        self._sockets = config.create_sockets()
        (listening,) = self._sockets.insecure_sockets
        listening.listen()
        self.port: int = listening.getsockname()[1]
        config.create_sockets = lambda: self._sockets  # type: ignore[method-assign]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(config,), daemon=True)
        self._thread.start()
        return self

    def _run(self, config: hypercorn.config.Config) -> None:
        async def main() -> None:
            await hypercorn.asyncio.serve(self.app, config, shutdown_trigger=self._stop.wait)

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(main())

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the server does not stop"

    def connect(self) -> Client:
        return Client(self.port)


SERVERS: dict[str, Callable[[Any], Any]] = {
    "uvicorn": Server,
    "uvicorn with h11": lambda app: Server(app, loop="asyncio", http="h11"),
    "hypercorn": Hypercorn,
}


@pytest.fixture(params=SERVERS)
def serve(request: Any) -> Callable[[Any], Any]:
    return SERVERS[request.param]


class Listener:
    """A client that reads events as they come."""

    def __init__(self, server: Any, path: str, **headers: str) -> None:
        self.client: Client = server.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.client.send_request("GET", path, headers=named)
        self.head = self.client.head()
        assert self.head.get("content-type") == "text/event-stream; charset=utf-8"
        self.parser = Parser()
        self._chunks = self.client.chunks()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.close()

    def read(self, until: Callable[[Parser], Any]) -> Parser:
        while not until(self.parser):
            self.parser.feed(next(self._chunks))
        return self.parser

    def read_all(self) -> Parser:
        for chunk in self._chunks:
            self.parser.feed(chunk)
        self.parser.end()
        return self.parser


class Site:
    """An application with what the tests look at."""

    def __init__(self) -> None:
        self.app = make_app()
        self.log: list[str] = []
        self.go = threading.Event()
        self.teardowns: list[BaseException | None] = []
        self.app.teardown_request(self.teardowns.append)
        self.sources = {"sync": self.sync_source, "async": self.async_source}

        @self.app.get("/<kind>/<int:count>")
        def events(kind: str, count: int) -> Any:
            return EventSourceResponse(self.sources[kind](count), ping=float(request.args.get("ping", "15")))

    def sync_source(self, count: int) -> Iterator[Any]:
        try:
            for number in range(count):
                yield ServerSentEvent({"number": number}, id=number)
            self.log.append("waits")
            for _ in range(500):
                if self.go.wait(0.01):
                    break
                if count == 0:  # for ever, but noticing
                    yield ServerSentEvent(comment="still there")
            yield "last"
        finally:
            self.log.append("closed")

    async def async_source(self, count: int) -> AsyncIterator[Any]:
        try:
            for number in range(count):
                yield ServerSentEvent({"number": number}, id=number)
            self.log.append("waits")
            for _ in range(500):
                if self.go.is_set():
                    break
                await asyncio.sleep(0.01)
            yield "last"
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0.01)
            self.log.append("closed")

    def is_over(self) -> bool:
        return len(self.teardowns) == 1


def numbered(count: int) -> list[Event]:
    return [Event(f'{{"number": {number}}}', "message", str(number)) for number in range(count)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_each_event_arrives_when_it_is_made(serve: Any, kind: str) -> None:
    site = Site()
    with serve(site.app) as server, Listener(server, f"/{kind}/3") as listener:
        assert listener.read(lambda parser: len(parser.events) == 3).events == numbered(3)
        eventually(lambda: "waits" in site.log, "the source waits")
        site.go.set()
        assert listener.read_all().events == [*numbered(3), Event("last", last_event_id="2")]
        eventually(site.is_over, "the request is over")
    assert site.log == ["waits", "closed"]
    assert site.teardowns == [None]


def test_headers_arrive_before_the_first_event(serve: Any) -> None:
    site = Site()
    with serve(site.app) as server, Listener(server, "/async/0") as listener:  # which waits for the headers
        assert listener.head.status == 200
        assert listener.head.get("cache-control") == "no-cache"
        assert not site.go.is_set()
        site.go.set()
        assert listener.read_all().events == [Event("last")]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_heartbeat(serve: Any, kind: str) -> None:
    """Comments while the source waits, which goes on afterwards where it was."""
    site = Site()
    with serve(site.app) as server, Listener(server, f"/{kind}/2?ping=0.1") as listener:
        listener.read(lambda parser: len(parser.events) == 2)
        assert listener.parser.comments == []
        start = time.monotonic()
        listener.read(lambda parser: len(parser.comments) == 1)
        assert time.monotonic() - start >= 0.08
        listener.read(lambda parser: len(parser.comments) == 4)
        assert time.monotonic() - start >= 0.38
        site.go.set()
        parser = listener.read_all()
    assert parser.events == [*numbered(2), Event("last", last_event_id="1")]
    assert parser.comments == [""] * len(parser.comments)
    assert site.log == ["waits", "closed"]


def test_no_heartbeat_while_events_come(serve: Any) -> None:
    app = make_app()

    async def source() -> AsyncIterator[str]:
        for _ in range(40):
            yield "x"
            await asyncio.sleep(0.025)

    app.add_url_rule("/", "view", lambda: EventSourceResponse(source(), ping=0.6))
    with serve(app) as server, Listener(server, "/") as listener:
        parser = listener.read_all()
    assert parser.comments == []
    assert len(parser.events) == 40


def test_no_heartbeat_at_all(serve: Any) -> None:
    app = make_app()

    async def source() -> AsyncIterator[str]:
        await asyncio.sleep(0.2)
        yield "x"

    app.add_url_rule("/", "view", lambda: EventSourceResponse(source(), ping=None))
    with serve(app) as server, Listener(server, "/") as listener:
        assert listener.read_all() == Parser([Event("x")])


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("ping", ["15", "0.02"])
@pytest.mark.parametrize("count", [0, 3])
def test_end_when_the_client_goes(serve: Any, leave: str, ping: str, count: int) -> None:
    site = Site()
    with serve(site.app) as server:
        listener = Listener(server, f"/async/{count}?ping={ping}")
        listener.read(lambda parser: len(parser.events) == count)
        eventually(lambda: "waits" in site.log, "the source waits")
        getattr(listener.client, leave)()
        eventually(site.is_over, "the request is over")
        assert site.log == ["waits", "cancelled", "closed"]


def test_end_of_a_sync_source_when_the_client_goes(serve: Any) -> None:
    site = Site()
    with serve(site.app) as server:
        listener = Listener(server, "/sync/0")
        listener.read(lambda parser: parser.comments)
        listener.client.close()
        eventually(site.is_over, "the request is over")
        assert site.log == ["waits", "closed"]


def test_reconnection(serve: Any) -> None:
    """As a browser does it: it says which event it had last."""
    app = make_app()

    @app.get("/")
    async def view() -> Any:
        last = last_event_id(request)
        first = 0 if last is None else int(last.removeprefix("№")) + 1

        async def source() -> AsyncIterator[Any]:
            for number in range(first, first + 3):
                yield ServerSentEvent(str(number), id=f"№{number}")

        return EventSourceResponse(source())

    received: list[str] = []
    with serve(app) as server:
        parser = Parser()
        for _ in range(3):
            headers = {}
            if parser.last_event_id:
                headers["Last_Event_ID"] = parser.last_event_id.encode().decode("latin-1")
            with Listener(server, "/", **headers) as listener:
                parser = listener.read_all()
            received += [event.data for event in parser.events]
    assert received == [str(number) for number in range(9)]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("what", ["raises", "not JSON"])
def test_source_that_fails(kind: str, what: str) -> None:
    site = Site()
    closed: list[str] = []

    def sync_source(count: int) -> Iterator[Any]:
        try:
            yield "x"
            if what == "raises":
                raise ZeroDivisionError
            yield object()
        finally:
            closed.append("source")

    async def async_source(count: int) -> AsyncIterator[Any]:
        try:
            for item in sync_source(0):
                yield item
        finally:
            closed.append("async source")

    site.sources = {"sync": sync_source, "async": async_source}
    with Server(site.app) as server, Listener(server, f"/{kind}/0") as listener:
        listener.read(lambda parser: parser.events)
        assert listener.client.is_closed()  # without the end that would tell of a complete response
        eventually(site.is_over, "the request is over")
    assert isinstance(site.teardowns[0], ZeroDivisionError if what == "raises" else TypeError)
    assert set(closed) == {"source"} | ({"async source"} if kind == "async" else set())


class Subscription:
    """A source that holds something from the start, whether or not it is iterated over."""

    def __init__(self, closed: list[str]) -> None:
        self.closed = closed

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed.append("async")


class SyncSubscription:
    def __init__(self, closed: list[str]) -> None:
        self.closed = closed

    def __iter__(self) -> Iterator[str]:
        try:
            yield "x"
            yield "y"
        finally:
            self.closed.append("iterator")

    def close(self) -> None:
        self.closed.append("sync")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_source_is_always_closed(method: str) -> None:
    app = make_app()
    closed: list[str] = []
    app.add_url_rule("/async", "async", lambda: EventSourceResponse(Subscription(closed)))
    app.add_url_rule("/sync", "sync", lambda: EventSourceResponse(SyncSubscription(closed)))
    client = app.test_client()
    for path, expected in [("/async", ["async"]), ("/sync", ["iterator", "sync"])]:
        response = client.open(path, method=method, buffered=True)
        assert response.content_type == "text/event-stream; charset=utf-8"
        assert closed == (expected if method == "GET" else expected[-1:])
        closed.clear()


def make_scope(path: str, query_string: bytes = b"") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": query_string,
        "headers": [],
    }


@pytest.mark.parametrize("ping", [b"", b"ping=0.05"])
def test_a_body_without_anything_is_sent_at_the_start(ping: bytes) -> None:
    """Daphne keeps the headers back until there is something of the body."""
    site = Site()
    sent: list[dict[str, Any]] = []

    async def main() -> None:
        async def receive() -> Any:
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        task = asyncio.create_task(site.app(make_scope("/async/0", ping), receive, send))
        await soon(lambda: "waits" in site.log, "the source waits")
        first = [*sent]
        site.go.set()
        await task
        assert first[0]["type"] == "http.response.start"
        assert first[1] == {"type": "http.response.body", "body": b"", "more_body": True}
        assert len(first) == 2

    run_on("asyncio", main)
    assert sent[-1] == {"type": "http.response.body", "body": b""}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_heartbeat_that_cannot_be_sent_ends_the_response(loop: str, kind: str) -> None:
    """Some servers tell of a client that has gone by an OSError from `send` (ASGI specification, HTTP)."""
    site = Site()

    async def main() -> None:
        started = asyncio.Event()

        async def receive() -> Any:
            if not started.is_set():
                started.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message.get("body") == b":\n\n":
                raise ConnectionResetError
            if "waits" in site.log and kind == "sync":
                raise AssertionError("sent after the client has gone")

        if kind == "sync":  # its wait lasts: the thread is waited for
            asyncio.get_running_loop().call_later(0.2, site.go.set)
        with pytest.raises(ConnectionResetError):
            await site.app(make_scope(f"/{kind}/1", b"ping=0.02"), receive, send)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_on(loop, main)
    assert site.log == (["waits", "cancelled", "closed"] if kind == "async" else ["waits", "closed"])
    assert [type(error) for error in site.teardowns] == [ConnectionResetError]


# -- many ----------------------------------------------------------------------------------------------------

LISTENERS = 500
EVENTS = 20


def test_many_listeners() -> None:
    """One process, every listener gets every event, in order."""
    app = make_app()
    queues: set[asyncio.Queue[int]] = set()
    ended: list[int] = []

    async def source() -> AsyncIterator[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        queues.add(queue)
        try:
            while (number := await queue.get()) < EVENTS:
                yield ServerSentEvent({"number": number}, id=number)
        finally:
            queues.discard(queue)
            ended.append(1)

    @app.get("/events")
    async def listen() -> Any:
        return EventSourceResponse(source(), ping=0.5)

    @app.post("/publish")
    async def publish() -> Any:
        for number in range(EVENTS + 1):
            for queue in [*queues]:
                queue.put_nowait(number)
            await asyncio.sleep(0.01)
        return {}

    async def listener(port: int) -> Parser:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes("GET", "/events"))
        await reader.readuntil(b"\r\n\r\n")
        parser = Parser()
        while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
            parser.feed(await reader.readexactly(size))
            await reader.readexactly(2)
        parser.end()
        writer.close()
        return parser

    async def main(server: Server) -> list[Parser]:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            tasks = [group.create_task(listener(server.port)) for _ in range(LISTENERS)]
            await soon(lambda: len(queues) == LISTENERS, "all listen", timeout=30)
            response = await asyncio.to_thread(server.request, "POST", "/publish")
            assert response.status == 200
        return [task.result() for task in tasks]

    with Server(app) as server:
        parsers = asyncio.run(main(server))
        eventually(lambda: len(ended) == LISTENERS, "every source is closed")
        assert server.errors == []
    assert len(parsers) == LISTENERS
    for parser in parsers:
        assert parser.events == numbered(EVENTS)
