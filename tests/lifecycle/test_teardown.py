"""Teardown functions run once, after everything else of the request, however the request ends."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from werkzeug.exceptions import ClientDisconnected
from werkzeug.routing import BaseConverter

from asyncflask import (
    Flask,
    Response,
    abort,
    after_this_request,
    appcontext_popped,
    g,
    redirect,
    request,
    request_tearing_down,
    stream_with_context,
)
from asyncflask.sessions import SessionInterface

from .loops import LOOPS, WAYS, Cancelling, eventually, run_on
from .server import APP_NAME, Client, Closed, Server, multipart, time_limit

ROOT = Path(__file__).parents[2]

#: How a teardown function may hear that the client has gone.
GONE = (type(None), asyncio.CancelledError, GeneratorExit, ClientDisconnected)


class Stop(BaseException):
    """What is not an Exception."""


class Journal:
    """What has happened to the one request of a test."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.torn_down: list[tuple[str, BaseException | None]] = []
        self.closed: list[str] = []
        self.wrong: list[str] = []
        self.running = 0
        self.entered = threading.Event()
        self.release = threading.Event()

    def view_starts(self) -> None:
        with self._lock:
            self.running += 1
        self.entered.set()

    def view_ends(self) -> None:
        with self._lock:
            self.running -= 1

    def tear_down(self, what: str, error: BaseException | None) -> None:
        if self.running:
            self.wrong.append(f"{what} was torn down while the view was running")
        # Without its traceback, or the frames of a failed request would live as long as the journal.
        self.torn_down.append((what, None if error is None else error.with_traceback(None)))

    def check(self, *expected: type[BaseException] | None) -> None:
        kinds = tuple(type(None) if kind is None else kind for kind in expected or (None,))
        assert [what for what, _ in self.torn_down] == ["request", "appcontext"]
        for what, error in self.torn_down:
            assert isinstance(error, kinds), f"{what} was torn down with {error!r}"
        assert not self.wrong, self.wrong


