"""The layer that answers with the traceback."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from asyncflask.middleware import debug
from asyncflask.middleware.debug import DebugMiddleware
from tests.lifecycle.loops import eventually

from .pages import Page, debug_threads, scope_of


class Client:
    """Calls an ASGI application once and keeps what it sent."""

    def __init__(self, app: Any, scope: dict[str, Any], send_error: Exception | None = None) -> None:
        self.messages: list[Any] = []
        self.error: BaseException | None = None
        self.send_error = send_error

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if self.send_error is not None:
                raise self.send_error
            self.messages.append(message)

        try:
            asyncio.run(app(scope, receive, send))
        except BaseException as error:
            self.error = error

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"fine"}


def failing(error: BaseException, *sent_before: Any) -> DebugMiddleware:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in sent_before:
            await send(message)
        raise error

    return DebugMiddleware(app)


def test_an_answered_request_passes_untouched() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY)

    client = Client(DebugMiddleware(app), scope_of())
    assert client.error is None
    assert client.messages == [START, BODY]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("image/png", "text/plain; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("Text/HTML", "text/html; charset=utf-8"),
        ("application/xhtml+xml", "text/html; charset=utf-8"),
        ("text/html;q=0", "text/plain; charset=utf-8"),
        ("*/*, text/html;q=0.1", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/problem+json", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("\xff;q=a,,;", "text/plain; charset=utf-8"),
    ],
)
def test_an_exception_is_answered_in_the_form_that_is_liked_best(
    accept: str | None, content_type: str
) -> None:
    error = ValueError("in the app")
    headers = [] if accept is None else [(b"Accept", accept.encode("latin-1"))]
    client = Client(failing(error), scope_of("/", *headers))
    assert client.error is error
    assert client.messages[0]["status"] == 500
    assert client.headers[b"content-type"] == content_type.encode()
    assert client.headers[b"content-length"] == str(len(client.body)).encode()
    starts = {"text/plain": b"Traceback", "text/html": b"<!doctype html>", "application/json": b"{"}
    assert client.body.startswith(starts[content_type.partition(";")[0]])
    assert b"ValueError: in the app" in client.body


def test_json_has_everything_apart_and_the_text() -> None:
    try:
        raise ValueError("the cause")
    except ValueError as cause:
        error = RuntimeError("in the app")
        error.__cause__ = cause
    error.add_note("a note")
    value = json.loads(Client(failing(error), scope_of("/", (b"accept", b"application/json"))).body)
    found = value["error"]
    assert (found["type"], found["message"], found["notes"]) == ("RuntimeError", "in the app", ["a note"])
    own = [frame for frame in found["frames"] if not frame["library"]]
    assert [(frame["file"], frame["function"], frame["code"]) for frame in own] == [
        (__file__, "failing.<locals>.app", "raise error")
    ]
    assert found["cause"]["message"] == "the cause"
    assert value["traceback"].endswith("RuntimeError: in the app\na note\n")


@pytest.mark.parametrize(("version", "is_said"), [("1.0", True), ("1.1", True), ("2", False), ("3", False)])
def test_the_connection_ends_with_the_answer_where_that_can_be_said(version: str, is_said: bool) -> None:
    client = Client(failing(ValueError()), scope_of(http_version=version))
    assert (client.headers.get(b"connection") == b"close") == is_said


def test_nothing_runs_on_the_page_but_its_own_script() -> None:
    policies = set()
    for _ in range(2):
        client = Client(failing(ValueError("x")), scope_of("/", (b"accept", b"text/html")))
        policy = client.headers[b"content-security-policy"].decode()
        directives = dict(part.split(maxsplit=1) for part in policy.split("; "))
        assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
        assert directives["script-src"] == directives["style-src"]
        nonce = directives["script-src"].removeprefix("'nonce-").removesuffix("'")
        assert len(nonce) >= 20
        page = Page(client.body.decode())
        assert {
            attributes["nonce"] for tag, attributes, _ in page.elements if tag in ("script", "style")
        } == {nonce}
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
        policies.add(policy)
    assert len(policies) == 2


class Endless(Exception):
    def __str__(self) -> str:
        while True:
            pass


def test_an_exception_without_end_is_answered_and_does_not_hold_up_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debug, "SECONDS", 0.2)
    turns = 0

    async def with_a_clock(scope: Any, receive: Any, send: Any) -> None:
        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        clock = asyncio.create_task(tick())
        try:
            await failing(Endless())(scope, receive, send)
        finally:
            clock.cancel()

    client = Client(with_a_clock, scope_of())
    assert isinstance(client.error, Endless)
    assert b"took too long" in client.body
    assert turns > 5
    eventually(lambda: not debug_threads(), "the thread has ended")


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    error = ValueError("in the app")
    for accept in (b"text/html", b"*/*"):
        client = Client(failing(error), scope_of("/", (b"accept", accept)))
        assert client.error is error
        assert client.messages[0]["status"] == 500


def test_head_gets_no_body() -> None:
    client = Client(failing(ValueError("x")), scope_of(method="HEAD"))
    assert client.body == b""
    assert int(client.headers[b"content-length"]) > 0


def test_nothing_is_sent_after_the_response_has_started() -> None:
    error = ValueError("x")
    client = Client(failing(error, START), scope_of())
    assert client.error is error
    assert client.messages == [START]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), SystemExit(1)])
def test_what_is_no_exception_is_not_answered(error: BaseException) -> None:
    client = Client(failing(error), scope_of())
    assert type(client.error) is type(error)
    assert client.messages == []


def test_a_client_that_is_gone_does_not_hide_the_exception() -> None:
    error = ValueError("x")
    client = Client(failing(error), scope_of(), send_error=ConnectionResetError())
    assert client.error is error


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_scopes_pass_through(kind: str) -> None:
    error = ValueError("x")
    client = Client(failing(error), {"type": kind})
    assert client.error is error
    assert client.messages == []
