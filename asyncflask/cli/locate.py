"""Where the application is: in which module, and what in it is the application.

It is found as Flask finds it (https://flask.palletsprojects.com/en/stable/cli/#application-discovery).
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, overload

import click

from ..app import Flask


class NoAppException(click.UsageError):
    """The application could not be found, or not be loaded."""


_USE_ASYNCFLASK = "use '--as-flask', or change 'from flask import' to 'from asyncflask import'"


def find_best_app(module: ModuleType) -> Flask:
    """The application that a module is most likely about.

    It is ``app`` or ``application``, else the only `Flask` object there is, else
    what ``create_app()`` or ``make_app()`` returns.

    :raises NoAppException: if there is none, or more than one.
    """
    for name in ("app", "application"):
        candidate = getattr(module, name, None)
        if isinstance(candidate, Flask):
            return candidate

    apps = [value for value in vars(module).values() if isinstance(value, Flask)]
    if len(apps) == 1:
        return apps[0]
    if apps:
        raise NoAppException(
            f"Detected multiple Flask applications in module '{module.__name__}'."
            f" Use '{module.__name__}:name' to specify the correct one."
        )

    made: list[object] = []
    for name in ("create_app", "make_app"):
        factory = getattr(module, name, None)
        if not inspect.isfunction(factory):
            continue
        try:
            candidate = factory()
        except TypeError as error:
            if not _rejected_arguments(factory, error):
                raise
            raise NoAppException(
                f"Detected factory '{name}' in module '{module.__name__}', but could not call it without"
                f" arguments. Use '{module.__name__}:{name}(args)' to specify arguments."
            ) from error
        if isinstance(candidate, Flask):
            return candidate
        made.append(candidate)

    message = (
        f"Failed to find Flask application or factory in module '{module.__name__}'."
        f" Use '{module.__name__}:name' to specify one."
    )
    if any(_is_real_flask(value) for value in (*vars(module).values(), *made)):
        message += f" There is one made with 'flask': {_USE_ASYNCFLASK}."
    raise NoAppException(message)


def _rejected_arguments(func: Callable[..., Any], error: TypeError) -> bool:
    """Whether the call itself failed, rather than something in the function."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is func.__code__:
            return False
        trace = trace.tb_next
    return True


def _is_real_flask(value: object) -> bool:
    return any(cls.__module__ == "flask.app" and cls.__name__ == "Flask" for cls in type(value).__mro__)


def find_app_by_string(module: ModuleType, app_name: str) -> Flask:
    """The application that an expression names in a module.

    :param app_name: a variable, or a factory with or without literal arguments:
        ``app``, ``create_app``, ``create_app("test", debug=True)``.
    :raises NoAppException: if it is no such expression, or gives no application.
    """
    try:
        expression = ast.parse(app_name.strip(), mode="eval").body
    except SyntaxError:
        expression = None

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if isinstance(expression, ast.Call):
        if not isinstance(expression.func, ast.Name):
            raise NoAppException(f"Function reference must be a simple name: {app_name!r}.")
        name = expression.func.id
        try:
            args = [ast.literal_eval(arg) for arg in expression.args]
            kwargs = {kw.arg: ast.literal_eval(kw.value) for kw in expression.keywords if kw.arg is not None}
        except ValueError:
            raise NoAppException(f"Failed to parse arguments as literal values: {app_name!r}.") from None
    elif isinstance(expression, ast.Name):
        name = expression.id
    else:
        raise NoAppException(f"Failed to parse {app_name!r} as an attribute name or function call.")

    try:
        found = getattr(module, name)
    except AttributeError as error:
        raise NoAppException(f"Failed to find attribute {name!r} in {module.__name__!r}.") from error

    if inspect.isfunction(found):
        try:
            app = found(*args, **kwargs)
        except TypeError as error:
            if not _rejected_arguments(found, error):
                raise
            raise NoAppException(
                f"The factory {app_name!r} in module {module.__name__!r} could not be called with the"
                " specified arguments."
            ) from error
    else:
        app = found

    if isinstance(app, Flask):
        return app
    message = f"A valid Flask application was not obtained from '{module.__name__}:{app_name}'."
    if _is_real_flask(app):
        message += f" It is made with 'flask': {_USE_ASYNCFLASK}."
    raise NoAppException(message)


def prepare_import(path: str) -> str:
    """Make a file importable, and return the name to import it by.

    The folder that holds the outermost package of the file (or the file itself,
    if that is in no package) is put first on ``sys.path``.

    :param path: path of a module or package, with or without ``.py``; a dotted name
        is relative to the current folder.
    """
    path = os.path.realpath(path)
    stem, extension = os.path.splitext(path)
    if extension == ".py":
        path = stem
    if os.path.basename(path) == "__init__":
        path = os.path.dirname(path)

    folder, name = os.path.split(path)
    names = [name]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        names.insert(0, name)

    if sys.path[0] != folder:
        sys.path.insert(0, folder)
    return ".".join(names)


@overload
def locate_app(module_name: str, app_name: str | None, raise_if_not_found: Literal[True] = True) -> Flask: ...


@overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: Literal[False] = ...
) -> Flask | None: ...


def locate_app(module_name: str, app_name: str | None, raise_if_not_found: bool = True) -> Flask | None:
    """Import a module and find the application in it.

    :param app_name: for `find_app_by_string`; None for `find_best_app`.
    :param raise_if_not_found: if false, None is returned for a module that does not exist.
    :raises NoAppException: also for a module that raises ImportError itself.
    """
    try:
        __import__(module_name)
    except ImportError as error:
        # An error of the import system itself has no frame below this one.
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise NoAppException(
                f"While importing {module_name!r}, an ImportError was raised:\n\n{traceback.format_exc()}"
            ) from None
        if raise_if_not_found:
            raise NoAppException(f"Could not import {module_name!r}.") from None
        return None

    module = sys.modules[module_name]
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)
