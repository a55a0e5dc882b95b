"""The measuring of imports and memory."""

from __future__ import annotations

import sys

import pytest

from . import footprint
from .peers import load_peers
from .servers import CannotMeasure


def test_importing_takes_time() -> None:
    cpu, wall = footprint.import_once("asyncflask")
    assert 1 < cpu < 60_000
    assert 1 < wall < 60_000


@pytest.mark.parametrize("peer", load_peers(footprint.PEERS))
def test_the_first_answer_takes_time(peer: str) -> None:
    assert 1 < footprint.first_answer_once(peer) < 60_000


def test_every_peer_is_first_once() -> None:
    rounds = [footprint.in_turn(["a", "b", "c"], number) for number in range(3)]
    assert [peers[0] for peers in rounds] == ["a", "b", "c"]
    assert all(sorted(peers) == ["a", "b", "c"] for peers in rounds)


def test_what_cannot_be_imported_is_named() -> None:
    with pytest.raises(
        CannotMeasure, match=r"no_such_package cannot be imported:\n(.*\n)*ModuleNotFoundError"
    ):
        footprint.import_once("no_such_package")


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_a_server_takes_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert footprint.main(["--peers", "asyncflask", "--imports", "1", "--servers", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cases = ["import, CPU", "import, wall", "first answer, CPU", "resident"]
    assert [line.split("  ")[0] for line in lines[3:7]] == cases
    assert 10 < float(lines[6].split()[2]) < 1000
