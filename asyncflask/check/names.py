"""What the names in a module stand for.

It is written as a *path*: what was imported, and what was done to it since.

=================================  ============================
after                              the path of
=================================  ============================
``from time import sleep as s``    ``s``: ``time.sleep``
``s = requests.Session()``         ``s.get``: ``requests.Session().get``
``from .db import get_db``         ``get_db``: ``:flaskr.db.get_db``
``def helper(): ...`` in `db.py`   ``helper``: ``:db.helper``
nothing                            ``x.y``: ``?x.y``
=================================  ============================

A colon marks what is the code base's own, a question mark what is not known. ``asyncflask`` and ``quart`` are
written ``flask``, so that one rule is right for all three, and likewise ``Quart`` is ``Flask``.
"""

from __future__ import annotations

import ast
import builtins

import asyncflask

#: Modules that have Flask's API.
FLASKS = ("flask", "asyncflask", "quart")


class Scope:
    """The names of a module, class or function.

    :param is_class: its names are not seen by the functions in it.
    """

    def __init__(self, parent: Scope | None = None, *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.paths: dict[str, str] = {}

    def find(self, name: str) -> str:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.paths and (scope is self or not scope.is_class):
                return scope.paths[name]
            scope = scope.parent
        return name if hasattr(builtins, name) else f"?{name}"

    def path_of(self, node: ast.expr) -> str:
        """The path of an expression, see above."""
        done: list[str] = []
        while True:
            match node:
                case ast.Attribute(value=node, attr=attr):
                    done.append(f".{attr}")
                case ast.Call(func=node):
                    done.append("()")
                case ast.Await(value=node) | ast.NamedExpr(value=node):
                    pass
                case ast.Name(id=name):
                    return self.find(name) + "".join(reversed(done))
                case _:
                    return "?" + "".join(reversed(done))

    def bind(self, target: ast.expr, path: str, *, second_choice: bool = False) -> None:
        """Note what an assignment makes of its target.

        :param second_choice: a name that stands for something already is left alone.
        """
        match target:
            case ast.Name(id=name):
                if not second_choice or name not in self.paths:
                    self.paths[name] = path if path != "?" else f"?{name}"
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.bind(part, "?", second_choice=second_choice)
            case ast.Starred(value=value):
                self.bind(value, "?", second_choice=second_choice)


def path_of_import(name: str) -> str:
    """The path of something imported by its full name."""
    root, _, rest = name.partition(".")
    if root in FLASKS:
        last = rest.rpartition(".")[2]
        # `flask.globals.request` is `flask.request`.
        path = f"flask.{last if last in vars(asyncflask) else rest}" if rest else "flask"
        return "flask.Flask" if path == "flask.Quart" else path
    if name.startswith("sqlite3.dbapi2"):
        return name.replace(".dbapi2", "", 1)
    return name


def imported_packages(tree: ast.Module) -> set[str]:
    """The packages that are imported anywhere in a module."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return {name.partition(".")[0] for name in names}
