"""The debug page, its consoles, and the pages around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from asyncflask import Flask, session
from asyncflask.debug.pin import process_pin
from tests.extensions.browser import screenshot
from tests.lifecycle.server import APP_NAME, Server

from .conftest import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from .conftest import NewPerson

SIZES: list[dict[str, Any]] = [
    {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    for width in (1280, 390)
    for scheme in ("light", "dark")
]


@pytest.fixture
def server() -> Iterator[Server]:
    app = Flask(APP_NAME)
    app.debug = True
    app.secret_key = "test"
    app.config["DEBUG_EDITOR_URL"] = "vscode://file/{file}:{line}"

    @app.route("/divide/<int:number>")
    async def divide(number: int) -> str:
        session["visits"] = 1
        password = "tell-" + "nobody"
        wanted = f"<b>not bold</b>{'!' * len(password)}"
        try:
            return f"{wanted}: {1 / number}"
        except ZeroDivisionError as error:
            raise ValueError(f"nobody divides by {number} {wanted}") from error

    @app.route("/nothing")
    async def nothing() -> Any:
        return None

    process_pin.cache_clear()
    with Server(app) as server:
        yield server


@pytest.fixture
def allowed(allowed_errors: list[str]) -> None:
    allowed_errors += ["status of 500", "status of 403", "status of 404"]


@pytest.fixture
def page(server: Server, new_person: NewPerson, allowed: None) -> Page:
    page = new_person(permissions=["clipboard-read", "clipboard-write"])
    response = page.goto(f"http://127.0.0.1:{server.port}/divide/0?page=2")
    assert response is not None
    assert response.status == 500
    return page


def test_a_traceback(server: Server, page: Page) -> None:
    expect(page.locator("h1")).to_contain_text("ValueError")
    body = page.locator("body")
    for text in ("nobody divides by 0 <b>not bold</b>", "ZeroDivisionError: division by zero", "/divide/0"):
        expect(body).to_contain_text(text)
    expect(body).to_contain_text("raise ValueError(")
    assert "tell-nobody" not in page.content()
    assert page.locator("b:text('not bold')").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    values = page.locator("details.own > details.values").first
    expect(values.locator("tr", has_text="password")).to_contain_text("(hidden)")
    expect(page.locator("a[href^='vscode://file/']").first).to_be_visible()
    assert any("ValueError" in error for error in server.errors)


def test_copying(page: Page) -> None:
    page.get_by_role("button", name="Copy the traceback as text").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.locator(".copy pre").text_content()
    assert "ValueError: nobody divides" in text


def test_the_page_is_all_there_without_script(server: Server, new_person: NewPerson, allowed: None) -> None:
    page = new_person(java_script_enabled=False)
    page.goto(f"http://127.0.0.1:{server.port}/divide/0")
    expect(page.locator("h1")).to_contain_text("ValueError")
    expect(page.locator(".values table").first).to_be_visible()
    expect(page.locator(".tools")).not_to_be_visible()
    for place in page.locator(".console").all():
        expect(place).not_to_be_visible()
    page.locator("summary", has_text="Versions").click()
    expect(page.locator("tr", has_text="starlette")).to_be_visible()
    page.locator("summary", has_text="library frame").first.click()
    expect(page.locator("details.library").first).to_be_visible()


@pytest.mark.parametrize(
    "options", SIZES, ids=lambda options: f"{options['viewport']['width']}-{options['color_scheme']}"
)
def test_how_it_looks(server: Server, new_person: NewPerson, allowed: None, options: dict[str, Any]) -> None:
    page = new_person(**options)
    name = f"{options['viewport']['width']}-{options['color_scheme']}"
    for path in ("divide/0", "nothing", "devide/1"):
        page.goto(f"http://127.0.0.1:{server.port}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        screenshot(page, f"debug-{path.replace('/', '-')}-{name}")
    page.goto(f"http://127.0.0.1:{server.port}/divide/0")
    console = open_console(page)
    run(console, "number, wanted")
    run(console, "unknown")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    console.scroll_into_view_if_needed()
    screenshot(page, f"debug-console-{name}")


# The console


def open_console(page: Page) -> Locator:
    """Open the console of the application's last frame, and unlock it."""
    console = page.locator("details.own > .console").last
    console.get_by_role("button", name="Console").click()
    pin = process_pin()
    assert pin is not None
    console.get_by_label("PIN").fill(pin.text)
    console.get_by_role("button", name="Unlock").click()
    expect(console.get_by_label("Python code")).to_be_focused()
    return console


