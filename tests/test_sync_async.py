"""Sync code inside of async code and back: any nesting, any size of the pool, and never a hang."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

import pytest
from lifecycle.loops import eventually, run_on
from lifecycle.server import Server

from asyncflask import Flask, g, json, request, session

pytestmark = pytest.mark.timeout(20)

THREADS = pytest.mark.parametrize("threads", [1, 2])
variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("sync-async", static_folder=None)
    app.secret_key = "secret"
    app.config["WORKER_THREADS"] = 1
    app.logger.disabled = True
    yield app
    app.logger.disabled = False


def fetch(app: Flask, path: str, client: str) -> str:
    """The answer, over a server or from a test client."""
    if client == "server":
        with Server(app) as server:
            return server.get(path).body.decode()
    if client == "test client":
        return app.test_client().get(path).text

    async def main() -> str:
        async with app.test_client() as awaited:
            return (await awaited.get(path)).text

    return run_on("asyncio", main)


CLIENTS = pytest.mark.parametrize("client", ["server", "test client", "awaited test client"])


def on_loop() -> bool:
    return asyncio._get_running_loop() is not None


# -- nested -------------------------------------------------------------------------------------


def ladder(app: Flask, kinds: str, log: list[Any]) -> Callable[..., Any]:
    """A function that calls one of the other kind, and so on: "sas" is sync, calls async, calls sync."""
    kind, rest = kinds[0], kinds[1:]
    inner = ladder(app, rest, log) if rest else None

    def note() -> None:
        log.append((kind, on_loop(), request.path, g.value, session["value"]))

    if kind == "s":

        def sync(*args: int) -> tuple[int, ...]:
            note()
            result = args
            if inner is not None:
                result = (app.ensure_sync(inner) if rest[0] == "a" else inner)(*args, len(kinds))
            note()
            return result

        return sync

    async def asynchronous(*args: int) -> tuple[int, ...]:
        note()
        await asyncio.sleep(0)
        result = args
        if inner is not None:
            called = inner if rest[0] == "a" else app.sync_to_async(inner)
            result = await called(*args, len(kinds))
        await asyncio.sleep(0)
        note()
        return result

    return asynchronous


@CLIENTS
@pytest.mark.parametrize(
    "kinds", ["s", "a", "sa", "as", "sas", "asa", "sasa", "asas", "sasasasa", "asasasas"]
)
def test_every_way_of_nesting(app: Flask, kinds: str, client: str) -> None:
    log: list[Any] = []

    @app.before_request
    def before() -> None:
        g.value = "g"
        session["value"] = "session"

    function = ladder(app, kinds, log)
    if kinds[0] == "s":

        @app.get("/")
        def view() -> str:
            return repr(function())

    else:

        @app.get("/", endpoint="view")
        async def async_view() -> str:
            return repr(await function())

    assert fetch(app, "/", client) == repr(tuple(range(len(kinds), 1, -1)))
    assert log == [(kind, kind == "a", "/", "g", "session") for kind in kinds + kinds[::-1]]


@CLIENTS
def test_an_exception_goes_through_all_of_it(app: Flask, client: str) -> None:
    class Wrong(Exception):
        pass

    def deepest() -> None:
        raise Wrong("deep")

    async def third() -> None:
        await app.sync_to_async(deepest)()

    def second() -> None:
        app.async_to_sync(third)()

    @app.get("/")
    async def view() -> str:
        try:
            await app.sync_to_async(second)()
        except Wrong as error:
            return f"{error} {error.__traceback__ is not None}"
        return "nothing"

    assert fetch(app, "/", client) == "deep True"


@CLIENTS
def test_context_variables_go_down_and_come_back(app: Flask, client: str) -> None:
    def set_deep(value: str) -> str:
        before = variable.get()
        variable.set(value)
        return before

    async def set_async(value: str) -> str:
        await asyncio.sleep(0)
        return await app.sync_to_async(set_deep)(value)

    @app.get("/sync")
    def sync_view() -> str:
        variable.set("one")
        before = app.ensure_sync(set_async)("two")
        return f"{before} {variable.get()}"

    @app.get("/async")
    async def async_view() -> str:
        variable.set("one")
        before = await app.sync_to_async(set_deep)("two")
        return f"{before} {variable.get()}"

    assert fetch(app, "/sync", client) == "one two"
    assert fetch(app, "/async", client) == "one two"
    assert variable.get() == "unset"


def test_what_the_functions_are(app: Flask) -> None:
    def sync() -> None:
        """Its documentation."""

    async def asynchronous() -> None:
        """Its documentation."""

    assert app.ensure_sync(sync) is sync
    assert not asyncio.iscoroutinefunction(app.ensure_sync(asynchronous))
    assert app.ensure_sync(asynchronous).__name__ == "asynchronous"
    assert asyncio.iscoroutinefunction(app.sync_to_async(sync))


def test_outside_of_requests_and_loops(app: Flask) -> None:
    async def add(a: int, *, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    def multiply(a: int, *, b: int) -> int:
        assert not on_loop()
        return a * b

    assert app.ensure_sync(add)(1, b=2) == 3
    assert app.async_to_sync(add)(1, b=2) == 3
    assert app.async_to_sync(app.sync_to_async(multiply))(2, b=3) == 6

    async def main() -> tuple[int, int]:
        return await app.sync_to_async(multiply)(2, b=3), await app.ensure_sync(add)(1, b=2)

    assert run_on("asyncio", main) == (6, 3)


def test_stopiteration_does_not_hang(app: Flask) -> None:
    def stop() -> None:
        raise StopIteration

    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await app.sync_to_async(stop)()

    run_on("asyncio", main)

    async def stop_async() -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        app.async_to_sync(stop_async)()


# -- decorators ---------------------------------------------------------------------------------


def ensuring(function: Callable[..., Any]) -> Callable[..., Any]:
    """As extensions write it."""
    from asyncflask import current_app

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return current_app.ensure_sync(function)(*args, **kwargs)

    return wrapper


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@CLIENTS
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("decorator", [ensuring, plain])
def test_decorators_around_async_views(
    app: Flask, decorator: Callable[..., Any], depth: int, client: str
) -> None:
    async def view() -> str:
        await asyncio.sleep(0)
        return f"{on_loop()} {await app.sync_to_async(lambda: on_loop())()}"

    function: Callable[..., Any] = view
    for _ in range(depth):
        function = decorator(function)
    app.add_url_rule("/", view_func=function)
    assert fetch(app, "/", client) == "True False"


# -- a pool that is full ------------------------------------------------------------------------


@THREADS
@pytest.mark.parametrize("kind", ["sync waits for async", "async waits for sync", "both"])
def test_more_requests_than_threads(app: Flask, threads: int, kind: str) -> None:
    """Each view holds a thread and needs one more for what it calls."""
    app.config["WORKER_THREADS"] = threads

    def helper() -> str:
        time.sleep(0.005)
        return "done"

    async def async_helper() -> str:
        await asyncio.sleep(0.005)
        return await app.sync_to_async(helper)()

    def sync_view() -> str:
        return str(app.ensure_sync(async_helper)())

    async def async_view() -> str:
        return str(await app.sync_to_async(sync_view)())

    app.add_url_rule("/s", view_func=sync_view)
    app.add_url_rule("/a", view_func=async_view)
    paths = {"sync waits for async": ["/s"], "async waits for sync": ["/a"], "both": ["/s", "/a"]}[kind]
    with Server(app) as server:
        clients = [server.connect() for _ in range(20)]
        for _ in range(3):
            for number, client in enumerate(clients):
                client.send_request("GET", paths[number % len(paths)])
            for client in clients:
                assert client.response().body == b"done"
        for client in clients:
            client.close()


@THREADS
def test_many_calls_of_one_view_at_a_time(app: Flask, threads: int) -> None:
    app.config["WORKER_THREADS"] = threads

    async def deeper(number: int) -> int:
        return int(await app.sync_to_async(lambda: number)())

    def helper(number: int) -> int:
        return int(app.async_to_sync(deeper)(number))

    @app.get("/")
    async def view() -> list[int]:
        return await asyncio.gather(*(app.sync_to_async(helper)(number) for number in range(30)))

    with Server(app) as server:
        assert json.loads(server.get("/").body) == list(range(30))


@THREADS
def test_requests_to_itself_in_process(app: Flask, threads: int) -> None:
    """A sync view that calls its own application with the test client."""
    app.config["WORKER_THREADS"] = threads

    @app.get("/inner")
    def inner() -> str:
        return "inner"

    @app.get("/inner-async")
    async def inner_async() -> str:
        await asyncio.sleep(0)
        return "inner async"

    @app.get("/")
    def view() -> str:
        client = app.test_client()
        return f"{client.get('/inner').text} {client.get('/inner-async').text}"

    with Server(app) as server:
        assert server.get("/").body == b"inner inner async"


def test_a_pool_that_is_full_for_good_is_waited_for(app: Flask) -> None:
    """What waits for a thread goes on as soon as there is one."""
    free = threading.Event()

    @app.get("/hold")
    def hold() -> str:
        free.wait(10)
        return "held"

    @app.get("/wait")
    async def wait() -> str:
        return str(await app.sync_to_async(lambda: "waited")())

    @app.get("/loop")
    async def loop() -> str:
        return "loop"

    with Server(app) as server, server.connect() as holding, server.connect() as waiting:
        holding.send_request("GET", "/hold")
        time.sleep(0.05)
        waiting.send_request("GET", "/wait")
        assert server.get("/loop").body == b"loop"  # the loop is free all the time
        free.set()
        assert holding.response().body == b"held"
        assert waiting.response().body == b"waited"


def test_waiting_for_a_thread_has_an_end(app: Flask) -> None:
    """With a timeout around it."""
    free = threading.Event()

    @app.get("/hold")
    def hold() -> str:
        free.wait(10)
        return "held"

    @app.get("/wait")
    async def wait() -> str:
        try:
            async with asyncio.timeout(0.1):
                return str(await app.sync_to_async(lambda: "waited")())
        except TimeoutError:
            return "gave up"

    with Server(app) as server, server.connect() as holding:
        holding.send_request("GET", "/hold")
        time.sleep(0.05)
        start = time.monotonic()
        assert server.get("/wait").body == b"gave up"
        assert time.monotonic() - start < 2
        free.set()
        assert holding.response().body == b"held"


# -- time limits --------------------------------------------------------------------------------


async def give_up_on(app: Flask, function: Callable[[], None]) -> float:
    """Call it in a thread, under a time limit that ends 0.05 s after it has begun there.

    :returns: the seconds from then until the limit took effect.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)

    def begin() -> None:
        loop.call_soon_threadsafe(lambda: limit.reschedule(loop.time() + 0.05))
        function()

    with pytest.raises(TimeoutError):
        async with limit:
            await app.sync_to_async(begin)()
    when = limit.when()
    assert when is not None
    return loop.time() - when + 0.05


