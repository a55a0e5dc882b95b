"""From one chapter's source, the programs that are compared.

A chapter is written once, for ``flask`` and with plain ``def``. Its variants differ in the name that is
imported and, for the asynchronous one, in every function that the framework calls being ``async def``.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHAPTERS = Path(__file__).parent / "chapters"

# Decorators, and methods that take a function, by which the framework learns of a function. The ones of
# templates and converters are absent: those are called by Jinja and Werkzeug.
REGISTERING = frozenset(
    {
        "route",
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "endpoint",
        "add_url_rule",
        "before_first_request",
        "before_request",
        "after_request",
        "teardown_request",
        "teardown_appcontext",
        "after_this_request",
        "before_app_request",
        "after_app_request",
        "teardown_app_request",
        "errorhandler",
        "app_errorhandler",
        "register_error_handler",
        "url_value_preprocessor",
        "app_url_value_preprocessor",
        "command",
        "context_processor",
        "app_context_processor",
        "url_defaults",
        "app_url_defaults",
    }
)

VIEW_METHODS = frozenset(
    {
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "dispatch_request",
    }
)
VIEW_BASES = frozenset({"View", "MethodView"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Variant:
    """A way to run a chapter: the framework's package and whether its functions are ``async def``."""

    package: str
    asynchronous: bool = False

    def __str__(self) -> str:
        return f"{self.package}_{'async' if self.asynchronous else 'sync'}"


CONTROL = Variant("flask")
SYNC = Variant("asyncflask")
ASYNC = Variant("asyncflask", asynchronous=True)


def write_chapter(
    chapter: Path, folder: Path, variants: Sequence[Variant] = (CONTROL, SYNC, ASYNC)
) -> dict[Variant, Path]:
    """Copy the chapter into `folder` and put every variant beside its templates: their programs.

    They share one folder because the ETag of a static file depends on its path.
    """
    shutil.copytree(chapter, folder, dirs_exist_ok=True)
    source = (folder / "app.py").read_text(encoding="utf-8")
    programs = {variant: folder / f"{variant}.py" for variant in variants}
    for variant, program in programs.items():
        program.write_text(transform(source, variant), encoding="utf-8")
    return programs


def transform(source: str, variant: Variant) -> str:
    """The chapter's source for one variant.

    :raises ValueError: when nothing was there to be changed, so that no variant is compared with itself.
    """
    tree = ast.parse(source)
    imports = _Imports(variant.package)
    tree = imports.visit(tree)
    if not imports.changed:
        raise ValueError("The chapter does not import from flask.")
    if variant.asynchronous:
        functions = _Functions(tree)
        tree = functions.visit(tree)
        if not functions.changed:
            raise ValueError("The chapter has no function that the framework calls.")
        tree.body.insert(1, ast.Import([ast.alias("asyncio")]))
    return ast.unparse(ast.fix_missing_locations(tree))


class _Imports(ast.NodeTransformer):
    """Replaces the package in ``from flask import``, ``from flask.x import`` and ``import flask``."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.changed = 0

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        root, dot, rest = (node.module or "").partition(".")
        if root == "flask":
            self.changed += 1
            node.module = f"{self.package}{dot}{rest}"
        return node

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            if alias.name == "flask":
                self.changed += 1
                alias.name, alias.asname = self.package, alias.asname or "flask"
        return node


class _Functions(ast.NodeTransformer):
    """Turns every ``def`` that the framework calls into an ``async def`` that really lets go of the loop."""

    def __init__(self, tree: ast.AST) -> None:
        self.changed = 0
        self.by_name: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _last_name(node.func) in REGISTERING:
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                self.by_name |= {value.id for value in values if isinstance(value, ast.Name)}

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        if VIEW_BASES & {_last_name(base) for base in node.bases}:
            node.body = [
                self._convert(item)
                if isinstance(item, ast.FunctionDef) and item.name in VIEW_METHODS
                else item
                for item in node.body
            ]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Function:
        self.generic_visit(node)
        decorators = {_last_name(decorator) for decorator in node.decorator_list}
        if decorators & REGISTERING or node.name in self.by_name:
            return self._convert(node)
        return node

    def _convert(self, node: ast.FunctionDef) -> ast.AsyncFunctionDef:
        self.changed += 1
        fields = {name: getattr(node, name) for name in node._fields}
        converted = ast.copy_location(ast.AsyncFunctionDef(**fields), node)
        after_docstring = 0 if ast.get_docstring(node) is None else 1
        converted.body = list(node.body)
        converted.body[after_docstring:after_docstring] = ast.parse("await asyncio.sleep(0)").body
        return converted


def _last_name(node: ast.expr) -> str:
    """``route`` for ``@app.route("/")``, ``command`` for ``@app.cli.command``."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
