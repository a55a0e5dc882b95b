"""No value of one request is seen by another: request, session, g, current_app, context variables."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from asyncflask import (
    Blueprint,
    Flask,
    Response,
    copy_current_request_context,
    current_app,
    g,
    has_app_context,
    has_request_context,
    render_template_string,
    request,
    session,
    stream_with_context,
)

from .loops import LOOPS, run_on
from .server import APP_NAME, Client, Server, request_bytes

#: Set by the applications' functions, as an extension or a tracing library would.
user_variable: ContextVar[str | None] = ContextVar("user_variable", default=None)
local = threading.local()


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- many at a time -----------------------------------------------------------------------------------------


class Crossed(AssertionError):
    """A request has seen a value of another."""


def who() -> str:
    """The one this request is for, told by everything that could tell something else."""
    name = request.args["name"]
    told = {
        "g": g.name,
        "session": session.get("name"),
        "variable": user_variable.get(),
        "header": request.headers["X-Name"],
        "app": current_app.name,
        "rule": str(request.url_rule),
    }
    expected = {
        "g": name,
        "session": name,
        "variable": name,
        "header": name,
        "app": APP_NAME,
        "rule": request.path,
    }
    if told != expected:
        raise Crossed(f"{name}: {told}")
    return name


def make_app() -> Flask:
    app = Flask(APP_NAME, static_folder=None)
    app.secret_key = "secret"
    app.config["WORKER_THREADS"] = 6
    wrong: list[str] = []
    app.extensions["wrong"] = wrong

    def fresh(when: str) -> None:
        if "name" in g or user_variable.get() is not None:
            wrong.append(f"{when}: {g.get('name')}, {user_variable.get()}")

    @app.before_request
    def begin() -> None:
        fresh("begin")
        if "name" in session:
            wrong.append(f"the session of {session['name']}")
        g.name = session["name"] = request.args["name"]
        user_variable.set(request.args["name"])

    @app.before_request
    async def begin_async() -> None:
        who()
        await asyncio.sleep(random.choice([0, 0.001]))
        who()

    @app.after_request
    def after(response: Response) -> Response:
        if not response.is_streamed:
            response.headers["X-After"] = who()
        return response

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        who()
        await asyncio.sleep(random.choice([0, 0.001]))
        who()

    @app.teardown_request
    def teardown_sync(error: BaseException | None) -> None:
        who()

    @app.context_processor
    def context() -> dict[str, Any]:
        return {"who": who()}

    @app.get("/sync")
    def sync() -> str:
        local.name = who()
        time.sleep(random.choice([0, 0.001]))
        if local.name != who():
            wrong.append(f"the thread of {who()} served {local.name} meanwhile")
        return who()

    @app.get("/async")
    async def asynchronous() -> str:
        who()
        await asyncio.sleep(random.choice([0, 0.002]))
        return who()

    @app.get("/nested")
    def nested() -> str:
        async def inner() -> str:
            who()
            await asyncio.sleep(0)
            return await app.sync_to_async(who)()

        return app.ensure_sync(inner)()  # type: ignore[no-any-return]

    @app.get("/gathered")
    async def gathered() -> str:
        names = await asyncio.gather(
            *(app.sync_to_async(who)() for _ in range(3)), asyncio.create_task(later())
        )
        return "".join(set(names))

    async def later() -> str:
        await asyncio.sleep(0.001)
        return who()

    @app.get("/stream")
    def stream() -> Response:
        def pieces() -> Iterator[str]:
            for letter in who():
                time.sleep(random.choice([0, 0.001]))
                who()
                yield letter

        return Response(stream_with_context(pieces()))

    @app.get("/async-stream")
    async def async_stream() -> Response:
        async def pieces() -> AsyncIterator[str]:
            for letter in who():
                await asyncio.sleep(random.choice([0, 0.001]))
                who()
                yield letter

        return Response(stream_with_context(pieces()))

    @app.get("/template")
    async def template() -> str:
        return render_template_string("{{ who }}")

    @app.get("/thread")
    def thread() -> str:
        names: list[str] = []

        @copy_current_request_context
        def work() -> None:
            # `g` is that of a new application context, as under Flask.
            g.name = request.args["name"]
            user_variable.set(g.name)
            names.append(g.name + str(session["name"]))

        other = threading.Thread(target=work)
        other.start()
        other.join()
        assert names == [who() * 2]
        return who()

    @app.get("/fails")
    def fails() -> str:
        raise KeyError(who())

    @app.errorhandler(KeyError)
    async def handler(error: KeyError) -> tuple[str, int]:
        await asyncio.sleep(0)
        return str(error.args[0] if error.args[0] == who() else Crossed(who())), 418

    @app.post("/form")
    def form() -> str:
        return str(request.form["name"] if request.form["name"] == who() else Crossed(who()))

    @app.post("/json")
    async def json_() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"name": who(), "data": request.json["name"]}

    return app


def make_requests(count: int) -> list[tuple[str, str, bytes]]:
    """(name, path, request on the wire) of all kinds."""
    paths = [
        *("/sync", "/async", "/nested", "/gathered", "/stream", "/async-stream"),
        *("/template", "/thread", "/fails", "/form", "/json"),
    ]
    requests = []
    for number in range(count):
        path = paths[number % len(paths)]
        name = f"n{number}"
        headers = {"X-Name": name}
        body = None
        if path == "/form":
            body, headers["Content-Type"] = f"name={name}".encode(), "application/x-www-form-urlencoded"
        elif path == "/json":
            body, headers["Content-Type"] = json.dumps({"name": name}).encode(), "application/json"
        method = "POST" if body else "GET"
        requests.append(
            (name, path, request_bytes(method, f"{path}?name={name}", headers=headers, body=body))
        )
    return requests


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[int, dict[str, str], bytes]:
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return int(head[0].split()[1]), headers, body


def test_requests_of_all_kinds_at_the_same_time(loop: str) -> None:
    """2,000 of them over 100 connections that are kept alive; each must find its own values only."""
    app = make_app()
    pending = make_requests(2000)
    random.Random(loop).shuffle(pending)
    wrong: list[Any] = []
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]

    async def connection(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while pending:
            name, path, data = pending.pop()
            status, headers, body = await ask(reader, writer, data)
            expected = json.dumps({"data": name, "name": name}).encode() if path == "/json" else name.encode()
            got = (
                json.dumps(json.loads(body), sort_keys=True).encode()
                if path == "/json" and status == 200
                else body
            )
            cookie = headers.get("set-cookie", "").partition("session=")[2].partition(";")[0]
            if (
                (status, got) != (418 if path == "/fails" else 200, expected)
                or serializer.loads(cookie) != {"name": name}
                or headers.get("x-after", name) != name
            ):
                wrong.append((path, name, status, body[:200], headers))
        writer.close()
        await writer.wait_closed()

    with Server(app, loop=loop) as server:

        async def main() -> None:
            await asyncio.gather(*(connection(server.port) for _ in range(100)))

        run_on(loop, main, timeout=40)
    assert wrong == []
    assert server.errors == []
    assert app.extensions["wrong"] == []
    assert user_variable.get() is None
    assert not has_request_context()


# -- one connection after the other -------------------------------------------------------------------------


def make_leaky_app() -> Flask:
    """Every way to set a context variable, and a route that looks for one."""
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = 2

    @app.get("/look")
    async def look() -> dict[str, Any]:
        return {"variable": user_variable.get(), "g": list(g)}

    @app.get("/look-sync")
    def look_sync() -> dict[str, Any]:
        return {"variable": user_variable.get(), "g": list(g)}

    @app.get("/sync")
    def sync() -> str:
        user_variable.set("sync")
        g.set = True
        return "x"

    @app.get("/async")
    async def asynchronous() -> str:
        user_variable.set("async")
        g.set = True
        return "x"

    @app.get("/fails")
    def fails() -> str:
        user_variable.set("fails")
        raise ValueError

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            user_variable.set("generator")
            yield "x" * 200_000

        user_variable.set("stream")
        return pieces()

    @app.post("/form")
    def form() -> str:
        user_variable.set("form")
        return str(len(request.form["field"]))

    @app.post("/upload", stream=True)
    async def upload() -> str:
        user_variable.set("upload")
        return str(sum([len(chunk) async for chunk in request.stream]))

    @app.post("/upload-sync", stream=True)
    def upload_sync() -> str:
        user_variable.set("upload-sync")
        return str(len(request.stream.read()))

    @app.post("/unread", stream=True)
    async def unread() -> str:
        user_variable.set("unread")
        await asyncio.sleep(0.02)
        return "x"

    return app


@pytest.fixture(
    scope="module", params=[("asyncio", "httptools"), ("uvloop", "httptools"), ("asyncio", "h11")]
)
def leaky(request: pytest.FixtureRequest) -> Iterator[Server]:
    loop, http = request.param
    with Server(make_leaky_app(), loop=loop, http=http) as server:
        yield server


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOTHING_SET = {"g": [], "variable": None}


@pytest.mark.parametrize("pipelined", [False, True], ids=["kept", "pipelined"])
@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("GET", "/sync", 0),
        ("GET", "/async", 0),
        ("GET", "/fails", 0),
        ("GET", "/stream", 0),
        ("POST", "/form", 400_000),
        ("POST", "/upload", 10),
        ("POST", "/upload", 400_000),
        ("POST", "/upload-sync", 400_000),
    ],
)
def test_the_next_request_on_the_connection_inherits_nothing(
    leaky: Server, method: str, path: str, size: int, pipelined: bool
) -> None:
    """A server resumes reading in `receive` and starts a pipelined request in `send`, and what is started
    there inherits the context of the caller: it must not be the request's."""
    body = b"field=" + b"x" * size if size else None
    first = request_bytes(method, path, headers=FORM if size else {}, body=body)
    looks = [request_bytes("GET", "/look"), request_bytes("GET", "/look-sync")]
    with leaky.connect() as client:
        if pipelined:
            client.send(first + b"".join(looks))
            client.response()
        else:
            client.send(first)
            client.response()
            time.sleep(0.01)
            client.send(b"".join(looks))
        for _ in looks:
            assert json.loads(client.response().body) == NOTHING_SET


