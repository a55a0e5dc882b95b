"""Run Flask's own tests, unmodified, with `flask` resolving to asyncflask, and under Flask as the control.

``nox -s flask-suite``; with ``-- --write`` it also writes the figures into docs/compatibility.md. What
follows on another ``--`` is for pytest: ``-- -- -k session -x``.

It fails if a test that passes under Flask fails here and is not in flask_exceptions.toml, or
passes here and is. Flask's tests are downloaded when this is run; nothing of them is in this repository.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.suites.common import (
    CACHE,
    ROOT,
    fetch_sdist,
    load_exceptions,
    passed,
    run_pytest,
    summary,
    table,
    unexpected,
    write_part,
)

VERSION = "3.1.3"
EXCEPTIONS = Path(__file__).with_name("flask_exceptions.toml")
DOCUMENT = ROOT / "docs" / "compatibility.md"


def main(arguments: list[str]) -> int:
    """Run both, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(prog="nox -s flask-suite --", description="Run Flask's own tests.")
    parser.add_argument("--write", action="store_true", help=f"write the figures into {DOCUMENT.name}")
    parser.add_argument("pytest", nargs="*", help="after another --: arguments for pytest, to run some tests")
    options = parser.parse_args(arguments)

    outcomes = {}
    for name, plugins in {"flask": [], "asyncflask": ["-p", "asyncflask.as_flask"]}.items():
        folder = fetch_sdist("flask", VERSION)
        log = CACHE / f"flask-suite-{name}.log"
        args = [*plugins, "-p", "tests.suites.no_server", "-p", "no:cacheprovider", "--timeout", "20"]
        started = time.monotonic()
        outcomes[name] = run_pytest(sys.executable, folder, [*args, *options.pytest], log=log, timeout=300)
        seconds = time.monotonic() - started
        print(f"{name:10}  {summary(outcomes[name])}  ({seconds:.0f} s; {log.relative_to(ROOT)})", flush=True)

    control, ours = outcomes["flask"], outcomes["asyncflask"]
    wanted = passed(control)
    if not wanted or not ours:
        print("error: nothing to compare")
        return 1
    expected = load_exceptions(EXCEPTIONS)["flask"]
    if options.pytest:  # a selection says nothing of the others
        expected = {nodeid: reason for nodeid, reason in expected.items() if nodeid in control}
    good = wanted & passed(ours)
    print(f"{len(good)} of the {len(wanted)} tests that pass under Flask {VERSION} pass under asyncflask.")
    problems = unexpected(control, ours, expected)
    for line in problems:
        print(f"error: {line}")
    if problems:
        return 1
    if options.write and not options.pytest:
        write_part(DOCUMENT, "flask-suite", report(len(wanted), len(good), expected))
    return 0


def report(wanted: int, good: int, exceptions: dict[str, str]) -> str:
    """The part of the document: the figures, and the exceptions, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for nodeid, reason in exceptions.items():
        test = nodeid.removeprefix("tests/").partition("[")[0]
        by_reason.setdefault(reason, []).append(test)
    rows = []
    for reason, tests in by_reason.items():
        names = ", ".join(f"`{test}`" for test in dict.fromkeys(tests))
        rows.append([names, len(tests), reason])
    figures = (
        f"Of the {wanted} tests of Flask {VERSION} that pass under Flask, **{good} pass** under asyncflask"
        f" ({good / wanted:.1%})."
    )
    if not rows:
        return figures
    return f"{figures} The others:\n\n{table(['tests', 'number', 'why they do not pass'], rows)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
