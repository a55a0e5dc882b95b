"""Flask-Session: sessions on the server, in files (cachelib) and in Redis."""

from __future__ import annotations

import itertools
import os
import secrets
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from . import needs
from .differential import case

needs.installed(flask_session="Flask-Session", cachelib="cachelib", redis="redis")

pytestmark = pytest.mark.usefixtures("redis_url")


def application(fw: Any, store: str, **config: Any) -> tuple[Any, Callable[[str], object]]:
    """An application whose session is kept on the server, and a function that looks a key up there."""
    import redis
    from cachelib import FileSystemCache
    from flask_session import Session

    ids = itertools.count(1)  # the ids are in cookies, which are compared
    mock.patch.object(secrets, "token_urlsafe", lambda length: f"id-{next(ids)}-{length}").start()
    app = fw.Flask(__name__)
    app.config.update(SECRET_KEY="secret", **config)
    if store == "redis":
        client = redis.Redis.from_url(os.environ["REDIS_URL"])
        client.flushdb()
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=client)
        Session(app)
        return app, lambda key: client.get(key)
    cache = FileSystemCache(tempfile.mkdtemp(dir="."), threshold=100)
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
    Session(app)
    return app, cache.get


@case(each=("files", "redis"))
def test_uses(fw, store):
    app, look_up = application(fw, store)

    @app.get("/unread")
    def unread():
        return "unread"

    @app.get("/set/<name>/<value>")
    def put(name, value):
        fw.session[name] = value
        return "set"

    @app.get("/show")
    def show():
        return dict(sorted(fw.session.items()))

    @app.get("/append/<value>")
    def append(value):
        fw.session.setdefault("items", []).append(value)
        fw.session.modified = True
        return {"items": fw.session["items"]}

    @app.get("/renew")
    def renew():
        app.session_interface.regenerate(fw.session)
        return fw.session.sid

    @app.get("/flash")
    def flash():
        fw.flash("hello", "info")
        return fw.redirect("/flashed")

    @app.get("/flashed")
    def flashed():
        return repr(fw.get_flashed_messages(with_categories=True))

    @app.get("/fail")
    def fail():
        fw.session["failed"] = True
        raise LookupError("after the session was changed")

    @app.errorhandler(LookupError)
    def handle(error):
        return f"{error} {sorted(fw.session)}", 500

    @app.get("/forget")
    def forget():
        fw.session.clear()
        return "forgotten"

    def steps(client):
        paths = (
            "/unread /show /set/a/1 /show /append/x /append/y /renew /show /flash /flashed /flashed /fail"
            " /show /forget /show /unread"
        )
        for path in paths.split():
            yield client.get(path)
            yield [look_up(f"session:id-{number}-32") for number in range(1, 8)]

    return app, steps


@case(each=("files", "redis"))
def test_hooks_and_clients(fw, store):
    """Hooks use the session before and after the view; two clients have each their own."""
    app, _ = application(fw, store, SESSION_PERMANENT=False, SESSION_COOKIE_NAME="sid")

    @app.before_request
    def count():
        fw.session["count"] = fw.session.get("count", 0) + 1

    @app.after_request
    def note(response):
        fw.session["status"] = response.status_code
        return response

    @app.get("/")
    def index():
        return {"count": fw.session["count"], "status": fw.session.get("status")}

    @app.get("/redirect")
    def redirect():
        return fw.redirect("/")

    def steps(client):
        other = app.test_client()
        for path in ("/", "/redirect", "/missing", "/"):
            yield client.get(path)
            yield other.get("/")
        client.set_cookie("sid", "invented")
        yield client.get("/")
        yield client.get("/", headers={"Cookie": "sid=../../etc/passwd"})

    return app, steps


@case(each=("files", "redis"))
def test_session_transaction(fw, store):
    app, _ = application(fw, store, SESSION_KEY_PREFIX="kept:", SESSION_ID_LENGTH=8)

    @app.get("/")
    def index():
        fw.session["visits"] = fw.session.get("visits", 0) + 1
        return {"visits": fw.session["visits"]}

    def steps(client):
        yield client.get("/")
        with client.session_transaction() as session:
            yield dict(session)
            session["visits"] = 10
        yield client.get("/")
        with client:
            client.get("/")
            yield dict(fw.session)

    return app, steps
