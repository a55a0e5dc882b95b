"""Sessions on the server, whatever they are kept in."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from asyncflask import Flask, flash, get_flashed_messages, request, session
from asyncflask.helpers import open_session
from asyncflask.sessions import MemorySessionInterface, SessionTooLarge
from tests.lifecycle.loops import eventually

from .conftest import MakeInterface, cookie_of, new_app


class Counting:
    """A store that says how often it was asked."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.calls: list[str] = []
        self.written: list[set[str]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any) -> Any:
            self.calls.append(name)
            if name in ("write", "begin", "move"):
                self.written.append(set(next(a for a in args if isinstance(a, dict))))
            return await method(*args)

        return call


@pytest.fixture
def app(make_interface: MakeInterface) -> Flask:
    return site(make_interface())


def site(interface: Any, **config: Any) -> Flask:
    app = new_app(interface, **config)
    app.session_interface.store = Counting(app.session_interface.store)

    @app.get("/set/<key>/<value>")
    def set_sync(key: str, value: str) -> str:
        session[key] = value
        return "set"

    @app.get("/async-set/<key>/<value>")
    async def set_async(key: str, value: str) -> str:
        session[key] = value
        return "set"

    @app.get("/get/<key>")
    def get_sync(key: str) -> str:
        return repr(session.get(key))

    @app.get("/async-get/<key>")
    async def get_async(key: str) -> str:
        return repr(session.get(key))

    @app.get("/loop-get/<key>", blocking=False)
    def get_on_loop(key: str) -> str:
        return repr(session.get(key))

    @app.get("/pop/<key>")
    async def pop(key: str) -> str:
        return repr(session.pop(key, None))

    @app.get("/append/<value>")
    async def append(value: str) -> str:
        session.setdefault("cart", {"items": []})
        session["cart"]["items"].append(value)
        return "appended"

    @app.get("/touch")
    async def touch() -> str:
        return f"{len(session)}"

    @app.get("/login/<name>")
    async def login(name: str) -> str:
        session["user"] = name
        session.regenerate()
        return "in"

    @app.get("/tutorial-login/<name>")
    def tutorial_login(name: str) -> str:
        session.clear()
        session["user"] = name
        return "in"

    @app.get("/logout")
    async def logout() -> str:
        session.destroy()
        return "out"

    @app.get("/permanent")
    async def permanent() -> str:
        session.permanent = True
        return "permanent"

    @app.get("/nothing")
    async def nothing() -> str:
        return "nothing"

    @app.get("/sync-nothing")
    def sync_nothing() -> str:
        return "nothing"

    @app.get("/fails")
    async def fails() -> str:
        session["before"] = "the failure"
        raise KeyError("x")

    return app


@pytest.mark.parametrize("way", ["get", "async-get", "loop-get"])
@pytest.mark.parametrize("how", ["set", "async-set"])
def test_a_session_is_kept(app: Flask, how: str, way: str) -> None:
    client = app.test_client()
    response = client.get(f"/{how}/name/Ada")
    assert response.vary.as_set() == {"cookie"}
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "Ada" not in response.headers["Set-Cookie"]
    response = client.get(f"/{way}/name")
    assert response.text == "'Ada'"
    assert response.vary.as_set() == {"cookie"}
    assert "Set-Cookie" not in response.headers
    assert app.test_client().get(f"/{way}/name").text == "None"


def test_what_does_not_use_it_costs_nothing(app: Flask) -> None:
    client = app.test_client()
    client.get("/set/name/Ada")
    store: Any = app.session_interface.store  # type: ignore[attr-defined]
    store.calls.clear()
    for path in ("/nothing", "/sync-nothing", "/missing"):
        response = client.get(path)
        assert "Vary" not in response.headers
        assert "Set-Cookie" not in response.headers
    assert store.calls == []
    client.get("/touch")
    assert store.calls == ["open"]  # read, and nothing was changed
    assert app.test_client().get("/touch").text == "0"
    assert store.calls == ["open"]  # there was no cookie


def test_only_what_was_changed_is_written(app: Flask) -> None:
    client = app.test_client()
    client.get("/set/name/Ada")
    client.get("/append/one")
    store: Any = app.session_interface.store  # type: ignore[attr-defined]
    store.written.clear()
    client.get("/append/two")
    assert store.written == [{"cart"}]
    client.get("/set/name/Ada")
    assert store.written == [{"cart"}]  # it is the same
    assert client.get("/get/cart").text == "{'items': ['one', 'two']}"
    assert client.get("/get/name").text == "'Ada'"


