"""The benchmark itself: every peer answers every case as it must, and the numbers come out."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from types import ModuleType

import pytest

from . import inprocess
from .cases import CASES

PEERS_FOLDER = Path(__file__).parent / "peers"


def load(peer: str) -> ModuleType:
    if peer != "asyncflask":
        pytest.importorskip(peer, reason=f"{peer} is in the bench group of dependencies")
    return inprocess.load_peer(peer)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("peer", inprocess.PEERS)
def test_every_peer_answers_every_case(peer: str, case: str) -> None:
    run = inprocess.run({peer: load(peer)}, [CASES[case]], rounds=1, round_seconds=1e-6)
    (subject,) = asyncio.run(run)
    assert subject.requests >= CASES[case].concurrency
    assert subject.minimum > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": b"Hello"}, "body b'Hello, World!', not b'Hello'"),
        ({"status": 201}, "status 200, not 201"),
        ({"response_headers": ("etag",)}, "no header etag"),
        ({"in_session": True}, "sets 0 cookies, not one"),
    ],
)
def test_a_wrong_answer_is_no_time(change: dict[str, object], message: str) -> None:
    case = dataclasses.replace(CASES["plain"], **change)  # type: ignore[arg-type]
    with pytest.raises(inprocess.WrongAnswer, match=r"^starlette, plain: ") as raised:
        asyncio.run(inprocess.run({"starlette": load("starlette")}, [case], rounds=1, round_seconds=1e-6))
    assert message in str(raised.value)


def test_a_wrong_answer_under_load_is_no_time() -> None:
    with pytest.raises(inprocess.WrongAnswer, match=r"2 statuses are not 200: \{500\}"):
        inprocess.check_statuses(CASES["plain"], [200, 500, 200, 500])


def test_table_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "numbers.json"
    options = ["--cases", "plain", "sync-64", "--peers", "starlette", "flask", "--rounds", "2"]
    assert inprocess.main([*options, "--round-seconds", "0.0001", "--json", str(file)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "starlette" in lines[0]
    assert "flask" in lines[0]
    assert [line.split()[0] for line in lines[4:6]] == ["plain", "sync-64"]
    assert lines[4].split()[3] == "1.00"

    report = json.loads(file.read_text())
    assert report["versions"].keys() >= {"python", "starlette", "flask", "uvloop"}
    plain, sync = report["results"]
    assert (plain["case"], sync["case"], sync["concurrency"]) == ("plain", "sync-64", 64)
    for row in (plain, sync):
        for peer in ("starlette", "flask"):
            times = row["peers"][peer]
            assert len(times["rounds_us"]) == 2
            assert times["min_us"] == min(times["rounds_us"])
            assert times["ratio"] == pytest.approx(times["min_us"] / row["peers"]["starlette"]["min_us"])


def test_without_the_baseline_there_is_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    load("flask")
    options = ["--cases", "plain", "--peers", "flask", "--rounds", "1", "--round-seconds", "0.0001"]
    assert inprocess.main(options) == 0
    assert "flask" in (out := capsys.readouterr().out)
    assert out.splitlines()[4].split()[-1] == "-"


def test_a_peer_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(inprocess, "load_peer", missing)
    assert inprocess.main(["--peers", "quart"]) == 1
    assert "quart is left out: No module named 'quart'" in capsys.readouterr().out


def test_the_asyncflask_peer_is_the_flask_peer() -> None:
    """But for the import, and ``async def``: that is the promise the benchmark is about."""
    flask, asyncflask = ((PEERS_FOLDER / f"{name}_app.py").read_text() for name in ("flask", "asyncflask"))
    assert "async def" not in flask
    assert "async def page" in asyncflask
    assert asyncflask.replace("asyncflask", "flask").replace("async def", "def") == flask
