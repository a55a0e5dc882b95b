"""The measured requests, and what every peer must answer to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from .peers.data import ARTICLE, GREETING, ITEMS

EXTRA_ROUTES = 300

HEADERS = (("host", "127.0.0.1:8000"), ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("accept", "*/*"))


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
    is_json: bool = False  # what counts is the value of the response, not how it is written
    application: str = "create_app"
    extra_routes: int | None = 0
    in_session: bool = False
    concurrency: int = 1

    def headers(self, cookie: str | None = None) -> list[tuple[str, str]]:
        """The headers of the request."""
        headers = [*HEADERS]
        if cookie is not None:
            headers.append(("cookie", cookie))
        if self.body:
            headers.append(("content-type", self.content_type))
            headers.append(("content-length", str(len(self.body))))
        return headers


@dataclass(frozen=True)
class Answer:
    """What a peer answered: the status, the headers with names in lower case, the body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class WrongAnswer(Exception):
    """A peer does not answer as the case says; its time would mean nothing."""


def check_answer(case: Case, answer: Answer) -> None:
    """Raise `WrongAnswer` unless it is what the case says."""
    if answer.status != case.status:
        raise WrongAnswer(f"{case.name}: status {answer.status}, not {case.status}: {answer.body[:200]!r}")
    if answer.body != case.response and not (
        case.is_json and json.loads(answer.body) == json.loads(case.response)
    ):
        raise WrongAnswer(f"{case.name}: body {answer.body!r}, not {case.response!r}")
    missing = {*case.response_headers} - {name for name, _ in answer.headers}
    if missing:
        raise WrongAnswer(f"{case.name}: no header {', '.join(sorted(missing))}")


def session_cookie(case: Case, answer: Answer) -> str:
    """The one cookie that an answer sets, as a browser would send it back."""
    set_cookies = [value for name, value in answer.headers if name == "set-cookie"]
    if len(set_cookies) != 1:
        raise WrongAnswer(f"{case.name}: the first answer sets {len(set_cookies)} cookies, not one")
    return set_cookies[0].partition(";")[0]


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


def _full(name: str, application: str, concurrency: int) -> Case:
    return Case(
        name,
        "/page",
        _page(visits=2),
        response_headers=("set-cookie", "x-content-type-options"),
        application=application,
        extra_routes=None,
        in_session=True,
        concurrency=concurrency,
    )


def _by_name(cases: Iterable[Case]) -> dict[str, Case]:
    return {case.name: case for case in cases}


#: Those that are measured inside the process.
CASES = _by_name(
    (
        Case("plain", "/plain", _HELLO),
        Case("json", "/json", _JSON, is_json=True),
        Case("int", "/users/421337", _USER),
        Case("sync", "/sync", _HELLO),
        Case("sync-64", "/sync", _HELLO, concurrency=64),
        Case("hooks", "/", _HELLO, application="create_hooks_app", extra_routes=None),
        Case(
            "hooks-sync-64",
            "/",
            _HELLO,
            application="create_hooks_sync_app",
            extra_routes=None,
            concurrency=64,
        ),
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
        Case("json-300", "/json", _JSON, is_json=True, extra_routes=EXTRA_ROUTES),
        Case("int-300", "/users/421337", _USER, extra_routes=EXTRA_ROUTES),
        _full("full", "create_full_app", concurrency=1),
        _full("full-sync-64", "create_full_sync_app", concurrency=64),
    )
)

#: Those that are measured behind a server, whose number of connections takes the place of ``concurrency``.
SERVED_CASES = _by_name(
    (
        Case("plain", "/plain", _HELLO, concurrency=64),
        Case("sync", "/sync", _HELLO, concurrency=64),
        _full("full", "create_full_app", concurrency=64),
        _full("full-sync", "create_full_sync_app", concurrency=64),
        Case("wait", "/wait", _HELLO, concurrency=256),
        Case("wait-sync", "/wait-sync", _HELLO, concurrency=256),
    )
)
