"""A large upload that is piped to a file, over each server: how much the server's process grows meanwhile."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.servers import COMMANDS, Server

MB = 2**20
#: What the resident size may grow by.
GROWTH = 48 * MB
PATHS = [
    *("/save/async", "/save/sync", "/save/kept", "/save/form"),
    *("/mounted/save/async", "/mounted/save/sync", "/starlette"),
]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="resident memory is read from /proc, which Linux has"
)


@pytest.fixture(scope="module", params=[kind for kind in COMMANDS if kind != "daphne"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Any but daphne, which holds a body in memory itself before the application begins."""
    with Server(request.param) as running:
        yield running


def processes(server: Server) -> list[int]:
    """The server's process and those that it has started."""
    found = [server.process.pid]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found += [int(child) for child in children]
    return found


def resident(server: Server, what: str) -> int:
    """Bytes of memory: VmRSS now, VmHWM at most since `forget_peak`."""
    total = 0
    for pid in processes(server):
        match = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert match is not None
        total += int(match[1]) * 1024
    return total


def forget_peak(server: Server) -> None:
    for pid in processes(server):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def upload(server: Server, path: str, size: int) -> int:
    """Send that many bytes; the size of the file that they have become."""
    chunk = bytes(range(256)) * 1024
    head = tail = b""
    content_type = "application/octet-stream"
    if path == "/save/form":
        content_type = "multipart/form-data; boundary=b"
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        tail = b"\r\n--b--\r\n"

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(size // len(chunk)):
            yield chunk
        yield tail

    headers = {"Content-Type": content_type, "Content-Length": str(len(head) + size + len(tail))}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("PUT", path, pieces(), headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        saved: int = json.loads(body)["saved"]
        return saved
    finally:
        connection.close()


def check_growth(server: Server, path: str, size: int) -> None:
    assert upload(server, path, MB) == MB
    before = resident(server, "VmRSS")
    forget_peak(server)
    assert upload(server, path, size) == size
    growth = resident(server, "VmHWM") - before
    assert growth < GROWTH, f"{growth / MB} MB"


@pytest.mark.parametrize("path", PATHS)
def test_an_upload_piped_to_a_file(server: Server, path: str) -> None:
    check_growth(server, path, 64 * MB)


@pytest.mark.parametrize(
    ("path", "size"), [("/save/async", 1024), ("/save/sync", 256), ("/mounted/save/async", 256)]
)
def test_much_piped_to_a_file(path: str, size: int) -> None:
    with Server("uvicorn-websockets") as server:
        check_growth(server, path, size * MB)
