"""Websockets and requests over each server. What a server cannot do is named in a table, with the reason."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from realtime.servers import COMMANDS, Server, eventually

SECONDS = 5


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(request.param) as running:
        yield running


@contextmanager
def open_websocket(server: Server, path: str, **options: Any) -> Iterator[ClientConnection]:
    url = server.url(path)
    with connect(url, proxy=None, open_timeout=SECONDS, close_timeout=SECONDS, **options) as client:
        yield client


def receive(client: ClientConnection) -> str | bytes:
    return client.recv(timeout=SECONDS)


def ended(server: Server, name: str, what: str = "teardown", timeout: float = SECONDS) -> list[str]:
    """Wait for the end of a request; what has happened to it."""
    eventually(lambda: any(what in event for event in server.journal(name)), f"{what} of {name}", timeout)
    return server.journal(name)


def close_code(client: ClientConnection) -> tuple[int, str]:
    """Wait for the server's close."""
    with pytest.raises(ConnectionClosed) as closed:
        receive(client)
    frame = closed.value.rcvd
    assert frame is not None
    return frame.code, frame.reason


class Raw(socket.socket):
    """A connection to a server, to be left in two ways."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.settimeout(SECONDS)
        self.connect(("127.0.0.1", server.port))

    def request(self, method: str, path: str, body: bytes = b"", *lines: str) -> None:
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
        if method == "POST":
            head.append(f"Content-Length: {len(body)}")
        self.sendall("\r\n".join([*head, "", ""]).encode() + body)

    def leave(self, how: str) -> None:
        if how == "reset":
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


# -- websockets ----------------------------------------------------------------------------------------


def test_echo(server: Server) -> None:
    messages: list[str | bytes] = ["text", b"\0\xff", "ä✓" * 50_000, "", b"", "end"]
    with open_websocket(server, "/echo?id=echo") as client:
        for message in messages:
            client.send(message)
        if server.kind == "daphne":
            messages = [message for message in messages if message]  # its `send` drops empty ones
        assert [receive(client) for _ in messages] == messages
    assert ended(server, "echo") == ["view ended", "after", "teardown NoneType same thread True"]


def test_values(server: Server) -> None:
    with open_websocket(
        server,
        "/values/5/a%20b?a=1",
        additional_headers={"X-Header": "h", "Cookie": "cookie=v"},
        subprotocols=["one", "two"],
    ) as client:
        values = json.loads(receive(client))
    base = f"ws://127.0.0.1:{server.port}"
    assert values == {
        "number": 5,
        "name": "a b",
        "args": {"a": "1"},
        "header": "h",
        "cookie": "v",
        "path": "/values/5/a b",
        "url": f"{base}/values/5/a%20b?a=1",
        "remote_addr": "127.0.0.1",
        "requested": ["one", "two"],
        "scheme": "ws",  # daphne's scopes have none
        "is_secure": False,
        "app": "site",
        "has_request": True,
        "same": True,
        "endpoint": "values",
        "build": f"{base}/values/1/x",
    }


#: These ignore the headers of ``websocket.accept``, so a session has to be begun before the websocket.
NO_HEADERS_AT_ACCEPT = {"granian", "daphne"}


def test_accept_with_subprotocol_headers_and_session(server: Server) -> None:
    with open_websocket(server, "/accept?user=joe", subprotocols=["one", "two"]) as client:
        assert client.subprotocol == "two"
        assert client.response is not None
        headers = client.response.headers
        assert receive(client) == "accepted"
        assert close_code(client) == (1000, "")
    if server.kind in NO_HEADERS_AT_ACCEPT:
        assert "X-Answer" not in headers
        assert "Set-Cookie" not in headers
        return
    assert headers["X-Answer"] == "yes"
    cookie = headers["Set-Cookie"].partition(";")[0]
    with open_websocket(server, "/who", additional_headers={"Cookie": cookie}) as client:
        assert receive(client) == "joe"


REFUSALS = {
    "/refuse/abort": (403, b"Forbidden"),
    "/refuse/error": (500, b"Internal Server Error"),
    "/refuse/handled": (409, b"handled"),
    "/refuse/close": (403, b""),
    "/refuse/response": (418, b"I am a teapot"),
    "/hook/refuse": (401, b"not you"),
    "/no/where": (404, b"Not Found"),
}


@pytest.mark.parametrize("path", REFUSALS)
def test_refusals(server: Server, path: str) -> None:
    name = path.replace("/", "-")
    with pytest.raises(InvalidStatus) as refused, open_websocket(server, f"{path}?id={name}"):
        pass
    status, text = REFUSALS[path]
    if server.kind == "daphne":  # it has no "websocket.http.response"
        status, text = 403, b""
    response = refused.value.response
    assert response.status_code == status
    assert text in bytes(response.body)
    error = "ZeroDivisionError" if path == "/refuse/error" else "NoneType"
    assert ended(server, name)[-1] == f"teardown {error} same thread True"


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_closing(server: Server, code: int) -> None:
    reason = "" if server.kind == "daphne" else "good bye ✓"  # it sends none
    with open_websocket(server, f"/close/{code}?id=close-{code}") as client:
        assert close_code(client) == (code, reason)
    assert ended(server, f"close-{code}")[0] == "closed"


#: What a view is told of a close with 4002 and a reason. Hypercorn answers the close frame and then reports
#: a lost connection; granian and daphne pass the code alone.
TOLD = {"hypercorn": "1006 ", "granian": "4002 ", "daphne": "4002 "}


def test_the_code_of_the_client(server: Server) -> None:
    with open_websocket(server, "/closed?id=code") as client:
        client.close(4002, "from ✓")
    assert ended(server, "code")[0] == TOLD.get(server.kind, "4002 from ✓")


def test_an_exception_closes_with_1011_and_is_logged(server: Server) -> None:
    with open_websocket(server, "/raise?id=raise") as client:
        assert close_code(client)[0] == 1011
    assert ended(server, "raise")[-1] == "teardown ZeroDivisionError same thread True"
    eventually(lambda: "ZeroDivisionError: after accept" in server.log(), "the exception is logged")


def test_closing_while_another_task_receives(server: Server) -> None:
    with open_websocket(server, "/close-while-receiving?id=cwr") as client:
        assert close_code(client)[0] == 4001
    assert ended(server, "cwr") == [
        *("reader ended", "view ended", "after"),
        "teardown NoneType same thread True",
    ]


def test_many_senders_accept_once(server: Server) -> None:
    with open_websocket(server, "/many") as client:
        messages = [receive(client) for _ in range(200)]
    assert sorted(messages) == sorted(f"{number} {count}" for number in range(10) for count in range(20))


@pytest.mark.parametrize("how", ["close", "lost"])
@pytest.mark.parametrize("path", ["receive", "sleep", "send", "group", "one"])
def test_the_client_leaves(server: Server, path: str, how: str) -> None:
    """The view ends, and is torn down, once; the clean-up of its tasks completes."""
    name = f"leave-{path}-{how}"
    with open_websocket(server, f"/{path}?id={name}") as client:
        if path == "one":
            client.send("x")
        else:
            assert receive(client) == "ready"
        ended(server, name, "started")
        if how == "lost":
            client.socket.shutdown(socket.SHUT_RDWR)  # without a close frame
    between = ["child ended"] if path == "group" else []
    *events, teardown = ended(server, name)
    assert events == ["started", *between, "view ended"]
    assert teardown == "teardown NoneType same thread True"


@pytest.mark.parametrize("how", ["close", "lost"])
@pytest.mark.parametrize("path", ["receive", "send"])
def test_the_client_of_a_mounted_application_leaves(server: Server, path: str, how: str) -> None:
    """It is told, also by its `send`, whatever the server's does."""
    name = f"mounted-{path}-{how}"
    with open_websocket(server, f"/any/{path}?id={name}") as client:
        assert receive(client) == "ready"
        ended(server, name, "started")
        if how == "lost":
            client.socket.shutdown(socket.SHUT_RDWR)
    expected = ["started", "view ended", "after", "teardown NoneType same thread True"]
    assert ended(server, name) == expected