def run(console: Locator, code: str) -> None:
    """Type code, and wait until it is through."""
    typed = console.get_by_label("Python code")
    typed.fill(code)
    typed.press("Enter")
    expect(console.get_by_role("button", name="Run")).to_be_visible()
    expect(typed).to_have_value("")


def test_the_console(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    console = open_console(page)
    assert re.search(r"Debugger PIN: \d{3}-\d{3}-\d{3}", capfd.readouterr().err)
    log = console.get_by_role("log")
    run(console, "number + 41")
    expect(log).to_have_text(">>> number + 4141")
    run(console, "import asyncio")
    run(console, "await asyncio.sleep(0.01, wanted)")
    expect(log).to_contain_text("'<b>not bold</b>!!!!!!!!!!!'")
    assert log.locator("b").count() == 0
    run(console, "unknown")
    expect(log.locator(".failed")).to_contain_text("NameError: name 'unknown' is not defined")

    typed = console.get_by_label("Python code")
    typed.fill("for x in range(3):")
    typed.press("Enter")
    expect(typed).to_have_value("for x in range(3):\n    ")
    typed.press_sequentially("print('line', x)")
    typed.press("Enter")
    expect(log).to_contain_text("line 0\nline 1\nline 2")

    expect(typed).to_have_value("")
    typed.press("ArrowUp")
    typed.press("ArrowUp")
    expect(typed).to_have_value("unknown")
    typed.press("ArrowDown")
    typed.press("ArrowDown")
    expect(typed).to_have_value("")
    typed.press_sequentially("one = 1")
    typed.press("Shift+Enter")
    typed.press_sequentially("one + 1")
    typed.press("Enter")
    expect(log).to_contain_text(">>> one = 1\n... one + 1")


def test_the_wrong_pin(page: Page) -> None:
    console = page.locator("details.own > .console").last
    console.get_by_role("button", name="Console").click()
    expect(console).to_contain_text("The PIN is in the terminal")
    console.get_by_label("PIN").fill("000-000-000")
    console.get_by_role("button", name="Unlock").click()
    expect(console).to_contain_text("This is not the PIN.")
    assert console.get_by_label("Python code").count() == 0


def test_the_pin_is_asked_for_once(server: Server, page: Page) -> None:
    open_console(page)
    page.reload()
    console = page.locator("details.own > .console").first
    console.get_by_role("button", name="Console").click()
    run(console, "1 + 1")
    expect(console.get_by_role("log")).to_contain_text("2")

    process_pin.cache_clear()  # as if the server were started again
    typed = console.get_by_label("Python code")
    typed.fill("1 + 1")
    typed.press("Enter")
    expect(console).to_contain_text("Type the PIN again")
    expect(console.get_by_label("PIN")).to_be_focused()


@pytest.mark.parametrize("code", ["while True: pass", "import asyncio; await asyncio.sleep(600)"])
def test_what_does_not_end_can_be_stopped(server: Server, page: Page, code: str) -> None:
    console = open_console(page)
    run(console, "import asyncio")
    typed = console.get_by_label("Python code")
    typed.fill(code)
    typed.press("Enter")
    expect(console.get_by_role("button", name="Stop")).to_be_visible()
    assert server.get("/divide/4").status == 200  # the loop goes on
    typed.press("Escape")
    expect(console.get_by_role("log")).to_contain_text("Stopped.")
    expect(console.get_by_role("button", name="Run")).to_be_visible()


def test_a_traceback_that_is_gone(server: Server, page: Page) -> None:
    console = open_console(page)
    layer = server.app._debug_layer
    layer.kept.clear()
    typed = console.get_by_label("Python code")
    typed.fill("1 + 1")
    typed.press("Enter")
    expect(console.get_by_role("log")).to_contain_text("reload the page")
