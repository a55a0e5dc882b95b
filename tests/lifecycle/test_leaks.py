"""Nothing is left behind: files, threads, tasks, generators, memory."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import tempfile
import threading
import time
import tracemalloc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException as StarletteHTTPException

from asyncflask import (
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    render_template_string,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

from .loops import LOOPS, eventually
from .server import APP_NAME, Client, Server, multipart, request_bytes

WORKER_THREADS = 6
FDS = Path("/proc/self/fd")

needs_proc = pytest.mark.skipif(not FDS.is_dir(), reason="open files are counted in /proc, which Linux has")


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make_app(file: Path) -> tuple[Flask, Counter[str]]:
    """An application with everything that opens something; what it opened and closed is counted."""
    app = Flask(APP_NAME, static_folder=str(file.parent), static_url_path="/static")
    app.secret_key = "secret"
    app.config["WORKER_THREADS"] = WORKER_THREADS
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def count(what: str) -> None:
        with lock:
            counts[what] += 1

    @app.before_request
    def before() -> None:
        g.payload = bytearray(10_000)

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        count("teardown")

    @app.teardown_appcontext
    async def teardown_appcontext(error: BaseException | None) -> None:
        await asyncio.sleep(0)

    @app.get("/sync")
    def sync() -> str:
        session["seen"] = True
        return render_template_string("{{ url_for('sync') }}")

    @app.get("/async")
    async def asynchronous() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"url": url_for("sync", _external=True), "args": request.args}

    @app.get("/nested")
    def nested() -> str:
        async def inner() -> str:
            await asyncio.sleep(0)
            return str(await app.sync_to_async(lambda: request.path)())

        return str(app.ensure_sync(inner)())

    @app.get("/timeout")
    async def timeout() -> str:
        try:
            async with asyncio.timeout(0.001):
                await app.sync_to_async(time.sleep)(0.005)
        except TimeoutError:
            pass
        return "x"

    @app.get("/fails")
    def fails() -> str:
        held = request._get_current_object()  # type: ignore[attr-defined]
        raise ValueError(held)

    @app.get("/fails-async")
    async def fails_async() -> str:
        await asyncio.sleep(0)
        raise ValueError

    @app.get("/abort")
    def aborts() -> str:
        abort(400)

    @app.get("/stream")
    def stream() -> Response:
        def pieces() -> Iterator[bytes]:
            count("opened")
            try:
                for _ in range(int(request.args.get("count", 5))):
                    yield b"x" * 1000
                    time.sleep(0.0005)
            finally:
                count("closed")

        return Response(stream_with_context(pieces()))

    @app.get("/stream-async")
    async def stream_async() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            count("opened")
            try:
                for _ in range(int(request.args.get("count", 5))):
                    yield b"x" * 1000
                    await asyncio.sleep(0.0005)
            finally:
                count("closed")

        return Response(stream_with_context(pieces()))

    @app.get("/file")
    def file_() -> Response:
        return send_file(file)

    @app.post("/upload")
    def upload() -> str:
        return str(sum(len(uploaded.read()) for uploaded in request.files.values()))

    @app.post("/upload-untouched")
    async def upload_untouched() -> str:
        return "x"

    @app.post("/data")
    async def data() -> str:
        return str(len(request.get_data()))

    @app.post("/streamed", stream=True)
    async def streamed() -> str:
        return str(sum([len(chunk) async for chunk in request.stream]))

    @app.post("/streamed-sync", stream=True)
    def streamed_sync() -> str:
        return str(len(request.stream.read()))

    return app, counts


LARGE = b"x" * 1_200_000


def make_exchanges() -> list[tuple[str, Callable[[Client], None]]]:
    """What clients do: (kind, exchange)."""
    form, body = multipart([("a", None, b"x"), ("f", "f.txt", LARGE)])

    def asks(method: str, path: str, status: int, **options: Any) -> Callable[[Client], None]:
        def exchange(client: Client) -> None:
            response = client.request(method, path, **options)
            assert response.status == status, (path, response)

        return exchange

    def goes_away(data: bytes, after_head: bool = False) -> Callable[[Client], None]:
        def exchange(client: Client) -> None:
            client.send(data)
            if after_head:
                client.head()
            (client.reset if random.random() < 0.5 else client.close)()

        return exchange

    half_a_form = request_bytes("POST", "/upload", headers=form, body=body)[:900_000]
    half_a_body = request_bytes("POST", "/data", body=LARGE)[:900_000]
    exchanges = [
        *[("plain", asks("GET", "/sync", 200)), ("plain", asks("GET", "/async?a=b", 200))] * 360,
        *[("plain", asks("GET", "/nested", 200)), ("plain", asks("HEAD", "/sync", 200))] * 100,
        *[("plain", asks("GET", "/timeout", 200))] * 30,
        *[("error", asks("GET", "/fails", 500)), ("error", asks("GET", "/fails-async", 500))] * 75,
        *[("error", asks("GET", "/abort", 400)), ("error", asks("GET", "/missing", 404))] * 75,
        *[("error", asks("DELETE", "/sync", 405))] * 50,
        *[("stream", asks("GET", "/stream", 200)), ("stream", asks("GET", "/stream-async", 200))] * 75,
        *[("stream", asks("HEAD", "/stream", 200)), ("file", asks("GET", "/file", 200))] * 50,
        *[("file", asks("GET", "/static/file.bin", 200)), ("file", asks("HEAD", "/file", 200))] * 50,
        *[("upload", asks("POST", "/upload", 200, headers=form, body=body))] * 30,
        *[("upload", asks("POST", "/upload-untouched", 200, headers=form, body=body))] * 15,
        *[("upload", asks("POST", "/data", 200, body=LARGE))] * 20,
        *[("upload", asks("POST", "/streamed", 200, body=LARGE))] * 10,
        *[("upload", asks("POST", "/streamed-sync", 200, body=LARGE))] * 10,
        *[("gone", goes_away(request_bytes("GET", "/sync")))] * 60,
        *[("gone", goes_away(request_bytes("GET", "/stream?count=2000"), True))] * 40,
        *[("gone", goes_away(request_bytes("GET", "/stream-async?count=2000"), True))] * 40,
        *[("gone", goes_away(request_bytes("GET", "/file"), True))] * 30,
        *[("gone", goes_away(half_a_form)), ("gone", goes_away(half_a_body))] * 20,
        *[("gone", goes_away(b"POST /streamed HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"))] * 25,
        *[("gone", goes_away(b"POST /streamed-sync HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"))]
        * 25,
        *[("gone", goes_away(b"GET /sync HT"))] * 20,
    ]
    return exchanges


def play(server: Server, exchanges: list[tuple[str, Callable[[Client], None]]]) -> None:
    """Four clients at a time, each with a connection that it keeps as long as it can."""
    pending = list(exchanges)
    failures: list[BaseException] = []

    def work() -> None:
        client = server.connect()
        try:
            while pending and not failures:
                try:
                    kind, exchange = pending.pop()
                except IndexError:
                    break
                if kind == "gone":
                    with server.connect() as other:
                        exchange(other)
                    continue
                if client is None:
                    client = server.connect()
                exchange(client)
                if kind == "error":  # the server may have closed it
                    client.close()
                    client = server.connect()
        except BaseException as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work, name="test-client") for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
    eventually(lambda: not server.tasks, "all requests are over", timeout=10)


def open_files() -> Counter[str]:
    """What this process has open, by the kind of thing that it is."""
    found: Counter[str] = Counter()
    for name in os.listdir(FDS):
        try:
            found[os.readlink(FDS / name).partition(":")[0]] += 1
        except FileNotFoundError:
            continue  # the listing itself
    return found


def tasks_of(server: Server) -> int:
    async def count() -> int:
        return len(asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(count(), server.loop).result(5)


@needs_proc
def test_two_thousand_requests_leave_nothing(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "static" / "file.bin"
    file.parent.mkdir()
    file.write_bytes(b"x" * 300_000)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    threads_before = set(threading.enumerate())
    app, counts = make_app(file)
    exchanges = make_exchanges()
    random.Random(loop).shuffle(exchanges)
    assert len(exchanges) >= 2000
    with Server(app, loop=loop) as server:
        play(server, exchanges[:300])  # what is made once and kept: threads, caches, templates
        gc.collect()
        files, tasks = open_files(), tasks_of(server)
        play(server, exchanges)
        eventually(lambda: tasks_of(server) <= tasks, "no task is left")
        gc.collect()
        eventually(lambda: not open_files() - files, f"no file is left open beyond {files}")
        assert list(temporary.iterdir()) == []
        assert counts["opened"] == counts["closed"]
        pool = [thread for thread in threading.enumerate() if thread.name.startswith(f"{APP_NAME}-worker")]
        assert set(pool) - threads_before <= set(app.worker_pool.threads)
        eventually(lambda: len(app.worker_pool.threads) <= WORKER_THREADS, "no thread is left over")
    assert server.errors == [error for error in server.errors if "ValueError" not in error]
    eventually(lambda: set(threading.enumerate()) <= threads_before, "no thread is left")


def test_memory_stays_flat(loop: str, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"x" * 100_000)
    app, _ = make_app(file)
    exchanges = [exchange for exchange in make_exchanges() if exchange[0] != "upload"][::6]
    exchanges += [exchange for exchange in make_exchanges() if exchange[0] == "upload"][::10]
    random.Random(loop).shuffle(exchanges)

    def traced() -> int:
        for _ in range(3):
            gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with Server(app, loop=loop) as server:
        play(server, exchanges)
        tracemalloc.start()
        try:
            play(server, exchanges)
            before = traced()
            play(server, exchanges)
            growth = traced() - before
        finally:
            tracemalloc.stop()
    per_request = growth / len(exchanges)
    assert per_request < 150, f"{per_request:.0f} bytes are left of each request"


# -- reference cycles ---------------------------------------------------------------------------------------


def make_watched_app(root: Path) -> tuple[Flask, list[weakref.ref[Any]]]:
    """An application that notes each request, to see when it is gone."""
    (root / "file.txt").write_text("x" * 1000)
    app = Flask(APP_NAME, static_folder=str(root), static_url_path="/static")
    app.secret_key = "secret"
    watched: list[weakref.ref[Any]] = []

    class Payload:
        pass

    @app.before_request
    def watch() -> None:
        g.payload = Payload()
        watched.append(weakref.ref(request._get_current_object()))  # type: ignore[attr-defined]
        watched.append(weakref.ref(g.payload))

    @app.errorhandler(KeyError)
    def handler(error: KeyError) -> tuple[str, int]:
        return "handled", 418

    @app.route("/plain")
    def plain() -> str:
        return "x"

    @app.route("/async")
    async def asynchronous() -> str:
        await asyncio.sleep(0)
        return "x"

    @app.route("/look")
    def look() -> str:
        return (
            f"{request.args} {request.headers} {request.cookies} {request.url} {request.user_agent}"
            f" {request.accept_mimetypes} {request.remote_addr} {request.host} {request.blueprints}"
        )

    @app.route("/environ")
    def environ() -> str:
        return str(request.environ["PATH_INFO"])

    @app.route("/environ-body", methods=["POST"])
    def environ_body() -> str:
        return str(len(request.environ["wsgi.input"].read()))

    @app.route("/session")
    def session_() -> str:
        session["visits"] = session.get("visits", 0) + 1
        flash("x")
        return "x"

    @app.route("/url-for")
    async def url_for_() -> str:
        return url_for("plain", _external=True)

    @app.route("/template")
    def template() -> str:
        return render_template_string("{{ request.path }} {{ g.payload }} {{ session }} {{ config.DEBUG }}")

    @app.route("/template-async")
    async def template_async() -> str:
        return render_template_string("{{ request.path }} {{ url_for('plain') }}")

    @app.route("/json", methods=["POST"])
    def json_() -> Response:
        return jsonify(request.json)

    @app.route("/form", methods=["POST"])
    async def form() -> dict[str, Any]:
        return dict(request.form)

    @app.route("/upload", methods=["POST"])
    def upload() -> str:
        return str(len(request.files))

    @app.route("/data", methods=["POST"])
    def data() -> str:
        return str(len(request.data))

    @app.route("/streamed", methods=["POST"], stream=True)
    async def streamed() -> str:
        return str(sum([len(chunk) async for chunk in request.stream]))

    @app.route("/streamed-sync", methods=["POST"], stream=True)
    def streamed_sync() -> str:
        return str(len(request.stream.read()))

    @app.route("/redirect")
    def redirect_() -> Any:
        return redirect(url_for("plain"))

    @app.route("/abort")
    def aborts() -> None:
        abort(403)

    @app.route("/handled")
    async def handled() -> None:
        raise KeyError

    @app.route("/unhandled")
    def unhandled() -> None:
        raise TypeError

    @app.route("/starlette")
    def starlette() -> None:
        raise StarletteHTTPException(403, "no")

    @app.route("/stream")
    def stream() -> Any:
        return stream_with_context(iter(["x", "y"]))

    @app.route("/stream-async")
    async def stream_async() -> Any:
        async def pieces() -> AsyncIterator[str]:
            yield request.path

        return stream_with_context(pieces())

    @app.route("/after")
    def after() -> str:
        @after_this_request
        async def change(response: Response) -> Response:
            await asyncio.sleep(0)
            return response

        return "x"

    @app.route("/nested")
    def nested() -> str:
        async def inner() -> str:
            await asyncio.sleep(0)
            return str(await current_app.sync_to_async(lambda: request.path)())

        return str(current_app.ensure_sync(inner)())

    @app.route("/sync-to-async")
    async def sync_to_async() -> str:
        return str(await current_app.sync_to_async(lambda: request.path)())

    @app.route("/send-file")
    def send_file_() -> Response:
        return send_file(root / "file.txt")

    @app.route("/on-close")
    def on_close() -> Response:
        response = Response("x")
        response.call_on_close(lambda: None)
        return response

    @app.route("/slash/")
    def slash() -> str:
        return "x"

    return app, watched


UPLOAD_HEADERS, UPLOAD = multipart([("a", None, b"x"), ("f", "f.txt", b"x" * 700_000)])
SMALL_HEADERS, SMALL = multipart([("a", None, b"x"), ("f", "f.txt", b"x" * 700)])
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

WATCHED: dict[str, tuple[str, str, dict[str, str], bytes | None, int]] = {
    "plain": ("GET", "/plain", {}, None, 200),
    "async": ("GET", "/async", {}, None, 200),
    "HEAD": ("HEAD", "/plain", {}, None, 200),
    "OPTIONS": ("OPTIONS", "/plain", {}, None, 200),
    "attributes": ("GET", "/look?a=b", {"Cookie": "a=b", "Accept": "*/*"}, None, 200),
    "environ": ("GET", "/environ", {}, None, 200),
    "environ with a body": ("POST", "/environ-body", {}, b"abc", 200),
    "session": ("GET", "/session", {}, None, 200),
    "url_for": ("GET", "/url-for", {}, None, 200),
    "template": ("GET", "/template", {}, None, 200),
    "template in async": ("GET", "/template-async", {}, None, 200),
    "json": ("POST", "/json", JSON, b'{"a": 1}', 200),
    "bad json": ("POST", "/json", JSON, b"{", 400),
    "form": ("POST", "/form", FORM, b"a=b", 200),
    "small upload": ("POST", "/upload", SMALL_HEADERS, SMALL, 200),
    "large upload": ("POST", "/upload", UPLOAD_HEADERS, UPLOAD, 200),
    "large data": ("POST", "/data", {}, b"x" * 700_000, 200),
    "unread body": ("POST", "/upload", {}, b"x" * 700_000, 200),
    "streamed body": ("POST", "/streamed", {}, b"x" * 700_000, 200),
    "streamed body in sync": ("POST", "/streamed-sync", {}, b"x" * 700_000, 200),
    "redirect": ("GET", "/redirect", {}, None, 302),
    "redirect to the slash": ("GET", "/slash", {}, None, 308),
    "abort": ("GET", "/abort", {}, None, 403),
    "unhandled error": ("GET", "/unhandled", {}, None, 500),
    "Starlette's error": ("GET", "/starlette", {}, None, 403),
    "handled error": ("GET", "/handled", {}, None, 418),
    "not found": ("GET", "/missing", {}, None, 404),
    "method not allowed": ("DELETE", "/plain", {}, None, 405),
    "stream": ("GET", "/stream", {}, None, 200),
    "async stream": ("GET", "/stream-async", {}, None, 200),
    "after_this_request": ("GET", "/after", {}, None, 200),
    "nested": ("GET", "/nested", {}, None, 200),
    "sync_to_async": ("GET", "/sync-to-async", {}, None, 200),
    "send_file": ("GET", "/send-file", {}, None, 200),
    "static": ("GET", "/static/file.txt", {}, None, 200),
    "call_on_close": ("GET", "/on-close", {}, None, 200),
}


@pytest.fixture(scope="module", params=LOOPS)
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, list[weakref.ref[Any]]]]:
    app, references = make_watched_app(tmp_path_factory.mktemp("watched"))
    with Server(app, loop=request.param) as server:
        yield server, references


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython counts references")
@pytest.mark.parametrize("name", WATCHED)
def test_a_request_is_gone_with_its_response(
    watched: tuple[Server, list[weakref.ref[Any]]], no_gc: None, name: str
) -> None:
    """Without the garbage collector's help; the connection stays open, and must not hold it either."""
    server, references = watched
    method, path, headers, body, status = WATCHED[name]
    with server.connect() as client:
        # The first one may fill a cache. After a body that nobody has read the connection is closed.
        for _ in range(1 if name == "unread body" else 2):
            del references[:]
            assert client.request(method, path, headers=headers, body=body).status == status
            eventually(lambda: not server.tasks, "the request is over")
        eventually(lambda: references, "the request was noted")

        def alive() -> list[Any]:
            return [reference() for reference in references if reference() is not None]

        for _ in range(100):
            if not alive():
                break
            time.sleep(0.005)
        left = [type(value).__name__ for value in alive()]
    assert left == []


