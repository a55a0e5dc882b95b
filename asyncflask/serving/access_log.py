"""What the development server says of each request and websocket."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from ..typing import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("asyncflask.access")

_COLOURS = {1: "cyan", 2: "green", 3: "cyan", 4: "yellow", 5: "red"}


def configure(use_colors: bool) -> None:
    """Let the logger print, unless the application has set it up."""
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(Formatter(use_colors))
        logger.addHandler(handler)
        logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


class AccessLog:
    """Logs requests when they have been answered, websockets and event streams when they are opened and when
    they are closed.

    A line has the method, the path, the status, the milliseconds and the endpoint.

    :param app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._under_way: dict[Exchange, None] = {}

    def under_way(self) -> list[str]:
        """What has not come to its end: method and path, with the endpoint."""
        return [str(exchange) for exchange in self._under_way]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = Websocket(scope) if scope["type"] == "websocket" else Exchange(scope)
        self._under_way[exchange] = None

        async def noting_receive() -> Message:
            message = await receive()
            exchange.received(message)
            return message

        async def noting_send(message: Message) -> None:
            await send(message)
            exchange.sent(message)

        try:
            await self.app(scope, noting_receive if exchange.listens else receive, noting_send)
        except Exception:
            exchange.fail()
            raise
        finally:
            exchange.end()
            del self._under_way[exchange]


class Exchange:
    """A request with its response.

    :param scope: its scope, in which the application leaves the rule that it has found.
    """

    listens = False
    status: int | None = None
    _is_open = False  # a stream of events, for as long as the client listens
    _has_ended = False

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._began = time.perf_counter()

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def __str__(self) -> str:
        path = quote(self.scope.get("root_path", "") + _below(self.scope), safe="/:@!$&'()*+,;=~")
        query = quote(self.scope.get("query_string", b""), safe="/:@!$&'()*+,;=~%?[]")
        return f"{self.method} {path}{'?' if query else ''}{query}{self._endpoint()}"

    def _endpoint(self) -> str:
        endpoint = getattr(getattr(self.scope.get("route"), "rule", None), "endpoint", None)
        return f"  {endpoint}" if endpoint else ""

    def received(self, message: Message) -> None:
        """Take note of a message of the client."""

    def sent(self, message: Message) -> None:
        """Take note of a message to the client."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            types = (value for name, value in message.get("headers", ()) if name.lower() == b"content-type")
            if next(types, b"").startswith(b"text/event-stream"):
                self._is_open = True
                self.log("opened", self.status)
        elif message["type"] == "http.response.body" and not message.get("more_body") and not self._is_open:
            self.end()

    def fail(self) -> None:
        """The application has raised an exception; the server answers it unless a response had begun."""
        if self.status is None:
            self.status = 500

    def end(self) -> None:
        """Log it, once."""
        if self._has_ended:
            return
        self._has_ended = True
        if self._is_open:
            self.log(f"closed after {_duration(self.seconds)}", self.status)
        elif self.status is None:
            self.log(f"client gone after {_duration(self.seconds)}", None)
        else:
            self.log(f"{self.status} {_duration(self.seconds)}", self.status)

    def log(self, what: str, status: int | None) -> None:
        logger.info("%s  %s", what, self, extra={"status": status or 400})


class Websocket(Exchange):
    """A websocket, from its handshake to its close."""

    listens = True
    method = "WS"
    code: int | None = None
    _is_accepted = False

    def received(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect" and self.code is None:
            self.code = message.get("code", 1005)

    def sent(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self._is_accepted = True
            self.log("opened", 101)
        elif message["type"] == "websocket.close" and self.code is None:
            self.code = message.get("code", 1000)
        elif message["type"] == "websocket.http.response.start":
            self.status = message["status"]

    def fail(self) -> None:
        if self.code is None:
            self.code, self.status = 1006, 500

    def end(self) -> None:
        took = _duration(self.seconds)
        if self._is_accepted:
            code = 1005 if self.code is None else self.code
            self.log(f"closed {code} after {took}", 200 if code < 1002 or code == 1005 else 400)
        else:
            status = self.status or 403
            self.log(f"{status} {took}", status)


def _below(scope: Scope) -> str:
    """The path below the application's root, which is in ``path`` of newer servers."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


class Formatter(logging.Formatter):
    """The time of day before each line, in colours after the status if they are wanted."""

    def __init__(self, use_colors: bool) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")
        self._use_colors = use_colors

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        status: Any = getattr(record, "status", None)
        if not self._use_colors or status is None:
            return line
        return click.style(line, fg=_COLOURS.get(status // 100), dim=status == HTTPStatus.NOT_MODIFIED)


def described(requests: list[str], most: int = 3) -> Iterator[str]:
    """Lines about what has not come to its end, at most so many and how many more there are."""
    yield from (f"   {' '.join(request.split())}" for request in requests[:most])
    if len(requests) > most:
        yield f"   and {len(requests) - most} more"
