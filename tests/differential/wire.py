"""Compare what a client sees of real servers: Werkzeug's for Flask, uvicorn for asyncflask.

``wire_case`` is `harness.case` where the steps are requests as they go over the wire, from the request line
to the empty line, see `raw`. What a client library or a test client would put right arrives as it was sent.
"""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse, IncompleteRead
from typing import Any

from lifecycle.server import Server
from werkzeug.serving import WSGIRequestHandler, make_server

from .harness import IGNORED_HEADERS, ORACLE, Verbatim, case, comparable, framework

#: What Werkzeug's server says in other words than uvicorn.
_IGNORED = IGNORED_HEADERS | {"transfer-encoding"}


def raw(path: str = "/", *headers: str, method: str = "GET", host: str | None = "localhost") -> bytes:
    """A request without a body.

    :param headers: whole lines.
    :param host: the Host header; None leaves it out.
    """
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", *headers]
    if host is not None:
        lines.insert(1, f"Host: {host}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # or streams would have no end that can be missed

    def log(self, *args: Any) -> None:
        """Nothing: it goes to the output of the test run."""


@contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve the application as its users would, and give the port."""
    if not isinstance(app, framework(ORACLE).Flask):
        with Server(app) as ours:
            yield ours.port
        return
    theirs = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=theirs.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield theirs.server_port
    finally:
        theirs.shutdown()
        thread.join()
        theirs.server_close()


def exchange(port: int, request: bytes) -> str:
    """Send a request on a connection of its own, and describe what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
        try:
            response.begin()
        except (ConnectionError, ValueError) as error:
            return f"no response: {type(error).__name__}"
        try:
            body, end = response.read(), ""
        except (IncompleteRead, ConnectionError) as cut:
            body, end = getattr(cut, "partial", b""), "cut off"
    headers = [
        f"{name.lower()}: {comparable(name.lower(), text)}"
        for name, text in response.getheaders()
        if name.lower() not in _IGNORED
    ]
    lines = [str(response.status), *sorted(headers), *map(repr, body.splitlines(keepends=True)), end]
    return "\n".join(lines).rstrip("\n")


def walk(app: Any, steps: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """The steps of an application, one request after the other."""
    with served(app) as port:
        for request in steps:
            yield f"[{request.decode('latin-1').strip()}]", Verbatim(exchange(port, request))


wire_case = functools.partial(case, walk=walk)