def test_pipelined_requests_do_not_share_a_thread_with_one_that_has_ended(loop: str) -> None:
    """Were the first request's thread taken for the next, that would wait for whoever has it now."""
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = 4
    release = threading.Event()

    @app.get("/quick")
    def quick() -> str:
        return threading.current_thread().name

    @app.get("/slow")
    def slow() -> str:
        release.wait(5)
        return threading.current_thread().name

    with Server(app, loop=loop) as server, server.connect() as client, server.connect() as other:
        client.send(request_bytes("GET", "/quick") + request_bytes("GET", "/slow"))
        client.response()
        time.sleep(0.05)
        other.send(request_bytes("GET", "/quick") * 3)
        for _ in range(3):
            assert other.response().status == 200
        release.set()
        assert client.response().status == 200


# -- contexts of the server's thread ------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["at import", "in the server's lifespan", "around the server"])
def test_a_context_that_is_pushed_around_the_server_is_not_shared(loop: str, where: str) -> None:
    """``app.app_context().push()`` in a module is what many a tutorial does."""

    async def lifespan(app: Flask) -> AsyncIterator[None]:
        if where == "in the server's lifespan":
            app.app_context().push()
            g.visits = 100
        yield

    app = Flask(APP_NAME, static_folder=None, lifespan=lifespan)
    popped: list[str] = []

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        popped.append("teardown")

    @app.get("/")
    def index() -> str:
        g.visits = g.get("visits", 0) + 1
        return str(g.visits)

    @app.get("/async")
    async def asynchronous() -> str:
        g.visits = g.get("visits", 0) + 1
        return str(g.visits)

    class PushedServer(Server):
        def _run(self) -> None:
            if where == "at import":
                app.app_context().push()
                g.visits = 100
            elif where == "around the server":
                with app.app_context():
                    g.visits = 100
                    super()._run()
                return
            super()._run()

    with PushedServer(app, loop=loop) as server:
        for path in ("/", "/async", "/", "/async"):
            assert server.get(path).body == b"1"
        assert popped == ["teardown"] * 4


