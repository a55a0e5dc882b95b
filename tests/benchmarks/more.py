"""Streams, uploads, files, websockets, small things, in CPU time: ``python -m tests.benchmarks.more``.

What a peer has no counterpart for is left out. CPU time rather than that of a clock: threads that wait for
one another take none, and a machine that is busy with something else adds little.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import process_time
from types import ModuleType
from typing import Any

import uvloop

from .cases import Case, check_answer
from .inprocess import WSGI_PEERS, AsgiApplication, WsgiApplication, one_core
from .peers.more import data

PEERS = ("asyncflask", "starlette", "flask", "quart", "falcon")
MEGABYTE = bytes(range(256)) * 4096
BOUNDARY = "a-boundary-as-browsers-make-them"
MODIFIED = "Wed, 01 Jan 2048 00:00:00 GMT"
FILE = (data.FOLDER / "static" / "small.txt").read_bytes()


def multipart(content: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="file"; filename="a.bin"'
    kind = "Content-Type: application/octet-stream"
    return f"--{BOUNDARY}\r\n{head}\r\n{kind}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def case(name: str, path: str, response: bytes | None = data.GREETING.encode(), **options: Any) -> Case:
    return Case(name, path, response, extra_routes=None, **{"application": "create_answers", **options})


def streams(name: str, path: str, response: bytes | None) -> Case:
    return case(name, path, response, application="create_streams")


def files(name: str, path: str, response: bytes | None = FILE, **options: Any) -> Case:
    return case(name, path, response, application="create_files", **options)


def upload(name: str, path: str, body: bytes, content_type: str) -> Case:
    return case(
        name,
        path,
        b"1048576",
        application="create_uploads",
        method="POST",
        body=body,
        content_type=content_type,
    )


CASES = {
    each.name: each
    for each in (
        streams("generator", "/generator", data.CHUNK * data.CHUNKS),
        streams("async generator", "/async-generator", data.CHUNK * data.CHUNKS),
        streams("stream_template", "/template", None),
        streams("events", "/events", None),
        upload("raw 1 MB", "/raw", MEGABYTE, "application/octet-stream"),
        upload("file 1 MB", "/file", multipart(MEGABYTE), f"multipart/form-data; boundary={BOUNDARY}"),
        files("static 1 KB", "/static/small.txt"),
        files("static 304", "/static/small.txt", b"", status=304, more=(("if-modified-since", MODIFIED),)),
        files(
            "static range", "/static/small.txt", FILE[100:200], status=206, more=(("range", "bytes=100-199"),)
        ),
        files("send_from_directory", "/download/small.txt"),
        case("plain", "/plain"),
        case("signals", "/plain", application="create_signals"),
        case("unsent signals", "/plain", application="create_unsent_signals"),
        case("other's signals", "/plain", application="create_other_signals"),
        case("405", "/post", None, status=405),
        case("OPTIONS", "/post", None, method="OPTIONS", status=None),
        case("redirect", "/redirect", None, status=302),
        case("flash", "/flash", None, status=302),
        case("five headers", "/plain", application="create_headers", response_headers=("x-header-4",)),
        case("abort", "/abort", b"forbidden", status=403),
        case("JSON 100 KB", "/large", None),
        case(
            "cookies 100 KB",
            "/plain",
            more=(("cookie", "; ".join(f"name{n}={'v' * 40}" for n in range(2000))),),
        ),
    )
}


class Channel:
    """The client of an echoing websocket."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.has_begun = False
        self.has_sent = False

    async def receive(self) -> dict[str, Any]:
        if not self.has_begun:
            self.has_begun = True
            return {"type": "websocket.connect"}
        if self.has_sent:
            await self.answers.get()
        if self.left == 0:
            return {"type": "websocket.disconnect", "code": 1000}
        self.has_sent = True
        self.left -= 1
        return {"type": "websocket.receive", "text": "a message of thirty-two bytes ok"}

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self.answers.put_nowait(1)

    async def run(self, app: Any, path: str) -> None:
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"x")],
            "client": ("127.0.0.1", 2),
            "server": ("127.0.0.1", 2),
            "subprotocols": [],
            "state": {},
            "extensions": {},
        }
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:
            if type(error).__name__ != "WebSocketDisconnect":
                raise


