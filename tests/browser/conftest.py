"""Chromium, and people who each have a profile of their own in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.extensions.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

    #: Opens a page for somebody who has never been here: takes options of Playwright's ``new_context``.
    NewPerson = Callable[..., Page]

TIMEOUT = 15_000  # milliseconds


def expect(locator: Any) -> Any:
    """What is expected of a page within a while: Playwright's function of this name."""
    from playwright.sync_api import expect

    expect.set_options(timeout=TIMEOUT)
    return expect(locator)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the session: as long as it runs, no other test of this process could run an event loop.
    with chromium() as browser:
        yield browser


@pytest.fixture
def allowed_errors() -> list[str]:
    """Regular expressions, for a test to append to: errors in the browser's console that it expects.

    What is searched is the text, a space, and the URL that it is about.
    """
    return []


@pytest.fixture
def new_person(browser: Browser, allowed_errors: list[str]) -> Iterator[NewPerson]:
    problems: list[str] = []
    contexts = []

    def describe(line: ConsoleMessage) -> str:
        return f"{line.text} {line.location['url']}"

    def new_person(**options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        context.on("weberror", lambda error: problems.append(str(error.error)))
        context.on("console", lambda line: line.type == "error" and problems.append(describe(line)))
        return context.new_page()

    yield new_person
    for context in contexts:
        context.close()
    unexpected = [
        text for text in problems if not any(re.search(allowed, text) for allowed in allowed_errors)
    ]
    assert not unexpected
