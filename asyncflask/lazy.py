"""Attributes that are computed when they are first read."""

from __future__ import annotations

from collections.abc import Callable
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
        # Not through __dict__, which would make CPython keep the instance's attributes the slow way.
        setattr(instance, self._name, value)
        return value