def test_a_mounted_application_closes(server: Server) -> None:
    with open_websocket(server, "/any/close?id=mounted-close") as client:
        assert receive(client) == "ready"
        client.send("x")
        assert close_code(client)[0] == 4001
    expected = ["started", "view ended", "after", "teardown NoneType same thread True"]
    assert ended(server, "mounted-close") == expected


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(("path", "first"), [("before-accept", "started"), ("hook/wait", "before")])
def test_the_client_leaves_before_accept(server: Server, path: str, first: str, how: str) -> None:
    name = f"leave-{path.replace('/', '-')}-{how}"
    raw = Raw(server)
    raw.request(
        "GET",
        f"/{path}?id={name}",
        b"",
        *("Upgrade: websocket", "Connection: Upgrade"),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"),
    )
    ended(server, name, first)
    raw.leave(how)
    if server.kind == "granian":  # tells of it only after the handshake
        time.sleep(0.3)
        assert server.journal(name) == [first]
        return
    last = "view ended" if path == "before-accept" else "before ended"
    assert ended(server, name) == [first, last, "teardown NoneType same thread True"]


# -- requests ------------------------------------------------------------------------------------------


def fetch(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_plain(server: Server) -> None:
    assert fetch(server, "GET", "/who") == (200, "nobody")
    assert fetch(server, "GET", "/no/where")[0] == 404


def test_keep_alive(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    for _ in range(3):
        connection.request("GET", "/wait?seconds=0.02&id=keep-alive")
        assert connection.getresponse().read() == b"done"
    connection.close()
    eventually(
        lambda: (
            server.journal("keep-alive")
            == ["started", "view ended", "teardown NoneType same thread True"] * 3
        ),
        "three requests have ended",
    )


@pytest.mark.parametrize("kind", ["own", "sync", "plain", "starlette"])
def test_streams(server: Server, kind: str) -> None:
    assert fetch(server, "GET", f"/stream/{kind}") == (200, "0 1 2 3 4 ")


@pytest.mark.parametrize("kind", ["plain", "empty", "events", "starlette"])
def test_a_stream_that_never_waits(server: Server, kind: str) -> None:
    """Others are served meanwhile, and it is noticed when its client goes."""
    name = f"endless-{kind}"
    raw = Raw(server)
    raw.request("GET", f"/endless/{kind}?id={name}")
    ended(server, name, "started")
    if kind != "empty":
        for _ in range(20):
            assert raw.recv(1000)
    assert fetch(server, "GET", "/who") == (200, "nobody")
    raw.leave("reset")
    if kind == "starlette":  # which leaves the iterator to the garbage collector
        assert ended(server, name)[-1] == "teardown NoneType same thread True"
    else:
        assert ended(server, name) == ["started", "closed", "teardown CancelledError same thread True"]


def test_uploads(server: Server) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, text = fetch(server, "POST", "/body", b"a=1&b=2", **form)
    assert (status, json.loads(text)) == (200, {"form": {"a": "1", "b": "2"}, "size": 0})
    status, text = fetch(server, "POST", "/body", b"x" * 3_000_000)
    assert (status, json.loads(text)) == (200, {"form": {}, "size": 3_000_000})


def test_timeouts_and_groups_in_a_watched_view(server: Server) -> None:
    assert fetch(server, "GET", "/wait/timeout") == (200, "timeout group 0")


CANCELLED = ["started", "cancelled", "cleaned up", "view ended", "teardown CancelledError same thread True"]
REQUESTS = {
    "get": ("GET", "/wait", b"", CANCELLED),
    "decorated": ("GET", "/wait/decorated", b"", CANCELLED),
    "form": ("POST", "/wait", b"a=1&b=2", ["2 fields, 0 bytes", *CANCELLED]),
    "upload": ("POST", "/wait", b"x" * 2_000_000, ["0 fields, 2000000 bytes", *CANCELLED]),
    "swallow": (
        *("GET", "/wait/swallow", b""),
        [*CANCELLED[:-1], "went on", "teardown NoneType same thread True"],
    ),
    "sync": ("GET", "/wait/sync", b"", ["started", "view ended", "teardown NoneType same thread True"]),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_disconnects_cancel_async_views(server: Server, kind: str, how: str) -> None:
    method, path, body, expected = REQUESTS[kind]
    name = f"{kind}-{how}"
    lines = ["Content-Type: application/x-www-form-urlencoded"] if kind == "form" else []
    raw = Raw(server)
    raw.request(method, f"{path}?id={name}", body, *lines)
    ended(server, name, "started")
    raw.leave(how)
    assert ended(server, name) == expected


@pytest.mark.parametrize("how", ["stream", "stream/task"])
def test_a_disconnect_after_a_streamed_upload(server: Server, how: str) -> None:
    size = 3_000_000
    raw = Raw(server)
    name = how.replace("/", "-")
    raw.request("POST", f"/wait/{how}?id={name}", b"x" * size)
    ended(server, name, "bytes")
    ended(server, name, "started")
    raw.leave("close")
    events = ended(server, name)
    if how == "stream/task":
        events.insert(0, events.pop(1))  # it has begun to wait before
    assert events == [f"{size} bytes", *CANCELLED]


# -- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", COMMANDS)
def test_shutdown_with_open_websockets(kind: str) -> None:
    with Server(kind) as server, ExitStack() as stack:
        paths = ("/echo", "/sleep", "/receive", "/group")
        clients = [stack.enter_context(open_websocket(server, path)) for path in paths]
        for client in clients[1:]:
            assert receive(client) == "ready"
        server.stop()
        for client in clients:
            with pytest.raises(ConnectionClosed):
                receive(client)
        # Hypercorn logs tracebacks of its own, of the tasks that it cancels.
        assert "asyncflask/" not in server.log()
