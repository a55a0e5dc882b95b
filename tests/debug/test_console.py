"""Code run in the frames of a traceback: what it can do, and who may."""

from __future__ import annotations

import gc
import json
import re
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest

from asyncflask import Flask, g, session
from asyncflask.debug import kept, pin
from asyncflask.debug.pin import process_pin
from tests.lifecycle.loops import eventually
from tests.lifecycle.server import APP_NAME, Server

from .pages import Page, debug_threads

HTML = {"Accept": "text/html"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _new_pin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(pin.CHOSEN, raising=False)
    process_pin.cache_clear()
    yield
    process_pin.cache_clear()


class Thing:
    """Something that a frame holds on to."""


things: list[weakref.ref[Thing]] = []


@pytest.fixture
def app() -> Flask:
    app = Flask(APP_NAME)
    app.debug = True
    app.secret_key = "test"

    @app.get("/fail/<name>")
    async def fail(name: str) -> str:
        session["user"] = name
        g.number = 17
        numbers = [1, 2, 3]
        thing = Thing()
        things.append(weakref.ref(thing))
        return helper(numbers)

    def helper(values: list[int]) -> str:
        inner = "in the helper"
        return inner + str(values[10])

    @app.get("/fine")
    async def fine() -> str:
        return "fine"

    return app


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    with Server(app, proxy_headers=True) as server:
        yield server
    eventually(lambda: not debug_threads(), "no thread is left")


class Debugger:
    """What the page's script does."""

    def __init__(self, server: Server, path: str = "/fail/joe", headers: Mapping[str, str] = HTML) -> None:
        self.server = server
        self.page = Page(server.get(path, headers=headers).body.decode())
        main = next(attributes for tag, attributes, _ in self.page.elements if tag == "main")
        self.url = main.get("data-console")
        self.secret = main.get("data-page")
        self.frames = [
            int(attributes["data-frame"] or 0)
            for _, attributes, _ in self.page.elements
            if "data-frame" in attributes
        ]
        self.token = ""

    def post(self, message: Any, headers: Mapping[str, str] | None = None, path: str = "") -> tuple[int, Any]:
        all_headers = {**JSON, "X-Debugger-Token": self.token, **(headers or {})}
        if not isinstance(message, bytes):
            message = json.dumps({"page": self.secret, **message}).encode()
        response = self.server.request(
            "POST", path or self.url or "/__debugger__", headers=all_headers, body=message
        )
        if response.get("content-type") != "application/json":
            return response.status, None
        return response.status, json.loads(response.body)

    def unlock(self) -> Debugger:
        found = process_pin()
        assert found is not None
        status, answer = self.post({"action": "unlock", "pin": found.text})
        assert status == 200
        self.token = answer["token"]
        return self

    def run(self, code: str, frame: int = -1) -> str:
        status, answer = self.post({"action": "run", "frame": self.frames[frame], "code": code})
        assert status == 200, answer
        self.answer = answer
        output: str = answer["output"]
        return output


@pytest.fixture
def debugger(server: Server) -> Debugger:
    return Debugger(server).unlock()


# What it can do


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("1 + 1", "2"),
        ("values", "[1, 2, 3]"),
        ("inner", "'in the helper'"),
        ("None", ""),
        ("x = 1", ""),
        ("x = 1; x + 1", "2"),
        ("print('a'); print('b')", "a\nb\n"),
        ("print('a'); 7", "a\n7"),
        ("import sys; sys.stderr.write('e') and None", "e"),
        ("[value for value in values if value in values]", "[1, 2, 3]"),
        ("def f():\n    return values\n\nf()", "[1, 2, 3]"),
        ("for x in values:\n    print(x)", "1\n2\n3\n"),
        ("await asyncio.sleep(0, 'slept')", ""),
        ("import asyncio\nawait asyncio.sleep(0, 'slept')", "'slept'"),
        ("import asyncio\nawait asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))", "[1, 2]"),
        ("import asyncio\nasync with asyncio.timeout(5):\n    print(await asyncio.sleep(0, 'in'))", "in\n"),
        ("import asyncio\n[await asyncio.sleep(0, x) for x in values]", "[1, 2, 3]"),
        ("session['user']", "'joe'"),
        ("g.number", "17"),
        ("from asyncflask import request, current_app\nrequest.view_args, current_app.name", ""),
    ],
)
def test_code_and_what_comes_of_it(debugger: Debugger, code: str, output: str) -> None:
    found = debugger.run(code)
    if code.startswith("await"):
        assert "NameError: name 'asyncio' is not defined" in found
    elif code.startswith("from asyncflask"):
        assert found == f"({{'name': 'joe'}}, {APP_NAME!r})"
    else:
        assert found == output


