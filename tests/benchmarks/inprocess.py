"""Time per request inside the process, asyncflask beside its peers: ``python -m tests.benchmarks.inprocess``.

The applications are called as a server would call them, without one: no socket, no HTTP parser.  What is left
is the framework's own time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from time import perf_counter
from types import ModuleType
from typing import Any, Protocol

import uvloop

from .cases import CASES, Answer, Case, WrongAnswer, check_answer, session_cookie
from .figures import BASELINE, Figure, Figures, describe, table, versions
from .peers import PEERS, load_peers, takes_part

SECTION = "in-process"
WSGI_PEERS = frozenset({"flask"})
LIBRARIES = ("werkzeug", "jinja2", "itsdangerous", "anyio", "uvloop")

ROUNDS = 9
ROUND_SECONDS = 0.05  # measured in each round for each case and peer
MAX_BATCH = 10_000  # requests of a round, all prepared before it


class Application(Protocol):
    """A peer's application, ready to be called."""

    async def ask(self, case: Case, cookie: str | None) -> Answer:
        """Make one request."""

    async def measure(self, case: Case, cookie: str | None, requests: int) -> float:
        """Make that many requests, and return the seconds that all of them took."""


# ASGI


class AsgiRequest:
    """One request: the scope uvicorn would make, and its two channels."""

    __slots__ = ("body", "chunks", "ended", "headers", "scope", "status")

    def __init__(self, case: Case, headers: list[tuple[bytes, bytes]]) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "headers": headers.copy(),
            "state": {},
            "method": case.method,
            "path": case.path,
            "raw_path": case.path.encode(),
            "query_string": b"",
        }
        self.body: bytes | None = case.body
        self.ended = asyncio.Event()
        self.status = 0
        self.headers: Iterable[tuple[bytes, bytes]] = ()
        self.chunks: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        body = self.body
        if body is not None:
            self.body = None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = message["headers"]
        else:
            self.chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                self.ended.set()

    def answer(self) -> Answer:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in self.headers]
        return Answer(self.status, headers, b"".join(self.chunks))


class AsgiApplication:
    """An ASGI application within its lifespan."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsgiApplication:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self.app(scope, self._messages.get, self._replies.put))
        await self._exchange("startup")
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._lifespan is not None
        await self._exchange("shutdown")
        await asyncio.gather(self._lifespan, return_exceptions=True)

    async def _exchange(self, event: str) -> None:
        assert self._lifespan is not None
        await self._messages.put({"type": f"lifespan.{event}"})
        reply = asyncio.create_task(self._replies.get())
        # An application without a lifespan leaves at once, with or without an exception.
        await asyncio.wait({reply, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            reply.cancel()
        elif reply.result()["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(f"lifespan {event} failed: {reply.result().get('message', '')}")

    async def ask(self, case: Case, cookie: str | None) -> Answer:
        request = self.requests(case, cookie, 1)[0]
        await self.app(request.scope, request.receive, request.send)
        return request.answer()

    async def measure(self, case: Case, cookie: str | None, requests: int) -> float:
        batch = self.requests(case, cookie, requests)
        app = self.app
        waiting = iter(batch)

        async def client() -> None:
            for request in waiting:
                await app(request.scope, request.receive, request.send)

        settle()
        start = perf_counter()
        if case.concurrency == 1:
            await client()
        else:
            await asyncio.gather(*(client() for _ in range(case.concurrency)))
        seconds = perf_counter() - start
        check_statuses(case, (request.status for request in batch))
        return seconds

    @staticmethod
    def requests(case: Case, cookie: str | None, number: int) -> list[AsgiRequest]:
        """That many requests of a case, each to be made once."""
        headers = [(name.encode(), value.encode()) for name, value in case.headers(cookie)]
        return [AsgiRequest(case, headers) for _ in range(number)]


# WSGI


class WsgiRequest:
    """One request: the environ gunicorn would make, and what the application answers."""

    __slots__ = ("body", "environ", "headers", "status")

    def __init__(self, case: Case, headers: list[tuple[str, str]]) -> None:
        self.environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.input": BytesIO(case.body),
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "http",
            "SERVER_SOFTWARE": "gunicorn",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "50000",
            "REQUEST_METHOD": case.method,
            "RAW_URI": case.path,
            "SCRIPT_NAME": "",
            "PATH_INFO": case.path,
            "QUERY_STRING": "",
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            self.environ[key if name in ("content-type", "content-length") else f"HTTP_{key}"] = value
        self.status = "0"
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self.status = status
        self.headers = headers

    def call(self, app: Any) -> None:
        chunks = app(self.environ, self.start_response)
        self.body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()

    @property
    def status_code(self) -> int:
        return int(self.status.split(" ", 1)[0])


class WsgiApplication:
    """A WSGI application; it has no concurrency of its own, so requests always follow one another."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def ask(self, case: Case, cookie: str | None) -> Answer:
        request = WsgiRequest(case, case.headers(cookie))
        request.call(self.app)
        headers = [(name.lower(), value) for name, value in request.headers]
        return Answer(request.status_code, headers, request.body)

    async def measure(self, case: Case, cookie: str | None, requests: int) -> float:
        headers = case.headers(cookie)
        batch = [WsgiRequest(case, headers) for _ in range(requests)]
        app = self.app
        settle()
        start = perf_counter()
        for request in batch:
            request.call(app)
        seconds = perf_counter() - start
        check_statuses(case, (request.status_code for request in batch))
        return seconds


