"""No request takes more function calls than are recorded: see `guard`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from . import guard
from .cases import CASES
from .peers import load_peer


@pytest.mark.parametrize("case", guard.guarded_cases())
def test_no_more_calls_than_recorded(case: str) -> None:
    comparison = guard.compare(case)
    assert not comparison.too_many, guard.explain(comparison)


def test_what_is_recorded_are_the_cases() -> None:
    assert guard.load()["calls"].keys() == guard.guarded_cases().keys()


def slowed(calls: int) -> Any:
    """The application of the cases, with that many calls more in every request."""

    def create_app(extra_routes: int = 0) -> Any:
        app = load_peer("asyncflask").create_app(extra_routes)
        view = app.view_functions["plain"]

        def nothing() -> None:
            pass

        async def slow_plain() -> str:
            for _ in range(calls):
                nothing()
            return await view()  # type: ignore[no-any-return]

        app.view_functions["plain"] = slow_plain
        return app

    return SimpleNamespace(create_app=create_app)


def test_calls_are_counted_exactly() -> None:
    case = CASES["plain"]
    assert guard.count(case, slowed(30)) == guard.count(case, slowed(0)) + 30


def test_more_calls_are_noticed_and_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = tmp_path / "guard.json"
    versions = {**guard.load()["versions"], "werkzeug": "3.0.0"}
    record.write_text(json.dumps({"versions": versions, "calls": {"plain": 10.0}}))
    monkeypatch.setattr(guard, "RECORD", record)
    comparison = guard.compare("plain")
    assert comparison.too_many
    message = guard.explain(comparison)
    assert "10.0 recorded: +" in message
    assert "python -m tests.benchmarks.guard --write" in message
    assert "werkzeug 3.0.0, now " in message
    assert guard.compare("json").too_many  # nothing is recorded


@pytest.mark.parametrize(
    ("now", "recorded", "too_many"),
    [
        (42.0, 40.0, False),
        (42.5, 40.0, True),
        (104.9, 100.0, False),
        (106.0, 100.0, True),
        (1.0, 100.0, False),
    ],
)
def test_the_tolerance(now: float, recorded: float, too_many: bool) -> None:
    assert guard.Comparison("plain", now, recorded).too_many is too_many


def test_recording(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "RECORD", tmp_path / "guard.json")
    monkeypatch.setattr(guard, "guarded_cases", lambda: {"plain": CASES["plain"]})
    assert guard.main([]) == 1
    assert "nothing recorded" in capsys.readouterr().out
    assert guard.main(["--write"]) == 0
    assert guard.main([]) == 0
    assert guard.load()["versions"].keys() >= {"python", "werkzeug"}