def test_a_context_pushed_in_a_request_stays_there(loop: str) -> None:
    app = Flask(APP_NAME, static_folder=None)

    @app.get("/")
    async def index() -> str:
        app.app_context().push()
        g.visits = g.get("visits", 0) + 1
        return str(g.visits)

    @app.get("/sync")
    def sync() -> str:
        app.app_context().push()
        g.visits = g.get("visits", 0) + 1
        return str(g.visits)

    with Server(app, loop=loop) as server, server.connect() as client:
        for path in ("/", "/sync") * 3:
            response = client.request("GET", path)
            assert (response.status, response.body) == (200, b"1")


# -- tasks and threads of a view ----------------------------------------------------------------------------


@pytest.mark.parametrize("starter", ["async", "ensure_sync"])
def test_a_task_inherits_the_context_and_keeps_it(loop: str, starter: str) -> None:
    """Also after the response, while the next request is served."""
    app = Flask(APP_NAME, static_folder=None)
    seen: list[dict[str, Any]] = []
    tasks: list[asyncio.Task[None]] = []
    done = threading.Semaphore(0)

    def look() -> dict[str, Any]:
        return {
            "app": current_app.name,
            "g": g.name,
            "request": request.args["name"],
            "variable": user_variable.get(),
        }

    async def work() -> None:
        seen.append(look())
        await asyncio.sleep(0.1)
        seen.append(look())
        seen.append(await app.sync_to_async(look)())
        done.release()

    @app.before_request
    def begin() -> None:
        g.name = request.args["name"]
        user_variable.set(request.args["name"])

    async def start() -> str:
        tasks.append(asyncio.create_task(work()))
        return "started"

    if starter == "async":
        app.add_url_rule("/", "start", start)
    else:
        app.add_url_rule("/", "start", lambda: app.ensure_sync(start)())

    with Server(app, loop=loop) as server, server.connect() as client:
        for name in ("first", "second"):
            assert client.request("GET", f"/?name={name}").body == b"started"
        assert done.acquire(timeout=5)
        assert done.acquire(timeout=5)
    expected = [
        {"app": APP_NAME, "g": name, "request": name, "variable": name} for name in ("first", "second")
    ]
    assert sorted(seen, key=lambda values: str(values["g"])) == [expected[0]] * 3 + [expected[1]] * 3


