"""What rules are told of a module."""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import PurePath

from .names import Scope

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Function:
    """The function whose body is being read.

    :param key: its own path if it is a function of a module, ``""`` for methods and nested functions.
    :param decorators: their paths, ``app.route("/")`` as ``?app.route()``.
    :param bases: of a method, the paths of the bases of its class.
    """

    name: str
    is_async: bool
    key: str = ""
    decorators: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)


class Place:
    """Where in a module the reading is, and what is known there.

    :param path: of the file. The names of the file and the folders tell how other modules import it.
    """

    def __init__(self, path: PurePath) -> None:
        self.package = path.parent.parts
        #: The last part of the module's name.
        self.stem = path.parent.name if path.stem == "__init__" else path.stem
        self.scope = Scope()
        #: None in code that runs when the module is imported.
        self.function: Function | None = None
        #: Exceptions that an enclosing ``try`` catches.
        self.caught: AbstractSet[str] = frozenset()
        #: Attributes that an enclosing ``if`` asks for with ``hasattr`` or ``getattr``.
        self.asked: AbstractSet[str] = frozenset()

    def path_of(self, node: ast.expr) -> str:
        """What an expression stands for there, see `names`."""
        return self.scope.path_of(node)


class Rule:
    """What is told of a module. Every method may be left as it is."""

    #: Where it is met.
    place: Place

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        """``import module`` or ``from module import name``, with the module's real name.

        Imports from the code base itself (``from . import``) are not told.
        """

    def attribute(self, node: ast.Attribute, path: str) -> None:
        """An attribute is read, set or deleted. `path` includes it."""

    def subscript(self, node: ast.Subscript, path: str) -> None:
        """``x[...]``, with the path of ``x``."""

    def call(self, node: ast.Call, path: str, awaited: bool) -> None:
        """A call, with the path of what is called."""

    def await_(self, node: ast.Await, path: str) -> None:
        """``await x``, with the path of ``x``."""

    def assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        """``target = value``. A tuple is told part by part, then without the value."""

    def entered(self, node: ast.expr, path: str, is_async: bool) -> None:
        """``with x``."""

    def iterated(self, node: ast.expr, path: str) -> None:
        """``async for ... in x``."""

    def handed_out(self, node: ast.expr, path: str) -> None:
        """``return x`` or ``yield x``."""

    def defined(self, node: FunctionNode, function: Function) -> None:
        """A function definition, before its body."""

    def class_(self, node: ast.ClassDef, bases: list[str]) -> None:
        """A class definition, before its body."""
