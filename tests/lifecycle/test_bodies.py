"""When a body is received, over a real server: small ones ahead, larger ones when somebody asks."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import RequestTimeout
from werkzeug.formparser import FormDataParser

from asyncflask import Flask, Request, abort, g, request

from .loops import eventually
from .server import APP_NAME, Client, Closed, Server, multipart, request_bytes, time_limit

LARGE = 300_000
FORM = "application/x-www-form-urlencoded"


def make_app() -> tuple[Flask, list[str]]:
    app = Flask(APP_NAME, static_folder=None)
    log: list[str] = []

    @app.before_request
    def sync_hook() -> Any:
        log.append("before")
        if request.args.get("hook") == "refuses":
            return "no", 401
        if request.args.get("hook") == "asks":
            g.size = len(request.get_data())
        return None

    @app.before_request
    async def async_hook() -> None:
        if request.args.get("hook") == "asks async":
            g.size = len(request.get_data())
        if request.args.get("hook") == "aborts":
            abort(403)
        if request.args.get("hook") == "child task":
            await asyncio.create_task(in_a_child_task())

    async def in_a_child_task() -> None:
        try:
            request.get_data()
        except RuntimeError as error:
            log.append(str(error))
        await request.receive_body()
        g.size = len(request.get_data())

    @app.after_request
    def after(response: Any) -> Any:
        log.append("after")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    @app.route("/sync", methods=["GET", "POST"])
    def sync() -> str:
        return str(g.get("size", len(request.get_data())))

    @app.route("/async", methods=["GET", "POST"])
    async def asynchronous() -> str:
        async with asyncio.TaskGroup() as group:
            size = group.create_task(read())
        return str(size.result())

    async def read() -> int:
        return len(request.get_data())

    @app.route("/unread", methods=["GET", "POST"])
    def unread() -> str:
        return "unread"

    @app.post("/late")
    def late() -> str:
        try:
            return str(len(request.get_data()))
        except RequestTimeout:
            log.append("timeout")
            raise

    @app.errorhandler(408)
    def too_slow(error: Exception) -> tuple[str, int]:
        return "handled", 408

    return app, log


@pytest.fixture(params=["httptools", "h11"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Server, list[str]]]:
    app, log = make_app()
    with Server(app, http=request.param) as server:
        yield server, log


def head(path: str, length: int, *lines: str, method: str = "POST") -> bytes:
    extra = "".join(f"{line}\r\n" for line in lines)
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}\r\n".encode()


def spooled() -> int:
    """Bytes in files of this process that have no name."""
    total = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if "(deleted)" in os.readlink(entry):
                total += entry.stat().st_size
        except OSError:
            pass
    return total


@pytest.mark.parametrize("view", ["/sync", "/async", "/unread"])
@pytest.mark.parametrize(("hook", "status"), [("refuses", 401), ("aborts", 403)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_hook_refuses_before_anything_is_received(
    site: tuple[Server, list[str]], view: str, hook: str, status: int, method: str
) -> None:
    """The client announces much and sends some of it; it gets its answer all the same, and at once."""
    server, log = site
    before = spooled()
    with server.connect() as client:
        client.send(head(f"{view}?hook={hook}", 10_000_000_000, method=method))
        with time_limit(2, "the answer"):
            response = client.response()
        assert response.status == status
        assert response.get("connection") == "close"
        try:
            for _ in range(20):
                client.send(b"x" * 100_000)
        except OSError:
            pass  # it is closed
        assert client.is_closed()
    eventually(lambda: log == ["before", "after", "teardown"], "the end of the request")
    assert spooled() == before


@pytest.mark.parametrize("view", ["/sync", "/async"])
@pytest.mark.parametrize("hook", ["", "asks", "asks%20async", "child%20task"])
@pytest.mark.parametrize("chunked", [False, True])
def test_who_asks_gets_it(site: tuple[Server, list[str]], view: str, hook: str, chunked: bool) -> None:
    server, log = site
    for size in (0, 1, 65_536, 65_537, LARGE, 3_000_000):
        del log[:]
        headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        data = b"x" * size
        if chunked:
            data = (b"%x\r\n%s\r\n" % (size, data) if size else b"") + b"0\r\n\r\n"
        with server.connect() as client:
            for _ in range(2):  # the connection goes on
                client.send(request_bytes("POST", f"{view}?hook={hook}", headers=headers) + data)
                response = client.response()
                assert (response.status, response.body) == (200, b"%d" % size)
                assert response.get("connection") != "close"
        if hook == "child%20task" and size > 65_536 and not chunked:
            assert any("receive_body()" in line for line in log)


@pytest.mark.parametrize(("size", "closes"), [(10, False), (LARGE, True)])
def test_a_body_that_nobody_wants(site: tuple[Server, list[str]], size: int, closes: bool) -> None:
    server, _ = site
    for path, status in (("/unread", 200), ("/missing", 404)):
        with server.connect() as client:
            client.send(head(path, size) + b"x" * size)
            response = client.response()
            assert response.status == status
            assert (response.get("connection") == "close") is closes
            if closes:
                assert client.is_closed()
            else:
                assert client.request("GET", "/unread").status == 200


def test_a_404_does_not_wait_for_its_body(site: tuple[Server, list[str]]) -> None:
    server, _ = site
    with server.connect() as client:
        client.send(head("/missing", 10))
        with time_limit(0.4, "the answer"):
            assert client.head().status == 404


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_client_that_waits_for_a_word_is_not_given_it_by_a_refusal(
    site: tuple[Server, list[str]], size: int
) -> None:
    """Expect: 100-continue (RFC 9110 section 10.1.1)."""
    server, _ = site
    with server.connect() as client:
        client.send(head("/sync?hook=refuses", size, "Expect: 100-continue"))
        assert client.head().status == 401
    with server.connect() as client:
        client.send(head("/sync", size, "Expect: 100-continue"))
        assert client.head().status == 100
        client.send(b"x" * size)
        assert client.response().body == b"%d" % size


# -- bodies that stall --------------------------------------------------------------------------------------


@pytest.fixture
def impatient() -> Iterator[tuple[Server, list[str]]]:
    app, log = make_app()
    app.config["BODY_TIMEOUT"] = 0.3
    with Server(app) as server:
        yield server, log


def test_a_small_body_that_stalls(impatient: tuple[Server, list[str]]) -> None:
    """Its request does not begin: none of its functions is called, and nothing is logged."""
    server, log = impatient
    with server.connect() as client:
        client.send(head("/sync", 10) + b"abc")
        with time_limit(2, "the answer"):
            response = client.response()
        assert response.status == 408
        assert response.get("connection") == "close"
        assert client.is_closed()
    assert log == []
    assert server.errors == []


@pytest.mark.parametrize("path", ["/late", "/async", "/sync?hook=asks", "/sync?hook=asks%20async"])
def test_a_large_body_that_stalls(impatient: tuple[Server, list[str]], path: str) -> None:
    """The exception is raised where it is asked for, and a handler takes it."""
    server, log = impatient
    with server.connect() as client:
        client.send(head(path, LARGE, method="GET" if path == "/async" else "POST") + b"x" * 100_000)
        with time_limit(3, "the answer"):
            response = client.response()
        assert (response.status, response.body) == (408, b"handled")
        assert response.get("connection") == "close"
        assert client.is_closed()
    assert [line for line in log if line != "timeout"] == ["before", "after", "teardown"]
    assert server.errors == []


def test_a_slow_body_does_not_stall(impatient: tuple[Server, list[str]]) -> None:
    server, _ = impatient
    with server.connect() as client:
        client.send(head("/sync", 10))
        for _ in range(10):
            time.sleep(0.1)
            client.send(b"x")
        assert client.response().body == b"10"


def test_no_timeout() -> None:
    app, _ = make_app()
    app.config["BODY_TIMEOUT"] = None
    with Server(app) as server, server.connect() as client:
        client.send(head("/sync", 10))
        time.sleep(0.5)
        client.send(b"x" * 10)
        assert client.response().body == b"10"


def test_stalled_bodies_keep_little_in_memory() -> None:
    """Many clients with nearly all of a body that would stay in memory: beyond a share it goes to disk."""
    app, log = make_app()
    with Server(app) as server:
        clients = [server.connect() for _ in range(120)]
        before = spooled()
        for client in clients:
            client.send(head("/async", 900_000) + b"x" * 800_000)
        eventually(lambda: log.count("before") == 120, "all have begun", timeout=20)
        eventually(lambda: spooled() - before > 50_000_000, "most are on the disk", timeout=20)
        for client in clients:
            client.close()
        eventually(lambda: not server.tasks, "the requests are over", timeout=20)
        eventually(lambda: spooled() == before, "the files are gone")


# -- limits, and parsers of one's own -----------------------------------------------------------------------


def test_limits_that_a_sync_view_raises_count_for_large_forms() -> None:
    app = Flask(APP_NAME, static_folder=None)
    app.config.update(MAX_FORM_MEMORY_SIZE=1000, MAX_FORM_PARTS=3, MAX_CONTENT_LENGTH=10_000)

    def raise_limits() -> None:
        request.max_content_length = 10_000_000
        request.max_form_memory_size = 5_000_000
        request.max_form_parts = 100

    @app.post("/sync")
    def sync() -> str:
        raise_limits()
        return f"{len(request.form)} {len(request.form['field0'])}"

    @app.post("/hook")
    async def hook() -> str:
        return f"{len(request.form)} {len(request.form['field0'])}"

    @app.post("/stream", stream=True)
    async def stream() -> str:
        raise_limits()
        await request.receive_body()
        return f"{len(request.form)} {len(request.form['field0'])}"

    @app.before_request
    async def before() -> None:
        if request.path == "/hook":
            raise_limits()

    headers, body = multipart([(f"field{number}", None, b"x" * 200_000) for number in range(12)])
    with Server(app) as server:
        for path in ("/sync", "/hook", "/stream"):
            response = server.request("POST", path, headers=headers, body=body)
            assert (response.status, response.body) == (200, b"12 200000"), path


def test_a_parser_of_the_request_class_is_asked() -> None:
    seen: list[int] = []

    class Parser(FormDataParser):
        def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
            parsed = super().parse(stream, *args, **kwargs)
            seen.append(len(parsed[2]["f"].read()))
            return parsed

    class OwnRequest(Request):
        form_data_parser_class = Parser

    app = Flask(APP_NAME, static_folder=None)
    app.request_class = OwnRequest

    @app.post("/sync")
    def sync() -> str:
        return ",".join(request.files)

    @app.post("/async")
    async def asynchronous() -> str:
        return ",".join(request.files)

    with Server(app) as server:
        for size in (10, 2_000_000):
            headers, body = multipart([("f", "name", b"x" * size)])
            for path in ("/sync", "/async"):
                assert server.request("POST", path, headers=headers, body=body).body == b"f"
    assert seen == [10, 10, 2_000_000, 2_000_000]


@pytest.mark.parametrize("attribute", ["form", "files", "values"])
def test_too_large_without_a_content_type(attribute: str) -> None:
    app = Flask(APP_NAME, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.add_url_rule("/", "view", lambda: str(len(getattr(request, attribute))), methods=["POST"])
    with Server(app) as server:
        assert server.request("POST", "/", body=b"x" * 50).status == 413
        assert server.request("POST", "/", body=b"x" * 5).status == 200


# -- others -------------------------------------------------------------------------------------------------


def test_slow_uploads_to_sync_views_do_not_hold_up_others() -> None:
    app, _ = make_app()
    app.config["WORKER_THREADS"] = 4
    with Server(app) as server:
        clients = [server.connect() for _ in range(50)]
        for client in clients:
            client.send(head("/sync", LARGE) + b"x" * 1000)
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.05):
                for client in clients:
                    client.send(b"x" * 10)

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            times = []
            for _ in range(100):
                start = time.monotonic()
                assert server.get("/unread").status == 200
                times.append(time.monotonic() - start)
        finally:
            stop.set()
            sender.join()
            for client in clients:
                client.close()
        assert sorted(times)[95] < 0.25
        eventually(lambda: not server.tasks, "the requests are over")


def test_a_response_to_who_still_sends_arrives() -> None:
    """Closed at once, the connection would be reset, and the answer lost."""
    app, _ = make_app()
    with Server(app) as server:
        for _ in range(5):
            client = Client(server.port)
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.send(head("/unread", 400_000))
            for _ in range(20):
                client.send(b"x" * 20_000)
            try:
                assert client.response().body == b"unread"
            except Closed as closed:
                pytest.fail(f"the answer was lost: {closed}")
            client.close()