def test_each_frame_has_names_of_its_own(debugger: Debugger) -> None:
    assert debugger.run("numbers", -2) == "[1, 2, 3]"
    assert "NameError" in debugger.run("numbers", -1)
    debugger.run("here = 1", -1)
    assert debugger.run("here", -1) == "1"
    assert "NameError" in debugger.run("here", -2)


def test_the_last_value_and_context_variables_stay(debugger: Debugger) -> None:
    debugger.run("6 * 7")
    assert debugger.run("_ + 1") == "43"
    debugger.run("import contextvars; var = contextvars.ContextVar('var'); token = var.set('kept')")
    assert debugger.run("var.get()") == "'kept'"
    debugger.run("async def get(): return var.get()")
    assert debugger.run("await get()") == "'kept'"


def test_things_of_one_thread_can_be_used_again(debugger: Debugger) -> None:
    debugger.run("import sqlite3; db = sqlite3.connect(':memory:')")
    assert debugger.run("db.execute('SELECT 7').fetchone()") == "(7,)"
    debugger.run("db.close()")


@pytest.mark.parametrize(
    "code", ["for x in values:", "def f():", "(1 +", "'''text", "if values:\n    x = 1\nelse:"]
)
def test_code_that_goes_on(debugger: Debugger, code: str) -> None:
    assert debugger.run(code) == ""
    assert debugger.answer["more"] is True


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x =", "SyntaxError: invalid syntax"),
        ("return 1", "SyntaxError: 'return' outside function"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit: None"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import asyncio\nasync def f(): raise SystemExit(3)\nawait f()", "SystemExit: 3"),
        (
            "import asyncio\nasync def f(): raise asyncio.CancelledError\nawait f()",
            "asyncio.exceptions.CancelledError",
        ),
        ("'\\0'.encode('ascii').decode('nowhere')", "LookupError: unknown encoding: nowhere"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("\0", "SyntaxError: source code string cannot contain null bytes"),
        ("(" * 5_000, ""),
    ],
)
def test_code_that_fails(debugger: Debugger, code: str, last: str) -> None:
    output = debugger.run(code)
    if last:
        assert output.rstrip().endswith(last) or "null bytes" in output
    assert debugger.answer["failed"] is True
    assert "asyncflask/debug" not in output  # the frames of the console itself
    assert debugger.run("1 + 1") == "2"


def test_a_value_that_cannot_be_shown(debugger: Debugger) -> None:
    debugger.run("class Odd:\n    def __repr__(self): raise ValueError")
    assert debugger.run("Odd()").startswith("The value cannot be shown:\nTraceback")
    debugger.run("class Large:\n    def __repr__(self): return 'x' * 10_000_000")
    assert len(debugger.run("Large()")) < 60_000
    assert len(debugger.run("print('x' * 10_000_000)")) < 60_000
    assert len(debugger.run("for x in range(100_000): print('y' * 50)")) < 60_000