def test_a_task_under_the_test_client_goes_on_and_gets_a_thread() -> None:
    app = Flask(APP_NAME, static_folder=None)
    done = threading.Event()
    tasks = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        if await app.sync_to_async(lambda: request.args["name"])() == "x":
            done.set()

    @app.get("/")
    async def start() -> str:
        tasks.append(asyncio.create_task(work()))
        return "started"

    assert app.test_client().get("/?name=x").text == "started"
    assert done.wait(3)


@pytest.mark.parametrize("style", ["sync", "async"])
def test_copy_current_request_context_in_a_thread_of_ones_own(loop: str, style: str) -> None:
    app = Flask(APP_NAME, static_folder=None)
    app.secret_key = "secret"
    seen: list[tuple[str, str, str]] = []
    teardowns: list[str] = []

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        teardowns.append(request.args["name"])

    def look() -> None:
        seen.append((request.args["name"], session["name"], current_app.name))

    async def look_async() -> None:
        await asyncio.sleep(0)
        look()

    def view() -> str:
        session["name"] = request.args["name"]
        function = copy_current_request_context(look if style == "sync" else look_async)

        def work() -> None:
            assert not has_request_context()
            assert not has_app_context()
            if style == "sync":
                function()
            else:
                asyncio.run(function())  # type: ignore[arg-type]
            assert not has_request_context()
            assert not has_app_context()

        failures: list[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join(5)
        return repr(failures)

    async def async_view() -> str:
        return await asyncio.to_thread(copy_current_request_context(view))

    app.add_url_rule("/sync", "sync", view)
    app.add_url_rule("/async", "async", async_view)
    with Server(app, loop=loop) as server:
        for path in ("/sync", "/async"):
            assert server.get(f"{path}?name=x").body == b"[]"
    assert seen == [("x", "x", APP_NAME)] * 2
    # Each copy is a context of its own and ends by itself; the request ends once more.
    assert len(teardowns) == 2 + 2 + 1


def test_copy_current_request_context_in_tasks(loop: str) -> None:
    """Flask's documentation has it around the target of a gevent greenlet; here it is a task's."""
    app = Flask(APP_NAME, static_folder=None)
    results: list[str] = []
    tasks = []

    @app.get("/")
    async def view() -> str:
        @copy_current_request_context
        async def work() -> str:
            await asyncio.sleep(0.02)
            results.append(request.args["name"])
            return request.args["name"]

        tasks.append(asyncio.create_task(work()))
        names = await asyncio.gather(*(copy_of() for copy_of in (_copy(), _copy())))
        assert request.args["name"] == names[0] == names[1]
        return names[0]

    def _copy() -> Callable[[], Any]:
        @copy_current_request_context
        async def work() -> str:
            await asyncio.sleep(0)
            return request.args["name"]

        return work

    with Server(app, loop=loop) as server:
        names = [f"n{number}" for number in range(20)]

        async def main() -> None:
            async def one(name: str) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                _, _, body = await ask(reader, writer, request_bytes("GET", f"/?name={name}"))
                assert body == name.encode()
                writer.close()
                await writer.wait_closed()

            await asyncio.gather(*map(one, names))
            await asyncio.sleep(0.1)

        run_on(loop, main)
    assert sorted(results) == sorted(names)


# -- several applications -----------------------------------------------------------------------------------


def make_two_apps() -> tuple[Flask, Flask]:
    """Two applications; views of the first answer with, call, or push a context of the second."""
    one, two = Flask("one", static_folder=None), Flask("two", static_folder=None)
    for app in (one, two):
        app.secret_key = f"secret of {app.name}"
        app.config["SESSION_COOKIE_NAME"] = f"session_{app.name}"
        app.config["WORKER_THREADS"] = 3

        @app.before_request
        def begin(app: Flask = app) -> None:
            assert current_app._get_current_object() is app
            assert "name" not in g
            g.name = app.name

        @app.after_request
        def after(response: Response, app: Flask = app) -> Response:
            response.headers.add("X-After", f"{app.name}:{current_app.name}:{g.name}:{request.path}")
            return response

        @app.after_request
        async def async_after(response: Response, app: Flask = app) -> Response:
            await asyncio.sleep(0)
            assert current_app._get_current_object() is app
            return response

        app.extensions["torn down"] = []

        @app.teardown_request
        def teardown(error: BaseException | None, app: Flask = app) -> None:
            app.extensions["torn down"].append((current_app.name, g.name))

        @app.get("/sync")
        def sync() -> str:
            time.sleep(random.choice([0, 0.001]))
            return f"{current_app.name} {g.name}"

        @app.get("/async")
        async def asynchronous() -> str:
            await asyncio.sleep(random.choice([0, 0.001]))
            return f"{current_app.name} {g.name}"

    @one.get("/other")
    async def other() -> Flask:
        return two

    two.add_url_rule("/other", "other", lambda: f"{current_app.name} {g.name}")

    @one.get("/pushed")
    def pushed() -> str:
        with two.app_context():
            g.name = "two"
            inner = f"{current_app.name} {g.name}"
        return f"{inner} {current_app.name} {g.name}"

    @one.get("/async-pushed")
    async def async_pushed() -> str:
        async with two.app_context():
            g.name = "two"
            await asyncio.sleep(0.001)
            inner = f"{current_app.name} {g.name}"
        return f"{inner} {current_app.name} {g.name}"

    @one.get("/client")
    def client() -> str:
        inner = two.test_client().get("/sync").text
        return f"{inner} {current_app.name} {g.name}"

    return one, two


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sync", b"one one"),
        ("/async", b"one one"),
        ("/pushed", b"two two one one"),
        ("/async-pushed", b"two two one one"),
        ("/client", b"two two one one"),
    ],
)
def test_another_application_within_a_request(loop: str, path: str, body: bytes) -> None:
    one, _ = make_two_apps()
    with Server(one, loop=loop) as server:
        response = server.get(path)
        assert (response.status, response.body) == (200, body)
        assert response.get("X-After") == f"one:one:one:{path}"
    assert one.extensions["torn down"] == [("one", "one")]


