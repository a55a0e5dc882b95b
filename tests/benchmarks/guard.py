"""Function calls per request, compared with recorded ones: notices without a clock what slows requests down.

Seconds depend on the machine and on what else it does. The number of calls, of Python functions and of those
written in C, is the same at every run, and all but the same on every version of Python. It does not see what
a call costs, so it is no benchmark: it tells when a layer, a lookup or a thread hop is added to each request.

``python -m tests.benchmarks.guard`` compares, and with ``--write`` records what is counted now.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import uvloop

from .cases import CASES, Case
from .figures import versions
from .inprocess import AsgiApplication, verify
from .peers import load_peer

RECORD = Path(__file__).with_name("guard.json")
COMMAND = "python -m tests.benchmarks.guard --write"
LIBRARIES = ("werkzeug", "starlette", "jinja2", "itsdangerous", "anyio")

#: How much more than recorded is let pass: versions of Python and libraries differ by less.
TOLERANCE = 0.05
SLACK = 2.0  # calls; for the shortest requests

WARM_UP = 20
REQUESTS = 20
REPEATS = 3  # of which the least counts: a thread that is woken late takes a few calls more


@dataclass(frozen=True)
class Comparison:
    """Calls per request in one case, now and as recorded (None: it is a new case)."""

    case: str
    now: float
    recorded: float | None

    @property
    def too_many(self) -> bool:
        if self.recorded is None:
            return True
        return self.now > self.recorded + max(SLACK, self.recorded * TOLERANCE)

    def __str__(self) -> str:
        if self.recorded is None:
            return f"{self.case:12} {self.now:8.1f} calls a request, nothing recorded"
        change = self.now / self.recorded - 1
        return f"{self.case:12} {self.now:8.1f} calls a request, {self.recorded:.1f} recorded: {change:+.1%}"


def guarded_cases() -> dict[str, Case]:
    """The cases by the names they are recorded under: requests follow one another here, so that those which
    differ in concurrency alone are one."""
    return {name.removesuffix("-64"): case for name, case in CASES.items()}


class Counter:
    """Counts calls in this thread and in those that are started while it is installed."""

    def __init__(self) -> None:
        self.calls = 0
        self.counting = False

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if self.counting and (event == "call" or event == "c_call"):
            self.calls += 1

    def __enter__(self) -> Counter:
        self._before = sys.getprofile(), threading.getprofile()
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *exception: object) -> None:
        here, threads = self._before
        sys.setprofile(here)
        threading.setprofile(threads)


def count(case: Case, peer: ModuleType | None = None) -> float:
    """Calls per request, the server's and the client's own few included."""
    module = load_peer("asyncflask") if peer is None else peer
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, Counter() as counter:
        return runner.run(_count(case, module, counter))


async def _count(case: Case, peer: ModuleType, counter: Counter) -> float:
    make: Callable[..., Any] = getattr(peer, case.application)
    app = make() if case.extra_routes is None else make(case.extra_routes)
    async with AsgiApplication(app) as application:
        cookie = await verify(application, case)
        batches = [application.requests(case, cookie, number) for number in (WARM_UP, *[REQUESTS] * REPEATS)]
        counts = []
        gc.collect()
        gc.disable()  # finalizers are called whenever it pleases
        try:
            for batch in batches:
                counter.calls = 0
                counter.counting = True
                for request in batch:
                    await app(request.scope, request.receive, request.send)
                counter.counting = False
                counts.append(counter.calls / len(batch))
        finally:
            counter.counting = False
            gc.enable()
        return min(counts[1:])


def load() -> dict[str, Any]:
    """What is recorded: ``calls`` by case, and the ``versions`` it was counted with."""
    data: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return data


def compare(case: str) -> Comparison:
    """Count a case, by the name it is recorded under."""
    return Comparison(case, count(guarded_cases()[case]), load()["calls"].get(case))


def explain(comparison: Comparison) -> str:
    """What to do about too many calls."""
    recorded: dict[str, str] = load()["versions"]
    now = versions(LIBRARIES)
    differing = [f"{name} {recorded[name]}, now {now[name]}" for name in now if recorded[name] != now[name]]
    lines = [
        str(comparison),
        f"More than {TOLERANCE:.0%} above what is recorded: something was added to each of these requests.",
        f"If that is worth it, record the new numbers and commit them: {COMMAND}",
    ]
    if differing:
        lines.append(f"It was recorded with {'; '.join(differing)}.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"record them in {RECORD.name}")
    options = parser.parse_args(arguments)

    recorded = load()["calls"] if RECORD.exists() else {}
    found = [Comparison(name, count(case), recorded.get(name)) for name, case in guarded_cases().items()]
    print(*found, sep="\n")
    if options.write:
        calls = {comparison.case: round(comparison.now, 1) for comparison in found}
        data = {"versions": versions(LIBRARIES), "calls": calls}
        RECORD.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        print(f"written: {RECORD}")
        return 0
    return int(any(comparison.too_many for comparison in found))


if __name__ == "__main__":
    sys.exit(main())
