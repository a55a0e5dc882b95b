"""The measuring inside the process: every peer answers every case as it must, and the numbers come out."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from types import ModuleType

import pytest

from . import inprocess, peers
from .cases import CASES, SERVED_CASES, Case, WrongAnswer
from .peers import PEERS, load_peer, takes_part

PEERS_FOLDER = Path(__file__).parent / "peers"


def load(peer: str) -> ModuleType:
    if peer not in ("asyncflask", "raw"):
        pytest.importorskip(peer, reason=f"{peer} is in the bench group of dependencies")
    return load_peer(peer)


async def answers(peer: str, module: ModuleType, case: Case) -> None:
    """Ask the peer, and check what it answers."""
    application = getattr(module, case.application)()
    if peer in inprocess.WSGI_PEERS:
        await inprocess.verify(inprocess.WsgiApplication(application), case)
    else:
        async with inprocess.AsgiApplication(application) as called:
            await inprocess.verify(called, case)


@pytest.mark.filterwarnings("default")  # what another project deprecates is not our error
@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_answers_its_cases(peer: str) -> None:
    module = load(peer)
    cases = [case for case in CASES.values() if takes_part(module, case)]
    subjects = asyncio.run(inprocess.run({peer: module}, cases, rounds=1, round_seconds=1e-6))
    assert [subject.case for subject in subjects] == cases
    for subject in subjects:
        assert subject.requests >= subject.case.concurrency
        assert subject.figure.best > 0


@pytest.mark.filterwarnings("default")  # what another project deprecates is not our error
@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_answers_what_is_served(peer: str) -> None:
    module = load(peer)
    cases = [case for case in SERVED_CASES.values() if takes_part(module, case)]
    assert SERVED_CASES["plain"] in cases
    for case in cases:
        asyncio.run(answers(peer, module, case))


@pytest.mark.parametrize("peer", ["asyncflask", "flask", "quart"])
def test_who_must_be_compared_takes_part_in_all(peer: str) -> None:
    module = load(peer)
    assert all(takes_part(module, case) for case in (*CASES.values(), *SERVED_CASES.values()))


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
    with pytest.raises(WrongAnswer, match=r"^starlette, plain: ") as raised:
        asyncio.run(inprocess.run({"starlette": load("starlette")}, [case], rounds=1, round_seconds=1e-6))
    assert message in str(raised.value)


def test_another_json_value_is_a_wrong_answer() -> None:
    case = dataclasses.replace(CASES["json"], response=b'{"title": "Bye"}')
    with pytest.raises(WrongAnswer, match="title"):
        asyncio.run(answers("starlette", load("starlette"), case))


def test_a_wrong_answer_under_load_is_no_time() -> None:
    with pytest.raises(WrongAnswer, match=r"2 statuses are not 200: \{500\}"):
        inprocess.check_statuses(CASES["plain"], [200, 500, 200, 500])


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    load("flask")
    options = ["--cases", "plain", "sync-64", "--peers", "starlette", "flask", "--rounds", "2"]
    assert inprocess.main([*options, "--round-seconds", "0.0001"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "starlette 1." in lines[0]
    assert lines[2].split() == ["in-process", "starlette", "flask"]
    assert [line.split()[0] for line in lines[4:6]] == ["plain", "sync-64"]
    assert lines[4].split()[4] == "1.00"


def test_every_round_counts() -> None:
    (figure,) = inprocess.measure({"starlette": load("starlette")}, [CASES["plain"]], 3, 1e-6)
    assert (figure.section, figure.case, figure.peer, figure.unit) == (
        "in-process",
        "plain",
        "starlette",
        "µs",
    )
    assert len(figure.rounds) == 3


def test_without_the_baseline_there_is_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    load("flask")
    options = ["--cases", "plain", "--peers", "flask", "--rounds", "1", "--round-seconds", "0.0001"]
    assert inprocess.main(options) == 0
    assert capsys.readouterr().out.splitlines()[4].split()[-1] == "-"


def test_a_peer_that_is_not_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(peers, "load_peer", missing)
    assert inprocess.main(["--peers", "quart"]) == 1
    assert "quart is left out: No module named 'quart'" in capsys.readouterr().out


def test_the_asyncflask_peer_is_the_flask_peer() -> None:
    """But for the import, ``async def`` and how to wait: that is the promise the benchmark is about."""
    flask, asyncflask = ((PEERS_FOLDER / f"{name}_app.py").read_text() for name in ("flask", "asyncflask"))
    assert "async def" not in flask
    assert "async def page" in asyncflask
    for ours, theirs in (
        ("asyncflask", "flask"),
        ("async def", "def"),
        ("pause, pause_sync", "pause_sync"),
        ("await pause()", "pause_sync()"),
    ):
        assert ours in asyncflask
        asyncflask = asyncflask.replace(ours, theirs)
    assert asyncflask == flask