CHUNKS = [
    {"type": "http.request", "body": b"xxx", "more_body": True},
    {"type": "http.request", "body": b"xxx", "more_body": True},
]
WITHOUT_HOOKS: dict[str, tuple[str, list[dict[str, Any]], int]] = {
    "text": ("text", [], 200),
    "abort": ("abort", [], 403),
    "Starlette's error": ("starlette", [], 403),
    "unhandled error": ("fail", [], 500),
    "too much": ("data", CHUNKS, 413),
    "client gone": ("data", [{"type": "http.disconnect"}], 499),
    "client gone amid the body": ("data", [CHUNKS[0], {"type": "http.disconnect"}], 499),
}


@pytest.mark.parametrize("is_async", [False, True], ids=["def", "async_def"])
@pytest.mark.parametrize("name", WITHOUT_HOOKS)
def test_a_request_that_no_hook_sees_is_gone_with_its_response(
    no_gc: None, name: str, is_async: bool
) -> None:
    what, messages, status = WITHOUT_HOOKS[name]
    app = Flask(APP_NAME)
    app.logger.disabled = True
    app.config["MAX_CONTENT_LENGTH"] = 5
    references: list[weakref.ref[Any]] = []

    class Request(app.request_class):  # type: ignore[name-defined, misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            references.append(weakref.ref(self))

    def view() -> Any:
        references.append(weakref.ref(request.body))
        if what == "abort":
            abort(403)
        if what == "starlette":
            raise StarletteHTTPException(403, "no")
        if what == "fail":
            raise TypeError
        return request.data if what == "data" else "text"

    async def async_view() -> Any:
        return view()

    app.request_class = Request
    app.add_url_rule("/", "view", async_view if is_async else view, methods=["GET", "POST"], blocking=False)

    @app.errorhandler(400)
    def bad(error: Exception) -> tuple[str, int]:
        references.append(weakref.ref(request.body))
        return "bad", 400

    sent: list[Any] = []
    waiting = messages.copy()

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def serve() -> None:
        await app(
            {
                "type": "http",
                "method": "POST" if messages else "GET",
                "path": "/",
                "headers": [(b"transfer-encoding", b"chunked")] if messages else [],
            },
            receive,
            send,
        )

    asyncio.run(serve())
    assert sent[0]["status"] == status
    assert references
    assert [type(reference()) for reference in references if reference() is not None] == []


