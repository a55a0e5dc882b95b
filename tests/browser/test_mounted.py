"""The example with three applications and one login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.example_server import ExampleServer
from tests.extensions.browser import screenshot
from tests.extensions.needs import installed

from .conftest import expect

if TYPE_CHECKING:
    from .conftest import NewPerson

installed(a2wsgi="a2wsgi", fastapi="fastapi")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with ExampleServer("-m asyncflask run --app examples.mounted --port {port}", tmp_path) as server:
        yield server


def test_log_in_once_be_greeted_by_all_log_out(
    server: ExampleServer, new_person: NewPerson, allowed_errors: list[str]
) -> None:
    page = new_person()
    page.goto(f"{server.url}/orders")
    assert page.url == f"{server.url}/login?next=/orders"
    page.fill("[name=name]", "Ada")
    page.fill("[name=password]", "wrong")
    page.click("button")
    expect(page.locator(".flash")).to_have_text("Wrong name or password.")
    screenshot(page, "mounted-1-login")
    page.fill("[name=password]", "demo")
    page.click("button")

    assert page.url == f"{server.url}/orders"
    expect(page.locator("main p").first).to_have_text("Hello Ada, this is the legacy Flask.")
    page.fill("[name=what]", "<b>Glue</b>")
    page.click("text=Order >> nth=-1")
    expect(page.locator(".flash")).to_have_text("Order 3 is taken.")
    expect(page.locator("tbody tr").first.locator("td")).to_have_text(["3", "<b>Glue</b>", "Ada"])
    screenshot(page, "mounted-2-legacy")

    page.click(".brand")
    expect(page.locator("main > p")).to_have_text("Hello Ada, this is asyncflask.")
    expect(page.locator("#api")).to_have_text("Hello Ada, this is FastAPI.")
    expect(page.locator("#clock")).to_contain_text("Hello Ada, it is ")
    before = page.locator("#clock").text_content()
    expect(page.locator("#clock")).not_to_have_text(before)
    screenshot(page, "mounted-3-start")

    page.click("text=Log out Ada")
    assert page.url == f"{server.url}/login"
    allowed_errors.append("status of 401")
    assert page.goto(f"{server.url}/api/me").status == 401
    page.goto(server.url)
    assert "/login" in page.url
    page.go_back()
    page.reload()
    assert "Ada" not in page.content()
