"""The example blog."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.example_server import ExampleServer
from tests.extensions.browser import screenshot

from .conftest import expect

if TYPE_CHECKING:
    from .conftest import NewPerson


def png(width: int, height: int) -> bytes:
    """A picture, all of it in one colour (https://www.w3.org/TR/png-3/)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    line = b"\0" + bytes([96, 128, 112]) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(line * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SERVE = """
import sys
from examples.blog import create_app
create_app({"INSTANCE": sys.argv[1]}).run(port=int(sys.argv[2]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    with ExampleServer(f"{script} {tmp_path} {{port}}", tmp_path) as server:
        yield server


def test_from_registering_to_a_post_with_a_picture(
    server: ExampleServer, new_person: NewPerson, allowed_errors: list[str]
) -> None:
    allowed_errors.append("/favicon.ico$")  # it has none
    page = new_person()
    page.goto(server.url)
    expect(page.locator("article")).to_have_count(5)
    screenshot(page, "blog-1-front")

    page.click("text=Register")
    page.fill("[name=name]", "Zoë")
    page.fill("[name=password]", "correct horse")
    page.click("main button")
    expect(page.locator(".flash")).to_have_text("Welcome, Zoë!")
    page.reload()
    expect(page.locator(".flash")).to_have_count(0)

    page.click("text=Log out Zoë")
    expect(page.locator(".flash")).to_have_text("You are logged out.")
    page.click("text=Log in")
    page.fill("[name=name]", "Zoë")
    page.fill("[name=password]", "wrong horse")
    page.click("main button")
    expect(page.locator(".flash")).to_have_text("Wrong name or password.")
    page.fill("[name=name]", "Zoë")
    page.fill("[name=password]", "correct horse")
    page.click("main button")
    expect(page.locator(".flash")).to_have_text("Hello, Zoë.")

    page.click("text=Write")
    page.fill("[name=title]", "A heron <script>")
    page.fill("[name=body]", "First paragraph.\n\nSecond one.")
    page.set_input_files(
        "[name=image]", {"name": "heron.txt", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.click("main button >> nth=-1")
    expect(page.locator(".flash")).to_have_text("A picture is a PNG, JPEG or GIF file.")
    page.set_input_files(
        "[name=image]", {"name": "my heron.png", "mimeType": "image/png", "buffer": png(600, 200)}
    )
    page.click("main button >> nth=-1")
    expect(page.locator(".flash")).to_have_text("Published.")
    expect(page.locator("article h1")).to_have_text("A heron <script>")
    assert (
        page.locator(".picture").evaluate(
            "async (picture) => { await picture.decode(); return picture.naturalWidth }"
        )
        == 600
    )
    screenshot(page, "blog-2-post")

    page.fill("[type=search]", "heron")
    expect(page.locator(".suggestions a")).to_have_text(["A heron <script>"])
    screenshot(page, "blog-3-search")
    allowed_errors.append("status of 404.*/99$")
    page.goto(f"{server.url}/99")
    expect(page.locator(".error .code")).to_have_text("404")