def in_style(style: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as ``def``, as ``async def``, or as the one around the other."""

    @functools.wraps(function)
    def sync(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.001)
        return function(*args, **kwargs)

    @functools.wraps(function)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0.001)
        return function(*args, **kwargs)

    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return asynchronous(*args, **kwargs)

    return {"sync": sync, "async": asynchronous, "decorated": decorated}[style]


def make_app(journal: Journal, hooks: str, views: str) -> Flask:
    """An application with a route for each way to end.

    :param hooks: "sync", "async", "decorated", or "mixed".
    :param views: "sync" or "async".
    """
    app = Flask(APP_NAME, static_folder=None)
    app.config["MAX_FORM_MEMORY_SIZE"] = 1000
    app.config["SECRET_KEY"] = "secret"
    app.config["WORKER_THREADS"] = 8
    request_style, app_style = ("sync", "async") if hooks == "mixed" else (hooks, hooks)

    def hook(function: Callable[..., Any]) -> Callable[..., Any]:
        return in_style(request_style, function)

    def route(rule: str, **options: Any) -> Callable[[Callable[..., Any]], None]:
        def register(function: Callable[..., Any]) -> None:
            app.add_url_rule(rule, rule, in_style(views, function), **options)

        return register

    @app.before_request
    @hook
    def before() -> Any:
        if request.args.get("before") == "fails":
            raise ZeroDivisionError
        if request.args.get("before") == "answers":
            return "from before"
        if request.args.get("before") == "aborts":
            abort(403)
        return None

    @app.after_request
    @hook
    def after(response: Response) -> Response:
        if request.args.get("after") == "fails" and response.status_code != 500:
            raise ZeroDivisionError
        return response

    app.teardown_request(in_style(request_style, lambda error: journal.tear_down("request", error)))
    app.teardown_appcontext(in_style(app_style, lambda error: journal.tear_down("appcontext", error)))
    app.register_error_handler(KeyError, hook(lambda error: ("handled", 418)))
    app.register_error_handler(LookupError, hook(lambda error: 1 / 0))

    @route("/ok", methods=["GET", "POST"])
    def ok() -> str:
        return "ok"

    @route("/session")
    def session_() -> str:
        from asyncflask import session

        session["seen"] = True
        return "ok"

    @route("/abort")
    def aborts() -> None:
        abort(409)

    @route("/redirect")
    def redirects() -> Any:
        return redirect("/ok")

    @route("/handled")
    def handled() -> None:
        raise KeyError("x")

    @route("/handler-fails")
    def handler_fails() -> None:
        raise IndexError("x")

    @route("/fails")
    def fails() -> None:
        raise ValueError("x")

    @route("/not-an-exception")
    def not_an_exception() -> None:
        raise Stop

    @route("/stop-iteration")
    def stop_iteration() -> None:
        next(iter(()))

    @route("/none")
    def none() -> None:
        return None

    @route("/after-this-request")
    def after_this() -> str:
        @after_this_request
        @hook
        def fail(response: Response) -> Response:
            if response.status_code != 500:
                raise ZeroDivisionError
            return response

        return "x"

    @route("/form", methods=["POST"])
    def form() -> str:
        return str(len(request.form))

    @route("/slash/")
    def slash() -> str:
        return "x"

    @route("/on-close")
    def on_close() -> Response:
        response = Response("x")
        response.call_on_close(in_style(request_style, lambda: journal.closed.append("on_close")))
        return response

    @route("/on-close-fails")
    def on_close_fails() -> Response:
        def fail() -> None:
            raise ZeroDivisionError

        response = Response(stream_with_context(pieces("ends")))
        response.call_on_close(in_style(request_style, fail))
        return response

    def sync_pieces(how: str) -> Iterator[str]:
        journal.view_starts()
        try:
            if how == "fails at once":
                raise ValueError("x")
            yield "one"
            if how == "fails later":
                raise ValueError("x")
            while how == "goes on" and not journal.release.is_set():
                time.sleep(0.005)
                yield "more"
            if how == "blocks":
                journal.release.wait(5)
                yield "released"
        finally:
            time.sleep(0.02)
            journal.closed.append("generator")
            journal.view_ends()

    async def async_pieces(how: str) -> AsyncIterator[str]:
        journal.view_starts()
        try:
            if how == "fails at once":
                raise ValueError("x")
            yield "one"
            if how == "fails later":
                raise ValueError("x")
            while how == "goes on" and not journal.release.is_set():
                await asyncio.sleep(0.005)
                yield "more"
            if how == "blocks":
                await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.02)
            journal.closed.append("generator")
            journal.view_ends()

    pieces: Callable[[str], Any] = sync_pieces if views == "sync" else async_pieces

    @route("/stream")
    def stream() -> Any:
        return pieces(request.args["how"])

    @route("/stream-with-context")
    def stream_in_context() -> Any:
        return stream_with_context(pieces(request.args["how"]))

    @route("/stream-unread", methods=["POST"], stream=True)
    def stream_unread() -> Any:
        return pieces(request.args["how"])

    if views == "sync":

        @app.get("/slow")
        def slow() -> str:
            journal.view_starts()
            try:
                journal.release.wait(5)
                time.sleep(0.02)
                return "slow"
            finally:
                journal.view_ends()

        @app.post("/upload", stream=True)
        def upload() -> str:
            journal.view_starts()
            try:
                return str(len(request.stream.read()))
            finally:
                journal.view_ends()

    else:

        @app.get("/slow")
        async def slow() -> str:
            journal.view_starts()
            try:
                while not journal.release.is_set():
                    await asyncio.sleep(0.002)
                return "slow"
            finally:
                await asyncio.sleep(0.02)
                journal.view_ends()

        @app.post("/upload", stream=True)
        async def upload() -> str:
            journal.view_starts()
            try:
                return str(sum([len(chunk) async for chunk in request.stream]))
            finally:
                journal.view_ends()

    return app


class Site:
    """An application on a server, with the journal of its requests."""

    def __init__(self, journal: Journal, server: Server) -> None:
        self.journal = journal
        self.server = server

    def over(self) -> Journal:
        """Wait until no request is under way any more."""
        eventually(lambda: not self.server.tasks, "the request is over")
        return self.journal


VARIANTS = [
    ("asyncio", "sync", "sync"),
    ("uvloop", "sync", "async"),
    ("uvloop", "async", "sync"),
    ("asyncio", "async", "async"),
    ("uvloop", "mixed", "sync"),
    ("asyncio", "mixed", "async"),
    ("asyncio", "decorated", "sync"),
    ("uvloop", "decorated", "async"),
]


@pytest.fixture(scope="module", params=VARIANTS, ids="-".join)
def running(request: pytest.FixtureRequest) -> Iterator[Site]:
    loop, hooks, views = request.param
    journal = Journal()
    app = make_app(journal, hooks, views)
    with Server(app, loop=loop) as server:
        yield Site(journal, server)
        journal.release.set()
    # What Flask's tests of a generator would leave: nothing may be under way after the shutdown.
    assert not server.tasks


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    running.journal.clear()
    del running.server.errors[:]
    yield running
    running.journal.release.set()
    running.over()


# -- answered -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/ok", 200, None),
        ("POST", "/ok", 200, None),
        ("HEAD", "/ok", 200, None),
        ("OPTIONS", "/ok", 200, None),
        ("GET", "/session", 200, None),
        ("GET", "/abort", 409, None),
        ("GET", "/redirect", 302, None),
        ("GET", "/slash", 308, None),
        ("GET", "/missing", 404, None),
        ("DELETE", "/ok", 405, None),
        ("GET", "/handled", 418, None),
        ("GET", "/ok?before=answers", 200, None),
        ("GET", "/ok?before=aborts", 403, None),
        ("GET", "/on-close", 200, None),
        ("GET", "/stream?how=ends", 200, None),
        ("GET", "/stream-with-context?how=ends", 200, None),
        ("HEAD", "/stream?how=ends", 200, None),
        ("GET", "/fails", 500, ValueError),
        ("HEAD", "/fails", 500, ValueError),
        ("GET", "/stop-iteration", 500, RuntimeError),
        ("GET", "/none", 500, TypeError),
        ("GET", "/handler-fails", 500, ZeroDivisionError),
        ("GET", "/ok?before=fails", 500, ZeroDivisionError),
        ("GET", "/ok?after=fails", 500, ZeroDivisionError),
        ("GET", "/missing?after=fails", 500, ZeroDivisionError),
        ("GET", "/after-this-request", 500, ZeroDivisionError),
        ("GET", "/not-an-exception", 500, Stop),
    ],
)
def test_an_answered_request(
    site: Site, method: str, path: str, status: int, error: type[BaseException] | None
) -> None:
    response = site.server.request(method, path)
    assert response.status == status
    site.over().check(error)


def test_a_plain_response_is_sent_after_the_teardown(site: Site) -> None:
    """A client that has its answer finds everything released, as under Flask."""
    site.server.get("/ok")
    site.journal.check(None)


def test_functions_to_call_on_close_are_called_once(site: Site) -> None:
    site.server.get("/on-close")
    site.over()
    assert site.journal.closed == ["on_close"]


def test_a_streamed_response_is_closed_before_the_teardown(site: Site) -> None:
    for path in ("/stream?how=ends", "/stream-with-context?how=ends"):
        site.journal.clear()
        assert site.server.get(path).body == b"one"
        site.over().check(None)
        assert site.journal.closed == ["generator"]


def test_an_unread_generator_is_closed_without_having_run(site: Site) -> None:
    assert site.server.request("HEAD", "/stream?how=goes%20on").status == 200
    site.over().check(None)
    assert site.journal.closed == []


def test_a_form_that_is_too_large(site: Site) -> None:
    headers, body = multipart([("name", None, b"x" * 2000)])
    assert site.server.request("POST", "/form", headers=headers, body=body).status == 413
    site.over().check(None)


# -- failures after the response has started ----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/stream", "/stream-with-context"])
@pytest.mark.parametrize("how", ["fails at once", "fails later"])
def test_a_generator_that_fails(site: Site, path: str, how: str) -> None:
    """The client sees that the response is not complete; the teardown functions of a request that lasts as
    long as the generator what went wrong."""
    with pytest.raises(Closed):
        site.server.get(f"{path}?how={how.replace(' ', '%20')}")
    # Without the context the request is over when the generator begins.
    site.over().check(ValueError if path == "/stream-with-context" else None)
    eventually(lambda: site.journal.closed == ["generator"], "the generator is closed")


def test_a_function_to_call_on_close_that_fails(site: Site) -> None:
    with suppress(Closed):
        site.server.get("/on-close-fails")
    site.over()
    assert [what for what, _ in site.journal.torn_down] == ["request", "appcontext"]
    assert site.journal.closed == ["generator"]


# -- the client goes away -----------------------------------------------------------------------------------


def go(client: Client, manner: str) -> None:
    if manner == "reset":
        client.reset()
    else:
        client.close()


@pytest.mark.parametrize("manner", ["close", "reset"])
def test_gone_before_a_small_body_is_complete(site: Site, manner: str) -> None:
    """It is received before the request begins: no function of it has been called, and none is."""
    client = site.server.connect()
    client.send(b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=")
    eventually(lambda: site.server.tasks, "the request has come")
    time.sleep(0.01)
    go(client, manner)
    site.over()
    assert site.journal.torn_down == []
    assert site.server.errors == []


@pytest.mark.parametrize("manner", ["close", "reset"])
def test_gone_before_a_large_body_is_complete(site: Site, manner: str) -> None:
    client = site.server.connect()
    client.send(
        b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
    )
    eventually(lambda: site.server.tasks, "the request has begun")
    time.sleep(0.01)
    assert site.journal.torn_down == []
    go(client, manner)
    site.over().check(*GONE)
    assert site.server.errors == []


@pytest.mark.parametrize("manner", ["close", "reset"])
def test_gone_while_a_view_reads_the_stream(site: Site, manner: str) -> None:
    client = site.server.connect()
    client.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=")
    assert site.journal.entered.wait(5)
    time.sleep(0.01)
    go(client, manner)
    site.over().check(*GONE)


@pytest.mark.parametrize("manner", ["close", "reset"])
def test_gone_while_the_view_runs(site: Site, manner: str) -> None:
    client = site.server.connect()
    client.send_request("GET", "/slow")
    assert site.journal.entered.wait(5)
    go(client, manner)
    time.sleep(0.05)
    site.journal.release.set()
    site.over().check(*GONE)


@pytest.mark.parametrize("manner", ["close", "reset"])
@pytest.mark.parametrize("how", ["goes on", "blocks"])
@pytest.mark.parametrize("path", ["/stream", "/stream-with-context"])
def test_gone_while_it_is_streamed(site: Site, path: str, how: str, manner: str) -> None:
    client = site.server.connect()
    client.send_request("GET", f"{path}?how={how.replace(' ', '%20')}")
    client.head()
    assert site.journal.entered.wait(5)
    go(client, manner)
    if how == "blocks":
        time.sleep(0.03)
        site.journal.release.set()
    site.over().check(*GONE)
    assert site.journal.closed == ["generator"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_exception_while_it_is_gone_is_not_hidden(kind: str) -> None:
    app = Flask(APP_NAME)
    errors = []
    app.teardown_request(errors.append)

    def pieces() -> Iterator[str]:
        try:
            while True:
                yield "x"
                time.sleep(0.005)
        finally:
            raise ZeroDivisionError

    async def async_pieces() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(0.005)
        finally:
            raise ZeroDivisionError

    app.add_url_rule("/", "index", pieces if kind == "sync" else async_pieces)
    with Server(app) as server:
        client = server.connect()
        client.send_request("GET", "/")
        client.head()
        client.close()
        eventually(lambda: errors and server.errors, "the server is told")
    assert server.errors == ["Exception in ASGI application: ZeroDivisionError()"]


@pytest.mark.parametrize("body", ["not read", "never complete"])
def test_gone_while_it_is_streamed_and_the_body_was_not_read(site: Site, body: str) -> None:
    """A route that takes the body as it comes need not take it at all; its client can leave all the same."""
    client = site.server.connect()
    length = 5 if body == "not read" else 100
    client.send(
        b"POST /stream-unread?how=goes%%20on HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n12345" % length
    )
    client.head()
    assert site.journal.entered.wait(5)
    client.close()
    site.over().check(*GONE)
    assert site.journal.closed == ["generator"]


def test_gone_after_the_answer(site: Site) -> None:
    client = site.server.connect()
    assert client.request("GET", "/ok").status == 200
    client.reset()
    site.over().check(None)


def test_gone_without_having_asked(site: Site) -> None:
    for data in (b"", b"G", b"GET /ok HTTP/1.1\r\nHo"):
        client = site.server.connect()
        client.send(data)
        client.close()
    assert site.server.get("/missing").status == 404
    site.over().check(None)


def test_gone_in_a_row_of_requests_on_one_connection(site: Site) -> None:
    """Three at once, and gone while the first is in its view: what has begun is torn down."""
    client = site.server.connect()
    client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert site.journal.entered.wait(5)
    client.reset()
    time.sleep(0.03)
    site.journal.release.set()
    site.over()
    torn_down = [what for what, _ in site.journal.torn_down]
    assert torn_down == ["request", "appcontext"] * (len(torn_down) // 2)
    assert torn_down
    assert not site.journal.wrong


def test_a_body_that_never_comes_holds_nobody_up(site: Site) -> None:
    clients = [site.server.connect() for _ in range(20)]
    for client in clients:
        client.send(b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    with time_limit(2, "a request beside twenty that never come"):
        assert site.server.get("/ok").status == 200
    for client in clients:
        client.close()
    site.over()
    assert len(site.journal.torn_down) == 2 * 21


# -- teardown functions that fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["sync", "async", "decorated"])
@pytest.mark.parametrize("where", ["request", "appcontext"])
@pytest.mark.parametrize("streamed", [False, True])
def test_every_teardown_function_is_called_when_some_fail(style: str, where: str, streamed: bool) -> None:
    app = Flask(APP_NAME, static_folder=None)
    called: list[str] = []

    def teardown(name: str, fails: bool) -> Callable[[BaseException | None], Any]:
        def function(error: BaseException | None) -> None:
            called.append(name)
            if fails:
                raise ZeroDivisionError(name)

        return in_style(style, function)

    app.teardown_request(teardown("request 2", where == "request"))
    app.teardown_request(teardown("request 1", where == "request"))
    app.teardown_appcontext(teardown("appcontext 2", where == "appcontext"))
    app.teardown_appcontext(teardown("appcontext 1", where == "appcontext"))

    @app.get("/")
    def view() -> Any:
        return iter(["x"]) if streamed else "x"

    with Server(app) as server:
        if streamed:
            with suppress(Closed):
                server.get("/")
        else:
            assert server.get("/").status == 500
        eventually(lambda: not server.tasks, "the request is over")
    assert called == ["request 1", "request 2", "appcontext 1", "appcontext 2"]


# -- failures before the view --------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_converter_that_fails(style: str) -> None:
    """An error while the URL is matched is answered as one in a view is."""
    app = Flask(APP_NAME, static_folder=None)
    journal = Journal()

    class Failing(BaseConverter):
        def to_python(self, value: str) -> str:
            raise ZeroDivisionError

    app.url_map.converters["failing"] = Failing
    app.teardown_request(in_style(style, lambda error: journal.tear_down("request", error)))
    app.teardown_appcontext(in_style(style, lambda error: journal.tear_down("appcontext", error)))
    app.after_request(in_style(style, lambda response: Response("after", response.status_code)))
    app.register_error_handler(500, in_style(style, lambda error: ("handled", 500)))
    app.add_url_rule("/<failing:value>", "view", in_style(style, lambda value: "x"))
    with Server(app) as server:
        response = server.get("/x")
        assert (response.status, response.body) == (500, b"after")
        eventually(lambda: not server.tasks, "the request is over")
    journal.check(ZeroDivisionError)


@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_session_interface_that_fails(style: str) -> None:
    app = Flask(APP_NAME, static_folder=None)
    journal = Journal()

    class Failing(SessionInterface):
        open_session = in_style(style, lambda self, app, request: 1 / 0)

    app.session_interface = Failing()
    app.teardown_request(in_style(style, lambda error: journal.tear_down("request", error)))
    app.teardown_appcontext(in_style(style, lambda error: journal.tear_down("appcontext", error)))
    app.add_url_rule("/", "view", in_style(style, lambda: "x"))
    with Server(app) as server:
        assert server.get("/").status == 500
        eventually(lambda: not server.tasks, "the request is over")
    journal.check(ZeroDivisionError)


# -- responses of other ASGI applications -------------------------------------------------------------------


def make_asgi_app(journal: Journal, hooks: str) -> Flask:
    app = make_app(journal, hooks, "async")

    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield str(number)
            await asyncio.sleep(0.001)

    async def endless() -> AsyncIterator[str]:
        journal.view_starts()
        try:
            while True:
                yield "more"
                await asyncio.sleep(0.002)
        finally:
            journal.closed.append("generator")
            journal.view_ends()

    async def echo(request: StarletteRequest) -> PlainTextResponse:
        return PlainTextResponse(await request.body())

    async def asgi_fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("x")

    async def asgi_fails_later(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError("x")

    inner = Starlette(routes=[Route("/asgi/echo", echo, methods=["POST"])])
    app.add_url_rule("/asgi/plain", "plain", lambda: PlainTextResponse("plain"))
    app.add_url_rule("/asgi/numbers", "numbers", lambda: StreamingResponse(numbers()))
    app.add_url_rule("/asgi/endless", "endless", lambda: StreamingResponse(endless()))
    app.add_url_rule("/asgi/echo", "echo", lambda: inner, methods=["POST"])
    app.add_url_rule("/asgi/fails", "asgi_fails", lambda: asgi_fails)
    app.add_url_rule("/asgi/fails-later", "asgi_fails_later", lambda: asgi_fails_later)
    return app


@pytest.fixture(scope="module", params=["sync", "async", "mixed"])
def running_asgi(request: pytest.FixtureRequest) -> Iterator[Site]:
    journal = Journal()
    app = make_asgi_app(journal, request.param)
    with Server(app, loop="uvloop") as server:
        yield Site(journal, server)


@pytest.fixture
def asgi_site(running_asgi: Site) -> Site:
    running_asgi.journal.clear()
    return running_asgi


@pytest.mark.parametrize(("path", "body"), [("/asgi/plain", b"plain"), ("/asgi/numbers", b"012")])
def test_a_response_of_another_asgi_application(asgi_site: Site, path: str, body: bytes) -> None:
    response = asgi_site.server.get(path)
    assert (response.status, response.body) == (200, body)
    asgi_site.over().check(None)


@pytest.mark.parametrize("size", [3, 2_000_000])
def test_another_asgi_application_finds_the_body(asgi_site: Site, size: int) -> None:
    body = b"x" * size
    with asgi_site.server.connect(timeout=3) as client:
        response = client.request("POST", "/asgi/echo", body=body)
    assert response.status == 200
    assert response.body == body
    asgi_site.over().check(None)


def test_another_asgi_application_that_fails(asgi_site: Site) -> None:
    assert asgi_site.server.get("/asgi/fails").status == 500
    asgi_site.over().check(ValueError)
    asgi_site.journal.clear()
    with suppress(Closed):
        asgi_site.server.get("/asgi/fails-later")
    asgi_site.over().check(ValueError)


def test_gone_while_another_asgi_application_streams(asgi_site: Site) -> None:
    client = asgi_site.server.connect()
    client.send_request("GET", "/asgi/endless")
    client.head()
    assert asgi_site.journal.entered.wait(5)
    client.close()
    asgi_site.over().check(*GONE)
    assert asgi_site.journal.closed == ["generator"]


@pytest.mark.parametrize("kind", ["text", "sync", "async"])
def test_a_response_is_an_asgi_application_also_outside_of_a_request(kind: str) -> None:
    """Around the application, say, where an ASGI middleware answers by itself."""
    closed: list[str] = []

    def sync_pieces() -> Iterator[str]:
        try:
            yield "pie"
            yield "ces"
        finally:
            closed.append("generator")

    async def async_pieces() -> AsyncIterator[str]:
        try:
            yield "pie"
            yield "ces"
        finally:
            closed.append("generator")

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        body: Any = {"text": "pieces", "sync": sync_pieces(), "async": async_pieces()}[kind]
        await Response(body)(scope, receive, send)

    with Server(middleware, lifespan="off") as server:
        response = server.get("/")
    assert (response.status, response.body) == (200, b"pieces")
    assert closed == ([] if kind == "text" else ["generator"])


def test_the_end_of_a_response_is_not_the_end_of_its_client() -> None:
    """A server says "http.disconnect" also when the response is complete. ASGI middleware may still be at
    work then, in the last `send`, and neither it nor the teardown is to hear of a client that has gone."""
    journal = Journal()
    app = make_app(journal, "async", "async")
    after_the_end: list[str] = []

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def slow_send(message: Any) -> None:
            await send(message)
            if (
                scope["type"] == "http"
                and message["type"] == "http.response.body"
                and not message.get("more_body")
            ):
                await asyncio.sleep(0.02)
                after_the_end.append("done")

        await app(scope, receive, slow_send)

    with Server(middleware) as server:
        assert server.get("/stream?how=ends").status == 200
        eventually(lambda: not server.tasks, "the request is over")
    journal.check(None)
    assert after_the_end == ["done"]


# -- from sync code -----------------------------------------------------------------------------------------


def test_a_context_pushed_by_hand_is_torn_down_in_the_thread_that_pops_it() -> None:
    """Database connections of sync code belong to their threads, whatever async functions run between."""
    app = Flask(APP_NAME, static_folder=None)
    threads: list[tuple[str, str]] = []

    def sync_teardown(error: BaseException | None) -> None:
        threads.append(("sync", threading.current_thread().name))

    async def async_teardown(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        threads.append(("async", threading.current_thread().name))

    for function in (sync_teardown, async_teardown, sync_teardown):
        app.teardown_request(function)
        app.teardown_appcontext(function)
    with app.test_request_context():
        pass
    here = threading.current_thread().name
    assert [kind for kind, _ in threads] == ["sync", "async", "sync"] * 2
    assert {name for kind, name in threads if kind == "sync"} == {here}
    assert here not in {name for kind, name in threads if kind == "async"}


def test_an_overridden_stage_keeps_sync_hooks_off_the_loop() -> None:
    """A subclass that calls the stage from sync code: hooks run where they always do."""
    names: list[tuple[str, str]] = []

    class Own(Flask):
        def preprocess_request(self) -> Any:
            names.append(("override", threading.current_thread().name))
            return super().preprocess_request()

    app = Own(APP_NAME, static_folder=None)

    @app.before_request
    def first() -> None:
        names.append(("sync", threading.current_thread().name))

    @app.before_request
    async def second() -> None:
        await asyncio.sleep(0)
        names.append(("async", threading.current_thread().name))

    @app.before_request
    def third() -> None:
        names.append(("sync", threading.current_thread().name))

    app.add_url_rule("/", "index", lambda: "ok")
    with Server(app) as server:
        assert server.get("/").body == b"ok"
    by_kind = {kind: {name for k, name in names if k == kind} for kind, _ in names}
    assert by_kind["async"] == {"test-server"}
    assert by_kind["sync"] == by_kind["override"]
    assert len(by_kind["sync"]) == 1


# -- cancelled, without a server ----------------------------------------------------------------------------


def scope_for(
    path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def never() -> Any:
    await asyncio.sleep(3600)


async def body_never_ends() -> dict[str, Any]:
    await asyncio.sleep(0.001)
    return {"type": "http.request", "body": b"x", "more_body": True}


#: The request that the test's own task is making, which the server's context of it inherits.
current_name: ContextVar[str] = ContextVar("current_name")


class Ended:
    """Counts teardown functions of several kinds, for one request at a time or for many."""

    def __init__(self, app: Flask, style: str) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        #: Those that a cancellation has ended.
        self.cut: dict[str, list[str]] = {}
        self.wrong: list[str] = []
        self.hook: Callable[[str], Any] = lambda name: None
        app.teardown_request(self._function("request", style))
        app.teardown_appcontext(self._function("appcontext", style))
        other = {"sync": "async", "async": "sync"}.get(style, "sync")
        app.teardown_request(self._function("other request", other))
        app.teardown_appcontext(self._function("other appcontext", other))
        self.expected = {"request", "appcontext", "other request", "other appcontext"}

    def begins(self, name: str) -> None:
        self.counts[name] = {}
        current_name.set(name)

    def _function(self, what: str, style: str) -> Callable[..., Any]:
        def start() -> str:
            name = current_name.get()
            if g.get("running", 0):
                self.wrong.append(f"{what} of {name} while its view was running")
            self.hook(what)
            return name

        def end(name: str) -> None:
            counts = self.counts[name]
            counts[what] = counts.get(what, 0) + 1

        def sync(error: BaseException | None) -> None:
            name = start()
            time.sleep(0.001)
            end(name)

        async def asynchronous(error: BaseException | None) -> None:
            name = start()
            try:
                await asyncio.sleep(0.002)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self.cut.setdefault(name, []).append(what)
                raise
            finally:
                end(name)

        def decorated(error: BaseException | None) -> Awaitable[None]:
            return asynchronous(error)

        return {"sync": sync, "async": asynchronous, "decorated": decorated}[style]

    def check(self) -> None:
        assert not self.wrong, self.wrong[:5]
        for name, counts in self.counts.items():
            assert counts == dict.fromkeys(self.expected, 1), f"{name}: {counts}"


def make_cancellable(style: str) -> tuple[Flask, Ended, list[Callable[[], None]]]:
    """An application; what its teardown functions do; and what is called when a view starts to wait."""
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = 6
    ended = Ended(app, style)
    told: list[Callable[[], None]] = []

    def pause() -> float:
        return float(request.args.get("pause", 0))

    class running:
        def __enter__(self) -> None:
            g.running = g.get("running", 0) + 1
            for tell in told:
                tell()

        def __exit__(self, *exc_info: object) -> None:
            g.running -= 1

    @app.get("/sync")
    def sync() -> str:
        with running():
            time.sleep(pause())
        return "x"

    @app.get("/async")
    async def asynchronous() -> str:
        with running():
            await asyncio.sleep(pause())
        return "x"

    @app.get("/ensure-sync")
    def ensure_sync() -> str:
        with running():
            app.ensure_sync(asyncio.sleep)(pause())
        return "x"

    @app.get("/sync-to-async")
    async def sync_to_async() -> str:
        def block() -> None:
            with running():
                time.sleep(min(pause(), 0.05))

        await app.sync_to_async(block)()
        await asyncio.sleep(pause())
        return "x"

    @app.get("/stream")
    def stream() -> Iterator[str]:
        def pieces() -> Iterator[str]:
            with running():
                for _ in range(4):
                    yield "x"
                    time.sleep(min(pause(), 0.05))

        return stream_with_context(pieces())

    @app.get("/async-stream")
    async def async_stream() -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            with running():
                for _ in range(4):
                    yield "x"
                    await asyncio.sleep(pause())

        return stream_with_context(pieces())

    @app.post("/upload")
    async def upload() -> str:
        return str(len(request.data))

    return app, ended, told


PLACES = ["/sync", "/async", "/ensure-sync", "/sync-to-async", "/stream", "/async-stream"]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("style", ["sync", "async", "decorated"])
def test_cancelled_in_every_place(kind: str, style: str, way: str) -> None:
    """In the view, in the generator, or in the teardown itself: each function is called, once. One
    cancellation ends the function that it meets, and no other."""
    app, ended, now = make_cancellable(style)
    teardown_now: list[Callable[[], None]] = []
    ended.hook = lambda what: [cancel() for cancel in teardown_now]

    async def one(path: str, name: str, in_teardown: bool) -> None:
        loop = asyncio.get_running_loop()
        cancelling = Cancelling(way)
        cancel = functools.partial(loop.call_soon_threadsafe, cancelling.cancel)
        (teardown_now if in_teardown else now).append(cancel)
        ended.begins(name)

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        pause = 0.001 if in_teardown else 0.02 if path in ("/sync", "/stream") else 600
        try:
            await cancelling.around(_call(app, scope_for(f"{path}?pause={pause}"), never, send))
        finally:
            now.clear()
            teardown_now.clear()

    async def main() -> None:
        for path in PLACES:
            await one(path, f"view{path}", in_teardown=False)
            await one(path, f"teardown{path}", in_teardown=True)

    run_on(kind, main, timeout=15)
    ended.check()
    if way != "repeatedly":
        assert all(name.startswith("teardown") and len(cut) == 1 for name, cut in ended.cut.items()), (
            ended.cut
        )


async def _call(app: Any, *args: Any) -> None:
    await app(*args)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("style", ["sync", "async", "decorated"])
def test_cancelled_at_random(kind: str, style: str, way: str) -> None:
    app, ended, _ = make_cancellable(style)
    rng = random.Random(f"{kind}{way}{style}")

    async def one(name: str) -> None:
        ended.begins(name)
        path = rng.choice([*PLACES, "/upload", "/missing"])
        target = f"{path}?pause={rng.choice([0, 0.0005, 0.002])}"
        scope = scope_for(target)
        receive: Any = never
        if path == "/upload":
            scope = scope_for(target, "POST", ((b"transfer-encoding", b"chunked"),))
            receive = body_never_ends

        async def send(message: Any) -> None:
            await asyncio.sleep(rng.choice([0, 0.0005]))

        cancelling = Cancelling(way)
        asyncio.get_running_loop().call_later(rng.uniform(0, 0.012), cancelling.cancel)
        await cancelling.around(_call(app, scope, receive, send))

    async def main() -> None:
        for turn in range(6):
            await asyncio.gather(*(one(f"{turn}.{number}") for number in range(30)))
        await asyncio.sleep(0.015)  # the last of the timers

    # Cancelled before its first step, a request has not begun: there is nothing to tear down.
    run_on(kind, main, timeout=20)
    begun = {name: counts for name, counts in ended.counts.items() if counts}
    assert len(begun) > 120
    ended.counts = begun
    ended.check()
    eventually(lambda: len(app.worker_pool.threads) <= 6, "no thread is left over")


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("way", ["once", "scope", "timeout"])
def test_a_cancellation_does_not_cut_async_receivers_of_signals_short(kind: str, way: str) -> None:
    app = Flask(APP_NAME, static_folder=None)
    ended: list[str] = []

    async def tearing_down(sender: Any, **extra: Any) -> None:
        await asyncio.sleep(0.005)
        ended.append("tearing down")

    async def popped(sender: Any, **extra: Any) -> None:
        await asyncio.sleep(0.005)
        ended.append("popped")

    async def main() -> None:
        cancelling = Cancelling(way)

        @app.get("/")
        async def view() -> str:
            cancelling.cancel()
            await asyncio.sleep(600)
            return "x"

        async def send(message: Any) -> None:
            pass

        with (
            request_tearing_down.connected_to(tearing_down, app),
            appcontext_popped.connected_to(popped, app),
        ):
            await cancelling.around(_call(app, scope_for("/"), never, send))

    run_on(kind, main, timeout=5)
    assert ended == ["tearing down", "popped"]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("way", ["once", "scope", "timeout"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancellation_while_it_is_sent_does_not_cut_on_close_short(
    kind: str, way: str, streamed: bool
) -> None:
    app = Flask(APP_NAME, static_folder=None)
    closed: list[str] = []

    async def close() -> None:
        await asyncio.sleep(0.005)
        closed.append("async")

    @app.get("/")
    def view() -> Response:
        response = Response(iter(["x"]) if streamed else "x")
        response.call_on_close(close)
        response.call_on_close(lambda: closed.append("sync"))
        return response

    async def main() -> None:
        cancelling = Cancelling(way)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                cancelling.cancel()
                await asyncio.sleep(600)

        await cancelling.around(_call(app, scope_for("/"), never, send))

    run_on(kind, main, timeout=5)
    assert closed == ["async", "sync"]


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("style", ["sync", "async", "decorated"])
def test_all_tasks_cancelled_at_once_leave_no_teardown_function_out(kind: str, style: str) -> None:
    """As `asyncio.run` does at its end. What is under way may be cut short, what has not begun may not."""
    app = Flask(APP_NAME, static_folder=None)
    called: list[str] = []

    async def slow(error: BaseException | None) -> None:
        called.append("slow")
        await asyncio.sleep(0.5)

    for number in range(2):
        app.teardown_request(in_style(style, lambda error, number=number: called.append(f"request {number}")))
        app.teardown_appcontext(
            in_style(style, lambda error, number=number: called.append(f"appcontext {number}"))
        )
    app.teardown_request(slow)

    @app.get("/")
    async def view() -> str:
        await asyncio.sleep(600)
        return "x"

    async def main() -> None:
        async def send(message: Any) -> None:
            pass

        running = asyncio.create_task(_call(app, scope_for("/"), never, send))
        await asyncio.sleep(0.01)
        for _ in range(2):
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
            await asyncio.sleep(0.05)
        await asyncio.wait({running}, timeout=5)

    run_on(kind, main, timeout=8)
    assert called == ["slow", "request 1", "request 0", "appcontext 1", "appcontext 0"]


# -- shutdown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loop", "hooks", "views"), VARIANTS[:6])
def test_shutdown_with_a_request_of_every_kind_under_way(loop: str, hooks: str, views: str) -> None:
    journal = Journal()
    app = make_app(journal, hooks, views)
    counts: dict[str, int] = {}
    lock = threading.Lock()

    @app.teardown_request
    def count(error: BaseException | None) -> None:
        with lock:
            counts[request.path] = counts.get(request.path, 0) + 1

    clients = []
    before = set(threading.enumerate())
    with Server(app, loop=loop, timeout_graceful_shutdown=0.2) as server:
        for start in (
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /stream?how=goes%20on HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /stream-with-context?how=blocks HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nname=",
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=",
        ):
            client = server.connect()
            client.send(start)
            clients.append(client)
        eventually(lambda: len(server.tasks) == 5 and journal.running == 4, "all have begun")
        threading.Timer(0.5, journal.release.set).start()
        with time_limit(8, "the shutdown"):
            server.stop()
    for client in clients:
        client.close()
    assert counts == dict.fromkeys(["/slow", "/stream", "/stream-with-context", "/form", "/upload"], 1)
    torn_down = sorted(what for what, _ in journal.torn_down)
    if hooks == "sync":  # the server's cancellation ends the async ones that it meets
        assert torn_down == ["appcontext"] * 5 + ["request"] * 5
    if views == "sync":
        # Async ones are cancelled by the server, and by the loop that ends: their own clean-up may be cut.
        assert sorted(journal.closed) == ["generator"] * 2

    def alive() -> list[threading.Thread]:
        return [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(APP_NAME)]

    eventually(lambda: not alive(), "all threads have ended")


@pytest.mark.parametrize("loop", LOOPS)
def test_shutdown_while_a_cancelled_view_cleans_up(loop: str) -> None:
    """The threads are stopped while the view is still at it; its sync teardown function comes after that."""
    app = Flask(APP_NAME, static_folder=None)
    called: list[str] = []
    entered = threading.Event()

    @app.before_request
    def before() -> None:
        called.append("before")

    @app.get("/")
    async def view() -> str:
        entered.set()
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.3)
            called.append("cleaned up")
        return "x"

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        called.append("teardown")

    with Server(app, loop=loop, timeout_graceful_shutdown=0.1) as server:
        client = server.connect()
        client.send_request("GET", "/")
        assert entered.wait(5)
        server.stop()
    client.close()
    assert called[0] == "before"
    assert called[-1] == "teardown"


def test_lifespan_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        app = Flask(APP_NAME, static_folder=None)
        app.add_url_rule("/", "index", lambda: "x")
        with Server(app) as server:
            assert server.get("/").status == 200
    eventually(
        lambda: not {thread for thread in set(threading.enumerate()) - before if thread.is_alive()},
        "no thread is left",
        timeout=3,
    )


APP = """
import asyncio, os, sys, time
from asyncflask import Flask, g, request, stream_with_context

app = Flask(__name__)
journal = open(sys.argv[-1] if sys.argv[-1].endswith(".log") else os.environ["JOURNAL"], "a", buffering=1)

def note(*words):
    journal.write(" ".join(map(str, words)) + "\\n")

@app.before_request
def before():
    g.path = request.path

@app.teardown_request
def teardown(error):
    note("teardown", request.path)

@app.teardown_appcontext
async def teardown_app(error):
    try:
        await asyncio.sleep(0.05)
    finally:
        note("teardown_app", g.path)

@app.get("/sync")
def sync():
    note("start", "/sync")
    time.sleep(1.5)
    note("end", "/sync")
    return "x"

@app.get("/async")
async def async_():
    note("start", "/async")
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        note("end", "/async")

@app.get("/stream")
def stream():
    def pieces():
        note("start", "/stream")
        try:
            while True:
                yield "x"
                time.sleep(0.01)
        finally:
            note("end", "/stream")
    return stream_with_context(pieces())

@app.get("/async-stream")
async def async_stream():
    async def pieces():
        note("start", "/async-stream")
        try:
            while True:
                yield "x"
                await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0.1)
            note("end", "/async-stream")
    return stream_with_context(pieces())

