"""What has been measured: a `Figure` for each case and peer, with every round kept."""

from __future__ import annotations

import json
import platform
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Of which more is better; of all others, less.
RATE = "requests/s"
#: Written beside every table.
BASELINE = "starlette"
PEERS_A_LINE = 5


@dataclass(frozen=True)
class Figure:
    """What one peer took or gave in one case: a value for every round."""

    section: str
    case: str
    peer: str
    unit: str
    rounds: tuple[float, ...]

    @property
    def best(self) -> float:
        return max(self.rounds) if self.unit == RATE else min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


class Figures:
    """All figures of a run, by section, case and peer."""

    def __init__(self, figures: Iterable[Figure] = ()) -> None:
        self._figures: dict[tuple[str, str, str], Figure] = {}
        self.add(figures)

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def add(self, figures: Iterable[Figure]) -> None:
        self._figures.update({(figure.section, figure.case, figure.peer): figure for figure in figures})

    def get(self, section: str, case: str, peer: str) -> Figure | None:
        """The figure, or None when that was not measured."""
        return self._figures.get((section, case, peer))

    def cases(self, section: str) -> list[str]:
        """The names of the section's cases, in the order of measuring."""
        return list(dict.fromkeys(figure.case for figure in self if figure.section == section))

    def peers(self, section: str) -> list[str]:
        """The peers of a section, in the order of measuring."""
        return list(dict.fromkeys(figure.peer for figure in self if figure.section == section))


def table(figures: Figures, section: str) -> list[str]:
    """Lines of text: a row for each case with best, median and the ratio of the best to the baseline's."""
    peers = figures.peers(section)
    lines: list[str] = []
    for start in range(0, len(peers), PEERS_A_LINE):
        lines += _block(figures, section, peers[start : start + PEERS_A_LINE])
    return lines


def _block(figures: Figures, section: str, peers: Sequence[str]) -> list[str]:
    cases = figures.cases(section)
    units = {figure.case: figure.unit for figure in figures if figure.section == section}
    width = max(map(len, [*cases, section])) + 2
    lines = [
        f"{section:{width + 10}}" + "".join(f"{peer:>24}" for peer in peers),
        " " * (width + 10) + f"{'best  median  ratio':>24}" * len(peers),
    ]
    for case in cases:
        line = f"{case:{width}}{units[case]:10}"
        baseline = figures.get(section, case, BASELINE)
        for peer in peers:
            figure = figures.get(section, case, peer)
            if figure is None:
                line += f"{'-':>24}"
                continue
            ratio = "-" if baseline is None else f"{figure.best / baseline.best:.2f}"
            digits = 1 if figure.best < 1000 else 0
            line += f"{figure.best:10.{digits}f}{figure.median:8.{digits}f}{ratio:>6}"
        lines.append(line)
    return lines


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of Python and of distributions; of those that run from their source, their own word."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = getattr(sys.modules.get(name), "__version__", "unknown")
    return found


@dataclass(frozen=True)
class Run:
    """A whole measurement: the figures, and where, when and with what they were taken.

    ``about`` has ``date``, ``machine`` and ``conditions``: texts for people.
    """

    figures: Figures
    versions: dict[str, str]
    about: dict[str, str]

    def save(self, path: Path) -> None:
        """Write everything as JSON, see `load`."""
        data: dict[str, Any] = {
            "versions": self.versions,
            "about": self.about,
            "figures": [asdict(figure) for figure in self.figures],
        }
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Run:
        data = json.loads(path.read_text(encoding="utf-8"))
        figures = [Figure(**{**values, "rounds": tuple(values["rounds"])}) for values in data["figures"]]
        return cls(Figures(figures), data["versions"], data["about"])


def describe(found: dict[str, str], names: Sequence[str] = ()) -> str:
    """Versions in a line."""
    return ", ".join(f"{name} {found[name]}" for name in names or found)
