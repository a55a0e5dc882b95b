"""The measured requests, and what every peer must answer to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

from .peers.data import ARTICLE, GREETING, ITEMS

EXTRA_ROUTES = 300


@dataclass(frozen=True)
class Case:
    """One kind of request.

    ``application`` names the function of a peer's module that makes the application, ``extra_routes`` its
    argument (None: it takes none).  With ``in_session``, the request carries the cookie that the peer set in
    answer to the same request before.
    """

    name: str
    path: str
    response: bytes
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    status: int = 200
    response_headers: tuple[str, ...] = ()  # names, in lower case, that the response must have
    application: str = "create_app"
    extra_routes: int | None = 0
    in_session: bool = False
    concurrency: int = 1


def _page(visits: int) -> bytes:
    lines = [
        "<!doctype html>",
        "<title>Items</title>",
        '<nav><a href="/">Home</a> <a href="/items/7">Item 7</a></nav>',
        f"<p>guest, visit {visits}</p>",
        "<ul>",
    ]
    lines += [f"<li>{escape(item)}</li>" for item in ITEMS]
    return "\n".join([*lines, "</ul>"]).encode()


_HELLO = GREETING.encode()
_JSON = json.dumps(ARTICLE, separators=(",", ":")).encode()
_USER = b"user 421337"


def _full(name: str, application: str) -> Case:
    return Case(
        name,
        "/page",
        _page(visits=2),
        response_headers=("set-cookie", "x-content-type-options"),
        application=application,
        extra_routes=None,
        in_session=True,
        concurrency=64,
    )


CASES = {
    case.name: case
    for case in (
        Case("plain", "/plain", _HELLO),
        Case("json", "/json", _JSON + b"\n"),
        Case("int", "/users/421337", _USER),
        Case("sync", "/sync", _HELLO),
        Case("sync-64", "/sync", _HELLO, concurrency=64),
        Case(
            "form-post",
            "/form",
            b"Ada Lovelace, London",
            method="POST",
            body=b"name=Ada+Lovelace&city=London&born=1815",
            content_type="application/x-www-form-urlencoded",
        ),
        Case(
            "json-post",
            "/articles",
            b"Hello",
            method="POST",
            body=_JSON,
            content_type="application/json",
        ),
        Case("404", "/nowhere", b"not found", status=404),
        Case("plain-300", "/plain", _HELLO, extra_routes=EXTRA_ROUTES),
        Case("json-300", "/json", _JSON + b"\n", extra_routes=EXTRA_ROUTES),
        Case("int-300", "/users/421337", _USER, extra_routes=EXTRA_ROUTES),
        _full("full", "create_full_app"),
        _full("full-sync", "create_full_sync_app"),
    )
}
