"""What would go unnoticed: a limit off by one, a wake-up that gets lost, a cancellation that stays."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from types import FrameType, ModuleType
from typing import Any

import anyio
import pytest

from asyncflask import Flask, request
from asyncflask.concurrency import inner_walk
from asyncflask.concurrency.inbox import Inbox
from asyncflask.concurrency.pool import WorkerPool

from .loops import LOOPS, eventually, run_on, soon
from .server import APP_NAME, Server

# -- limits -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def limited() -> Iterator[Server]:
    app = Flask(APP_NAME, static_folder=None)

    def reads() -> str:
        request.max_content_length = int(request.args["limit"])
        return str(len(request.get_data()))

    async def reads_async() -> str:
        return reads()

    def reads_form() -> str:
        request.max_content_length = int(request.args["limit"])
        return str(len(request.form["a"]) + 2)

    async def streams() -> str:
        request.max_content_length = int(request.args["limit"])
        return str(sum([len(chunk) async for chunk in request.stream]))

    def reads_stream() -> str:
        request.max_content_length = int(request.args["limit"])
        return str(len(request.stream.read()))

    for view in (reads, reads_async, reads_form, reads_stream):
        app.add_url_rule(f"/{view.__name__}", view_func=view, methods=["POST"])
    app.add_url_rule("/streams", view_func=streams, methods=["POST"], stream=True)

    @app.before_request
    def set_limit() -> None:
        request.max_form_memory_size = None

    with Server(app) as server:
        yield server


@pytest.mark.parametrize("size", [1000, 70_000])
@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("view", ["reads", "reads_async", "reads_form", "reads_stream", "streams"])
def test_a_body_as_large_as_allowed_is_taken_and_one_byte_more_is_not(
    limited: Server, view: str, is_chunked: bool, size: int
) -> None:
    body = b"a=" + b"x" * (size - 2)
    for limit, status in ((size, 200), (size - 1, 413), (size + 1, 200)):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with limited.connect() as client:
            if is_chunked:
                headers["Transfer-Encoding"] = "chunked"
                sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            else:
                headers["Content-Length"] = str(len(body))
                sent = body
            client.send_request("POST", f"/{view}?limit={limit}", headers=headers, body=sent)
            answer = client.response()
        assert answer.status == status, limit
        if status == 200:
            assert answer.body == str(size).encode()


# -- threads and the loop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", range(8))
def test_what_arrives_while_the_inbox_is_emptied_is_seen(moment: int) -> None:
    """From another thread, at any of its steps."""
    source = sys.modules[Inbox.__module__].__file__
    called: list[str] = []

    async def main() -> None:
        inbox = Inbox(asyncio.get_running_loop())
        steps = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal steps
            if frame.f_code.co_filename != source:
                return None
            if steps == moment:
                thread = threading.Thread(target=inbox.put, args=(lambda: called.append("late"),))
                thread.start()
                thread.join()
            steps += 1
            return trace

        inbox.put(lambda: called.append("first"))
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            while steps <= moment:
                await asyncio.sleep(0)
                if called and steps <= moment:
                    return  # it has fewer steps than that
        finally:
            sys.settrace(before)
        await soon(lambda: called == ["first", "late"], "both have arrived", timeout=2)

    run_on("asyncio", main)
    assert called[0] == "first"


class CountingTask(asyncio.Task[Any]):
    """A task that counts how often it is cancelled."""

    cancellations = 0

    def cancel(self, msg: Any | None = None) -> bool:
        self.cancellations += 1
        return super().cancel(msg)


@pytest.mark.parametrize("kind", LOOPS)
def test_waiting_for_a_thread_in_a_cancelled_scope_is_no_busy_loop(kind: str) -> None:
    """anyio cancels again on every pass of the loop, unless it is shielded off."""
    pool = WorkerPool(1, "exactness")

    async def request() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.3)

        async def cancel(scope: anyio.CancelScope) -> None:
            await begun.wait()
            scope.cancel()

        with anyio.CancelScope() as scope:
            canceller = loop.create_task(cancel(scope))
            walk = inner_walk(pool)
            await walk.run(walk.call(work))
        await canceller

    async def main() -> int:
        task = CountingTask(request())
        await task
        return task.cancellations

    try:
        assert 0 < run_on(kind, main) < 20
    finally:
        pool.stop(wait=True)


# -- cancellation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["view", "stream"])
def test_the_cancellation_of_a_request_whose_client_has_gone_is_taken_back(kind: str) -> None:
    """Or the time limits of its teardown functions would not know theirs from that one."""
    app = Flask(APP_NAME, static_folder=None)
    seen: list[Any] = []
    begun = threading.Event()

    @app.teardown_request
    async def tear_down(error: BaseException | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        seen.append(task.cancelling())
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(10)
        except TimeoutError:
            seen.append("timeout")

    @app.get("/view")
    async def view() -> str:
        begun.set()
        await asyncio.sleep(3600)
        return ""

    @app.get("/stream")
    async def stream() -> Any:
        from asyncflask import stream_with_context

        async def chunks() -> Any:
            begun.set()
            while True:
                yield "x"
                await asyncio.sleep(0.01)

        return stream_with_context(chunks())

    with Server(app) as server:
        with server.connect() as client:
            client.send_request("GET", f"/{kind}")
            begun.wait(5)
            time.sleep(0.05)
        eventually(lambda: len(seen) == 2, "it is torn down")
    assert seen == [0, "timeout"]


# -- memory -----------------------------------------------------------------------------------------------


def collections_of(app: Flask) -> dict[str, int]:
    """The sizes of what the package keeps, in its modules and in an application."""
    sizes: dict[str, int] = {}
    owners: list[Any] = [module for name, module in sys.modules.items() if name.startswith("asyncflask")]
    owners += [app, app.router, app.router.matcher, app.worker_pool, app.under_way]
    for owner in owners:
        for name, value in list(vars(owner).items()):
            place = owner.__name__ if isinstance(owner, ModuleType) else type(owner).__name__
            if issubclass(type(value), dict | list | set | deque) and not name.startswith("__"):
                sizes[f"{place}.{name}"] = len(value)
            elif type(value) is _lru_cache_wrapper:
                sizes[f"{place}.{name}()"] = value.cache_info().currsize
    return sizes


def test_nothing_is_kept_for_what_clients_send() -> None:
    app = Flask(APP_NAME, static_folder=None)
    app.secret_key = "not a secret"

    @app.route("/<path:path>", methods=["GET", "POST"])
    async def index(path: str) -> Any:
        values = [request.mimetype, dict(request.headers), request.cookies, request.host, request.url]
        return str(values), {"X-Path": path, f"X-Out-{path[-4:]}": "1"}

    number = 2000
    with Server(app) as server, server.connect() as client:
        client.request("GET", "/first")
        before = collections_of(app)
        for n in range(number):
            headers = {
                "Host": f"host-{n}.example",
                f"X-In-{n}": "1",
                "Content-Type": f"text/x-{n}; charset=c{n}",
                "Cookie": f"session=a{n}; name{n}=value",
                "Accept": f"text/x-{n}",
                "Origin": f"https://host-{n}.example",
                "Content-Length": "2",
            }
            client.send_request("POST", f"/{n:06}?n={n}", headers=headers, body=b"{}")
            assert client.response().status == 200
        after = collections_of(app)
    grown = {name: size - before.get(name, 0) for name, size in after.items()}
    assert {name: by for name, by in grown.items() if by > 600} == {}
    assert sum(size for name, size in grown.items() if size > 0) < 3 * number