@CLIENTS
@THREADS
def test_a_timeout_around_a_thread_is_on_time(app: Flask, threads: int, client: str) -> None:
    app.config["WORKER_THREADS"] = threads
    ended = threading.Event()
    took: list[float] = []

    def slow() -> None:
        time.sleep(0.5)
        ended.set()

    @app.get("/")
    async def view() -> str:
        took.append(await give_up_on(app, slow))
        return str(ended.is_set())

    assert fetch(app, "/", client) == "False"
    assert took[0] < 0.4
    assert ended.wait(5)  # the thread finishes by itself


@CLIENTS
def test_teardown_waits_for_the_thread(app: Flask, client: str) -> None:
    log = []

    def slow() -> None:
        time.sleep(0.2)
        log.append("thread")

    @app.get("/")
    async def view() -> str:
        await give_up_on(app, slow)
        log.append("timeout")
        return "answered"

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    assert fetch(app, "/", client) == "answered"
    eventually(lambda: len(log) >= 3, "teardown")
    assert log[:3] == ["timeout", "thread", "teardown"]  # and once more where a client keeps the context


def test_the_answer_does_not_wait_for_a_thread_that_is_late(app: Flask) -> None:
    free = threading.Event()

    @app.get("/")
    async def view() -> str:
        await give_up_on(app, lambda: free.wait(10) and None)
        return "too late"

    with Server(app) as server:
        assert server.get("/").body == b"too late"
        free.set()


def test_a_timeout_reaches_async_code_below_a_thread(app: Flask) -> None:
    """Sync code in the middle waits for a coroutine: that one is cancelled."""
    log = []

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    def middle() -> None:
        try:
            app.async_to_sync(endless)()
        finally:
            log.append("thread goes on")

    @app.get("/")
    async def view() -> str:
        try:
            async with asyncio.timeout(0.1):
                await app.sync_to_async(middle)()
        except TimeoutError:
            return "too late"
        return "in time"

    with Server(app) as server:
        assert server.get("/").body == b"too late"
        eventually(lambda: len(log) == 2, "the thread has ended")
    assert log == ["cancelled", "thread goes on"]


def test_the_client_goes_while_a_thread_waits_for_async_code(app: Flask) -> None:
    log = []
    begun = threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            log.append("cancelled")

    @app.get("/")
    async def view() -> str:
        await app.sync_to_async(app.async_to_sync(endless))()
        return "never"

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    with Server(app) as server, server.connect() as client:
        client.send_request("GET", "/")
        assert begun.wait(5)
        client.reset()
        eventually(lambda: log == ["cancelled", "teardown"], "the end of the request")
