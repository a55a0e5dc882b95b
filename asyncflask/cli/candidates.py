"""What may have been meant where no application is found."""

from __future__ import annotations

import inspect
import os
from difflib import get_close_matches
from types import ModuleType

from ..app import Flask

#: The classes of other frameworks, by their packages, and what serves an application of theirs.
_OTHERS = {
    "fastapi": "uvicorn {path}",
    "starlette": "uvicorn {path}",
    "litestar": "uvicorn {path}",
    "blacksheep": "uvicorn {path}",
    "quart": "quart --app {path} run",
    "sanic": "sanic {path}",
    "aiohttp": "python -m aiohttp.web {path}",
    "django": "python manage.py runserver",
    "bottle": "python -m bottle {path}",
    "falcon": "a server for it",
    "tornado": "a server for it",
}
_USE_ASYNCFLASK = "use '--as-flask', or change 'from flask import' to 'from asyncflask import'"


def what_it_is(value: object, path: str) -> str:
    """What an object is that is no application, if it is one of another framework; the rest of a sentence.

    :param path: where it was found, ``module:name``.
    """
    for cls in type(value).__mro__:
        package = cls.__module__.partition(".")[0]
        if cls.__module__ == "flask.app" and cls.__name__ == "Flask":
            return f"one made with 'flask': {_USE_ASYNCFLASK}."
        if package in _OTHERS and (callable(value) or "App" in cls.__name__):
            served = _OTHERS[package].format(path=path)
            return (
                f"a {cls.__name__} of {package}, which {served!r} serves. Beside an application of asyncflask"
                " it is mounted: 'app.mount(\"/path\", other)'."
            )
    return ""


def candidates(module: ModuleType, name: str | None = None) -> str:
    """The applications and factories of a module, and the one that is spelled nearly like a name."""
    names = [found for found, value in vars(module).items() if _may_be_meant(module, value)]
    near = get_close_matches(name, names, n=1) if name else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if not names:
        return hint
    return f"{hint} There are: {', '.join(f'{module.__name__}:{found}' for found in sorted(names))}."


def _may_be_meant(module: ModuleType, value: object) -> bool:
    if isinstance(value, Flask):
        return True
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    return any(word in value.__name__ for word in ("app", "create", "make", "factory", "build"))


def module_near(path: str) -> str:
    """The Python file or package that is called nearly like a module that could not be imported."""
    folder, name = os.path.split(os.path.realpath(path))
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith((".", "_"))]
    except OSError:
        return ""
    names = [entry.name.removesuffix(".py") for entry in entries if _is_module(entry)]
    near = get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near and near[0] != name else ""


def _is_module(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".py") or os.path.isfile(os.path.join(entry.path, "__init__.py"))