def test_of_ten_writers_ten_are_kept(make_interface: MakeInterface) -> None:
    app = site(make_interface())
    barrier = asyncio.Barrier(10)

    @app.get("/write/<number>")
    async def write(number: str) -> str:
        assert len(session) == 1
        await barrier.wait()
        session[f"key-{number}"] = number
        return "written"

    async def main() -> Any:
        # The client takes a thread for each request.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(10))
        async with app.test_client() as client:
            await client.get("/set/first/1")
            await asyncio.gather(*(client.get(f"/write/{number}") for number in range(10)))
            return await client.get("/touch")

    assert asyncio.run(main()).text == "11"


def test_a_new_id_at_login(app: Flask) -> None:
    client, thief = app.test_client(), app.test_client()
    client.get("/set/cart/full")
    before = cookie_of(client)
    thief.set_cookie("session", before or "")
    assert thief.get("/get/cart").text == "'full'"
    client.get("/login/ada")
    assert cookie_of(client) != before
    assert client.get("/get/cart").text == "'full'"
    assert client.get("/get/user").text == "'ada'"
    response = thief.get("/get/user")
    assert response.text == "None"
    assert "Set-Cookie" not in response.headers  # the browser may have the new one by now
    assert thief.get("/get/cart").text == "None"


def test_clear_and_set_is_a_new_session_too(app: Flask) -> None:
    client, thief = app.test_client(), app.test_client()
    client.get("/set/cart/full")
    thief.set_cookie("session", cookie_of(client) or "")
    client.get("/tutorial-login/ada")
    assert client.get("/get/user").text == "'ada'"
    assert client.get("/get/cart").text == "None"
    assert thief.get("/get/user").text == "None"


def test_logout(app: Flask) -> None:
    client, thief = app.test_client(), app.test_client()
    client.get("/login/ada")
    thief.set_cookie("session", cookie_of(client) or "")
    client.get("/logout")
    assert cookie_of(client) is None
    assert thief.get("/get/user").text == "None"
    client.get("/set/name/Bob")
    assert client.get("/get/name").text == "'Bob'"


def test_a_session_that_has_ended_does_not_come_back(make_interface: MakeInterface) -> None:
    """A request that has opened it before, and saves it afterwards, is too late."""
    app = site(make_interface())
    opened, ended = asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        session["theme"] = "dark"
        opened.set()
        await ended.wait()
        return "slow"

    async def main(how: str) -> Any:
        opened.clear()
        ended.clear()
        async with app.test_client() as client:
            await client.get("/login/ada")
            cookie = client.get_cookie("session")
            task = asyncio.create_task(client.get("/slow"))
            await opened.wait()
            await client.get(how)
            ended.set()
            response = await task
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers
            client.set_cookie("session", cookie.value)
            return [(await client.get(f"/get/{key}")).text for key in ("user", "theme")]

    assert asyncio.run(main("/logout")) == ["None", "None"]
    opened, ended = asyncio.Event(), asyncio.Event()
    assert asyncio.run(main("/login/bob")) == ["None", "None"]


def test_a_session_that_is_empty_is_still_there(make_interface: MakeInterface) -> None:
    """What was written while its last key was removed is not lost."""
    app = site(make_interface())
    client = app.test_client()
    client.get("/set/name/Ada")
    cookie = cookie_of(client)
    assert client.get("/pop/name").text == "'Ada'"
    assert client.get("/touch").text == "0"
    client.get("/set/name/Bob")
    assert cookie_of(client) == cookie
    assert client.get("/get/name").text == "'Bob'"


def test_nothing_is_kept_of_a_session_without_anything(app: Flask) -> None:
    client = app.test_client()
    for path in ("/pop/x", "/touch", "/get/x"):
        client.get(path)
    store: Any = app.session_interface.store  # type: ignore[attr-defined]
    assert store.calls == []
    assert cookie_of(client) is None


@pytest.mark.parametrize("cookie", ["nonsense", "a.b", "a.b.c", "\u00e4", "x" * 5000, '"a', "..", "."])
def test_a_wrong_cookie_is_a_new_session(app: Flask, cookie: str) -> None:
    client = app.test_client()
    headers = {"Cookie": f"session={cookie}"}
    assert client.get("/get/name", headers=headers).text == "None"
    assert client.get("/set/name/Ada", headers=headers).status_code == 200


def test_an_unsigned_id_is_none(app: Flask) -> None:
    client, thief = app.test_client(), app.test_client()
    client.get("/set/name/Ada")
    id, _, signature = (cookie_of(client) or "").rpartition(".")
    other = "A" if signature[-1] != "A" else "B"
    for forged in (id, f"{id}.", f"{id}.{signature[:-1]}{other}"):
        thief.set_cookie("session", forged)
        assert thief.get("/get/name").text == "None"


