"""Checks files, and shows what was found."""

from __future__ import annotations

import ast
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .blocking import BlockingCheck
from .files import UnreadableError, find_files, is_python, read
from .findings import FileReport, Finding, Severity
from .mixed import MixedCheck
from .names import FLASKS, imported_packages
from .project import Project
from .quart import QuartCheck
from .removed import RemovedCheck
from .servers import check_configuration, check_python_configuration, is_server_configuration
from .walk import Walker
from .wsgi import WSGICheck

CHECKS = (WSGICheck, RemovedCheck, BlockingCheck, QuartCheck, MixedCheck)


def check_paths(paths: Iterable[str | os.PathLike[str]]) -> Report:
    """Check files, and the Python files and server configurations of folders.

    Nothing is imported or executed. Whatever is wrong with a file is a finding, not an exception.

    :param paths: files and folders. A file that is named is checked whatever its name is.
    """
    project = Project()
    files: list[tuple[FileReport, bytes]] = []
    for path in find_files(paths):
        report = FileReport(os.fsencode(path).decode("utf-8", "replace"))
        files.append((report, _check(path, report, project)))
    for answer in project.later:
        answer()
    for report, source in files:
        report.sort(source)
    return Report([report for report, _ in files])


def check_source(source: str | bytes, path: str = "app.py") -> list[Finding]:
    """Check one Python file by itself.

    :param path: the name that the file would have.
    """
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogatepass")
    project, report = Project(), FileReport(path)
    _check_python(source, Path(path), report, project)
    for answer in project.later:
        answer()
    report.sort(source)
    return report.findings


def _check(path: Path, report: FileReport, project: Project) -> bytes:
    """Check a file; gives what is in it as far as comments in it matter."""
    try:
        source = read(path)
    except UnreadableError as error:
        report.findings.append(Finding(1, 1, "AF002", Severity.WARNING, f"{error}", "look at it yourself"))
        return b""
    if is_server_configuration(path) and not is_python(path):
        report.findings += check_configuration(path, source.decode("utf-8", "replace"))
    else:
        _check_python(source, path, report, project)
    return source if b"noqa" in source.lower() else b""


def _check_python(source: bytes, path: Path, report: FileReport, project: Project) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):  # about the code that is checked
            tree = ast.parse(source)
    except SyntaxError as error:
        line, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
        report.findings.append(_unparsable(f"not Python 3: {error.msg}", line, column))
        return
    except (ValueError, RecursionError, MemoryError) as error:
        report.findings.append(_unparsable(f"cannot be parsed: {error or type(error).__name__}"))
        return
    if b"flask" in source or b"quart" in source:
        report.imports = imported_packages(tree) & set(FLASKS)
    report.findings += check_python_configuration(path, tree)
    checks = [check(report, project) for check in CHECKS]
    try:
        Walker(path.absolute(), checks).run(tree)
    except RecursionError:
        report.findings.append(
            Finding(1, 1, "AF002", Severity.WARNING, "nested too deeply to be read", "look at it yourself")
        )


def _unparsable(message: str, line: int = 1, column: int = 1) -> Finding:
    return Finding(line, column, "AF001", Severity.ERROR, message, "asyncflask needs Python 3.11 or newer")


@dataclass
class Report:
    """What was found in all files.

    :param files: those that were looked at, in the order in which they were found.
    """

    files: list[FileReport]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for file in self.files for finding in file.findings)

    @property
    def unchanged(self) -> list[FileReport]:
        """The files that run as they are."""
        return [file for file in self.files if file.runs_as_it_is]

    def failed(self, strict: bool = False) -> bool:
        """Whether there are errors, with `strict` also whether there are warnings."""
        return bool(self.count(Severity.ERROR) or (strict and self.count(Severity.WARNING)))

    def text(self, verbose: bool = False) -> Iterator[str]:
        """Lines to read: the findings, then a summary.

        :param verbose: name the files that run as they are, too.
        """
        for file in self.files:
            yield from (f"{file.path}:{finding}" for finding in file.findings)
            if verbose and file.runs_as_it_is:
                yield f"{file.path}: runs as it is"
        counts = ", ".join(_plural(self.count(severity), severity) for severity in Severity)
        yield f"{_plural(len(self.files), 'file')} checked: {counts}."
        unchanged, flask = len(self.unchanged), sum("flask" in file.imports for file in self.files)
        yield f"{_plural(unchanged, 'file')} {'runs as it is' if unchanged == 1 else 'run as they are'}."
        if flask:
            yield (
                f"{_plural(flask, 'file')} {'imports' if flask == 1 else 'import'} flask: write 'asyncflask'"
                " instead, or run the application with 'asyncflask run --as-flask'."
            )

    def json(self) -> str:
        """The same for programs."""
        return json.dumps(
            {
                "files": [
                    {
                        "path": file.path,
                        "runs_as_it_is": file.runs_as_it_is,
                        "imports": sorted(file.imports),
                        "findings": [asdict(finding) for finding in file.findings],
                    }
                    for file in self.files
                ],
                "summary": {
                    "files": len(self.files),
                    "run_as_they_are": len(self.unchanged),
                    **{f"{severity}s": self.count(severity) for severity in Severity},
                },
            },
            indent=2,
        )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
