"""Which modules and names there are in asyncflask and what it is built on.

They are looked up in what is installed, so that there is no list to go out of date. Nothing of
the code that is checked is imported.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType

from ..legacy import _MODULE_NAMES

#: Importing these does something.
_NOT_IMPORTED = {"asyncflask.as_flask", "asyncflask.__main__"}

#: What asyncflask is built on, and code for Flask imports from, by the names of the distributions.
BUILT_ON = {
    "werkzeug": "Werkzeug",
    "jinja2": "Jinja2",
    "markupsafe": "MarkupSafe",
    "itsdangerous": "itsdangerous",
}


@cache
def has_module(module: str) -> bool:
    """Whether there is a module of that name."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@cache
def is_module(path: str) -> bool:
    """Whether a dotted expression is a module: ``asyncflask.websocket`` is a proxy, though there is one."""
    if not has_module(path):
        return False
    parent, _, name = path.rpartition(".")
    if not parent:
        return True
    with warnings.catch_warnings(action="ignore"):
        value = getattr(import_module(parent), name, None)
    return value is None or isinstance(value, ModuleType)


@cache
def has_name(module: str, name: str) -> bool:
    """Whether a name can be imported from a module that there is. Old names that still work count."""
    if name in _MODULE_NAMES.get(module, ()) or module in _NOT_IMPORTED:
        return True
    try:
        with warnings.catch_warnings(action="ignore"):
            return hasattr(import_module(module), name) or has_module(f"{module}.{name}")
    except ImportError:
        return True  # it needs what is not installed here: nothing is known


@cache
def describe(package: str) -> str:
    """A distribution of `BUILT_ON` with its version, for messages."""
    return f"{BUILT_ON[package]} {version(BUILT_ON[package])}"
