"""Flask's own examples, the tutorial's blog and the JavaScript one, also in a browser.

Whole applications that nobody here wrote, from Flask's source distribution, which is downloaded. Nothing
in them is changed: their own tests run under the alias, and ``asyncflask run --as-flask`` serves them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.suites.common import CACHE, ROOT, fetch_sdist, run_pytest
from tests.suites.flask_suite import VERSION

from . import needs
from .browser import chromium, screenshot
from .servers import free_port, wait_until

TIMEOUT = 30  # seconds


@pytest.fixture(scope="module")
def examples() -> Path:
    """The folder of Flask's examples, unpacked anew."""
    return fetch_sdist("flask", VERSION, CACHE / "examples") / "examples"


@pytest.mark.parametrize("name", ["tutorial", "javascript"])
def test_own_tests(examples, name, tmp_path):
    environment = {"PYTHONPATH": str(examples / name), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    control, ours = (
        run_pytest(
            sys.executable,
            examples / name,
            ["-p", "no:cacheprovider", *plugin],
            environment,
            log=tmp_path / "log",
            timeout=50,
        )
        for plugin in ([], ["-p", "asyncflask.as_flask"])
    )
    assert set(control.values()) == {"passed"}
    assert ours == control, (tmp_path / "log").read_text()


@contextmanager
def run(folder: Path, app: str, *commands: str) -> Iterator[str]:
    """Serve an example as its documentation says, with ``asyncflask`` in the place of ``flask``; its URL.

    :param commands: to be run before.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    asyncflask = [sys.executable, "-m", "asyncflask"]
    for command in commands:
        line = [*asyncflask, "--as-flask", "--app", app, command]
        subprocess.run(line, cwd=folder, env=environment, check=True, timeout=TIMEOUT)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    with log.open("wb") as output:
        line = [*asyncflask, "run", "--as-flask", "--app", app, "--port", str(port)]
        process = subprocess.Popen(line, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: f"127.0.0.1:{port}" in log.read_text(), process, "asyncflask run")
        yield url
    finally:
        process.terminate()
        process.wait(TIMEOUT)
    assert "Traceback" not in log.read_text(), log.read_text()


@contextmanager
def blog(examples: Path) -> Iterator[str]:
    with run(examples / "tutorial", "flaskr", "init-db") as url:
        yield url


def test_blog_by_http(examples):
    """What the browser does, without one; and what it would not do."""
    with blog(examples) as url:
        ann, bob = (httpx.Client(base_url=url, trust_env=False, follow_redirects=True) for _ in range(2))
        with ann, bob:
            assert ann.get("/create").url.path == "/auth/login"
            for client, name in ((ann, "ann"), (bob, "bob")):
                user = {"username": name, "password": "secret"}
                assert client.post("/auth/register", data=user).url.path == "/auth/login"
                assert "already registered" in client.post("/auth/register", data=user).text
                assert "Incorrect password" in client.post("/auth/login", data=user | {"password": "x"}).text
                assert f"<span>{name}</span>" in client.post("/auth/login", data=user).text
            assert "Title is required" in ann.post("/create", data={"title": "", "body": ""}).text
            assert "by ann" in ann.post("/create", data={"title": "<First>", "body": "Text"}).text
            assert "&lt;First&gt;" in bob.get("/").text
            assert "Edit" not in bob.get("/").text
            for path in ("/1/update", "/1/delete"):
                assert bob.post(path, data={"title": "mine"}).status_code == 403
            assert bob.get("/2/update").status_code == 404
            assert "<h1>Second</h1>" in ann.post("/1/update", data={"title": "Second", "body": "Text"}).text
            assert "Second" not in ann.post("/1/delete").text
            assert "Log In" in ann.get("/auth/logout").text


def test_blog_in_a_browser(examples):
    with blog(examples) as url, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(request.url))

        page.goto(url)
        assert page.title() == "Posts - Flaskr"
        # The style sheet has been applied.
        assert page.evaluate("getComputedStyle(document.querySelector('nav h1')).flexGrow") == "1"
        screenshot(page, "blog-1-empty")

        page.click("text=Register")
        page.fill("#username", "ann")
        page.fill("#password", "secret")
        page.click("input[value=Register]")
        assert page.url == f"{url}/auth/login"
        page.fill("#username", "ann")
        page.fill("#password", "wrong")
        page.click("input[value='Log In']")
        assert page.text_content(".flash") == "Incorrect password."
        screenshot(page, "blog-2-wrong-password")
        page.fill("#username", "ann")
        page.fill("#password", "secret")
        page.click("input[value='Log In']")
        assert page.text_content("nav li span") == "ann"

        page.click("text=New")
        page.fill("#title", "Grüße & <b>tags</b>")
        page.fill("#body", "First line\nSecond line")
        page.click("input[value=Save]")
        assert page.text_content("article h1") == "Grüße & <b>tags</b>"
        assert page.text_content("article .body") == "First line\nSecond line"
        assert re.fullmatch(r"by ann on \d{4}-\d\d-\d\d", page.text_content("article .about"))
        screenshot(page, "blog-3-posted")

        page.click("article a.action")
        page.fill("#title", "Edited")
        page.click("input[value=Save]")
        assert page.text_content("article h1") == "Edited"
        screenshot(page, "blog-4-edited")

        page.click("article a.action")
        page.once("dialog", lambda dialog: dialog.accept())
        page.click("input[value=Delete]")
        page.wait_for_url(f"{url}/")
        assert page.query_selector("article") is None
        page.click("text=Log Out")
        assert page.query_selector("text=Register") is not None
        screenshot(page, "blog-5-logged-out")
        assert problems == []


def jquery() -> Path:
    """The jQuery that comes with Flask-DebugToolbar: tests do not ask the network for one."""
    package = find_spec("flask_debugtoolbar")
    if package is None or package.origin is None:
        needs.absent("Flask-DebugToolbar is not installed: 'nox -s extensions' has it")
    return Path(package.origin).parent / "static" / "js" / "jquery.js"


def test_javascript_in_a_browser(examples):
    script = jquery()
    with run(examples / "javascript", "js_example") as url, chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))

        def from_elsewhere(route: Any) -> None:
            if "jquery" in route.request.url:
                route.fulfill(path=script, content_type="text/javascript")
            else:
                route.abort()  # style sheets

        page.route(lambda requested: not requested.startswith(url), from_elsewhere)
        page.goto(url)
        for way, (a, b, result) in {
            "Fetch": ("1", "2", "3"),
            "XHR": ("2.5", "-4", "-1.5"),
            "jQuery": ("x", "7", "7"),
        }.items():
            page.click(f"text={way}")
            page.fill("input[name=a]", a)
            page.fill("input[name=b]", b)
            with page.expect_response(f"{url}/add") as response:
                page.click("input[type=submit]")
            assert response.value.status == 200
            page.wait_for_function("document.getElementById('result').innerText")
            assert page.inner_text("#result") == result, way
            screenshot(page, f"javascript-{way.lower()}")
        assert problems == []
