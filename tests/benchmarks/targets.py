"""What asyncflask has to reach: bounds for its figures, most of them over a peer's of the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .cases import CASES
from .figures import Figures
from .footprint import SECTION as FOOTPRINT
from .inprocess import SECTION as INPROCESS
from .servers import SECTION as SERVED

OURS = "asyncflask"

Which = Literal["best", "median"]
Value = Callable[[Figures, Which], float | None]


@dataclass(frozen=True)
class Target:
    """A bound.

    :param what: what is bounded, for people.
    :param value: finds it, in the best rounds or the medians; None when it was not measured.
    :param must: the bound; None where there is just something to reach for.
    :param reach: what would be better still.
    :param at_least: whether more is better.
    """

    section: str
    what: str
    value: Value
    must: float | None
    reach: float | None = None
    at_least: bool = False

    def bound(self, number: float | None) -> str:
        """A bound in words."""
        return "" if number is None else f"{'≥' if self.at_least else '≤'} {number:g}"

    def holds(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


def one(figures: Figures, section: str, case: str, peer: str, which: Which) -> float | None:
    figure = figures.get(section, case, peer)
    return None if figure is None else float(getattr(figure, which))


def over(section: str, case: str, peer: str, other_case: str = "") -> Value:
    """Ours over the peer's."""

    def value(figures: Figures, which: Which) -> float | None:
        ours = one(figures, section, case, OURS, which)
        theirs = one(figures, section, other_case or case, peer, which)
        return None if ours is None or theirs is None else ours / theirs

    return value


def worst(values: Sequence[Value]) -> Value:
    """The largest of those that were measured."""

    def value(figures: Figures, which: Which) -> float | None:
        found = [number for each in values if (number := each(figures, which)) is not None]
        return max(found, default=None)

    return value


def alone(section: str, case: str) -> Value:
    """Ours as it is."""
    return lambda figures, which: one(figures, section, case, OURS, which)


def hops(figures: Figures, which: Which) -> float | None:
    """What threads add to a request of four sync callables, over what they add to one of one."""
    four = one(figures, INPROCESS, "hooks-sync-64", OURS, which)
    without = one(figures, INPROCESS, "hooks", OURS, which)
    single = one(figures, INPROCESS, "sync-64", OURS, which)
    plain = one(figures, INPROCESS, "plain", OURS, which)
    if four is None or without is None or single is None or plain is None or single <= plain:
        return None
    return (four - without) / (single - plain)


def inside(case: str, peer: str, must: float, reach: float | None = None) -> Target:
    return Target(INPROCESS, f"{case} / {peer}", over(INPROCESS, case, peer), must, reach)


def with_more_routes(case: str) -> Target:
    value = over(INPROCESS, f"{case}-300", OURS, case)
    return Target(INPROCESS, f"{case}-300 / {case}", value, 1.1, 1.0)


def behind(case: str, peer: str, must: float | None, reach: float | None = None) -> Target:
    return Target(SERVED, f"{case} / {peer}", over(SERVED, case, peer), must, reach, at_least=True)


FULL = [case for case in CASES if case.startswith("full")]

TARGETS = (
    inside("plain", "starlette", 0.75, 0.66),
    inside("json", "starlette", 0.75, 0.74),
    inside("int", "starlette", 0.9, 0.71),
    inside("form-post", "starlette", 0.5, 0.28),
    inside("json-post", "starlette", 0.8, 0.69),
    inside("404", "starlette", 0.8),
    with_more_routes("plain"),
    with_more_routes("json"),
    with_more_routes("int"),
    inside("full", "flask", 0.4, 0.2),
    inside("full", "starlette", 0.8, 0.4),
    inside("full-sync-64", "flask", 0.5, 0.25),
    inside("sync-64", "starlette", 0.3, 0.15),
    # Room for three more calls, each with what finds out whether it is sync; not for another hop.
    Target(INPROCESS, "hop of four sync callables / of one", hops, 1.5, 1.0),
    Target(
        INPROCESS,
        "every case but full / quart, at worst",
        worst([over(INPROCESS, case, "quart") for case in CASES if case not in FULL]),
        0.2,
    ),
    Target(
        INPROCESS, "full / quart, at worst", worst([over(INPROCESS, case, "quart") for case in FULL]), 0.3
    ),
    behind("plain", "starlette", 1.15),
    behind("plain", "quart", 3.5),
    behind("plain", "flask", 5),
    behind("plain", "raw", None, 0.85),
    behind("sync", "starlette", 1.8),
    behind("sync", "flask", 3),
    behind("full", "quart", 3),
    behind("full", "flask", 3),
    behind("full-sync", "flask", 3),
    behind("wait", "flask", 10),
    Target(SERVED, "wait p99 in ms, for a wait of 100", alone(SERVED, "wait p99"), 150),
    Target(FOOTPRINT, "time to import / flask", over(FOOTPRINT, "import, CPU", "flask"), 1.2),
    Target(FOOTPRINT, "resident / starlette", over(FOOTPRINT, "resident", "starlette"), 1.15),
)


@dataclass(frozen=True)
class Outcome:
    """A target and what was measured of it."""

    target: Target
    best: float
    median: float

    @property
    def missed(self) -> bool:
        """Whether the best rounds do not reach it."""
        must = self.target.must
        return must is not None and not self.target.holds(self.best, must)

    @property
    def verdict(self) -> str:
        """In words; the medians, which noise moves more, are mentioned when they say something else."""
        target = self.target
        if self.missed:
            return "missed"
        if target.reach is not None and target.holds(self.best, target.reach):
            return "surpassed" if target.must is not None else "reached"
        if target.must is None:
            return "not yet"
        return "reached" if target.holds(self.median, target.must) else "reached, not by the medians"


def outcomes(figures: Figures, targets: Sequence[Target] = TARGETS) -> list[Outcome]:
    """Those targets of which everything was measured."""
    found = []
    for target in targets:
        best, median = target.value(figures, "best"), target.value(figures, "median")
        if best is not None and median is not None:
            found.append(Outcome(target, best, median))
    return found


def summary(found: Sequence[Outcome], section: str) -> list[str]:
    """A line of text for each outcome of a section."""
    chosen = [outcome for outcome in found if outcome.target.section == section]
    width = max((len(outcome.target.what) for outcome in chosen), default=0)
    lines = []
    for outcome in chosen:
        target = outcome.target
        bounds = [f"must {target.bound(target.must)}"] if target.must is not None else []
        bounds += [f"reach for {target.bound(target.reach)}"] if target.reach is not None else []
        lines.append(
            f"{target.what:{width}}  {outcome.best:7.2f}  (medians {outcome.median:7.2f})"
            f"  {', '.join(bounds)}: {outcome.verdict}"
        )
    return lines