def test_what_others_print_meanwhile_is_not_in_it(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    @app.get("/print")
    def prints() -> str:
        print("printed by a view", flush=True)
        return "fine"

    with Server(app) as server:
        debugger = Debugger(server).unlock()
        output: list[str] = []
        code = "import time\nprint('before')\ntime.sleep(0.5)\nprint('after')"
        thread = Thread(target=lambda: output.append(debugger.run(code)))
        thread.start()
        time.sleep(0.2)
        server.get("/print")
        thread.join()
    assert output == ["before\nafter\n"]
    assert "printed by a view" in capfd.readouterr().out


@pytest.mark.parametrize("code", ["import time; time.sleep(1)", "while waiting: pass"])
def test_the_loop_goes_on_meanwhile(server: Server, debugger: Debugger, code: str) -> None:
    debugger.run("import threading; waiting = [1]; threading.Timer(1, waiting.clear).start()")
    thread = Thread(target=debugger.run, args=(code,))
    thread.start()
    time.sleep(0.2)
    start = time.monotonic()
    assert server.get("/fine").body == b"fine"
    assert time.monotonic() - start < 0.5
    thread.join()


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import asyncio; await asyncio.sleep(600)",
        "import asyncio\nawait asyncio.sleep(600)",
    ],
)
def test_code_ends_when_its_client_goes(server: Server, debugger: Debugger, code: str) -> None:
    message = {"page": debugger.secret, "action": "run", "frame": debugger.frames[-1], "code": code}
    with server.connect() as client:
        headers = {**JSON, "X-Debugger-Token": debugger.token}
        client.send_request("POST", debugger.url or "", headers=headers, body=json.dumps(message).encode())
        time.sleep(0.3)
    eventually(lambda: not server.tasks, "the request has ended")
    for _ in range(20):
        if debugger.run("1 + 1") == "2":
            break
        time.sleep(0.1)
    assert debugger.run("'still here'") == "'still here'"
    assert not server.errors[1:]  # the first is the traceback's own


def test_a_server_stops_while_code_runs(app: Flask) -> None:
    with Server(app, timeout_graceful_shutdown=1) as server:
        debugger = Debugger(server).unlock()
        message = {"page": debugger.secret, "action": "run", "frame": 0, "code": "while True: pass"}
        client = server.connect()
        headers = {**JSON, "X-Debugger-Token": debugger.token}
        client.send_request("POST", debugger.url or "", headers=headers, body=json.dumps(message).encode())
        time.sleep(0.3)
    client.close()
    eventually(lambda: not debug_threads(), "the thread has ended")


# Who may


