"""The short form of ``nox -s hold``, and that the long one would notice what it looks for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from . import fuzz as fuzz_module
from .cases import HostileRequest, hostile_requests
from .fuzz import FAULTS, exchange, fuzz, judge
from .sites import SiteServer


def test_hostile_requests_are_answered(tmp_path: Path) -> None:
    with SiteServer("asyncflask", tmp_path) as site:
        outcome = fuzz(site.port, 3000, seed=1)
        assert outcome.faults == {}, outcome.examples
        assert site.is_well()
    assert sum(outcome.counts[kind] for kind in ("2xx", "3xx", "4xx")) == 3000
    assert all(outcome.counts[kind] > 100 for kind in ("2xx", "4xx"))  # it gets far enough to mean something
    assert outcome.counts["3xx"] > 10


def test_the_same_seed_gives_the_same_requests() -> None:
    first, second, other = (list(hostile_requests(50, seed)) for seed in (1, 1, 2))
    assert first == second != other


REQUEST = HostileRequest(b"GET /dir HTTP/1.1\r\n\r\n", "localhost", "GET")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", {"2xx"}),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", {"5xx"}),
        (b"", {"no answer"}),
        (None, {"hang"}),
        (b"HTTP/1.1 308 X\r\nLocation: http://localhost/dir/\r\n\r\n", {"3xx"}),
        (b"HTTP/1.1 308 X\r\nLocation: /dir/\r\n\r\n", {"3xx"}),
        (b"HTTP/1.1 308 X\r\nlocation: http:///dir/\r\n\r\n", {"3xx", "leads elsewhere"}),
        (b"HTTP/1.1 308 X\r\nLocation: //evil.example/\r\n\r\n", {"3xx", "leads elsewhere"}),
        (b"HTTP/1.1 308 X\r\nLocation: http://evil.example/\r\n\r\n", {"3xx", "leads elsewhere"}),
        (b"HTTP/1.1 200 OK\r\nX-Injected: 1\r\n\r\n", {"2xx", "split response"}),
        (b"HTTP/1.1 200 OK\r\n\r\nX-Injected: 1", {"2xx"}),
    ],
)
def test_faults_are_noticed(answer: bytes | None, what: set[str]) -> None:
    assert set(judge(REQUEST, answer)) == what
    assert {kind for kind in what if not kind.endswith("xx")} <= set(FAULTS)


def test_a_server_that_does_not_answer_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_module, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # which accepts nobody
        assert exchange(server.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n") is None
