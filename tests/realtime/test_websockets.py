"""What a view, its hooks and both test clients have of a websocket, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest
from lifecycle.loops import Hang, run_on

from asyncflask import (
    Blueprint,
    Flask,
    WebsocketDisconnect,
    abort,
    current_app,
    g,
    got_request_exception,
    has_request_context,
    render_template_string,
    request,
    session,
    url_for,
    websocket,
)
from asyncflask.sessions import SecureCookieSessionInterface
from asyncflask.testing import WebsocketClosed, WebsocketResponseError

Main = Callable[[], Coroutine[Any, Any, Any]]


class Site(Flask):
    """An application that notes what its teardown functions get."""

    def __init__(self, **config: Any) -> None:
        super().__init__("site", static_folder=None)
        self.secret_key = "not a secret"
        self.config.update(config)
        self.notes: list[Any] = []
        self.torn_down: list[BaseException | None] = []
        self.teardown_websocket(self.torn_down.append)


@pytest.fixture
def app() -> Site:
    return Site()


def run(main: Main) -> Any:
    return run_on("asyncio", main, timeout=8)


class Connected:
    """A websocket of an application, with the test as the server.

    :param extension: whether this server can refuse with an HTTP response.
    """

    def __init__(
        self,
        app: Flask,
        path: str = "/ws",
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        extension: bool = True,
        **scope: Any,
    ) -> None:
        self.sent: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.put({"type": "websocket.connect"})
        self._app: Any = app
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), *(headers or [])],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}} if extension else {},
            **scope,
        }
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await self._app(self._scope, self._inbox.get, self._send)

    async def _send(self, message: dict[str, Any]) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)

    def put(self, message: dict[str, Any]) -> None:
        self._inbox.put_nowait(message)

    def say(self, text: str) -> None:
        self.put({"type": "websocket.receive", "text": text})

    def leave(self, code: int = 1001) -> None:
        self.put({"type": "websocket.disconnect", "code": code, "reason": ""})

    async def until(self, condition: Callable[[], Any]) -> None:
        """Until something has happened."""
        async with asyncio.timeout(3):
            while not condition():  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(0.001)

    async def until_sent(self, kind: str = "websocket.accept") -> None:
        await self.until(lambda: kind in self.kinds)

    async def end(self, seconds: float = 3) -> None:
        """Wait for the end of the application. Raises what it raises."""
        done, _ = await asyncio.wait({self.task}, timeout=seconds)
        if not done:
            self.task.cancel()
            await asyncio.wait({self.task}, timeout=1)
            raise Hang(f"The websocket is not over after {seconds} seconds: {self.sent}")
        self.task.result()

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.sent]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


def echo_on(app: Flask | Blueprint, rule: str = "/ws") -> None:
    @app.websocket(rule)
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)


# -- routing and values ----------------------------------------------------------------------------


def test_rules_with_converters_and_urls(app: Site) -> None:
    room = Blueprint("room", "room", url_prefix="/rooms")

    @room.websocket("/<int:number>/<path:rest>")
    async def enter(number: int, rest: str) -> None:
        await websocket.send_json([number, rest, request.endpoint, request.blueprint])

    app.register_blueprint(room)
    with app.test_client().websocket_connect("/rooms/5/a/b") as client:
        assert client.receive_json() == [5, "a/b", "room.enter", "room"]
    with app.test_request_context():
        assert url_for("room.enter", number=5, rest="a", _scheme="ws") == "ws://localhost/rooms/5/a"
    with pytest.raises(WebsocketResponseError) as refused:
        app.test_client().websocket_connect("/rooms/no-number/a")
    assert refused.value.status_code == 404


def test_a_websocket_and_a_view_share_a_path(app: Site) -> None:
    echo_on(app, "/both")

    @app.get("/both")
    def page() -> str:
        return "page"

    client = app.test_client()
    with client.websocket_connect("/both") as connected:
        connected.send("x")
        assert client.get("/both").text == "page"
        assert connected.receive() == "x"


def test_a_sync_view_is_a_mistake(app: Site) -> None:
    with pytest.raises(TypeError, match="async def"):

        @app.websocket("/ws")
        def view() -> None: ...


def test_request_like_values(app: Site) -> None:
    @app.websocket("/values")
    async def values() -> None:
        g.value = "of g"
        session["seen"] = session.get("seen", 0) + 1
        await websocket.send_json(
            args=websocket.args.to_dict(),
            header=websocket.headers["X-Header"],
            cookie=websocket.cookies["cookie"],
            path=websocket.path,
            url=websocket.url,
            host=websocket.host,
            remote_addr=websocket.remote_addr,
            scheme=websocket.scheme,
            method=websocket.method,
            protocols=websocket.requested_subprotocols,
            g=g.value,
            seen=session["seen"],
            app=current_app.name,
            has_request=has_request_context(),
            same=request._get_current_object() is websocket._get_current_object(),
        )

    client = app.test_client()
    client.set_cookie("cookie", "value")
    for seen in (1, 2):
        with client.websocket_connect(
            "/values", query_string={"a": "1"}, headers={"X-Header": "ä"}, subprotocols=["one", "two"]
        ) as connected:
            assert connected.receive_json() == {
                "args": {"a": "1"},
                "header": "ä",
                "cookie": "value",
                "path": "/values",
                "url": "ws://localhost/values?a=1",
                "host": "localhost",
                "remote_addr": "127.0.0.1",
                "scheme": "ws",
                "method": "GET",
                "protocols": ["one", "two"],
                "g": "of g",
                "seen": seen,
                "app": "site",
                "has_request": True,
                "same": True,
            }


def test_a_scope_without_scheme(app: Site) -> None:
    """As daphne's are."""

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send(websocket.url)

    async def main() -> list[str]:
        connected = Connected(app)
        del connected._scope["scheme"]
        await connected.end()
        return connected.texts

    assert run(main) == ["ws://localhost/ws"]


