"""Every module of Flask is there with the names that are in it, and takes the calls that Flask's takes.

What is compared is read from the Flask that is installed. What differs on purpose is in `DIFFERENCES` with
its reason; an entry that is none any more fails, too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from inspect import Parameter
from pathlib import Path
from typing import Any, TypeVar

import flask
import pytest

import asyncflask

ROOT = Path(asyncflask.__file__).parents[1]

MODULES = [
    "flask",
    *(info.name for info in pkgutil.walk_packages(flask.__path__, "flask.") if info.name != "flask.__main__"),
    # Flask has no __init__.py there, and what has none is not walked.
    "flask.sansio.app",
    "flask.sansio.blueprints",
    "flask.sansio.scaffold",
]

DIFFERENCES = {
    "flask.app.Flask.open_resource": (
        "Text is UTF-8 unless said otherwise, as it is for a blueprint's; Flask takes the locale's encoding."
    ),
    "flask.app.Flask.wsgi_app": "Says what to use in its place: the application is an ASGI one.",
    "flask.ctx.RequestContext.__init__": "It is the application's context, which need not have a request.",
    "flask.debughelpers.App": "Flask imports it for its own isinstance().",
    "flask.debughelpers.Blueprint": "Flask imports it for its own isinstance().",
    "flask.debughelpers.UnexpectedUnicodeError": "Flask never raises it.",
    "flask.debughelpers.request_ctx": "Flask imports it for its own use.",
}


def differences(module_name: str) -> Iterator[tuple[str, str]]:
    """What is not as in a module of Flask: where, and what."""
    theirs = importlib.import_module(module_name)
    ours = our_module(module_name)
    for name in sorted(own_names(theirs)):
        where = f"{module_name}.{name}"
        if not hasattr(ours, name):
            yield where, "is missing"
            continue
        their_value, our_value = getattr(theirs, name), getattr(ours, name)
        if isinstance(their_value, types.ModuleType):
            assert our_value.__name__ == f"async{their_value.__name__}"
        elif isinstance(their_value, type):
            if their_value.__module__ == module_name:
                yield from class_differences(where, their_value, our_value)
            elif our_value is not getattr(our_module(their_value.__module__), their_value.__name__):
                yield where, "is another class than in its own module"
        elif isinstance(their_value, types.FunctionType):
            if problem := misfit(their_value, our_value):
                yield where, problem
        elif not is_for_annotations(their_value):
            kind = type(their_value)
            if is_of_flask(kind):
                kind = getattr(our_module(kind.__module__), kind.__name__)
            if not issubclass(type(our_value), kind):  # of a proxy isinstance() would ask what it stands for
                yield where, f"is {type(our_value)}, not {kind}"


def class_differences(where: str, theirs: type, ours: type) -> Iterator[tuple[str, str]]:
    for base in theirs.__mro__:
        if not is_of_flask(base) and not issubclass(ours, base):
            yield where, f"is no subclass of {base}"
    for name in dir(theirs):
        if name.startswith("_") and (name != "__init__" or not is_of_flask(theirs.__init__)):
            continue
        if not hasattr(ours, name):
            yield f"{where}.{name}", "is missing"
            continue
        their_value, our_value = (inspect.getattr_static(cls, name) for cls in (theirs, ours))
        # Both inherit it, or it is a class, which is compared where it is defined.
        if their_value is our_value or isinstance(their_value, type) or not callable(their_value):
            continue
        if problem := misfit(their_value, our_value):
            yield f"{where}.{name}", problem


def our_module(module_name: str) -> types.ModuleType:
    return importlib.import_module(module_name.replace("flask", "asyncflask", 1))


def is_of_flask(value: Any) -> bool:
    return getattr(value, "__module__", "").partition(".")[0] == "flask"


def is_for_annotations(value: Any) -> bool:
    return typing.get_origin(value) is not None or isinstance(value, TypeVar)


def own_names(module: types.ModuleType) -> set[str]:
    """The public names of a module that are Flask's own: not what it has imported from other packages."""
    foreign = {"annotations"}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
            foreign.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name not in foreign
        # Type variables, and `ft` for flask.typing, are for the annotations in that module.
        and not isinstance(value, TypeVar)
        and (not isinstance(value, types.ModuleType) or value.__name__ == f"flask.{name}")
    }


def misfit(theirs: Any, ours: Any) -> str | None:
    """Why a call that Flask's function takes may fail or do something else; None if it does not."""
    if not callable(ours):
        return f"is {ours!r}, and cannot be called"
    try:
        wanted = list(inspect.signature(theirs).parameters.values())
    except ValueError:
        return None  # one of Python's own, which has none
    given = list(inspect.signature(ours).parameters.values())
    kinds = {parameter.kind for parameter in given}
    by_name = {parameter.name: parameter for parameter in given if parameter.kind not in VARIADIC}
    in_order = [parameter for parameter in given if parameter.kind in POSITIONAL]
    matched = set()
    for position, parameter in enumerate(wanted):
        if parameter.kind in VARIADIC:
            if parameter.kind not in kinds:
                return f"takes no {parameter}: {given}"
            continue
        match = by_name.get(parameter.name)
        if match is None and parameter.name == "self" and in_order:
            match = in_order[0]  # it has any name
        if match is None:
            if kinds >= VARIADIC or (parameter.kind is Parameter.KEYWORD_ONLY and VAR_KEYWORD in kinds):
                continue
            return f"takes no {parameter.name!r}: {given}"
        if parameter.kind in POSITIONAL and (position >= len(in_order) or in_order[position] is not match):
            return f"{parameter.name!r} is not at position {position}: {given}"
        if parameter.default != match.default and not is_sentinel(parameter.default, match.default):
            return f"{parameter.name!r} defaults to {match.default!r}, not {parameter.default!r}"
        matched.add(match.name)
    for parameter in by_name.values():
        if parameter.name not in matched and parameter.default is Parameter.empty:
            return f"{parameter.name!r} has to be given: {given}"
    return None


