"""What is said about a line of the code that is checked."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOQA = re.compile(rb"#\s*noqa\b(\s*:[\s\w,]*)?", re.IGNORECASE)


class Severity(enum.StrEnum):
    """How much a finding matters."""

    ERROR = "error"  #: does not work under asyncflask
    WARNING = "warning"  #: works, but should be changed
    NOTE = "note"  #: works, and is worth a look


@dataclass(frozen=True, order=True)
class Finding:
    """One finding.

    :param line: counted from 1, as is `column`, which counts UTF-8 bytes as `ast` does.
    :param code: ``AF`` and three digits. The first tells what it is about: 0 the file itself, 1 WSGI,
        2 servers, 3 names that are gone, 4 blocking and event loops, 5 Quart, 6 extensions,
        7 Flask itself.
    :param message: what is found.
    :param advice: what to do about it.
    """

    line: int
    column: int
    code: str
    severity: Severity
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity} {self.code} {self.message} ({self.advice})"


@dataclass
class FileReport:
    """A file that was checked, and what was found in it.

    :param path: as it is to be shown.
    :param imports: those of ``flask``, ``asyncflask`` and ``quart`` that it imports from.
    """

    path: str
    findings: list[Finding] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)

    def has(self, severity: Severity) -> bool:
        return any(finding.severity is severity for finding in self.findings)

    @property
    def runs_as_it_is(self) -> bool:
        """Whether nothing has to be changed or should be. Notes do not count."""
        return not self.has(Severity.ERROR) and not self.has(Severity.WARNING)

    def sort(self, source: bytes) -> None:
        """Put the findings in the order of the file, without those that a ``# noqa`` comment is about.

        :param source: the file. ``# noqa`` is about all findings of its line, ``# noqa: AF401`` about that
            code only.
        """
        lines = _LINE_END.split(source) if b"noqa" in source.lower() else []

        def is_wanted(finding: Finding) -> bool:
            line = lines[finding.line - 1] if finding.line <= len(lines) else b""
            comment = _NOQA.search(line)
            if comment is None:
                return True
            return comment[1] is not None and finding.code.encode() not in comment[1]

        # Once for each statement, however many names it imports.
        first: dict[tuple[int, str, str], Finding] = {}
        for finding in sorted(filter(is_wanted, self.findings)):
            first.setdefault((finding.line, finding.code, finding.message), finding)
        self.findings = list(first.values())
