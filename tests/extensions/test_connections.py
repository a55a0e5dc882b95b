"""Flask-SQLAlchemy under load, SQLite and PostgreSQL: no connection is left, whatever is ``async def``.

What a request takes from the connection pool it gives back: the session is that of the application
context, and is removed by a sync teardown function. Each kind of request is sent 1,000 times at once; a tenth
of them fail. Then nothing may be checked out, and no request may have given back what another one has taken.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import needs
from .serving import Served, served

needs.installed(flask_sqlalchemy="Flask-SQLAlchemy", psycopg="psycopg[binary]")

REQUESTS = 1000
POOL = 15  # connections, fewer than there are worker threads
NAME = "asyncflask-test"


def application() -> Any:
    """An application whose views use the database, and tell what its connection pool has seen."""
    from flask import Flask, g, request, stream_with_context
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import event

    app = Flask(__name__, instance_path=str(Path("instance").absolute()))
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URI", "sqlite:///notes.sqlite")
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 5, "max_overflow": POOL - 5}
    db = SQLAlchemy(app)
    events = Counter()

    class Note(db.Model):
        id = db.mapped_column(db.Integer, primary_key=True)
        text = db.mapped_column(db.String)

    with app.app_context():
        db.drop_all()
        db.create_all()
        db.session.add_all(Note(text=str(number)) for number in range(100))
        db.session.commit()
        engine = db.engine
        db.session.remove()

    @event.listens_for(engine, "checkout")
    def taken(connection, record, proxy):
        events["taken"] += 1
        record.info["by"] = g.get("number", "nobody")

    @event.listens_for(engine, "checkin")
    def given_back(connection, record):
        same = g and record.info["by"] == g.get("number")
        events["given back" if same else "given back by another"] += 1

    def read(number: int) -> str:
        return db.session.get(Note, number % 100 + 1).text

    def finish(number: int) -> str:
        if number % 10 == 0:
            raise LookupError(number)
        return str(number)

    @app.before_request
    def remember():
        g.number = request.view_args.get("number") if request.view_args else None
        if request.endpoint == "mixed":
            assert read(g.number) == str(g.number % 100)

    @app.errorhandler(LookupError)
    def failed(error):
        db.session.get(Note, 1)  # the session still works, and is removed all the same
        return "failed", 500

    @app.get("/sync/<int:number>")
    def sync(number):
        assert read(number) == str(number % 100)
        return finish(number)

    @app.get("/async/<int:number>")
    async def asynchronous(number):
        await asyncio.sleep(0.001)
        assert read(number) == str(number % 100)
        db.session.commit()
        await asyncio.sleep(0.001)  # without a connection: see docs/compatibility.md
        assert read(number + 1) == str((number + 1) % 100)
        return finish(number)

    @app.get("/mixed/<int:number>")
    async def mixed(number):
        session = db.session()
        assert session.in_transaction(), "the session of the sync function is another one"
        await asyncio.sleep(0.001)
        assert read(number) == str(number % 100)
        return finish(number)

    @app.get("/threaded/<int:number>")
    async def threaded(number):
        text = await app.sync_to_async(read)(number)
        assert text == str(number % 100)
        await asyncio.sleep(0.001)  # with a connection
        return finish(number)

    @app.get("/written/<int:number>")
    async def written(number):
        await asyncio.sleep(0.001)
        db.session.add(Note(text="written"))
        db.session.flush()
        finish(number)  # what fails is rolled back
        db.session.commit()
        return str(number)

    @app.get("/streamed/<int:number>")
    def streamed(number):
        @stream_with_context
        def texts():
            for note in db.session.scalars(db.select(Note).limit(20)).yield_per(5):
                yield f"{note.text}\n"
            finish(number)

        return texts()

    @app.get("/state")
    async def state():
        return {
            "events": events,
            "checked out": engine.pool.checkedout(),
            "sessions": len(db.session.registry.registry),
            "written": None if engine.name == "sqlite" else await app.sync_to_async(count_written)(),
        }

    def count_written():
        return db.session.query(Note).filter_by(text="written").count()

    return app


def thread_bound_application() -> Any:
    """An application whose connections work in the thread that opened them only, and are not kept."""
    from flask import Blueprint, Flask
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import NullPool, text

    app = Flask(__name__, instance_path=str(Path("instance").absolute()))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///bound.sqlite"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "poolclass": NullPool,
        "connect_args": {"check_same_thread": True},
    }
    db = SQLAlchemy(app)

    def use_connection():
        db.session.execute(text("SELECT 1"))

    @app.after_request
    def after(response):
        use_connection()
        return response

    with_hook = Blueprint("with_hook", __name__)

    @with_hook.before_request
    def before():
        use_connection()

    @with_hook.get("/hooks/<int:number>")
    async def hooks(number):
        await asyncio.sleep(0.001)
        return str(number)

    app.register_blueprint(with_hook)

    @app.get("/threaded/<int:number>")
    async def threaded(number):
        for _ in range(2):
            await app.sync_to_async(use_connection)()
            await asyncio.sleep(0.001)
        return str(number)

    return app


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Let this process, and those that it starts, have as many sockets open as the tests use at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * REQUESTS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def send_at_once(server: Served, kind: str) -> Counter[int]:
    """Send the requests on a connection each, all open at the same time; how often each status came."""

    async def send(number: int, open_connections: asyncio.Barrier) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            await open_connections.wait()
            head = f"GET /{kind}/{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read()
        finally:
            writer.close()
        status, body = int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]
        if kind == "streamed":
            # It fails after all of its pieces: then the end of the body is missing (RFC 9112 section 7.1).
            assert body.endswith(b"0\r\n\r\n") == (number % 10 != 0), body
            assert body.count(b"\n") >= 20, body
        elif status == 200:
            assert body == str(number).encode(), body
        return status

    async def send_all() -> Counter[int]:
        barrier = asyncio.Barrier(REQUESTS)
        async with asyncio.timeout(60):
            return Counter(await asyncio.gather(*(send(number, barrier) for number in range(REQUESTS))))

    return asyncio.run(send_all())


def check_errors(server: Served, kind: str) -> None:
    """Only what was to fail has failed in the server: nothing waits for a connection in vain."""
    expected = REQUESTS // 10 if kind == "streamed" else 0
    assert sum("LookupError" in error for error in server.errors) == len(server.errors) == expected


def check(server: Served, kind: str) -> dict[str, Any]:
    """Send the requests of a kind and look at what is left of them."""
    statuses = send_at_once(server, kind)
    if kind == "streamed":
        assert statuses == {200: REQUESTS}
    else:
        assert statuses == {200: REQUESTS * 9 // 10, 500: REQUESTS // 10}
    with server.client() as client:
        state: dict[str, Any] = client.get("/state").json()
    assert state["checked out"] == 0, state
    assert state["sessions"] == 0, state
    assert state["events"]["taken"] >= REQUESTS, state
    return state


KINDS = ["sync", "async", "mixed", "threaded", "streamed"]


@pytest.mark.parametrize("kind", KINDS)
def test_sqlite(kind):
    with served(application, expect_errors=kind == "streamed") as server:
        state = check(server, kind)
        assert state["events"] == {"taken": state["events"]["taken"], "given back": state["events"]["taken"]}
    check_errors(server, kind)


@pytest.mark.parametrize("kind", [*KINDS, "written"])
def test_postgresql(kind, postgresql_url, monkeypatch):
    import psycopg

    uri = postgresql_url.replace("postgresql://", "postgresql+psycopg://") + f"?application_name={NAME}"
    monkeypatch.setenv("DATABASE_URI", uri)
    query = "SELECT state, count(*) FROM pg_stat_activity WHERE application_name = %s GROUP BY state"
    with psycopg.connect(postgresql_url, autocommit=True) as observer:
        with served(application, expect_errors=kind == "streamed") as server:
            state = check(server, kind)
            states = dict(observer.execute(query, [NAME]).fetchall())
            assert states.keys() == {"idle"}, states
            assert states["idle"] <= POOL, states
            if kind == "written":
                assert state["written"] == REQUESTS * 9 // 10
        check_errors(server, kind)
        assert observer.execute(query, [NAME]).fetchall() == []


@pytest.mark.parametrize("kind", ["hooks", "threaded"])
def test_thread_bound_connections(kind):
    """The sync functions of a request run in one thread, also when an async view ran in between."""
    with served(thread_bound_application) as server:
        assert send_at_once(server, kind) == {200: REQUESTS}
