"""Measure everything, say which targets are reached, write it into the documentation: ``nox -s bench``."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from . import footprint, inprocess, servers
from .cases import CASES, SERVED_CASES, WrongAnswer
from .figures import BASELINE, Figure, Figures, Run, describe, table, versions
from .peers import PEERS, load_peers
from .report import DOCUMENT, write
from .targets import outcomes, summary

SECTIONS = (inprocess.SECTION, servers.SECTION, footprint.SECTION)
LIBRARIES = tuple(dict.fromkeys((*inprocess.LIBRARIES, *servers.LIBRARIES)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="PART")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    inprocess.add_options(parser)
    servers.add_options(parser)
    footprint.add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round here")
    parser.add_argument("--read", type=Path, metavar="FILE", help="measure nothing, take what --json wrote")
    parser.add_argument(
        "--write", action="store_true", help=f"write table and plot into {DOCUMENT.name}; needs all of it"
    )
    options = parser.parse_args(arguments)

    try:
        result = Run.load(options.read) if options.read is not None else run(options)
    except (servers.CannotMeasure, WrongAnswer) as error:
        print(f"error: {error}")
        return 1
    if options.json is not None:
        result.save(options.json)
    if options.read is not None:
        print_versions(result)
        for section in SECTIONS:
            print_section(result.figures, section)
    found = outcomes(result.figures)
    missed = [outcome.target.what for outcome in found if outcome.missed]
    print(f"\n{len(found) - len(missed)} of {len(found)} targets reached")
    if missed:
        print(*(f"missed: {what}" for what in missed), sep="\n")
    if options.write:
        lacking = incomplete(result.figures)
        if lacking:
            print(f"error: not written, because these were not measured: {', '.join(lacking)}")
            return 1
        write(result)
        print(f"written: {DOCUMENT}")
    return 0


def run(options: argparse.Namespace) -> Run:
    """Measure what the options choose, and print each part when it is there."""
    if servers.SECTION in options.only:
        servers.find_wrk()  # rather now than after the first part
    modules = load_peers(options.peers)
    small = [peer for peer in footprint.PEERS if peer in modules]
    named = [name for name in modules if name != "raw"]
    result = Run(
        Figures(),
        versions([*named, *LIBRARIES]),
        {"date": date.today().isoformat(), "machine": machine(), "conditions": servers.conditions()},
    )
    print_versions(result)
    warn_of_load()

    def measured(section: str, figures: list[Figure]) -> None:
        result.figures.add(figures)
        print_section(result.figures, section)

    if inprocess.SECTION in options.only:
        cases = [CASES[name] for name in options.cases]
        figures = inprocess.measure(modules, cases, options.rounds, options.round_seconds)
        measured(inprocess.SECTION, figures)
    if footprint.SECTION in options.only:
        measured(footprint.SECTION, footprint.measure(small, options.imports, options.servers))
    if servers.SECTION in options.only:
        cases = [SERVED_CASES[name] for name in options.served_cases]
        figures = servers.measure(modules, cases, options.served_rounds, options.served_seconds)
        measured(servers.SECTION, figures)
    return result


def machine() -> str:
    """The processor and the system, in words."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} cores, {processor}, {platform.system()}"


def warn_of_load() -> None:
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.5:
        print(f"warning: the machine is busy with other things (load {load:.1f}); figures will be too high")


def incomplete(figures: Figures) -> list[str]:
    """What a full report needs and has not been measured."""
    lacking = [section for section in SECTIONS if not figures.cases(section)]
    wanted = ((inprocess.SECTION, CASES), (servers.SECTION, SERVED_CASES))
    for section, cases in wanted:
        if section not in lacking:
            lacking += [f"{section} {case}" for case in cases if case not in figures.cases(section)]
    measured = {peer for section in SECTIONS for peer in figures.peers(section)}
    return lacking + [peer for peer in PEERS if peer not in measured]


def print_versions(result: Run) -> None:
    print(describe(result.versions))
    print(f"{result.about['date']}, {result.about['machine']}; {result.about['conditions']}", flush=True)


def print_section(figures: Figures, section: str) -> None:
    if not figures.cases(section):
        return
    print("", *table(figures, section), sep="\n")
    print(f"ratio: the best round over that of {BASELINE}")
    lines = summary(outcomes(figures), section)
    if lines:
        print("", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    # Servers are to be stopped then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