VAR_KEYWORD = Parameter.VAR_KEYWORD
VARIADIC = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
POSITIONAL = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}


def is_sentinel(*defaults: object) -> bool:
    return all(type(default) is object or default is ... for default in defaults)


@pytest.mark.parametrize("module_name", MODULES)
def test_names_and_signatures(module_name):
    found = dict(differences(module_name))
    assert {where: what for where, what in found.items() if where not in DIFFERENCES} == {}


def test_listed_differences_are_some():
    found = {where for module_name in MODULES for where, _ in differences(module_name)}
    assert DIFFERENCES.keys() - found == set()


@pytest.mark.parametrize(
    "name", ["cli.click", "testing.BaseRequest", "testing.Client", "testing.CliRunner", "testing.Result"]
)
def test_names_of_other_packages(name):
    """Applications import them from Flask's modules, whose own they are not."""
    module_name, _, attribute = f"flask.{name}".rpartition(".")
    theirs = importlib.import_module(module_name)
    assert getattr(our_module(module_name), attribute) is getattr(theirs, attribute)


def in_fresh_interpreter(code: str) -> list[str]:
    """The words that a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    return done.stdout.split()


def test_modules_that_the_import_brings():
    """``import flask`` is enough for ``flask.cli.AppGroup``."""
    brought = in_fresh_interpreter(
        "import sys, flask; print(*(name for name in sys.modules if name.startswith('flask.')))"
    )
    assert "flask.cli" in brought
    for name in brought:
        name = f"async{name}"
        found = in_fresh_interpreter(f"import asyncflask; print({name}.__name__, {name}.__file__)")
        assert found[0] == name


def test_names_that_a_star_brings():
    def brings(package: str) -> set[str]:
        return set(in_fresh_interpreter(f"from {package} import *; print(*dir())"))

    assert brings("flask") - brings("asyncflask") == {"t"}  # its own `typing`


def attributes(package: types.ModuleType) -> dict[str, set[str]]:
    """The public attributes of objects, those included that are set when the object is made."""
    app = package.Flask("app")
    blueprint = package.Blueprint("blueprint", "app")
    app.register_blueprint(blueprint)
    objects = {"app": app, "blueprint": blueprint}
    state = blueprint.make_setup_state(app, {}, True)
    with app.test_request_context() as ctx:
        response = package.make_response("x")
        app_ctx = package.globals.app_ctx._get_current_object()
        objects |= {"app_ctx": app_ctx, "ctx": ctx, "request": ctx.request, "session": ctx.session}
        objects |= {"state": state, "response": response, "client": app.test_client(), "g": app_ctx.g}
    objects["runner"] = app.test_cli_runner()
    objects["info"] = package.cli.ScriptInfo()
    objects["cli"] = app.cli
    return {
        name: {attribute for attribute in {*dir(value), *vars(value)} if not attribute.startswith("_")}
        for name, value in objects.items()
    }


def test_attributes_of_objects():
    ours = attributes(asyncflask)
    missing = {name: theirs - ours[name] for name, theirs in attributes(flask).items()}
    assert {name: names for name, names in missing.items() if names} == {}


SENTINEL = object()


class TestComparison:
    """What `misfit` takes for a difference, and what not."""

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            (lambda a, b=1: 0, lambda a, b=1, c=2: 0),
            (lambda a, b=1: 0, lambda a, b=1, *args, **kwargs: 0),
            (lambda a, b=1: 0, lambda *args, **kwargs: 0),
            (lambda self, a: 0, lambda other, a: 0),
            (lambda a, *, b=1: 0, lambda a, b=1: 0),
            (lambda a, *, b: 0, lambda a, **kwargs: 0),
            (lambda a=...: 0, lambda a=SENTINEL: 0),
        ],
    )
    def test_fits(self, theirs, ours):
        assert misfit(theirs, ours) is None

    @pytest.mark.parametrize(
        ("theirs", "ours", "problem"),
        [
            (lambda a, b=1: 0, lambda a: 0, "takes no 'b'"),
            (lambda a, b=1: 0, lambda a, *args: 0, "takes no 'b'"),
            (lambda a, b=1: 0, lambda a, **kwargs: 0, "takes no 'b'"),
            (lambda a, b=1: 0, lambda a, *, b=1: 0, "not at position 1"),
            (lambda a, b, c: 0, lambda a, c, b: 0, "not at position 1"),
            (lambda a, b=1: 0, lambda a, b=2: 0, "defaults to 2, not 1"),
            (lambda a, b=1: 0, lambda a, b: 0, "defaults to"),
            (lambda a, b=None: 0, lambda a, b=SENTINEL: 0, "defaults to"),
            (lambda a: 0, lambda a, b: 0, "'b' has to be given"),
            (lambda a, **kwargs: 0, lambda a: 0, "takes no \\*\\*kwargs"),
            (lambda a, *args: 0, lambda a: 0, "takes no \\*args"),
        ],
    )
    def test_does_not_fit(self, theirs, ours, problem):
        assert re.search(problem, misfit(theirs, ours))
