"""The database: one SQLite connection for each request that needs one, and the way it is first filled."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from werkzeug.security import generate_password_hash

from asyncflask import Flask, current_app, g
from asyncflask.cli import with_appcontext

SCHEMA = Path(__file__).parent / "schema.sql"
SCHEMA_VERSION = 1


def init_app(app: Flask) -> None:
    app.teardown_appcontext(close_db)
    app.cli.add_command(init_db_command)
    create_database(app.config["DATABASE"], demo=app.config["DEMO_DATA"])


def connect(path: str) -> sqlite3.Connection:
    """A new connection to the database.

    A request is handled by one thread at a time, but a hook, the view and the teardown may each be
    called by another one when some of them are ``async def``; so SQLite must not insist on its thread.
    """
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma foreign_keys = on")
    return connection


def get_db() -> sqlite3.Connection:
    """The connection of this request, opened when first asked for."""
    if "db" not in g:
        g.db = connect(current_app.config["DATABASE"])
    connection: sqlite3.Connection = g.db
    return connection


def close_db(error: BaseException | None = None) -> None:
    """Close the request's connection; what was not committed is rolled back."""
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


@contextmanager
def exclusive(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that no other process can be in at the same time."""
    connection.isolation_level = None  # transactions begin and end where this function says
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def create_database(path: str, *, demo: bool, reset: bool = False) -> None:
    """Create the tables, unless they are there.

    :param demo: fill new tables with two users and some posts.
    :param reset: drop the tables first, with everything in them.
    """
    with closing(connect(path)) as connection:
        with exclusive(connection):
            if reset:
                connection.execute("drop table if exists post")
                connection.execute("drop table if exists user")
            elif connection.execute("pragma user_version").fetchone()[0] == SCHEMA_VERSION:
                return
            for statement in SCHEMA.read_text().split(";"):
                connection.execute(statement)
            if demo:
                add_demo_data(connection)
            connection.execute(f"pragma user_version = {SCHEMA_VERSION}")


@click.command("init-db")
@with_appcontext
@click.option("--demo/--no-demo", default=True, help="Fill the tables with demo data.")
@click.confirmation_option(prompt="All users and posts will be deleted. Continue?")
def init_db_command(demo: bool) -> None:
    """Delete all data and create new tables."""
    create_database(current_app.config["DATABASE"], demo=demo, reset=True)
    click.echo("The database is ready.")


def now() -> str:
    """The moment as it is stored: UTC in ISO 8601, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


DEMO_USERS = ("ada", "grace")
DEMO_PASSWORD = "demo"
DEMO_POSTS = [
    (
        "ada",
        "Welcome to the blog",
        "This is a small blog that runs on asyncflask.\n\nLog in as ada or as grace, the password is demo, "
        "and write something. A picture may come with it.",
    ),
    (
        "grace",
        "Plain functions and async ones",
        "The pages are ordinary def views that talk to SQLite, and each of them runs on a worker thread.\n\n"
        "The search box asks an async def view for its suggestions while you type. Both kinds live in the "
        "same application and share its session, its hooks and its database.",
    ),
    (
        "ada",
        "A note on notes",
        "The engine can arrange and combine its numerical quantities exactly as if they were letters.\n"
        "What it then makes of the letters is up to whoever writes the notes.",
    ),
    (
        "grace",
        "Found: one moth",
        "It sat in relay 70 of panel F. It now sits in the log book, under a strip of tape.",
    ),
    (
        "ada",
        "Forms that come from elsewhere",
        "Every form of this site carries a token that is also in the session. A form without it is refused: "
        "see csrf.py, it is short.",
    ),
    (
        "grace",
        "How long is a nanosecond?",
        "About thirty centimetres of wire, if you ask light. Carry one in your pocket: it explains why "
        "messages from a satellite take their time.",
    ),
    (
        "ada",
        "The seventh post",
        "There are five posts on a page, so this one, the newest, has pushed the first ones to page two.",
    ),
]


def add_demo_data(connection: sqlite3.Connection) -> None:
    """Two users with a known password, and enough posts for two pages."""
    for name in DEMO_USERS:
        connection.execute(
            "insert into user (name, password_hash) values (?, ?)",
            (name, generate_password_hash(DEMO_PASSWORD)),
        )
    start = datetime.now(UTC) - timedelta(days=len(DEMO_POSTS))
    for number, (author, title, body) in enumerate(DEMO_POSTS):
        connection.execute(
            "insert into post (author_id, created, title, body) select id, ?, ?, ? from user where name = ?",
            ((start + timedelta(days=number)).isoformat(timespec="seconds"), title, body, author),
        )