Measured = Callable[[], Any]


async def subjects(
    stack: AsyncExitStack, module: ModuleType, peer: str, names: Sequence[str]
) -> dict[str, Any]:
    """For each case that the peer takes part in, a coroutine function that returns the seconds of one."""
    found: dict[str, Any] = {}
    applications: dict[str, Any] = {}

    def requests(name: str, case: Case, number: int) -> None:
        application = applications[case.application]

        async def measure() -> float:
            gc.collect()
            before = process_time()
            await application.measure(case, None, number)
            return (process_time() - before) / number

        found[name] = measure

    for name in names:
        each = CASES.get(name)
        if each is None or not hasattr(module, each.application):
            continue
        if each.application not in applications:
            app = getattr(module, each.application)()
            applications[each.application] = (
                WsgiApplication(app)
                if peer in WSGI_PEERS
                else await stack.enter_async_context(AsgiApplication(app))
            )
        answer = await applications[each.application].ask(each, None)
        each = replace(each, status=answer.status) if each.status is None else each
        check_answer(each, answer)
        begin = process_time()
        for _ in range(3):
            await applications[each.application].ask(each, None)
        requests(name, each, max(1, min(1000, int(0.03 / ((process_time() - begin) / 3)))))

    if "websocket message" in names and hasattr(module, "create_websockets"):
        app = module.create_websockets()

        async def messages() -> float:
            before = process_time()
            await Channel(2000).run(app, "/echo")
            return (process_time() - before) / 2000

        async def connections() -> float:
            before = process_time()
            for _ in range(100):
                await Channel(0).run(app, "/echo")
            return (process_time() - before) / 100

        await connections()
        found["websocket message"], found["websocket connection"] = messages, connections
    return found


def scripted(module: ModuleType, names: Sequence[str]) -> dict[str, Callable[[], float]]:
    """What is not on an event loop."""
    found: dict[str, Callable[[], float]] = {}
    for name, function in (("test client", "test_client"), ("test client, sync view", "test_client_sync")):
        if name in names and hasattr(module, function):
            ask = getattr(module, function)()
            ask()
            found[name] = repeated(ask, 50)
    if "factory" in names and hasattr(module, "create_factory"):
        found["factory"] = repeated(module.create_factory, 3)
    return found


def repeated(func: Callable[[], object], number: int) -> Callable[[], float]:
    def measure() -> float:
        before = process_time()
        for _ in range(number):
            func()
        return (process_time() - before) / number

    return measure


NAMES = [
    *CASES,
    "websocket message",
    "websocket connection",
    "test client",
    "test client, sync view",
    "factory",
]


async def measure(
    modules: dict[str, ModuleType], names: Sequence[str], rounds: int
) -> dict[tuple[str, str], float]:
    best: dict[tuple[str, str], float] = {}
    async with AsyncExitStack() as stack:
        found = {peer: await subjects(stack, module, peer, names) for peer, module in modules.items()}
        for _ in range(rounds):
            for name in names:
                for peer, measures in found.items():
                    if name in measures:
                        taken = await measures[name]()
                        best[name, peer] = min(best.get((name, peer), taken), taken)
    gc.unfreeze()
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.more", description=__doc__)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--cases", nargs="+", choices=NAMES, default=NAMES, metavar="CASE")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    modules = {}
    for peer in options.peers:
        try:
            modules[peer] = importlib.import_module(f".peers.more.{peer}_app", __package__)
        except ImportError as error:
            print(f"{peer} is left out: {error}")
    with one_core():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            best = runner.run(measure(modules, options.cases, options.rounds))
        for peer, module in modules.items():
            for name, each in scripted(module, options.cases).items():
                best[name, peer] = min(each() for _ in range(options.rounds))
    print(f"{'µs CPU':24}", *(f"{peer:>12}" for peer in modules), " ours/theirs")
    for name in options.cases:
        row = [best.get((name, peer)) for peer in modules]
        cells = ["" if each is None else f"{each * 1e6:.1f}" for each in row]
        ratios = [
            f"{row[0] / best[name, peer]:.2f} {peer}"
            for peer in list(modules)[1:]
            if row[0] and (name, peer) in best
        ]
        print(f"{name:24}", *(f"{cell:>12}" for cell in cells), " ", ", ".join(ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