# Measuring


def settle() -> None:
    """Keep collections during the measurement from walking through the applications and the batch."""
    gc.collect()
    gc.freeze()


def check_statuses(case: Case, statuses: Iterable[int]) -> None:
    wrong = [status for status in statuses if status != case.status]
    if wrong:
        raise WrongAnswer(
            f"{case.name}: under load, {len(wrong)} statuses are not {case.status}: {set(wrong)}"
        )


async def verify(application: Application, case: Case) -> str | None:
    """Check a peer's answer to a case; return the cookie its requests must carry, if any."""
    cookie = session_cookie(case, await application.ask(case, None)) if case.in_session else None
    check_answer(case, await application.ask(case, cookie))
    return cookie


@dataclass
class Subject:
    """One peer in one case, with the seconds per request of every round."""

    peer: str
    case: Case
    application: Application
    cookie: str | None
    requests: int
    times: list[float] = field(default_factory=list)

    @property
    def figure(self) -> Figure:
        microseconds = tuple(time * 1e6 for time in self.times)
        return Figure(SECTION, self.case.name, self.peer, "µs", microseconds)


async def prepare(
    stack: AsyncExitStack, modules: dict[str, ModuleType], cases: Sequence[Case], round_seconds: float
) -> list[Subject]:
    """Make the applications, verify each answer, and find how many requests fill a round."""
    applications: dict[object, Application] = {}
    subjects: list[Subject] = []
    for case in cases:
        for peer, module in modules.items():
            if not takes_part(module, case):
                continue
            key = (peer, case.application, case.extra_routes)
            if key not in applications:
                arguments = () if case.extra_routes is None else (case.extra_routes,)
                app = getattr(module, case.application)(*arguments)
                if peer in WSGI_PEERS:
                    applications[key] = WsgiApplication(app)
                else:
                    applications[key] = await stack.enter_async_context(AsgiApplication(app))
            application = applications[key]
            try:
                cookie = await verify(application, case)
            except WrongAnswer as error:
                raise WrongAnswer(f"{peer}, {error}") from None
            requests = await fill_round(application, case, cookie, round_seconds)
            subjects.append(Subject(peer, case, application, cookie, requests))
    return subjects


async def fill_round(application: Application, case: Case, cookie: str | None, seconds: float) -> int:
    requests = case.concurrency
    while True:
        taken = await application.measure(case, cookie, requests)
        if taken >= seconds / 4 or requests >= MAX_BATCH:
            return min(MAX_BATCH, max(case.concurrency, round(requests * seconds / taken)))
        requests = min(MAX_BATCH, requests * 4)


async def run(
    modules: dict[str, ModuleType], cases: Sequence[Case], rounds: int, round_seconds: float
) -> list[Subject]:
    """Measure every case with every peer.

    A round goes once through everything, so that a slow minute of the machine meets all peers alike, and the
    peers of a case take turns at being first.
    """
    async with AsyncExitStack() as stack:
        subjects = await prepare(stack, modules, cases, round_seconds)
        for number in range(rounds):
            for case in cases:
                peers = [subject for subject in subjects if subject.case is case]
                turn = number % max(1, len(peers))
                for subject in peers[turn:] + peers[:turn]:
                    seconds = await subject.application.measure(case, subject.cookie, subject.requests)
                    subject.times.append(seconds / subject.requests)
    gc.unfreeze()
    return subjects


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core for a while, as a server with a process for each would.

    On several, threads contend for the interpreter from different cores, and every time depends on which.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(available)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, available)


def measure(
    modules: dict[str, ModuleType],
    cases: Sequence[Case],
    rounds: int = ROUNDS,
    round_seconds: float = ROUND_SECONDS,
) -> list[Figure]:
    """`run` on uvloop, as uvicorn does it, and on one core."""
    with one_core(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        subjects = runner.run(run(modules, cases, rounds, round_seconds))
    return [subject.figure for subject in subjects]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that choose what is measured, and how long."""
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument(
        "--round-seconds", type=float, default=ROUND_SECONDS, help="for a case and peer; default: %(default)s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.inprocess", description=__doc__)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    add_options(parser)
    options = parser.parse_args(arguments)

    modules = load_peers(options.peers)
    if not modules:
        print("no peer is left to measure")
        return 1
    print(describe(versions([*(name for name in modules if name != "raw"), *LIBRARIES])))
    print(f"{options.rounds} rounds, each of about {options.round_seconds * 1000:.0f} ms a case and peer")
    cases = [CASES[name] for name in options.cases]
    figures = measure(modules, cases, options.rounds, options.round_seconds)
    print(*table(Figures(figures), SECTION), sep="\n")
    print(f"ratio: the best round over that of {BASELINE}; less is faster")
    return 0


if __name__ == "__main__":
    sys.exit(main())
