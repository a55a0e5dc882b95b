"""What the modules of a code base have to know of each other, and what all rules share."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .findings import FileReport, Finding, Severity
from .rule import Rule

#: The names that applications have, and what makes them.
APP = re.compile(r"(?:^|[?.:])(?:app|application|flask_app|(?:create|make)_app\(\))$")


@dataclass
class Project:
    """What is gathered while all files are read.

    Functions and objects of modules are known by their path without folders, ``db.get_db``: that is
    what an import of them ends with, whichever folder the code is started from.
    """

    #: What the sync functions call.
    calls: dict[str, list[list[str]]] = field(default_factory=dict)
    #: What the variables of modules hold.
    variables: dict[str, list[str]] = field(default_factory=dict)
    #: Fixtures that are test clients.
    clients: set[str] = field(default_factory=set)
    has_async_functions: bool = False
    uses_flask_sqlalchemy: bool = False
    uses_asyncflask: bool = False
    uses_flask: bool = False
    #: Whether `flask` is asyncflask there.
    uses_as_flask: bool = False
    #: Questions that can be answered when everything has been read.
    later: list[Callable[[], None]] = field(default_factory=list)

    def add_variable(self, key: str, path: str) -> None:
        self.variables.setdefault(key.lstrip(":"), []).append(path)

    def add_function(self, key: str) -> list[str]:
        """Note a function; the paths of what it calls are to be added to the list."""
        calls: list[str] = []
        self.calls.setdefault(key.lstrip(":"), []).append(calls)
        return calls

    def calls_of(self, path: str) -> list[str]:
        """What a function of the code base calls, as far as there is only one that can be meant."""
        parts = path.lstrip(":").split(".")
        found = self.calls.get(".".join(parts[-2:]), [])
        return found[0] if len(found) == 1 else []

    def expand(self, path: str) -> str:
        """A path that starts with a variable of another module, with what the variable holds instead."""
        parts = path.lstrip(":").split(".")
        for start in range(len(parts) - 1):
            found = self.variables.get(".".join(parts[start : start + 2]), [])
            if len(found) == 1:
                return ".".join([found[0], *parts[start + 2 :]])
        return path


class Check(Rule):
    """A rule that reports.

    :param report: of the file that is read.
    """

    def __init__(self, report: FileReport, project: Project) -> None:
        self.report = report
        self.project = project

    def error(self, node: ast.expr | ast.stmt | ast.alias, code: str, message: str, advice: str) -> None:
        self._add(node, code, Severity.ERROR, message, advice)

    def warning(self, node: ast.expr | ast.stmt | ast.alias, code: str, message: str, advice: str) -> None:
        self._add(node, code, Severity.WARNING, message, advice)

    def note(self, node: ast.expr | ast.stmt | ast.alias, code: str, message: str, advice: str) -> None:
        self._add(node, code, Severity.NOTE, message, advice)

    def _add(
        self,
        node: ast.expr | ast.stmt | ast.alias,
        code: str,
        severity: Severity,
        message: str,
        advice: str,
    ) -> None:
        self.report.findings.append(
            Finding(node.lineno, node.col_offset + 1, code, severity, message, advice)
        )

    def is_app(self, path: str) -> bool:
        """Whether a path is that of an application, known or by its name in a file that imports Flask."""
        if path in ("flask.Flask()", "flask.current_app"):
            return True
        return bool(self.report.imports) and not path.startswith("flask.") and APP.search(path) is not None
