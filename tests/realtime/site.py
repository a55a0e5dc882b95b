"""An application that the tests' servers run: a view for each thing that may happen to a client.

Each request names itself with ``?id=``; what happens to it is asked for at ``/journal/<id>``.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from asyncflask import (
    Flask,
    WebsocketDisconnect,
    abort,
    current_app,
    g,
    has_request_context,
    jsonify,
    make_response,
    request,
    session,
    stream_with_context,
    url_for,
    websocket,
)
from asyncflask.sse import EventSourceResponse

app = Flask("site", static_folder=None)
app.secret_key = "not a secret"

journal: defaultdict[str, list[str]] = defaultdict(list)
going = asyncio.Event()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="-")


def note(what: str) -> None:
    journal[request.args.get("id", "")].append(what)


# -- what tests ask for --------------------------------------------------------------------------------


@app.get("/journal/<name>", blocking=False)
def read_journal(name: str) -> Any:
    return jsonify(journal[name])


@app.get("/left")
async def left() -> Any:
    """What is under way besides this request."""
    gc.collect()
    tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    return jsonify(
        tasks=sorted(str(task.get_coro()) for task in tasks),
        threads=sorted(thread.name for thread in threading.enumerate()),
    )


@app.get("/memory")
async def memory() -> Any:
    """The resident size of the process, in bytes."""
    with open("/proc/self/statm") as file:  # noqa: ASYNC230
        return str(int(file.read().split()[1]) * 4096)


# -- hooks --------------------------------------------------------------------------------


@app.before_request
@app.before_websocket
def on_its_thread() -> Any:
    g.thread = threading.get_ident()
    variable.set(request.args.get("id", ""))
    if request.path.startswith("/hook/refuse"):
        return "not you", 401
    return None


@app.before_websocket
async def wait_in_hook() -> None:
    if request.path.startswith("/hook/wait"):
        note("before")
        try:
            await asyncio.sleep(60)
        finally:
            note("before ended")


@app.after_websocket
def after(response: Any) -> Any:
    note("after")
    return response


def _tear_down(error: BaseException | None) -> None:
    same = g.get("thread") == threading.get_ident()
    kept = variable.get() == request.args.get("id", "")
    note(f"teardown {type(error).__name__} {'same' if same else 'other'} thread {kept}")


app.teardown_websocket(_tear_down)


@app.teardown_request
def tear_down_request(error: BaseException | None) -> None:
    if "id" in request.args:
        _tear_down(error)


# -- websockets --------------------------------------------------------------------------------


@app.websocket("/echo")
async def echo() -> None:
    async for message in websocket:
        await websocket.send(message)
    note("view ended")


@app.websocket("/mine/<name>")
async def mine(name: str) -> None:
    """Says with each message what its contexts hold."""
    g.name = session["name"] = name
    async for message in websocket:
        await asyncio.sleep(0.001)
        await websocket.send(f"{g.name} {variable.get()} {websocket.path} {message!s}")


@app.websocket("/values/<int:number>/<name>")
async def values(number: int, name: str) -> None:
    await websocket.send_json(
        number=number,
        name=name,
        args=websocket.args.to_dict(),
        header=websocket.headers.get("X-Header"),
        cookie=websocket.cookies.get("cookie"),
        path=websocket.path,
        url=websocket.url,
        remote_addr=websocket.remote_addr,
        requested=websocket.requested_subprotocols,
        scheme=websocket.scheme,
        is_secure=websocket.is_secure,
        app=current_app.name,
        has_request=has_request_context(),
        same=request._get_current_object() is websocket._get_current_object(),
        endpoint=request.endpoint,
        build=url_for("values", number=1, name="x", _scheme="ws", _external=True),
    )


@app.websocket("/accept")
async def accept() -> None:
    session["user"] = request.args.get("user", "nobody")
    protocol = (websocket.requested_subprotocols or [None])[-1]
    await websocket.accept(headers={"X-Answer": "yes"}, subprotocol=protocol)
    await websocket.send("accepted")


@app.websocket("/who")
async def who() -> None:
    await websocket.send(session.get("user", "nobody"))


@app.get("/who")
def who_http() -> str:
    return str(session.get("user", "nobody"))


@app.websocket("/close/<int:code>")
async def close(code: int) -> None:
    await websocket.accept()
    await websocket.close(code, "good bye ✓")
    note("closed")


@app.websocket("/closed")
async def closed() -> None:
    """What it was closed with, from the other side."""
    try:
        while True:
            await websocket.receive()
    except WebsocketDisconnect as gone:
        note(f"{gone.code} {gone.reason}")


@app.websocket("/refuse/<how>")
async def refuse(how: str) -> Any:
    if how == "abort":
        abort(403)
    if how == "error":
        raise ZeroDivisionError("before accept")
    if how == "handled":
        raise LookupError("handled")
    if how == "close":
        await websocket.close()
        return None
    return "I am a teapot", 418, {"X-Why": "tea"}


@app.errorhandler(LookupError)
async def handled(error: LookupError) -> Any:
    return "handled", 409


@app.websocket("/hook/<what>")
async def hooked(what: str) -> None:
    await websocket.send("not refused")


@app.websocket("/raise")
async def raise_after() -> None:
    await websocket.accept()
    raise ZeroDivisionError("after accept")


@app.websocket("/before-accept")
async def before_accept() -> None:
    note("started")
    try:
        await asyncio.sleep(60)
    finally:
        note("view ended")


@app.websocket("/receive")
async def receiving() -> None:
    await websocket.send("ready")
    note("started")
    try:
        while True:
            await websocket.receive()
    finally:
        note("view ended")


@app.websocket("/sleep")
async def sleeping() -> None:
    await websocket.send("ready")
    note("started")
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        note("view ended")


@app.websocket("/send")
async def sending() -> None:
    await websocket.send("ready")
    note("started")
    try:
        while True:
            await websocket.send("x" * 1000)
            await asyncio.sleep(0.001)
    finally:
        note("view ended")


@app.websocket("/flood")
async def flooding() -> None:
    await websocket.send("ready")
    note("started")
    try:
        while True:
            await websocket.send(b"x" * 65536)
            journal["flood"].append("")
    finally:
        note("view ended")


@app.get("/flooded")
async def flooded() -> str:
    return str(len(journal["flood"]))


@app.websocket("/group")
async def group() -> None:
    await websocket.send("ready")
    note("started")

    async def reader() -> None:
        async for _ in websocket:
            pass

    async def waiter() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            note("child ended")

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reader())
            tasks.create_task(waiter())
    finally:
        note("view ended")


@app.websocket("/close-while-receiving")
async def close_while_receiving() -> None:
    await websocket.accept()

    async def reader() -> None:
        async for message in websocket:
            note(str(message))
        note("reader ended")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader())
        await asyncio.sleep(0.1)
        await websocket.close(4001, "enough")
    note("view ended")


@app.websocket("/one")
async def one_message() -> None:
    """Takes one message, and works on it for long."""
    await websocket.receive()
    note("started")
    try:
        await asyncio.sleep(60)
    finally:
        note("view ended")


@app.websocket("/many")
async def many() -> None:
    async def sender(number: int) -> None:
        for count in range(20):
            await websocket.send(f"{number} {count}")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(sender(number))


@app.websocket("/slow")
async def slow() -> None:
    """Takes its messages late."""
    await websocket.send("ready")
    await going.wait()
    async for message in websocket:
        await websocket.send(str(len(message)))


@app.get("/go")
async def go() -> str:
    going.set()
    return ""


# -- requests --------------------------------------------------------------------------------


async def _wait(seconds: float = 60) -> str:
    note("started")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note("cancelled")
        await asyncio.sleep(0.05)
        note("cleaned up")
        raise
    finally:
        note("view ended")
    return "done"


@app.route("/wait", methods=["GET", "POST"])
async def wait() -> str:
    if request.method == "POST":
        note(f"{len(request.form)} fields, {len(request.get_data())} bytes")
    return await _wait(float(request.args.get("seconds", 60)))


@app.post("/wait/stream", stream=True)
async def wait_stream() -> str:
    size = 0
    async for chunk in request.stream:
        size += len(chunk)
    note(f"{size} bytes")
    return await _wait()


@app.post("/wait/stream/task", stream=True)
async def wait_stream_task() -> str:
    """Waits while another task takes the body."""

    async def take() -> None:
        note(f"{sum([len(chunk) async for chunk in request.stream])} bytes")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take())
        return await _wait()


def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


@app.get("/wait/decorated", endpoint="decorated")
@decorator
async def wait_decorated() -> str:
    return await _wait()


@app.get("/wait/sync")
def wait_sync() -> str:
    note("started")
    time.sleep(0.4)
    note("view ended")
    return "done"


@app.get("/wait/swallow")
async def swallow() -> str:
    try:
        return await _wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)
        note("went on")
        return "nobody reads this"


@app.get("/wait/timeout")
async def wait_timeout() -> str:
    result = []
    try:
        async with asyncio.timeout(0.05):
            await asyncio.sleep(60)
    except TimeoutError:
        result.append("timeout")
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(60))
            await asyncio.sleep(0.01)
            raise ValueError
    except* ValueError:
        result.append("group")
    task = asyncio.current_task()
    assert task is not None
    result.append(str(task.cancelling()))
    return " ".join(result)


@app.get("/stream/<kind>")
async def stream(kind: str) -> Any:
    """A body that streams, after a wait that has been watched."""
    await asyncio.sleep(0.05)

    async def numbers() -> AsyncIterator[str]:
        for number in range(5):
            yield f"{number} "
            await asyncio.sleep(0.01)

    if kind == "starlette":
        return StreamingResponse(numbers(), media_type="text/plain")
    if kind == "plain":
        return PlainTextResponse("0 1 2 3 4 ")
    if kind == "sync":
        return make_response((f"{number} " for number in range(5)), 200)
    return stream_with_context(numbers())


@app.get("/endless/<kind>")
async def endless(kind: str) -> Any:
    """A body whose iterator never waits for anything."""

    async def pieces() -> AsyncIterator[str]:
        note("started")
        try:
            while True:
                yield "" if kind == "empty" else "x"
        finally:
            if kind != "starlette":  # leaves it to the garbage collector, which may come in any request
                note("closed")

    if kind == "events":
        return EventSourceResponse(pieces())
    if kind == "starlette":
        return StreamingResponse(pieces())
    return make_response(stream_with_context(pieces()))


@app.post("/body")
async def body() -> Any:
    await asyncio.sleep(0.02)
    return jsonify(form=request.form, size=len(request.get_data()))


# -- uploads that become files --------------------------------------------------------------------------


async def write(chunks: AsyncIterator[bytes]) -> int:
    """Pipe chunks to a file that is deleted at the end; its size."""
    with tempfile.TemporaryFile() as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        return os.fstat(file.fileno()).st_size


def add_uploads(app: Flask) -> None:
    @app.put("/save/async", stream=True)
    async def save_async() -> Any:
        return {"saved": await write(aiter(request.stream))}

    @app.put("/save/sync", stream=True)
    def save_sync() -> Any:
        with tempfile.TemporaryFile() as file:
            while chunk := request.stream.read(65536):
                file.write(chunk)
            file.flush()
            return {"saved": os.fstat(file.fileno()).st_size}

    @app.put("/save/form")
    def save_form() -> Any:
        file = request.files["file"]
        return {"saved": file.seek(0, os.SEEK_END) or file.tell()}

    @app.put("/save/kept")
    def save_kept() -> Any:
        """Without ``stream=True``: it is on disk before the view begins."""
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(request.stream, file)
            file.flush()
            return {"saved": os.fstat(file.fileno()).st_size}


async def save_starlette(scope: Any, receive: Any, send: Any) -> None:
    await JSONResponse({"saved": await write(Request(scope, receive).stream())})(scope, receive, send)


async def any_websocket(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that only sends, or only receives."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": "ready"})
    note("started")
    if scope["path"].endswith("/send"):
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 1000})
                await asyncio.sleep(0.001)
        except OSError:
            note("view ended")
            raise
    if scope["path"].endswith("/close"):
        await receive()
        await send({"type": "websocket.close", "code": 4001, "reason": ""})
    message = await receive()
    while message["type"] != "websocket.disconnect":
        message = await receive()
    note("view ended")


inner = Flask("inner", static_folder=None)
add_uploads(app)
add_uploads(inner)
app.mount("/any", any_websocket)
app.mount("/mounted", inner)
app.mount("/starlette", save_starlette)