def test_headers_of_a_body_do_not_make_one(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send_json([request.form, len(request.get_data()), request.get_json(silent=True)])

    async def main() -> list[str]:
        form = (b"content-type", b"application/x-www-form-urlencoded")
        connected = Connected(app, headers=[(b"content-length", b"5"), form])
        await connected.end()
        return connected.texts

    assert run(main) == ["[{},0,null]"] or run(main) == ["[{}, 0, null]"]


# -- messages ------------------------------------------------------------------------------------------

MESSAGES: list[str | bytes] = ["text", "", b"bytes", b"", "ä✓\0", bytes(range(256)), "x" * 100_000]


def test_messages_of_both_kinds_also_empty(app: Site) -> None:
    echo_on(app)
    with app.test_client().websocket_connect("/ws") as client:
        for message in MESSAGES:
            client.send(message)
            answer = client.receive()
            assert answer == message
            assert type(answer) is type(message)
    assert app.torn_down == [None]


def test_json(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        while True:
            value = await websocket.receive_json()
            await websocket.send_json({"got": value})
            await websocket.send_json(1, 2)
            await websocket.send_json(a=1)

    with app.test_client().websocket_connect("/ws") as client:
        client.send_json({"a": [1, None]})
        assert [client.receive_json() for _ in range(3)] == [{"got": {"a": [1, None]}}, [1, 2], {"a": 1}]


@pytest.mark.parametrize("message", ["[1,", b"\xff\xfe", "[" * 100_000])
def test_no_json_is_a_bad_request(app: Site, message: str | bytes) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.receive_json()

    with app.test_client().websocket_connect("/ws") as client:
        client.send(message)
        with pytest.raises(WebsocketClosed) as closed:
            client.receive()
    assert closed.value.code == 1008


def test_other_values_are_no_messages(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        with pytest.raises(TypeError, match="send_json"):
            await websocket.send({"a": 1})  # type: ignore[arg-type]
        await websocket.send(bytearray(b"a"))  # type: ignore[arg-type]

    with app.test_client().websocket_connect("/ws") as client:
        assert client.receive() == b"a"
        with pytest.raises(TypeError, match="string or bytes"):
            client.send(5)  # type: ignore[arg-type]


# -- accept and close ----------------------------------------------------------------------------------


def test_accept_with_headers_and_subprotocol(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        session["user"] = "joe"
        await websocket.accept(headers={"X-Answer": "yes"}, subprotocol=websocket.requested_subprotocols[-1])
        with pytest.raises(RuntimeError, match="accepted already"):
            await websocket.accept()
        app.notes.append(websocket.accepted)

    client = app.test_client()
    with client.websocket_connect("/ws", subprotocols=["a", "b"]) as connected:
        assert connected.accepted_subprotocol == "b"
        assert connected.headers["X-Answer"] == "yes"
        assert connected.headers["Set-Cookie"].startswith("session=")
    with client.session_transaction() as kept:
        assert kept["user"] == "joe"
    assert app.notes == [True]


def test_a_subprotocol_that_was_not_offered(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        with pytest.raises(ValueError, match="not offered"):
            await websocket.accept(subprotocol="other")
        await websocket.accept(subprotocol="a")

    with app.test_client().websocket_connect("/ws", subprotocols=["a"]) as client:
        assert client.accepted_subprotocol == "a"


@pytest.mark.parametrize("first", ["send", "receive", "iterate"])
def test_the_first_use_accepts(app: Site, first: str) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        assert not websocket.accepted
        if first == "send":
            await websocket.send("x")
        elif first == "receive":
            await websocket.receive()
        else:
            async for _ in websocket:
                break
        assert websocket.accepted

    async def main() -> list[str]:
        connected = Connected(app)
        await connected.until_sent()
        connected.say("x")
        await connected.end()
        return connected.kinds

    kinds = run(main)
    assert kinds[0] == "websocket.accept"
    assert kinds.count("websocket.accept") == 1
    assert kinds[-1] == "websocket.close"


def test_concurrent_first_sends_accept_once() -> None:
    class Slow(SecureCookieSessionInterface):
        async def save_session(self, *args: Any) -> None:  # type: ignore[override]
            await asyncio.sleep(0.02)

    app = Site()
    app.session_interface = Slow()

    @app.websocket("/ws")
    async def view() -> None:
        session["changed"] = True
        await asyncio.gather(*(websocket.send(name) for name in "abc"))

    async def main() -> tuple[list[str], list[str]]:
        connected = Connected(app)
        await connected.end()
        return connected.kinds, connected.texts

    kinds, texts = run(main)
    assert kinds == ["websocket.accept", *["websocket.send"] * 3, "websocket.close"]
    assert sorted(texts) == ["a", "b", "c"]


def test_the_end_of_the_view_closes(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()

    with app.test_client().websocket_connect("/ws") as client:
        with pytest.raises(WebsocketClosed) as closed:
            client.receive()
        assert (closed.value.code, client.close_code, client.close_reason) == (1000, 1000, "")


def test_close_with_code_and_reason(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send("last")
        await websocket.close(4001, "good bye ✓")
        with pytest.raises(RuntimeError, match="closed"):
            await websocket.send("x")
        with pytest.raises(RuntimeError, match="closed"):
            await websocket.receive()
        app.notes.append("went on")

    with app.test_client().websocket_connect("/ws") as client:
        assert client.receive() == "last"
        with pytest.raises(WebsocketClosed) as closed:
            client.receive()
        assert (closed.value.code, closed.value.reason) == (4001, "good bye ✓")
        with pytest.raises(WebsocketClosed):
            client.send("too late")
    assert app.notes == ["went on"]
    assert app.torn_down == [None]


@pytest.mark.parametrize(
    "bad", [{"code": 1005}, {"code": 1006}, {"code": 99}, {"code": 5000}, {"reason": "ä" * 62}], ids=str
)
def test_what_cannot_be_closed_with(app: Site, bad: dict[str, Any]) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        with pytest.raises(ValueError, match="closed"):
            await websocket.close(**bad)
        await websocket.close(3000, "ä" * 61)

    with app.test_client().websocket_connect("/ws") as client, pytest.raises(WebsocketClosed, match="3000"):
        client.receive()


def test_closing_while_another_task_receives(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        async def read() -> None:
            async for message in websocket:
                app.notes.append(message)
            app.notes.append("reader ended")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            await asyncio.sleep(0.05)
            await websocket.close(4001)
        app.notes.append("view ended")

    async def main() -> list[str]:
        connected = Connected(app)
        await connected.until_sent()
        connected.say("hello")
        await connected.end()  # although the client never answers the close
        return connected.kinds

    assert run(main)[-1] == "websocket.close"
    assert app.notes == ["hello", "reader ended", "view ended"]
    assert app.torn_down == [None]


# -- hooks -----------------------------------------------------------------------------------------


def test_hooks_of_application_and_blueprints(app: Site) -> None:
    outer, inner = Blueprint("outer", "outer", url_prefix="/o"), Blueprint("inner", "inner", url_prefix="/i")
    notes = app.notes

    def register(level: Flask | Blueprint, name: str) -> None:
        level.before_request(lambda: notes.append("a request's"))
        level.teardown_request(lambda error: notes.append("a request's"))

        @level.before_websocket
        async def before() -> None:
            notes.append(f"before {name}")

        @level.after_websocket
        def after(response: Any) -> Any:
            notes.append(f"after {name} {response}")
            return response

        @level.teardown_websocket
        def tear_down(error: BaseException | None) -> None:
            notes.append(f"teardown {name} {error}")

    for level, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        register(level, name)

    @inner.websocket("/ws")
    async def view() -> None:
        notes.append("view")
        await websocket.accept()

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    with app.test_client().websocket_connect("/o/i/ws"):
        pass
    assert notes == [
        *("before app", "before outer", "before inner"),
        "view",
        *("after inner None", "after outer None", "after app None"),
        *("teardown inner None", "teardown outer None", "teardown app None"),
    ]


@pytest.mark.parametrize("kind", ["before", "after", "teardown"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("accepts", [True, False])
def test_sync_hooks_in_the_test_client(kind: str, count: int, accepts: bool) -> None:
    app = Flask("hooks")
    threads: list[int] = []

    def hook(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return args[0] if kind == "after" else None

    for _ in range(count):
        getattr(app, f"{kind}_websocket")(hook)

    @app.websocket("/ws")
    async def view() -> None:
        if accepts:
            await websocket.accept()

    if accepts:
        with app.test_client().websocket_connect("/ws"):
            pass
    else:
        with pytest.raises(WebsocketResponseError):
            app.test_client().websocket_connect("/ws")
    assert threads == [threading.get_ident()] * count


def test_teardown_once_if_it_raises(app: Site) -> None:
    @app.teardown_websocket
    def tear_down(error: BaseException | None) -> None:
        raise ValueError("teardown")

    echo_on(app)

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        connected.leave()
        with pytest.raises(ValueError, match="teardown"):
            await connected.end()

    run(main)
    assert app.torn_down == [None]


# -- refusing ---------------------------------------------------------------------------------------


def refusing(app: Site) -> None:
    @app.websocket("/<how>")
    async def refuse(how: str) -> Any:
        if how == "abort":
            abort(403)
        if how == "raise":
            raise ZeroDivisionError
        if how == "handled":
            raise LookupError
        if how == "close":
            await websocket.close(4000, "no")
        if how == "response":
            return "tea", 418, {"X-Why": "tea"}
        if how == "stream":
            return app.response_class(str(number) for number in range(3))
        return None

    @app.errorhandler(LookupError)
    def handle(error: LookupError) -> Any:
        return "handled", 409

    @app.before_websocket
    def before() -> Any:
        return ("not you", 401) if request.path == "/hook" else None

    @app.after_websocket
    def after(response: Any) -> Any:
        if response is not None:
            response.headers["X-After"] = "yes"
        return response

    @app.get("/only/http")
    def page() -> str:
        return ""


REFUSALS = {
    "abort": 403,
    "raise": 500,
    "handled": 409,
    "close": 403,
    "response": 418,
    "stream": 200,
    "none": 403,
    "hook": 401,
    "only/http": 400,
    "no/where": 404,
}


@pytest.mark.parametrize("how", REFUSALS)
def test_refusals(app: Site, how: str) -> None:
    refusing(app)
    with pytest.raises(WebsocketResponseError) as refused:
        app.test_client().websocket_connect(f"/{how}")
    assert refused.value.status_code == REFUSALS[how]
    response = refused.value.response
    if how == "response":
        assert (response.text, response.status, response.headers["X-Why"]) == (
            "tea",
            "418 I'M A TEAPOT",
            "tea",
        )
    if how == "stream":
        assert response.get_data() == b"012"
    if how not in ("raise", "close", "none"):
        assert response.headers["X-After"] == "yes"
    assert [type(error) for error in app.torn_down] == [ZeroDivisionError if how == "raise" else type(None)]


@pytest.mark.parametrize("how", REFUSALS)
def test_refusals_of_a_server_without_the_extension(app: Site, how: str) -> None:
    refusing(app)

    async def main() -> list[dict[str, Any]]:
        connected = Connected(app, f"/{how}", extension=False)
        await connected.end()
        return connected.sent

    [message] = run(main)
    assert message["type"] == "websocket.close"
    assert message["code"] == (4000 if how == "close" else 1008)


def test_a_session_changed_by_a_refusal(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> Any:
        session["attempts"] = 1
        return "no", 403

    client = app.test_client()
    with pytest.raises(WebsocketResponseError):
        client.websocket_connect("/ws")
    with client.session_transaction() as kept:
        assert kept["attempts"] == 1


# -- exceptions -----------------------------------------------------------------------------------------


def failing(app: Site) -> list[BaseException]:
    """A view that raises after it has accepted; what `got_request_exception` tells of."""

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send("a")
        raise ZeroDivisionError("after accept")

    told: list[BaseException] = []

    def tell(sender: Any, exception: BaseException) -> None:
        told.append(exception)

    got_request_exception.connect(tell, app, weak=False)
    return told


def test_an_exception_closes_with_1011_and_is_logged(app: Site, caplog: pytest.LogCaptureFixture) -> None:
    told = failing(app)
    with caplog.at_level(logging.ERROR, "site"):
        with app.test_client().websocket_connect("/ws") as client:
            assert client.receive() == "a"
            with pytest.raises(WebsocketClosed) as closed:
                client.receive()
    assert closed.value.code == 1011
    [record] = [record for record in caplog.records if record.name == "site"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert told == app.torn_down
    assert len(told) == 1


def test_an_exception_propagates_where_it_should_and_is_told_once() -> None:
    app = Site(TESTING=True)
    told = failing(app)
    client = app.test_client().websocket_connect("/ws")
    assert client.receive() == "a"
    with pytest.raises(ZeroDivisionError):
        client.receive()
    assert client.close_code == 1011
    with pytest.raises(ZeroDivisionError):
        client.close()
    assert told == app.torn_down
    assert len(told) == 1


def test_a_handler_that_raises_is_called_once(app: Site) -> None:
    @app.errorhandler(ValueError)
    def handle(error: ValueError) -> Any:
        app.notes.append("handler")
        raise KeyError("in the handler")

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        raise ValueError

    async def main() -> None:
        connected = Connected(app)
        with pytest.raises(KeyError):
            await connected.end()

    run(main)
    assert app.notes == ["handler"]
    assert [type(error) for error in app.torn_down] == [KeyError]


def test_a_handler_after_accept_ends_it_quietly(app: Site, caplog: pytest.LogCaptureFixture) -> None:
    @app.errorhandler(LookupError)
    async def handle(error: LookupError) -> Any:
        app.notes.append(type(error))
        return "nobody gets this"

    @app.websocket("/<how>")
    async def view(how: str) -> None:
        await websocket.accept()
        if how == "abort":
            abort(403)
        raise LookupError

    for how, code in (("abort", 1008), ("lookup", 1011)):
        with app.test_client().websocket_connect(f"/{how}") as client:
            with pytest.raises(WebsocketClosed) as closed:
                client.receive()
        assert closed.value.code == code
    assert app.notes == [LookupError]
    assert app.torn_down == [None, None]
    assert not caplog.records


def test_an_exception_in_a_group(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        async def fail() -> None:
            raise ValueError

        await websocket.accept()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    with app.test_client().websocket_connect("/ws") as client:
        with pytest.raises(WebsocketClosed, match="1011"):
            client.receive()
    assert [type(error) for error in app.torn_down] == [ExceptionGroup]


# -- the client goes ----------------------------------------------------------------------------------


async def _receive() -> None:
    while True:
        await websocket.receive()


async def _iterate() -> None:
    async for _ in websocket:
        pass


async def _sleep() -> None:
    await websocket.accept()
    await asyncio.sleep(3600)


async def _sleep_before_accept() -> None:
    await asyncio.sleep(3600)


async def _send_without_end() -> None:
    while True:
        await websocket.send("x")


async def _receive_in_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_iterate())
        tasks.create_task(asyncio.sleep(3600))


async def _send_in_group() -> None:
    async def send() -> None:
        while True:
            await websocket.send("x")
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        tasks.create_task(asyncio.sleep(3600))


async def _anyio_group() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 3600)
        tasks.start_soon(_receive)


async def _gather() -> None:
    await asyncio.gather(websocket.receive(), asyncio.sleep(3600))


async def _wait_for() -> None:
    while True:
        try:
            await asyncio.wait_for(websocket.receive(), 0.01)
        except TimeoutError:
            await websocket.send("tick")


async def _swallow() -> None:
    await websocket.accept()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await websocket.send("nobody gets this")


WAITING = {
    function.__name__.strip("_"): function
    for function in (
        *(_receive, _iterate, _sleep, _sleep_before_accept, _send_without_end, _receive_in_group),
        *(_send_in_group, _anyio_group, _gather, _wait_for, _swallow),
    )
}


@pytest.mark.parametrize("what", WAITING)
@pytest.mark.parametrize("lost", [False, True], ids=["closed", "connection lost"])
def test_the_client_leaves(app: Site, what: str, lost: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The view ends at once, its clean-up completes, and it is torn down once, without an error."""

    @app.websocket("/ws")
    async def view() -> None:
        app.notes.append("started")
        try:
            await WAITING[what]()
        finally:
            await asyncio.sleep(0.02)
            app.notes.append("cleaned up")

    async def main() -> list[str]:
        connected = Connected(app)
        await connected.until(lambda: app.notes)
        await asyncio.sleep(0.02)
        if lost:
            connected.failure = OSError("the connection is lost")
        connected.leave()
        await connected.end(1.0)
        return connected.kinds

    kinds = run(main)
    assert app.notes == ["started", "cleaned up"]
    assert app.torn_down == [None]
    assert not caplog.records
    if "websocket.accept" in kinds:
        assert "websocket.close" not in kinds


def test_leaving_before_accept_is_answered(app: Site) -> None:
    """Some servers wait for an answer to the handshake, whoever is there to get it."""

    @app.websocket("/ws")
    async def view() -> None:
        app.notes.append("started")
        await asyncio.sleep(3600)

    async def main() -> list[str]:
        connected = Connected(app)
        await connected.until(lambda: app.notes)
        connected.leave()
        await connected.end()
        return connected.kinds

    assert run(main) == ["websocket.close"]
    assert app.torn_down == [None]


def test_leaving_in_a_hook(app: Site) -> None:
    @app.before_websocket
    async def before() -> None:
        app.notes.append("hook")
        await asyncio.sleep(3600)

    echo_on(app)

    async def main() -> None:
        connected = Connected(app)
        await connected.until(lambda: app.notes)
        connected.leave()
        await connected.end()

    run(main)
    assert app.torn_down == [None]


def test_leaving_before_the_handshake(app: Site) -> None:
    echo_on(app)

    async def main() -> list[str]:
        connected = Connected(app)
        connected._inbox.get_nowait()
        connected.leave()
        await connected.end()
        return connected.kinds

    assert run(main) == []


def test_the_code_of_the_client(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        try:
            await _receive()
        except WebsocketDisconnect as gone:
            app.notes.append((gone.code, gone.reason))
            with pytest.raises(WebsocketDisconnect):
                await websocket.receive()
            with pytest.raises(WebsocketDisconnect):
                await websocket.send("x")

    client = app.test_client().websocket_connect("/ws")
    client.close(4002, "from here")
    client.close()
    assert app.notes == [(4002, "from here")]
    assert app.torn_down == [None]
    with pytest.raises(RuntimeError, match="closed"):
        client.send("x")


def test_except_exception_does_not_swallow_it(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        while True:
            try:
                await websocket.receive()
            except Exception as error:
                app.notes.append(error)

    with app.test_client().websocket_connect("/ws") as client:
        client.send("x")
    assert app.notes == []
    assert app.torn_down == [None]


def test_last_messages_before_leaving_are_not_lost(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        async for message in websocket:
            await asyncio.sleep(0.01)
            app.notes.append(message)

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        for number in range(10):
            connected.say(str(number))
        connected.leave()
        await connected.end()

    run(main)
    assert app.notes == [str(number) for number in range(10)]


def test_a_message_and_the_leaving_together(app: Site) -> None:
    """The view takes one message and then waits for something else, for ever: it is cancelled."""

    @app.websocket("/ws")
    async def view() -> None:
        app.notes.append(await websocket.receive())
        await asyncio.sleep(3600)

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        await asyncio.sleep(0.02)
        connected.say("x")
        connected.leave()
        await connected.end()

    run(main)
    assert app.notes == ["x"]
    assert app.torn_down == [None]


@pytest.mark.parametrize("how", ["iterate", "receive"])
def test_clean_up_may_take_longer_than_the_last_message(app: Site, how: str) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        try:
            if how == "iterate":
                async for _ in websocket:
                    await asyncio.sleep(0.1)
            else:
                while True:
                    await websocket.receive()
                    await asyncio.sleep(0.1)
        finally:
            await asyncio.sleep(1.2)
            app.notes.append("cleaned up")

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        connected.say("x")
        await asyncio.sleep(0.05)
        connected.leave()
        await connected.end()

    run(main)
    assert app.notes == ["cleaned up"]
    assert app.torn_down == [None]


def test_a_send_fails_in_a_child_task(app: Site) -> None:
    """And `receive` says nothing of it: the task group ends nevertheless."""

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        await _send_in_group()

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent("websocket.send")
        connected.failure = OSError("the connection is lost")
        await connected.end()

    run(main)
    assert app.torn_down == [None]


@pytest.mark.parametrize("after_fails", [False, True])
def test_an_unexpected_refusal_passes_the_hooks(
    app: Site, caplog: pytest.LogCaptureFixture, after_fails: bool
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.websocket("/ws")
    async def view() -> None:
        raise KeyError("view")

    @app.after_websocket
    def after(response: Any) -> Any:
        app.notes.append(response.status_code)
        if after_fails:
            raise LookupError("after")
        response.headers["X-After"] = "yes"
        return response

    with pytest.raises(WebsocketResponseError) as refused:
        app.test_client().websocket_connect("/ws")
    assert refused.value.status_code == 500
    assert refused.value.response.headers.get("X-After") == (None if after_fails else "yes")
    assert app.notes == [500]
    assert [type(error) for error in app.torn_down] == [KeyError]
    assert ("after_websocket" in caplog.text) is after_fails


@pytest.mark.parametrize("kind", [OSError, RuntimeError])  # the latter is daphne's
def test_send_tells_before_receive_does(app: Site, kind: type[Exception]) -> None:
    """The clean-up that follows the failed `send` is not cut when the server tells of the leaving, too."""

    @app.websocket("/ws")
    async def view() -> None:
        try:
            while True:
                await websocket.send("x")
                await asyncio.sleep(0.001)
        finally:
            app.notes.append("cleaning up")
            await asyncio.sleep(0.1)
            app.notes.append("cleaned up")

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent("websocket.send")
        connected.failure = kind("the connection is lost")
        await connected.until(lambda: app.notes)
        connected.leave()
        await connected.end()

    run(main)
    assert app.notes == ["cleaning up", "cleaned up"]
    assert app.torn_down == [None]


def test_a_failure_while_cleaning_up_is_an_error(app: Site, caplog: pytest.LogCaptureFixture) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("clean-up")

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        connected.leave()
        await connected.end()

    run(main)
    assert [type(error) for error in app.torn_down] == [ValueError]
    assert "clean-up" in caplog.text


def test_the_server_cancels(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        try:
            await _sleep()
        finally:
            await asyncio.sleep(0.01)
            app.notes.append("cleaned up")

    async def main() -> None:
        connected = Connected(app)
        await connected.until_sent()
        connected.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connected.end()

    run(main)
    assert app.notes == ["cleaned up"]
    assert [type(error) for error in app.torn_down] == [asyncio.CancelledError]


def test_a_view_that_does_not_receive_keeps_little(app: Site) -> None:
    """At most 512 KiB are taken from the server ahead of the view."""
    go = asyncio.Event()

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        await go.wait()
        async for message in websocket:
            app.notes.append(len(message))

    async def main() -> int:
        connected = Connected(app)
        await connected.until_sent()
        for _ in range(200):
            connected.say("x" * 65536)
        await asyncio.sleep(0.05)
        left = connected._inbox.qsize()
        go.set()
        await connected.until(lambda: len(app.notes) == 200)
        connected.leave()
        await connected.end()
        return left

    assert run(main) >= 190
    assert app.notes == [65536] * 200


# -- what works inside ----------------------------------------------------------------------------------


def test_templates_with_an_async_context_processor(app: Site) -> None:
    @app.context_processor
    async def add() -> dict[str, str]:
        await asyncio.sleep(0.005)
        return {"value": "from async"}

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send(render_template_string("{{ value }} {{ request.path }}"))

    with app.test_client().websocket_connect("/ws") as client:
        assert client.receive() == "from async /ws"


def test_sqlite_on_one_thread(app: Site) -> None:
    @app.before_websocket
    def connect() -> None:
        g.db = sqlite3.connect(":memory:")

    @app.teardown_websocket
    def close(error: BaseException | None) -> None:
        g.db.close()

    echo_on(app)
    with app.test_client().websocket_connect("/ws") as client:
        client.send("x")
        assert client.receive() == "x"
    assert app.torn_down == [None]


def test_contexts_of_many_are_apart(app: Site) -> None:
    @app.websocket("/<name>")
    async def view(name: str) -> None:
        g.name = session["name"] = name
        async for _ in websocket:
            await websocket.send_json([g.name, session["name"], request.path])

    names = [str(number) for number in range(10)]
    clients = [app.test_client().websocket_connect(f"/{name}") for name in names]
    for _ in range(3):
        for client in clients:
            client.send("?")
        for name, client in zip(names, clients, strict=True):
            assert client.receive_json() == [name, name, f"/{name}"]
    for client in clients:
        client.close()
    assert app.torn_down == [None] * 10


# -- the test clients -----------------------------------------------------------------------------------


def test_two_clients_talk_in_one_thread(app: Site) -> None:
    members: list[Any] = []

    @app.before_websocket
    def before() -> None: ...

    @app.websocket("/ws")
    async def chat() -> None:
        members.append(websocket._get_current_object())
        try:
            async for message in websocket:
                for member in members:
                    await member.send(message)
        finally:
            members.remove(websocket._get_current_object())

    client = app.test_client()
    with client.websocket_connect("/ws") as one, client.websocket_connect("/ws") as other:
        one.send("hello")
        assert (other.receive(), one.receive()) == ("hello", "hello")


def test_nothing_comes(app: Site) -> None:
    echo_on(app)
    with app.test_client().websocket_connect("/ws") as client, pytest.raises(TimeoutError):
        client.receive(timeout=0.05)


def test_the_with_block_keeps_the_context(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        g.kept = "kept"
        await websocket.accept()

    with app.test_client() as client:
        with client.websocket_connect("/ws"):
            pass
        assert (g.kept, request.path) == ("kept", "/ws")


def test_the_awaited_client(app: Site) -> None:
    threads: set[int] = set()

    @app.before_websocket
    def connect() -> None:
        threads.add(threading.get_ident())
        g.db = sqlite3.connect(":memory:")

    @app.teardown_websocket
    def close(error: BaseException | None) -> None:
        threads.add(threading.get_ident())
        g.db.close()

    @app.websocket("/ws")
    async def view() -> None:
        await websocket.send_json(await websocket.receive_json())
        async for message in websocket:
            await websocket.send(message)

    @app.websocket("/refuse")
    async def refuse() -> None:
        abort(403)

    async def main() -> None:
        async with app.test_client() as client:
            async with client.websocket_connect("/ws") as connected:
                await connected.send_json(a=1)
                assert await connected.receive_json() == {"a": 1}
                for message in MESSAGES:
                    await connected.send(message)
                    assert await connected.receive() == message
            with pytest.raises(RuntimeError, match="not open"):
                await client.websocket_connect("/ws").receive()

    run(main)
    assert app.torn_down == [None]
    assert len(threads) == 1

    async def refused() -> int:
        async with app.test_client() as client:
            with pytest.raises(WebsocketResponseError) as refusal:
                await client.websocket_connect("/refuse")
            return refusal.value.status_code

    assert run(refused) == 403


@pytest.mark.parametrize("in_block", [True, False])
def test_the_awaited_client_after_a_request(app: Site, in_block: bool) -> None:
    """It has kept the contexts of the request, which are left where they were entered."""
    echo_on(app)

    @app.get("/page")
    async def page() -> str:
        return "page"

    async def main() -> None:
        async with app.test_client() as client:
            assert (await client.get("/page")).text == "page"
            if in_block:
                async with client.websocket_connect("/ws") as connected:
                    await connected.send("x")
                    assert await connected.receive() == "x"
            else:
                connected = await client.websocket_connect("/ws")
                await connected.close()
            assert (await client.get("/page")).text == "page"
            assert request.path == "/page"

    run(main)


def test_the_awaited_client_opened_without_a_block(app: Site) -> None:
    echo_on(app)

    async def main() -> None:
        async with app.test_client() as client:
            connected = await client.websocket_connect("/ws")
            await connected.send("x")
            assert await connected.receive() == "x"
            await connected.close(4003)
            with pytest.raises(RuntimeError, match="closed"):
                await connected.send("x")

    run(main)
    assert app.torn_down == [None]


def test_the_awaited_client_is_told_of_a_close(app: Site) -> None:
    @app.websocket("/ws")
    async def view() -> None:
        await websocket.accept()
        await websocket.close(4000)
        await asyncio.sleep(0.05)

    async def main() -> int:
        async with app.test_client() as client, client.websocket_connect("/ws") as connected:
            with pytest.raises(WebsocketClosed) as closed:
                await connected.receive()
            with pytest.raises(WebsocketClosed):
                await connected.send("x")
            return closed.value.code

    assert run(main) == 4000


def test_many_awaited_clients_at_once(app: Site) -> None:
    """Each has a thread of its own: they neither wait for nor block each other."""
    app.before_websocket(lambda: None)
    echo_on(app)

    async def main() -> None:
        async with app.test_client() as client:

            async def one(name: str) -> None:
                async with client.websocket_connect("/ws") as connected:
                    await everyone.wait()
                    await connected.send(name)
                    assert await connected.receive() == name

            everyone = asyncio.Barrier(50)
            await asyncio.gather(*(one(str(number)) for number in range(50)))

    run(main)
    assert app.torn_down == [None] * 50


@pytest.mark.parametrize("what", ["send", "close"])
def test_the_awaited_client_sends_and_closes_while_it_receives(app: Site, what: str) -> None:
    app.teardown_websocket(lambda error: None)
    echo_on(app)

    async def main() -> Any:
        async with app.test_client() as client, client.websocket_connect("/ws") as connected:
            receiving = asyncio.create_task(connected.receive())
            await asyncio.sleep(0.05)
            if what == "send":
                await connected.send_json(a=1)
            else:
                await connected.close()
            return (await asyncio.gather(receiving, return_exceptions=True))[0]

    answer = run(main)
    if what == "send":
        assert json.loads(answer) == {"a": 1}
    else:
        assert isinstance(answer, RuntimeError | WebsocketClosed)


FORGOTTEN = """
import asyncio
from asyncflask import Flask, websocket

app = Flask("forgotten")
app.teardown_websocket(lambda error: print("torn down"))

@app.websocket("/ws")
async def echo():
    async for message in websocket:
        await websocket.send(message)

async def main():
    async with app.test_client() as client:
        connected = await client.websocket_connect("/ws")
        await connected.send("x")
        assert await connected.receive() == "x"

asyncio.run(main())
"""


def test_an_awaited_websocket_that_nobody_closes_does_not_hang() -> None:
    command = [sys.executable, "-c", FORGOTTEN]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, timeout=5, capture_output=True, text=True, check=True)
    assert ended.stdout == "torn down\n"
