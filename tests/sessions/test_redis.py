"""What only Redis can do: several processes, and a server that is away."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from typing import Any

import pytest

import asyncflask.redis.pipeline as pipeline_module
from asyncflask import Flask, session, websocket
from asyncflask.sessions.redis import RedisSessionInterface
from tests.channels.conftest import eventually
from tests.channels.redis_server import RedisServer

from .conftest import cookie_of, new_app


def site(url: Any, testing: bool = False, **options: Any) -> Flask:
    app = new_app(RedisSessionInterface(url, **options))
    app.testing = testing

    @app.get("/set/<key>/<value>")
    async def set_async(key: str, value: str) -> str:
        session[key] = value
        return "set"

    @app.get("/sync-set/<key>/<value>")
    def set_sync(key: str, value: str) -> str:
        session[key] = value
        return "set"

    @app.get("/get/<key>")
    async def get_async(key: str) -> str:
        return repr(session.get(key))

    @app.get("/sync-get/<key>")
    def get_sync(key: str) -> str:
        return repr(session.get(key))

    @app.get("/catching")
    async def catching() -> str:
        try:
            return repr(session.get("name"))
        except Exception as error:
            return type(error).__name__

    @app.get("/nothing")
    async def nothing() -> str:
        return "nothing"

    return app


def test_processes_share_sessions(shared_redis: RedisServer) -> None:
    one, other = (site(shared_redis.url, prefix="share").test_client() for _ in range(2))
    stranger = site(shared_redis.url, prefix="share-others").test_client()
    one.get("/set/name/Ada")
    for client in (other, stranger):
        client.set_cookie("session", cookie_of(one) or "")
    other.get("/set/cart/full")
    assert one.get("/get/cart").text == "'full'"
    assert stranger.get("/get/cart").text == "None"


def test_while_redis_is_away_and_when_it_is_back(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = site(redis_server.url).test_client()
    client.get("/set/name/Ada")
    redis_server.stop(signal.SIGKILL)
    for path in ("/get/name", "/sync-get/name", "/set/a/b", "/sync-set/a/b"):
        response = client.get(path)
        assert response.status_code == 503, path
        assert "Set-Cookie" not in response.headers
        assert str(redis_server.port) not in response.text
    assert client.get("/nothing").status_code == 200
    assert client.get("/catching").text == "SessionUnavailable"
    assert client.application.test_client().get("/get/name").text == "None"  # there was no cookie
    assert client.application.test_client().get("/set/name/Bob").status_code == 503
    assert "is not to be reached" in caplog.text
    redis_server.start()
    assert client.get("/get/name").text == "'Ada'"
    assert client.get("/set/name/Bob").status_code == 200
    assert client.get("/sync-get/name").text == "'Bob'"


def test_connections_that_are_cut_are_not_noticed(redis_server: RedisServer) -> None:
    client = site(redis_server.url).test_client()
    client.get("/set/name/Ada")
    for _ in range(5):
        assert redis_server.cut() >= 1
        assert client.get("/get/name").text == "'Ada'"
    redis_server.stop()
    redis_server.start()
    assert client.get("/get/name").text == "'Ada'"
    with redis_server.client() as redis:
        redis.script_flush()
    assert client.get("/get/name").text == "'Ada'"


def test_read_only_while_redis_is_away(redis_server: RedisServer) -> None:
    client = site(redis_server.url, when_away="empty").test_client()
    client.get("/set/name/Ada")
    redis_server.stop()
    response = client.get("/get/name")
    assert (response.status_code, response.text) == (200, "None")
    assert response.vary.as_set() == {"cookie"}
    assert client.get("/sync-get/name").status_code == 200
    assert client.get("/set/name/Bob").status_code == 503
    redis_server.start()
    assert client.get("/get/name").text == "'Ada'"


def test_redis_that_does_not_answer(redis_server: RedisServer) -> None:
    client = site(redis_server.url, timeout=0.3).test_client()
    client.get("/set/name/Ada")
    redis_server.freeze()
    assert client.get("/get/name").status_code == 503
    redis_server.thaw()
    assert client.get("/get/name").text == "'Ada'"


def test_redis_that_refuses(redis_server: RedisServer) -> None:
    """Out of memory, or something else under that key: 503, and not a 500."""
    client = site(redis_server.url).test_client()
    client.get("/set/name/Ada")
    with redis_server.client() as redis:
        redis.config_set("maxmemory", "1")
        assert client.get("/set/name/Bob").status_code == 503
        redis.config_set("maxmemory", "0")
        assert client.get("/get/name").text == "'Ada'"
        (key,) = redis.keys("session:*")
        redis.delete(key)
        redis.set(key, "a string")
    assert client.get("/get/name").status_code == 503


def test_a_value_that_cannot_be_read(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    client = site(redis_server.url).test_client()
    client.get("/set/name/Ada")
    with redis_server.client() as redis:
        (key,) = redis.keys("session:*")
        redis.hset(key, "other", "{")
    assert client.get("/get/other").text == "None"
    assert client.get("/get/name").text == "'Ada'"
    assert "'other'" in caplog.text
    client.get("/set/name/Bob")
    with redis_server.client() as redis:
        assert redis.hget(key, "other") == "{"


def test_what_is_in_redis(redis_server: RedisServer) -> None:
    """Nothing but hashes that expire."""
    client = site(redis_server.url).test_client()
    client.get("/set/name/Ada")
    with redis_server.client() as redis:
        (key,) = redis.keys()
        assert redis.hgetall(key) == {"\0": "", "name": '"Ada"'}
        lifetime = client.application.permanent_session_lifetime.total_seconds()
        assert lifetime - 60 < redis.ttl(key) <= lifetime
        with client.session_transaction() as opened:
            opened.destroy()
        assert redis.keys() == []


def test_one_connection_that_is_closed_when_nobody_uses_it(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "LINGER", 0.2)
    app = site(redis_server.url)

    async def main() -> None:
        async with app.test_client() as client:
            await client.get("/set/name/Ada")
            await asyncio.gather(*(client.get("/get/name") for _ in range(20)))
            assert len(redis_server.connections()) == 1
            await eventually(lambda: not redis_server.connections())
            assert (await client.get("/get/name")).text == "'Ada'"
            assert len(redis_server.connections()) == 1
        before = asyncio.all_tasks() - {asyncio.current_task()}
        await eventually(lambda: not any(not task.done() for task in before))

    asyncio.run(main())
    assert redis_server.connections() == []


def test_a_loop_that_ends_leaves_nothing(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    app = site(redis_server.url)

    async def main() -> None:
        async with app.test_client() as client:
            await client.get("/set/name/Ada")

    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            asyncio.run(main())
            assert redis_server.connections() == []
    assert caplog.text == ""


def test_a_websocket_at_its_end_while_redis_is_away(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    app = site(redis_server.url)
    torn_down = []

    @app.websocket("/ws")
    async def ws() -> None:
        session["name"] = "Bob"
        await websocket.accept()
        session["name"] = "Eve"
        await websocket.receive()

    @app.teardown_websocket
    async def teardown(error: BaseException | None) -> None:
        torn_down.append(error)

    async def main() -> None:
        async with app.test_client() as client:
            await client.get("/set/name/Ada")
            async with client.websocket_connect("/ws") as connection:
                redis_server.stop()
                await connection.send("go")
            await eventually(lambda: torn_down == [None])
            assert "The session of a websocket is not saved" in caplog.text
            response = await client.get("/get/name")
            assert response.status_code == 503

            with pytest.raises(Exception, match="503"):
                async with client.websocket_connect("/ws"):
                    pass

    asyncio.run(main())


def test_a_client_of_ones_own(redis_server: RedisServer) -> None:
    import redis.asyncio

    made = []

    def make() -> Any:
        made.append(redis.asyncio.Redis(port=redis_server.port, socket_timeout=1, decode_responses=True))
        return made[-1]

    client = site(make).test_client()
    client.get("/set/name/Ada")
    assert client.get("/get/name").text == "'Ada'"
    assert len(made) == 1


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="redis"):
        RedisSessionInterface("http://127.0.0.1")
    with pytest.raises(ValueError, match="when_away"):
        RedisSessionInterface("redis://127.0.0.1", when_away="ignore")
    with pytest.raises(ValueError, match="max_size"):
        RedisSessionInterface("redis://127.0.0.1", max_size=0)


def test_an_application_written_for_flask(shared_redis: RedisServer) -> None:
    code = f"""
import asyncflask.as_flask
import flask
from flask.sessions import SessionInterface
from asyncflask.sessions.redis import RedisSessionInterface
app = flask.Flask("old")
app.secret_key = "x"
app.session_interface = RedisSessionInterface({shared_redis.url!r}, prefix="as-flask")
assert isinstance(app.session_interface, SessionInterface)
@app.route("/<value>")
def view(value):
    flask.flash(value)
    before, flask.session["value"] = flask.session.get("value"), value
    return f"{{before}} {{flask.get_flashed_messages()}}"
client = app.test_client()
print(client.get("/a").text, client.get("/b").text)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None ['a'] a ['b']\n"


def test_without_the_package_it_is_said_what_to_install() -> None:
    code = """
import sys
sys.modules["redis"] = None
try:
    import asyncflask.sessions.redis
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install asyncflask[redis]" in done.stdout