def test_the_lifetime_begins_anew_when_it_is_opened(make_interface: MakeInterface) -> None:
    app = site(make_interface(), PERMANENT_SESSION_LIFETIME=timedelta(seconds=1.0))
    client, idle = app.test_client(), app.test_client()
    idle.get("/set/name/Bob")
    client.get("/set/name/Ada")
    done = threading.Event()
    for _ in range(6):
        done.wait(0.3)
        assert client.get("/get/name").text == "'Ada'"
    assert idle.get("/get/name").text == "None"
    done.wait(1.2)
    assert client.get("/get/name").text == "None"


def test_permanent(app: Flask) -> None:
    client = app.test_client()
    assert "Expires" not in client.get("/set/name/Ada").headers["Set-Cookie"]
    assert "Expires" in client.get("/permanent").headers["Set-Cookie"]
    assert "Expires" in client.get("/get/name").headers["Set-Cookie"]  # SESSION_REFRESH_EACH_REQUEST
    assert "Set-Cookie" not in client.get("/nothing").headers
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert "Set-Cookie" not in client.get("/get/name").headers


def test_cookie_attributes(make_interface: MakeInterface) -> None:
    app = site(make_interface(), SESSION_COOKIE_NAME="sid", SESSION_COOKIE_SECURE=True)
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PATH="/a")
    header = app.test_client().get("/set/name/Ada").headers["Set-Cookie"]
    assert header.startswith("sid=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/a"} <= set(header.split("; "))


def test_values_of_all_types(app: Flask) -> None:
    values = {
        "tuple": (1, "2"),
        "bytes": b"\0x",
        "nested": {"list": [1, {"a": None}]},
        "": "empty",
        "\ud800": "\udfff",
        "K\u00fcche": "\u2603",
        "many": list(range(500)),
    }

    @app.get("/types")
    async def types() -> str:
        session.update(values)
        session[5] = "int"  # type: ignore[index]
        return "set"

    client = app.test_client()
    client.get("/types")
    with client.session_transaction() as kept:
        assert kept == {**values, "5": "int"}


def test_thousands_of_keys(app: Flask) -> None:
    @app.get("/keys")
    async def keys() -> str:
        session.update({f"{number}": 1 for number in range(5000)})
        return "set"

    client = app.test_client()
    client.get("/keys")
    assert client.get("/touch").text == "5000"


def test_too_large(make_interface: MakeInterface) -> None:
    app = site(make_interface(max_size=1000))
    client = app.test_client()
    client.get("/set/name/Ada")
    response = client.get(f"/set/large/{'x' * 1000}")
    assert response.status_code == 413
    assert response.content_type.startswith("text/html")
    assert "Set-Cookie" not in response.headers
    assert client.get("/get/large").text == "None"
    assert client.get("/get/name").text == "'Ada'"


def test_the_error_handlers_have_the_word(make_interface: MakeInterface) -> None:
    app = site(make_interface(max_size=1000))

    @app.errorhandler(SessionTooLarge)
    async def handler(error: SessionTooLarge) -> tuple[str, int]:
        return "too much", 418

    response = app.test_client().get(f"/set/large/{'x' * 1000}")
    assert (response.status_code, response.text) == (418, "too much")


def test_flashed_messages(app: Flask) -> None:
    @app.get("/flash/<text>")
    async def flash_it(text: str) -> str:
        flash(text)
        return "flashed"

    @app.get("/messages")
    def messages() -> list[Any]:
        return list(get_flashed_messages())

    client = app.test_client()
    client.get("/flash/one")
    client.get("/flash/two")
    assert client.get("/messages").json == ["one", "two"]
    assert client.get("/messages").json == []


def test_hooks_templates_and_unhandled_errors(app: Flask) -> None:
    from asyncflask import render_template_string

    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.before_request
    async def look() -> None:
        if request.path == "/page":
            session["seen"] = session.get("seen", 0) + 1

    @app.after_request
    def note(response: Any) -> Any:
        if request.path == "/page":
            session["answered"] = True
        return response

    @app.get("/page")
    async def page() -> str:
        return render_template_string("{{ session.seen }} {{ session.answered }}")

    client = app.test_client()
    assert client.get("/page").text == "1 "
    assert client.get("/page").text == "2 True"
    assert client.get("/fails").status_code == 500
    assert client.get("/get/before").text == "'the failure'"