if __name__ == "__main__":
    app.run(port=0, timeout_graceful_shutdown=1)
"""


@pytest.mark.parametrize("way", ["app.run", "uvicorn"])
def test_sigterm(way: str, tmp_path: Path) -> None:
    """A process that is told to end tears down what is under way, and does end."""
    (tmp_path / "termapp.py").write_text(textwrap.dedent(APP))
    journal = tmp_path / "journal.log"
    command = [sys.executable, str(tmp_path / "termapp.py")]
    if way == "uvicorn":
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "termapp:app",
            "--port",
            "0",
            "--timeout-graceful-shutdown",
            "1",
        ]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(sys.path)}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JOURNAL": str(journal),
    }
    log = (tmp_path / "output").open("w+")
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    clients: list[Client] = []
    try:

        def port() -> int:
            assert process.poll() is None, (tmp_path / "output").read_text()
            _, found, rest = (tmp_path / "output").read_text().partition("running on http://127.0.0.1:")
            if not found:
                _, found, rest = (tmp_path / "output").read_text().partition("Running on http://127.0.0.1:")
            digits = rest.partition("\n")[0].partition(" ")[0]
            return int(digits) if found and rest.count("\n") else 0

        eventually(port, "the server runs", timeout=30)
        paths = ["/sync", "/async", "/stream", "/async-stream"]
        for path in paths:
            client = Client(port())
            client.send_request("GET", path)
            clients.append(client)
        eventually(lambda: journal.read_text().count("start") == 4, "all have begun")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    finally:
        for client in clients:
            client.close()
        if process.poll() is None:
            process.kill()
            process.wait(10)
        log.close()
    lines = journal.read_text().splitlines()
    output = (tmp_path / "output").read_text()
    for path in paths:
        own = [line.split()[0] for line in lines if line.split()[1] == path]
        if way == "uvicorn" and path == "/sync" and own == ["start", "end", "teardown"][: len(own)]:
            continue  # uvicorn raises the signal again after its own shutdown, which ends the process at once
        if path.startswith("/async") and "end" not in own:
            own.insert(1, "end")  # the loop that ends has cancelled the view's own clean-up
        assert own == ["start", "end", "teardown", "teardown_app"], (path, lines, output)
