"""Attributes that are computed, and names that are imported, when they are first read.

What is imported late is what a small application has no use for when it serves: click and the command line,
Jinja, the page for tracebacks, greenlets. That is a quarter of the time to import it all, and 4 MiB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):
    """Compute an attribute when it is first read; afterwards it is a plain one of the instance.

    Unlike `functools.cached_property` it takes no lock (Python 3.11 does), and
    unlike Werkzeug's ``cached_property`` it is out of the way once computed.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | lazy[T]:
        if instance is None:
            return self
        value = self._compute(instance)
        # Not through __dict__, which would make CPython keep the instance's attributes the slow way, nor as a
        # change.
        object.__setattr__(instance, self._name, value)
        return value


def import_name(target: str) -> Any:
    """What ``"package.module"`` or ``"package.module:name"`` stands for."""
    module, _, name = target.partition(":")
    found = import_module(module)
    return getattr(found, name) if name else found


def importing(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module, with names that are imported when they are first asked for.

    :param module: the module's ``__name__``.
    :param names: where they are found, see `import_name`.
    """

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = import_name(names[name])
        setattr(sys.modules[module], name, value)
        return value

    return __getattr__


class imported:
    """A class attribute whose value is imported when it is read. A subclass or an instance may set another.

    :param target: where it is found, see `import_name`.
    """

    def __init__(self, target: str) -> None:
        self._target = target

    def __get__(self, instance: object | None, owner: type) -> Any:
        return import_name(self._target)