def test_the_pin_is_on_the_terminal(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    with Server(app) as server:
        found = re.findall(r"^ \* Debugger PIN: (\d{3}-\d{3}-\d{3})$", capfd.readouterr().err, re.MULTILINE)
        assert len(found) == 1
        debugger = Debugger(server)
        assert debugger.post({"action": "pin"}) == (200, {})
        assert f" * Debugger PIN: {found[0]}\n" in capfd.readouterr().err
        assert found[0] not in str(debugger.page.elements)
        status, answer = debugger.post({"action": "unlock", "pin": found[0].replace("-", " ")})
        assert (status, set(answer)) == (200, {"token"})


def test_nothing_runs_without_the_token(server: Server) -> None:
    debugger = Debugger(server)
    run = {"action": "run", "frame": debugger.frames[-1], "code": "1"}
    for token in ("", "x", "0" * 64, "é"):
        debugger.token = token
        assert debugger.post(run)[0] == 403
    debugger.unlock()
    assert debugger.post(run)[0] == 200


def test_nothing_is_known_without_the_secret_of_a_page(server: Server) -> None:
    debugger = Debugger(server).unlock()
    secret = debugger.secret
    assert secret is not None
    assert len(secret) >= 40
    assert Debugger(server).secret != secret
    for wrong in ("", "x", secret[:-1], None, 7, [secret], {}):
        for action in ({"action": "run", "frame": debugger.frames[-1], "code": "1"}, {"action": "pin"}):
            assert debugger.post({**action, "page": wrong})[0] in (400, 404)
        attempt = {"action": "unlock", "pin": getattr(process_pin(), "text", ""), "page": wrong}
        assert debugger.post(attempt)[0] in (400, 404)


def test_guessing_ends(server: Server) -> None:
    debugger = Debugger(server)
    found = process_pin()
    assert found is not None
    for number in range(12):
        status, answer = debugger.post({"action": "unlock", "pin": f"{number:09}"})
        assert status == 403
    assert "start the server again" in answer["error"]
    assert debugger.post({"action": "unlock", "pin": found.text})[0] == 403
    for odd in (None, 7, ["x"], {}):
        assert debugger.post({"action": "unlock", "pin": odd})[0] == 403


def test_guessing_at_once_ends_too(server: Server) -> None:
    debugger = Debugger(server)
    threads = [
        Thread(target=lambda: [debugger.post({"action": "unlock", "pin": "1"}) for _ in range(5)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = process_pin()
    assert found is not None
    assert debugger.post({"action": "unlock", "pin": found.text})[0] == 403


FOREIGN = [
    {"Host": "example.org"},
    {"Host": "localhost.example.org"},
    {"Host": "127.0.0.1.example.org"},
    {"Host": "user@localhost"},
    {"Host": "localhost@example.org"},
    {"Host": "192.168.0.1:5000"},
    {"Host": "0.0.0.0"},
    {"Host": ""},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Anything": "x"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "127.0.0.1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_who_is_not_on_this_machine_has_no_console(server: Server, headers: dict[str, str]) -> None:
    stranger = Debugger(server, headers={**HTML, **headers})
    assert (stranger.url, stranger.secret, stranger.frames) == (None, None, [])
    debugger = Debugger(server).unlock()
    message = {"action": "run", "frame": debugger.frames[-1], "code": "1"}
    assert debugger.post(message, headers) == (404, None)  # the application's own
    assert debugger.post({"action": "pin"}, headers) == (404, None)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5000",
        "app.localhost:80",
        "127.0.0.1:5000",
        "127.1.2.3",
        "[::1]:5000",
        "localhost.",
    ],
)
def test_names_of_this_machine(server: Server, host: str) -> None:
    assert Debugger(server, headers={**HTML, "Host": host}).url == "/__debugger__"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
def test_other_pages_cannot_ask(debugger: Debugger, headers: dict[str, str]) -> None:
    message = {"action": "run", "frame": debugger.frames[-1], "code": "1"}
    assert debugger.post(message, headers)[0] == 404
    assert debugger.post(message, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"})[0] == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_other_methods_are_the_applications(server: Server, debugger: Debugger, method: str) -> None:
    assert server.request(method, debugger.url or "", headers=JSON).status == 404


def test_clients_of_other_machines(app: Flask) -> None:
    async def of_another_machine(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["client"] = addresses[0]
        await app(scope, receive, send)

    addresses: list[Any] = [("127.0.0.1", 1)]
    with Server(of_another_machine) as server:
        debugger = Debugger(server).unlock()
        for address in (("192.168.0.7", 1), ("::ffff:192.168.0.7", 1), ("testclient", 1), None):
            addresses[0] = address
            assert Debugger(server).url is None
            assert debugger.post({"action": "run", "frame": debugger.frames[-1], "code": "1"})[0] == 404
        for address in (("::1", 1), ("::ffff:127.0.0.1", 1)):
            addresses[0] = address
            assert debugger.run("1") == "1"


def test_it_is_gone_when_debug_is_off(app: Flask, server: Server, debugger: Debugger) -> None:
    app.debug = False
    assert debugger.post({"action": "run", "frame": debugger.frames[-1], "code": "1"}) == (404, None)


@pytest.mark.parametrize("key", ["DEBUG_CONSOLE", "DEBUG_PAGE"])
def test_it_can_be_switched_off(app: Flask, server: Server, debugger: Debugger, key: str) -> None:
    app.config[key] = False
    assert debugger.post({"action": "run", "frame": debugger.frames[-1], "code": "1"}) == (404, None)
    response = server.get("/fail/joe", headers=HTML)
    assert (b"IndexError" in response.body) == (key == "DEBUG_CONSOLE")
    assert b"data-console" not in response.body


def test_the_pin_can_be_chosen_or_switched_off(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pin.CHOSEN, "1234")
    process_pin.cache_clear()
    with Server(app) as server:
        assert Debugger(server).post({"action": "unlock", "pin": "12-34"})[0] == 200
    monkeypatch.setenv(pin.CHOSEN, "off")
    process_pin.cache_clear()
    with Server(app) as server:
        assert Debugger(server).url is None


def test_processes_with_the_same_seed_take_the_same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = pin.new_seed()
    found = []
    for _ in range(2):
        monkeypatch.setenv(pin.SEED, seed)
        process_pin.cache_clear()
        found.append(process_pin())
        assert pin.SEED not in pin.os.environ
    first, second = found
    assert first is not None
    assert second is not None
    assert first is not second
    assert first.text == second.text
    token = first.unlock(first.text)
    assert token is not None
    assert second.accepts(token)
    assert pin.Pin(b"x" * 32).text != first.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"null", b'"x"', b"{}", b"[" * 100_000, b"x" * 300_000, b"\xff"]
)
def test_bad_requests(debugger: Debugger, body: bytes) -> None:
    assert debugger.post(body)[0] == 400


@pytest.mark.parametrize(
    "message",
    [
        {"action": "run"},
        {"action": "run", "frame": 0},
        {"action": "run", "frame": 999, "code": "1"},
        {"action": "run", "frame": -1, "code": "1"},
        {"action": "run", "frame": True, "code": "1"},
        {"action": "run", "frame": "0", "code": "1"},
        {"action": "run", "frame": 0, "code": 1},
        {"action": "other", "frame": 0, "code": "1"},
        {"action": ["run"], "frame": 0, "code": "1"},
    ],
    ids=str,
)
def test_bad_messages(debugger: Debugger, message: dict[str, Any]) -> None:
    assert debugger.post(message)[0] == 400


def test_a_client_that_goes_in_the_middle_of_its_message(server: Server, debugger: Debugger) -> None:
    with server.connect() as client:
        client.send_request("POST", debugger.url or "", headers={**JSON, "Content-Length": "100"}, body=b"{")
        time.sleep(0.1)
    eventually(lambda: not server.tasks, "the request has ended")
    assert debugger.run("1") == "1"


def test_below_a_prefix(app: Flask) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount("/below", app)], lifespan=app.lifespan)
    with Server(outer) as server:
        debugger = Debugger(server, "/below/fail/joe").unlock()
        assert debugger.url == "/below/__debugger__"
        assert debugger.run("values") == "[1, 2, 3]"


# What is kept, and for how long


def alive() -> int:
    gc.collect()
    return sum(thing() is not None for thing in things)


def test_only_the_last_tracebacks_are_kept(server: Server) -> None:
    things.clear()
    debuggers = [Debugger(server) for _ in range(kept.LIMIT + 3)]
    eventually(lambda: alive() <= kept.LIMIT, "the oldest are forgotten")
    assert alive() == kept.LIMIT
    token = debuggers[-1].unlock().token
    statuses = []
    for debugger in debuggers:
        debugger.token = token
        statuses.append(debugger.post({"action": "run", "frame": debugger.frames[-1], "code": "1"})[0])
    assert statuses == [404] * 3 + [200] * kept.LIMIT


@pytest.mark.parametrize(
    "headers",
    [{"Accept": "*/*"}, {"Accept": "application/json"}, {**HTML, "X-Forwarded-For": "1.2.3.4"}],
    ids=str,
)
def test_nothing_is_kept_for_who_has_no_console(server: Server, headers: dict[str, str]) -> None:
    things.clear()
    for _ in range(3):
        server.get("/fail/joe", headers=headers)
    eventually(lambda: alive() == 0, "everything is forgotten")


def test_nothing_is_kept_for_a_test_client(app: Flask) -> None:
    things.clear()
    with suppress(IndexError):
        app.test_client().get("/fail/joe", headers=HTML)
    assert len(things) == 1
    eventually(lambda: alive() == 0, "everything is forgotten")


def test_a_traceback_is_forgotten_in_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    things.clear()
    with Server(app) as server:
        layer = app._debug_layer
        assert layer is not None
        layer.kept.lifetime = 0.1
        Debugger(server).unlock().run("1")
        assert alive() == 1
        eventually(lambda: alive() == 0, "it is forgotten, without another request")


def test_nothing_is_kept_when_the_server_has_stopped(app: Flask) -> None:
    things.clear()
    with Server(app) as server:
        Debugger(server).unlock().run("1")
        assert alive() == 1
    eventually(lambda: alive() == 0, "everything is forgotten")
    eventually(lambda: not debug_threads(), "no thread is left")
