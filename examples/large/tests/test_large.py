"""Tests of the application, to be copied with it: ``pytest -p asyncflask.as_flask examples/large``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect

from asyncflask import Flask
from examples.large.extensions import db
from examples.large.models import Base


def test_everything_is_for_users(client: Any) -> None:
    for url in ("/", "/numbers"):
        response = client.get(url)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/account/login?")
    assert client.post("/1/done").status_code == 302


def test_log_in_and_out(client: Any) -> None:
    form = {"name": "demo", "password": "wrong"}
    assert client.post("/account/login", data=form).status_code == 422
    assert client.post("/account/login", data={**form, "name": "nobody"}).status_code == 422
    response = client.post("/account/login", data={**form, "password": "demo"}, follow_redirects=True)
    assert "Read examples/large" in response.text
    assert client.get("/account/login").headers["Location"] == "/"
    client.post("/account/logout")
    assert client.get("/").status_code == 302


def test_sync_and_async_views_share_the_database(user: Any) -> None:
    assert user.get("/numbers").get_json() == {"done": 0, "open": 2}
    assert "Added." in user.post("/", data={"text": "Write <tests>"}, follow_redirects=True).text
    assert user.post("/3/done").status_code == 302
    assert "<s>Write &lt;tests&gt;</s>" in user.get("/").text
    assert user.get("/numbers").get_json() == {"done": 1, "open": 2}
    assert user.post("/99/done").status_code == 404


def test_tasks_of_others(user: Any, runner: Any) -> None:
    result = runner.invoke(args=["users", "add", "ada", "--password", "secret"])
    assert result.output == "ada may log in.\n"
    user.post("/account/logout")
    user.post("/account/login", data={"name": "ada", "password": "secret"})
    assert user.get("/numbers").get_json() == {"done": 0, "open": 0}
    assert user.post("/1/done").status_code == 404


def test_migrations_make_what_the_models_say(app: Flask, runner: Any) -> None:
    assert "is up to date." in runner.invoke(args=["db", "upgrade"]).output
    with app.app_context():
        found = inspect(db.engine)
        for table in Base.metadata.sorted_tables:
            assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
