"""Where a redirect goes, as it is sent: what Werkzeug encodes is encoded."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.urls import iri_to_uri

from asyncflask import Flask

paths = st.text("/ab.Z09-_~?=&%#:;@ é", max_size=12).map(lambda text: f"/{text}")


app = Flask(__name__, static_folder=None)


@app.get("/", blocking=False)
def index() -> Any:
    return app.redirect(app.extensions["location"])


def sent_location(path: str) -> str:
    app.extensions["location"] = path
    headers: dict[bytes, bytes] = {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        headers.update(message.get("headers", ()))

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "", "headers": [(b"host", b"x")],
        "client": None, "server": ("x", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return headers[b"location"].decode()


@settings(max_examples=60, deadline=None)
@given(path=paths)
def test_paths(path: str) -> None:
    location = sent_location(path)
    try:
        expected = iri_to_uri(path)
    except ValueError:  # such as "//." and "//::", whose host or port is none: a 500 in Flask
        expected = quote(path, safe="!#$%&'()*+,-./:;=?@_~")
    assert location == expected


@pytest.mark.parametrize("path", ["//.", "//::", "//a..b", "//x:é", "//" + "é" * 64])
def test_hosts_that_are_none_are_sent_as_they_are(path: str) -> None:
    with pytest.raises(ValueError):
        iri_to_uri(path)
    assert unquote(sent_location(path)) == path
