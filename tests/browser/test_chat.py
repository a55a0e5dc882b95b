"""The example chat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.example_server import ExampleServer
from tests.extensions.browser import screenshot

from .conftest import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import NewPerson


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    command = "-m asyncflask run --app examples.chat --port {port}"
    with ExampleServer(command, tmp_path, FLASK_SECRET_KEY="test", REDIS_URL="") as server:
        yield server


def come_in(page: Page, url: str, name: str, room: str = "lobby") -> None:
    page.goto(url)
    page.fill("[name=name]", name)
    page.fill("[name=room]", room)
    page.click("text=Come in >> visible=true")
    page.wait_for_selector("[data-state=connected]")


def say(page: Page, text: str) -> None:
    page.fill("textarea", text)
    page.press("textarea", "Enter")


def expect_messages(page: Page, *texts: str) -> None:
    """These are the messages on the page, and none of them is still on its way."""
    expect(page.locator(".message:not(.pending) p")).to_have_text(list(texts))
    expect(page.locator(".pending")).to_have_count(0)


def test_two_people(server: ExampleServer, new_person: NewPerson) -> None:
    ada, bob = new_person(), new_person()
    ada.goto(server.url)
    screenshot(ada, "chat-1-enter")
    come_in(ada, server.url, "Ada")
    screenshot(ada, "chat-2-empty")
    come_in(bob, server.url, "Bob")
    for page in (ada, bob):
        expect(page.locator("#people li")).to_have_text(["AAda", "BBob"])

    say(ada, "Hello, is anybody here?")
    say(bob, "I am.")
    expect_messages(bob, "Hello, is anybody here?", "I am.")
    say(
        ada,
        "Good. This one has\nseveral lines, and an address that is long: https://example.com/" + "x" * 200,
    )
    say(ada, "And this follows at once.")
    assert bob.locator(".message strong").first.text_content() == "Ada"
    bob.wait_for_selector(".message >> nth=3")
    assert "mine" in ada.locator(".message").nth(0).get_attribute("class")
    assert "mine" not in bob.locator(".message").nth(0).get_attribute("class")
    screenshot(bob, "chat-3-talking")

    bob.reload()
    bob.wait_for_selector("[data-state=connected]")
    assert bob.locator("header a").text_content() == "Bob"
    assert bob.locator(".message").count() == 4
    bob.close()
    expect(ada.locator("#count")).to_have_text("1")


def test_two_tabs_of_one_person_in_two_rooms(server: ExampleServer, new_person: NewPerson) -> None:
    first = new_person()
    come_in(first, server.url, "Ada", "red")
    second = first.context.new_page()
    second.goto(f"{server.url}/rooms/red")
    third = first.context.new_page()
    come_in(third, server.url, "Ada", "blue")
    say(first, "Said in the one")
    say(second, "Said in the other")
    for page in (first, second):
        page.wait_for_selector(".message:not(.pending) >> nth=1")
        assert page.locator("#people li").count() == 1
    assert first.locator(".message p").all_text_contents() == second.locator(".message p").all_text_contents()
    say(third, "Blue")
    expect_messages(third, "Blue")


def test_script_tags_are_shown_as_text(server: ExampleServer, new_person: NewPerson) -> None:
    ada, bob = new_person(), new_person()
    evil = "<script>document.title = 'pwned'</script><img src=x onerror=\"document.title = 'pwned'\">"
    come_in(ada, server.url, "<b onclick=x>Ada</b>")
    come_in(bob, server.url, "Bob")
    say(ada, evil)
    for page in (ada, bob):
        expect_messages(page, evil)
        assert page.locator(".message strong").text_content() == "<b onclick=x>Ada</b>"
        assert page.locator("b, #messages script, #messages img").count() == 0
        assert page.title() == "#lobby · Parlour"
    bob.reload()
    expect_messages(bob, evil)
    assert bob.title() == "#lobby · Parlour"
    screenshot(bob, "chat-4-tags")


def test_the_page_reconnects_by_itself(
    server: ExampleServer, new_person: NewPerson, allowed_errors: list[str]
) -> None:
    allowed_errors += [r"WebSocket connection to .* failed", "ERR_CONNECTION_REFUSED"]
    ada, bob = new_person(), new_person()
    come_in(ada, server.url, "Ada")
    come_in(bob, server.url, "Bob")
    say(ada, "Before")
    expect_messages(bob, "Before")

    server.stop()
    ada.wait_for_selector("[data-state=offline]")
    say(ada, "While it was away, 1")
    say(ada, "While it was away, 2")
    assert ada.locator(".pending").count() == 2
    screenshot(ada, "chat-5-offline")

    server.start()
    for page in (ada, bob):
        page.wait_for_selector("[data-state=connected]")
        expect_messages(page, "Before", "While it was away, 1", "While it was away, 2")
    say(bob, "Welcome back")
    expect_messages(ada, "Before", "While it was away, 1", "While it was away, 2", "Welcome back")


def test_who_is_unknown_after_a_restart_is_asked_for_a_name(
    server: ExampleServer, new_person: NewPerson, allowed_errors: list[str]
) -> None:
    allowed_errors += [r"WebSocket connection to .* failed", "ERR_CONNECTION_REFUSED"]
    ada = new_person()
    come_in(ada, server.url, "Ada", "kitchen")
    server.stop()
    ada.context.clear_cookies()
    server.start()
    ada.wait_for_url(re.compile(r"/\?room=kitchen$"))


def test_on_a_phone_in_the_dark(server: ExampleServer, new_person: NewPerson) -> None:
    page = new_person(viewport={"width": 375, "height": 700}, color_scheme="dark")
    come_in(page, server.url, "Ada", "a-room-with-a-long-name-2026")
    for number in range(12):
        say(page, f"Message {number}, which is long enough to need a second line on a small screen.")
    page.wait_for_selector(".message:not(.pending) >> nth=11")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    box = page.locator(".message >> nth=11").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= page.locator("#write").bounding_box()["y"]  # it has scrolled
    screenshot(page, "chat-6-phone")