def test_tasks_of_a_view(app: Flask) -> None:
    @app.get("/tasks")
    async def tasks() -> list[Any]:
        async def read() -> Any:
            return (await open_session()).get("name")

        return await asyncio.gather(read(), read())

    @app.get("/wrong")
    async def wrong() -> str:
        async def read() -> Any:
            await asyncio.sleep(0)
            return session.get("name")

        try:
            return str(await asyncio.create_task(read()))
        except RuntimeError as error:
            return str(error)

    client = app.test_client()
    client.get("/set/name/Ada")
    assert client.get("/tasks").json == ["Ada", "Ada"]
    if not isinstance(app.session_interface, MemorySessionInterface):
        assert "await open_session()" in client.get("/wrong").text


def test_without_a_secret_key(make_interface: MakeInterface) -> None:
    app = site(make_interface())
    app.secret_key = None
    client = app.test_client()
    assert client.get("/get/name").text == "None"
    app.testing = True
    with pytest.raises(RuntimeError, match="secret key"):
        client.get("/async-set/name/Ada")


def test_a_new_secret_key(app: Flask) -> None:
    client = app.test_client()
    client.get("/set/name/Ada")
    app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["a secret"])
    assert client.get("/get/name").text == "'Ada'"
    app.config.update(SECRET_KEY_FALLBACKS=None)
    assert client.get("/get/name").text == "None"


def test_session_transaction(app: Flask) -> None:
    client = app.test_client()
    with client.session_transaction() as opened:
        opened["name"] = "Ada"
    assert client.get("/get/name").text == "'Ada'"
    client.get("/append/one")
    with client.session_transaction() as opened:
        opened["cart"]["items"].append("two")
    assert client.get("/get/cart").text == "{'items': ['one', 'two']}"

    async def main() -> None:
        async with app.test_client() as client:
            async with client.session_transaction() as opened:
                opened["name"] = "Bob"
            assert (await client.get("/get/name")).text == "'Bob'"
            async with client.session_transaction() as opened:
                assert opened["name"] == "Bob"

    asyncio.run(main())


# -- from signed cookies --------------------------------------------------------------------------


def test_nobody_is_logged_out_by_the_change(make_interface: MakeInterface) -> None:
    old = site_with_signed_cookies()
    client = old.test_client()
    client.get("/set/user/ada")
    signed = cookie_of(client) or ""
    app = site(make_interface())
    moved = app.test_client()
    moved.set_cookie("session", signed)
    assert moved.get("/get/user").text == "'ada'"
    assert cookie_of(moved) != signed
    assert moved.get("/get/user").text == "'ada'"
    moved.get("/logout")
    assert cookie_of(moved) is None

    moved.set_cookie("session", signed)
    moved.get("/logout")
    assert cookie_of(moved) is None

    closed = site(make_interface(migrate=False)).test_client()
    closed.set_cookie("session", signed)
    assert closed.get("/get/user").text == "None"


def site_with_signed_cookies() -> Flask:
    app = new_app()

    @app.get("/set/<key>/<value>")
    def set_sync(key: str, value: str) -> str:
        session[key] = value
        return "set"

    return app


# -- websockets -----------------------------------------------------------------------------------


def test_websockets_are_saved_when_accepted_and_at_their_end(app: Flask) -> None:
    from asyncflask import websocket

    @app.websocket("/ws")
    async def ws() -> None:
        session["visits"] = session.get("visits", 0) + 1
        await websocket.accept()
        session.setdefault("said", [])
        async for message in websocket:
            session["said"].append(message)
            await websocket.send("noted")

    client = app.test_client()
    for number in range(2):
        with client.websocket_connect("/ws") as connection:
            connection.send(f"Hello {number}")
            connection.receive()
        assert cookie_of(client) is not None
    eventually(lambda: client.get("/get/said").text == "['Hello 0', 'Hello 1']", "saved")
    assert client.get("/get/visits").text == "2"


def test_what_a_websocket_cannot_tell_the_browser(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    from asyncflask import websocket

    @app.websocket("/ws/<what>")
    async def ws(what: str) -> None:
        await websocket.accept()
        if what == "begin":
            session["name"] = "Ada"
        elif what == "regenerate":
            session["name"] = "Ada"
            session.regenerate()
        else:
            session.destroy()
        await websocket.send("done")

    def connect(client: Any, what: str) -> None:
        with client.websocket_connect(f"/ws/{what}") as connection:
            connection.receive()
            with pytest.raises(Exception):  # noqa: B017  (closed)
                connection.receive()

    client = app.test_client()
    connect(client, "begin")
    assert "dropped" in caplog.text
    client.get("/set/first/1")
    connect(client, "regenerate")
    eventually(lambda: client.get("/get/name").text == "'Ada'", "saved")
    assert "cannot have another id" in caplog.text
    connect(client, "destroy")
    eventually(lambda: client.get("/get/first").text == "None", "deleted")
