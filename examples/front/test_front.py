"""Tests of the front page: it leads to each example, and each of them works below its path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from asyncflask import Flask
from examples.front import EXAMPLES, create_app

FOLDER = Path(__file__).resolve().parents[1]

pytest_plugins = ["asyncflask.testing.plugin"]


@pytest.fixture
def app() -> Flask:
    return create_app({"TESTING": True})


def test_every_example_has_a_card(client: Any) -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/README.md")}
    assert {example.name for example in EXAMPLES} == folders
    page = client.get("/").text
    for example in EXAMPLES:
        assert f'id="{example.name}"' in page
        assert example.application or example.command


def test_the_pages_below_and_what_they_link_to(client: Any) -> None:
    links = re.findall(r'<h2><a href="([^"]+)"', client.get("/").text)
    assert links == [f"/{example.name}/" for example in EXAMPLES if example.application]
    for link in links:
        page = client.get(link, follow_redirects=True)
        assert page.status_code == 200
        own = re.findall(r'(?:href|src)="(/[^"]*)"', page.text)
        assert all(url.startswith(link) for url in own), own
        assert 'rel="icon"' in page.text
        for url in own:
            assert client.get(url, follow_redirects=True).status_code == 200, url


def test_sessions_do_not_meet(client: Any) -> None:
    client.post("/quickstart/sign", data={"name": "Ann", "text": "Hello"})
    assert "Welcome back, Ann" in client.get("/quickstart/").text
    client.post("/chat/", data={"name": "Bob", "room": "lobby"})
    assert "Welcome back, Ann" in client.get("/quickstart/").text


def test_no_404_for_the_icon(client: Any) -> None:
    assert client.get("/favicon.ico").mimetype == "image/svg+xml"


def test_the_stylesheet_is_the_same_everywhere() -> None:
    """It is in each folder, so that a folder can be copied."""
    texts = {
        (FOLDER / name / "static" / "style.css").read_text() for name in ("front", "live", "api", "large")
    }
    assert len(texts) == 1
