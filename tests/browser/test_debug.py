"""The traceback page of debug mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from asyncflask import Flask, session
from tests.extensions.browser import screenshot
from tests.lifecycle.server import APP_NAME, Server

from .conftest import expect

if TYPE_CHECKING:
    from .conftest import NewPerson


@pytest.fixture
def server() -> Iterator[Server]:
    app = Flask(APP_NAME)
    app.debug = True
    app.secret_key = "test"

    @app.route("/divide/<int:number>")
    def divide(number: int) -> str:
        session["visits"] = 1
        wanted = "<b>not bold</b>"
        try:
            return f"{wanted}: {1 / number}"
        except ZeroDivisionError as error:
            raise ValueError(f"nobody divides by {number} {wanted}") from error

    with Server(app) as server:
        yield server


def test_a_traceback(server: Server, new_person: NewPerson, allowed_errors: list[str]) -> None:
    allowed_errors.append("status of 500")
    page = new_person()
    response = page.goto(f"http://127.0.0.1:{server.port}/divide/0?page=2")
    assert response is not None
    assert response.status == 500
    expect(page.locator("h1")).to_contain_text("ValueError")
    body = page.locator("body")
    for text in ("nobody divides by 0 <b>not bold</b>", "ZeroDivisionError: division by zero", "/divide/0"):
        expect(body).to_contain_text(text)
    expect(body).to_contain_text("raise ValueError(")
    assert page.locator("b:text('not bold')").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(page, "debug-1-traceback")
    assert any("ValueError" in error for error in server.errors)


def test_a_traceback_on_a_phone_in_the_dark(
    server: Server, new_person: NewPerson, allowed_errors: list[str]
) -> None:
    allowed_errors.append("status of 500")
    page = new_person(viewport={"width": 375, "height": 700}, color_scheme="dark")
    page.goto(f"http://127.0.0.1:{server.port}/divide/0")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screenshot(page, "debug-2-phone")
