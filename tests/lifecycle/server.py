"""A real uvicorn in a thread, and a client that is no more than a socket."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn

from .loops import LOOPS, eventually

TIMEOUT = 10.0

#: The import name of the tests' applications. What they log is not for the output of a test run, and
#: formatting a traceback would hold up their loop.
APP_NAME = "lifecycle"
logging.getLogger(APP_NAME).setLevel(logging.CRITICAL + 1)

_running: list[Server] = []


def _keep_errors(record: logging.LogRecord) -> bool:
    """Keep what a running server logs as an error for its test, instead of having it printed."""
    if record.levelno >= logging.ERROR:
        error = record.exc_info[1] if record.exc_info else None
        for server in _running:
            server.errors.append(f"{record.getMessage().strip()}: {error!r}")
    return not _running


for _name in ("uvicorn.error", "asyncio"):
    logging.getLogger(_name).addFilter(_keep_errors)


class _Uvicorn(uvicorn.Server):
    """uvicorn that looks more often whether it is to stop."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks // 10):
            ticks += 1
            await asyncio.sleep(0.01)


class Server:
    """uvicorn in a thread, on a port of the system's choice, for the length of a ``with`` block.

    :param app: the ASGI application.
    :param loop: one of `loops.LOOPS`.
    :param options: of ``uvicorn.Config``.
    """

    def __init__(self, app: Any, *, loop: str = "uvloop", **options: Any) -> None:
        self.app = app
        self.loop_kind = loop
        settings: dict[str, Any] = {
            "lifespan": "on",
            "access_log": False,
            "log_config": None,
            "proxy_headers": False,
            "timeout_graceful_shutdown": 5,
            "http": "httptools",
        }
        self._server = _Uvicorn(uvicorn.Config(app, **{**settings, **options}))
        self._failure: BaseException | None = None
        #: What was logged as an error so far, by this server or another one that runs beside it.
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        _running.append(self)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=2048)
        # asyncio sees to this only for sockets that it has made itself; without it a kept connection is slow.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="test-server", daemon=True)
        self._thread.start()
        try:
            eventually(lambda: self._server.started or self._failure, "the server has started")
            if self._failure is not None:
                raise self._failure
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None and self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=LOOPS[self.loop_kind]) as runner:
                self.loop = runner.get_loop()
                runner.run(self._server.serve(sockets=[self._socket]))
        except BaseException as error:
            self._failure = error

    def stop(self) -> None:
        """Shut the server down as SIGTERM would, and wait until its thread has ended."""
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        if self in _running:
            _running.remove(self)
        assert not self._thread.is_alive(), "the server does not stop"

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """The requests that are under way."""
        return set(self._server.server_state.tasks)

    def connect(self, **options: Any) -> Client:
        return Client(self.port, **options)

    def get(self, path: str, **options: Any) -> Response:
        """One request on a connection of its own."""
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> Response:
        with self.connect() as client:
            return client.request(method, path, **options)


@dataclass
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    raw_head: bytes = field(default=b"", repr=False)

    def get(self, name: str) -> str | None:
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Closed(Exception):
    """The server has closed the connection in the middle of, or instead of, a response."""


class Client:
    """A connection: sends what it is told, reads responses, goes away in different manners."""

    def __init__(self, port: int, timeout: float = TIMEOUT) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Go away with a RST, as a client that crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> None:
        self.send(request_bytes(method, path, headers=headers, body=body))

    def request(self, method: str, path: str, **options: Any) -> Response:
        self.send_request(method, path, **options)
        return self.response(method)

    def response(self, method: str = "GET") -> Response:
        """Read one response.

        :raises Closed: when the connection ends before it is complete.
        :raises TimeoutError: when it does not come.
        """
        while True:
            response = self.head()
            if response.status >= 200:
                break
        if method == "HEAD" or response.status in (204, 304):
            return response
        length = response.get("content-length")
        if length is not None:
            response.body = self._exactly(int(length))
        elif (response.get("transfer-encoding") or "").lower() == "chunked":
            response.body = b"".join(self.chunks())
        else:
            response.body = self.rest()
        return response

    def head(self) -> Response:
        """Read status and headers."""
        raw = self._until(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        return Response(status, headers, raw_head=raw)

    def chunks(self) -> Iterator[bytes]:
        """Read a chunked body, chunk by chunk."""
        while True:
            size = int(self._until(b"\r\n"), 16)
            data = self._exactly(size)
            self._exactly(2)
            if not size:
                return
            yield data

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        while self._fill():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def is_closed(self) -> bool:
        """Wait for the server to close the connection."""
        try:
            return not self.rest()
        except ConnectionError:
            return True

    def _fill(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._buffer += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            if not self._fill():
                raise Closed(f"after {self._buffer[:200]!r}")
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._fill():
                raise Closed(f"{len(self._buffer)} of {size} bytes")
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found


def request_bytes(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """A request on the wire. The length is added; the Host unless it is given."""
    items = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in items}
    if "host" not in names:
        items.insert(0, ("Host", "localhost"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        items.append(("Content-Length", str(len(body))))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in items), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")


def multipart(
    parts: Iterable[tuple[str, str | None, bytes]], boundary: str = "boundary"
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a multipart form, of (name, file name, content)."""
    body = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"'
        if filename is not None:
            disposition += f'; filename="{filename}"'
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Fail when the block takes longer; it is not interrupted."""
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert took < seconds, f"{what} took {took:.2f} s"
