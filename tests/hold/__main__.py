"""``python -m tests.hold``: hostile requests to four frameworks, into ``docs/reliability.md``."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .fuzz import FAULTS, Outcome, fuzz
from .sites import ROOT, SOURCES, SiteServer

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- hold:begin -->", "<!-- hold:end -->"
KINDS = ("2xx", "3xx", "4xx", *FAULTS)


def main() -> int:
    """Fuzz all frameworks; 1 when asyncflask has a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.hold", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="requests for each framework")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=SOURCES, default=list(SOURCES), help="frameworks")
    parser.add_argument("--write", action="store_true", help="write the figures into the documentation")
    options = parser.parse_args()
    rows = []
    failed = False
    for framework in options.only:
        outcome, before, after = run(framework, options.cases, options.seed)
        rows.append([framework, *(f"{outcome.counts[kind]:,}" for kind in KINDS), f"{before} → {after}"])
        print(rows[-1], flush=True)
        for what, requests in outcome.examples.items():
            for request in requests:
                print(f"  {what}: {request.data[:300]!r}", flush=True)
        failed |= framework == "asyncflask" and bool(outcome.faults)
    if options.write:
        write(table(rows, options.cases, options.seed))
    return int(failed)


def run(framework: str, cases: int, seed: int) -> tuple[Outcome, int, int]:
    """The outcome, and the MiB of memory after a hundredth of the requests and at the end."""
    with tempfile.TemporaryDirectory() as folder, SiteServer(framework, Path(folder)) as site:
        outcome = fuzz(site.port, cases // 100, seed)
        before = site.memory()
        outcome.add(fuzz(site.port, cases - cases // 100, seed + 1))
        if not site.is_well():
            outcome.counts["hang"] += 1
        return outcome, before, site.memory()


def table(rows: list[list[str]], cases: int, seed: int) -> str:
    head = ["", *KINDS, "MiB"]
    lines = [head, ["---"] * len(head), *rows]
    names = ("asyncflask", "flask", "quart", "starlette", "uvicorn", "gunicorn")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return "\n".join(
        [
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"{cases:,} requests for each framework, seed {seed}; all want an answer. *Leads elsewhere*: a"
            " redirect to another host than the one asked for, or to none. *MiB*: after a hundredth of them,"
            " and at the end. Flask's 5xx are for the most part gunicorn's own, for a Transfer-Encoding that"
            " it does not know; a view of Starlette's has to catch what `request.json()` raises itself."
            f" {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {versions}.",
        ]
    )


def write(text: str) -> None:
    """Put it between the marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
