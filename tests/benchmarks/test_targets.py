"""The judging and the reporting of figures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from . import __main__ as bench
from . import report
from .cases import CASES, SERVED_CASES
from .figures import Figure, Figures, Run
from .peers import PEERS
from .targets import OURS, TARGETS, outcomes, summary


def inside(case: str, peer: str, *rounds: float) -> Figure:
    return Figure("in-process", case, peer, "µs", rounds)


def verdicts(*figures: Figure) -> dict[str, str]:
    return {outcome.target.what: outcome.verdict for outcome in outcomes(Figures(figures))}


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ((6.0, 6.1, 6.2), "surpassed"),
        ((7.4, 7.4, 7.5), "reached"),
        ((7.4, 9.0, 9.0), "reached, not by the medians"),
        ((7.6, 7.6, 7.6), "missed"),
    ],
)
def test_less_time_is_better(ours: tuple[float, ...], verdict: str) -> None:
    found = verdicts(inside("plain", OURS, *ours), inside("plain", "starlette", 10.0, 10.0, 10.0))
    assert found == {"plain / starlette": verdict}


@pytest.mark.parametrize(("rate", "verdict"), [(1200.0, "reached"), (1100.0, "missed")])
def test_more_requests_are_better(rate: float, verdict: str) -> None:
    figures = [
        Figure("served", "plain", OURS, "requests/s", (rate, 900.0, rate)),
        Figure("served", "plain", "starlette", "requests/s", (800.0, 1000.0, 1000.0)),
    ]
    assert verdicts(*figures) == {"plain / starlette": verdict}


def test_what_is_only_hoped_for_is_not_missed() -> None:
    figures = [
        Figure("served", "plain", OURS, "requests/s", (800.0,)),
        Figure("served", "plain", "raw", "requests/s", (1000.0,)),
    ]
    assert verdicts(*figures) == {"plain / raw": "not yet"}


def test_a_figure_may_be_bounded_itself() -> None:
    (outcome,) = outcomes(Figures([Figure("served", "wait p99", OURS, "ms", (120.0, 160.0))]))
    assert (outcome.best, outcome.median, outcome.missed) == (120.0, 140.0, False)


def test_against_quart_the_worst_case_counts() -> None:
    figures = [
        inside("plain", OURS, 1.0),
        inside("plain", "quart", 10.0),
        inside("json", OURS, 3.0),
        inside("json", "quart", 10.0),
    ]
    assert verdicts(*figures) == {"every case but full / quart, at worst": "missed"}


@pytest.mark.parametrize(("four", "verdict"), [(60.0, "reached"), (80.0, "missed")])
def test_four_sync_callables_cost_the_hop_of_one(four: float, verdict: str) -> None:
    figures = [
        inside("plain", OURS, 5.0),
        inside("sync-64", OURS, 45.0),
        inside("hooks", OURS, 10.0),
        inside("hooks-sync-64", OURS, four),
    ]
    assert verdicts(*figures) == {"hop of four sync callables / of one": verdict}


def all_figures(factor: float = 1.0) -> Figures:
    """Made-up figures of everything, for which asyncflask's are ``factor`` times the others'."""
    figures = Figures()
    for peer in PEERS:
        ours = factor if peer == OURS else 1.0
        figures.add(inside(case, peer, 10 * ours, 12 * ours) for case in CASES)
        figures.add(
            Figure("served", case, peer, "requests/s", (9000 / ours, 10000 / ours)) for case in SERVED_CASES
        )
        figures.add(Figure("served", f"{case} p99", peer, "ms", (100 * ours,)) for case in SERVED_CASES)
        figures.add(
            Figure("footprint", case, peer, "ms", (100 * ours,)) for case in ("import, CPU", "resident")
        )
    return figures


def whole_run(factor: float = 1.0) -> Run:
    about = {"date": "2026-11-20", "machine": "2 cores, Linux", "conditions": "server on core 0"}
    return Run(all_figures(factor), {"python": "3.11.7", "starlette": "1.10.0"}, about)


def test_every_target_has_its_figures() -> None:
    figures = all_figures()
    figures.add([inside("sync-64", OURS, 40.0), inside("hooks-sync-64", OURS, 40.0)])
    assert len(outcomes(figures)) == len(TARGETS)
    assert len({(target.section, target.what) for target in TARGETS}) == len(TARGETS)
    lines = [line for section in bench.SECTIONS for line in summary(outcomes(figures), section)]
    assert len(lines) == len(TARGETS)
    assert any("must ≤ 0.75, reach for ≤ 0.66: missed" in line for line in lines)


def test_a_run_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    run = whole_run()
    run.save(file)
    read = Run.load(file)
    assert list(read.figures) == list(run.figures)
    assert (read.versions, read.about) == (run.versions, run.about)


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "performance.md"
    path.write_text("Why.\n\n<!-- begin figures -->\nOld.\n<!-- end figures -->\n\nWhat to do.\n")
    monkeypatch.setattr(report, "DOCUMENT", path)
    monkeypatch.setattr(report, "PLOT", tmp_path / "performance.svg")
    return path


def test_the_report_is_written(tmp_path: Path, document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    whole_run(factor=2.0).save(file)
    assert bench.main(["--read", str(file), "--write"]) == 0
    text = document.read_text()
    assert text.startswith("Why.\n")
    assert text.endswith("What to do.\n")
    assert "Old." not in text
    assert "2026-11-20" in text
    assert "| plain | 20.0 (22.0) | 10.0 (11.0) |" in text
    assert "| asyncflask | 5 000 (4 750) |" in text
    assert "**missed**" in text
    # Where it loses it says so.
    assert "- Starlette: in-process: plain 2.00, json 2.00, " in text
    assert "; served: plain 2.00, " in text
    assert "- raw ASGI" not in text
    assert "missed: plain / starlette" in capsys.readouterr().out

    plot = ElementTree.parse(tmp_path / "performance.svg").getroot()
    texts = [element.text for element in plot.iter("{http://www.w3.org/2000/svg}text")]
    assert "asyncflask" in texts
    assert "10 000" in texts
    bars = [bar for bar in plot.iter("{http://www.w3.org/2000/svg}rect") if bar.get("class")]
    ours = [float(bar.get("width", 0)) for bar in bars if bar.get("class") == "ours"]
    others = [float(bar.get("width", 0)) for bar in bars if bar.get("class") != "ours"]
    assert {round(width / max(others), 2) for width in ours} == {0.5}


def test_nothing_is_lost_when_it_is_the_fastest() -> None:
    assert report.losses(all_figures(factor=0.5)) == "In none of these cases."


def test_a_part_is_not_written(tmp_path: Path, document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    run = whole_run()
    figures = [
        figure for figure in run.figures if figure.case != "full" and figure.peer not in ("falcon", "raw")
    ]
    Run(Figures(figures), run.versions, run.about).save(file)
    assert bench.main(["--read", str(file), "--write"]) == 1
    assert "not measured: in-process full, served full, falcon, raw" in capsys.readouterr().out
    assert "Old." in document.read_text()


def test_the_document_has_its_place_for_the_figures() -> None:
    text = report.DOCUMENT.read_text(encoding="utf-8")
    assert text.count(f"<!-- begin {report.PART} -->") == text.count(f"<!-- end {report.PART} -->") == 1


def test_a_part_is_measured_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    options = ["--only", "in-process", "--cases", "plain", "--peers", OURS, "starlette"]
    options += ["--rounds", "1", "--round-seconds", "0.0001", "--json", str(file)]
    assert bench.main(options) == 0
    assert "plain / starlette" in capsys.readouterr().out
    assert [figure.peer for figure in Run.load(file).figures] == [OURS, "starlette"]


def test_without_wrk_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert bench.main([]) == 1
    assert "error: wrk is not installed" in capsys.readouterr().out