def test_a_client_that_stays_connected_holds_no_request(tmp_path: Path) -> None:
    app, references = make_watched_app(tmp_path)
    with Server(app, loop="asyncio") as server:
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            assert client.request("POST", "/upload", headers=UPLOAD_HEADERS, body=UPLOAD).status == 200
        eventually(lambda: not server.tasks, "the requests are over")
        gc.collect()
        eventually(lambda: not any(reference() for reference in references), "the requests are gone")
        for client in clients:
            client.close()


def test_the_threads_of_an_application_end_with_it() -> None:
    before = set(threading.enumerate())
    app = Flask(APP_NAME, static_folder=None)
    app.add_url_rule("/", "index", lambda: "x")

    @app.get("/nested")
    async def nested() -> str:
        return str(await current_app.sync_to_async(lambda: "x")())

    assert app.test_client().get("/nested").text == "x"
    reference = weakref.ref(app)
    del app, nested
    gc.collect()
    assert reference() is None
    eventually(
        lambda: (
            not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(APP_NAME)]
        ),
        "its threads have ended",
    )


def test_the_test_client_leaves_nothing() -> None:
    app = Flask(APP_NAME, static_folder=None)
    closed: list[str] = []

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            try:
                while True:
                    yield "x"
                    await asyncio.sleep(0.001)
            finally:
                closed.append("x")

        return pieces()

    @app.get("/")
    def index() -> str:
        return "x"

    client = app.test_client()
    client.get("/")
    before = set(threading.enumerate())
    for _ in range(50):
        client.get("/")
    for _ in range(5):
        response = client.get("/stream")
        response.close()
    assert len(closed) == 5
    for _ in range(5):
        client.get("/stream")  # and forgotten
    gc.collect()
    eventually(lambda: len(closed) == 10, "the forgotten streams are closed")
    eventually(lambda: len(set(threading.enumerate()) - before) <= WORKER_THREADS, "no threads pile up")


@pytest.mark.parametrize("kind", ["text", "bytes", "JSON"])
def test_a_function_to_call_on_close_of_a_plain_response_is_called(kind: str) -> None:
    app = Flask(APP_NAME, static_folder=None)
    closed: list[str] = []

    @app.get("/")
    async def view() -> Response:
        values: dict[str, Any] = {"text": "text", "bytes": b"bytes", "JSON": {"a": 1}}
        response = app.make_response(values[kind])
        response.call_on_close(lambda: closed.append("closed"))
        return response

    with Server(app) as server:
        assert server.get("/").status == 200
        eventually(lambda: closed == ["closed"], "it is called")
