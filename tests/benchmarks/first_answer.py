"""Import the smallest application of a peer, make it, ask it once: ``python -m tests.benchmarks.first_answer
PEER``.

Prints the CPU time in milliseconds that this took. What a package does not import with itself, but has to
import before it can answer, is in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

PATH = "/"


def ask_wsgi(app: Any) -> bytes:
    import io

    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
    return b"".join(app(environ, lambda status, headers, exc_info=None: None))


def ask_asgi(app: Any) -> bytes:
    import asyncio

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    body = []
    received = False

    async def receive() -> dict[str, Any]:
        nonlocal received
        if received:
            await asyncio.Event().wait()  # the client stays
        received = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        body.append(message.get("body", b""))

    asyncio.run(app(scope, receive, send))
    return b"".join(body)


def main(peer: str, ask: Callable[[Any], bytes]) -> None:
    start = time.process_time()
    module = __import__(f"{__package__}.hello.{peer}_app", fromlist=["create_app"])
    answer = ask(module.create_app())
    taken = time.process_time() - start
    assert answer == b"Hello, World!", answer
    print(taken * 1e3)


if __name__ == "__main__":
    main(sys.argv[1], ask_wsgi if sys.argv[1] == "flask" else ask_asgi)