def test_an_application_as_the_answer_of_another(loop: str) -> None:
    one, two = make_two_apps()
    with Server(one, loop=loop) as server:
        response = server.get("/other")
    assert (response.status, response.body) == (200, b"two two")
    assert response.all("X-After") == ["two:two:two:/other", "one:one:one:/other"]
    assert one.extensions["torn down"] == [("one", "one")]
    assert two.extensions["torn down"] == [("two", "two")]


def test_two_applications_at_the_same_time(loop: str) -> None:
    """Behind one server, as a dispatcher has them, and on servers of their own."""
    one, two = make_two_apps()

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        await (two if scope["type"] == "http" and scope["query_string"] == b"two" else one)(
            scope, receive, send
        )

    with (
        Server(dispatch, loop=loop) as both,
        Server(one, loop=loop) as first,
        Server(two, loop=loop) as second,
    ):
        places = [
            *((both, "one", f"/{kind}?one") for kind in ("sync", "async")),
            *((both, "two", f"/{kind}?two") for kind in ("sync", "async")),
            *((first, "one", f"/{kind}") for kind in ("sync", "async")),
            *((second, "two", f"/{kind}") for kind in ("sync", "async")),
        ]

        async def connection(server: Server, name: str, path: str) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            for _ in range(20):
                status, _, body = await ask(reader, writer, request_bytes("GET", path))
                assert (status, body) == (200, f"{name} {name}".encode())
            writer.close()
            await writer.wait_closed()

        async def main() -> None:
            await asyncio.gather(*(connection(*place) for place in places * 3))

        run_on(loop, main)
    for app in (one, two):
        assert set(app.extensions["torn down"]) == {(app.name, app.name)}


def test_a_blueprint_in_two_applications_sees_the_one_it_runs_in(loop: str) -> None:
    blueprint = Blueprint("shared", __name__)

    @blueprint.before_app_request
    async def begin() -> None:
        await asyncio.sleep(0)
        g.name = current_app.name

    @blueprint.get("/")
    def index() -> str:
        return f"{current_app.name} {g.name}"

    apps = [Flask("one", static_folder=None), Flask("two", static_folder=None)]
    for app in apps:
        app.register_blueprint(blueprint)
    with Server(apps[0], loop=loop) as one, Server(apps[1], loop=loop) as two:
        with Client(one.port) as first, Client(two.port) as second:
            for _ in range(10):
                assert first.request("GET", "/").body == b"one one"
                assert second.request("GET", "/").body == b"two two"
