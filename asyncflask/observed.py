"""Noticing that the setup has changed.

Flask closes its setup with the first request, so what a rule needs is worked out once. Extensions change
things later all the same: they put functions into the registries (``app.before_request_funcs.setdefault(None,
[]).append(f)``), set attributes of the application, connect to signals. Each of these makes `setup` another
object *after* the change; what was worked out for one state is worked out anew for the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

C = TypeVar("C", bound=type)
Functions = list[Callable[..., Any]]


#: The state of the setup of all applications of the process: an object of its own after each change. A
#: counter could be set back by another thread.
setup: object = object()


def changed() -> None:
    """Note a change that has been made."""
    global setup
    setup = object()


def observed(*names: str) -> Callable[[C], C]:
    """Decorate a container: calls of these methods are changes."""

    def observe(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def changing(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            finally:
                changed()

        return changing

    def decorate(cls: C) -> C:
        for name in names:
            setattr(cls, name, observe(getattr(cls, name)))
        return cls

    return decorate


_LIST = "append clear extend insert pop remove reverse sort __setitem__ __delitem__ __iadd__ __imul__"
_DICT = "clear pop popitem setdefault update __setitem__ __delitem__ __ior__"


@observed(*_LIST.split())
class FunctionList(list[Callable[..., Any]]):
    """The functions of a registry for the application or for one blueprint."""


@observed(*_DICT.split())
class ObservedDict(dict[Any, Any]):
    """A dict whose changes are noticed."""


@observed(*_DICT.split())
class Registry(defaultdict[Any, Functions]):
    """Functions by the name of the blueprint that they are for, None being the application.

    Somebody may put a list of their own into it, whose changes nobody notices. What depends on such a list is
    worked out for each request, see `is_observed`.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(FunctionList, *args)

    def setdefault(self, key: Any, default: Any = None) -> Functions:
        # The empty list that everybody passes is not to be kept.
        return super().setdefault(key, default) if default else self[key]

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)


@observed(*_DICT.split())
class HandlersByCode(defaultdict[Any, Any]):
    """Error handlers by status code and class."""

    def __init__(self, *args: Any) -> None:
        super().__init__(ObservedDict, *args)


@observed(*_DICT.split())
class ErrorHandlers(defaultdict[Any, Any]):
    """Error handlers by the name of the blueprint that they are for, None being the application."""

    def __init__(self, *args: Any) -> None:
        super().__init__(HandlersByCode, *args)

    @property
    def are_observed(self) -> bool:
        """Whether there are none but what notices its changes."""
        return all(
            type(by_code) is HandlersByCode
            and all(type(by_class) is ObservedDict for by_class in by_code.values())
            for by_code in self.values()
        )


def is_observed(registry: Any, name: Any) -> bool:
    """Whether changes of what a registry has for a name are noticed."""
    functions = registry.get(name)
    return type(registry) is Registry and (functions is None or type(functions) is FunctionList)


#: Registries and other attributes of an application that its class does not have.
_OF_INSTANCES = frozenset(
    (
        "after_request_funcs",
        "after_websocket_funcs",
        "asgi_app",
        "before_request_funcs",
        "before_websocket_funcs",
        "error_handler_spec",
        "json",
        "mounts",
        "subdomain_matching",
        "teardown_appcontext_funcs",
        "teardown_request_funcs",
        "teardown_websocket_funcs",
        "template_context_processors",
        "url_build_error_handlers",
        "url_default_functions",
        "url_map",
        "url_value_preprocessors",
        "view_functions",
    )
)
#: What changes often, or is looked up when it is needed.
_UNOBSERVED = frozenset(("config_class", "debug", "permanent_session_lifetime", "secret_key", "testing"))


def setup_names(cls: type) -> frozenset[str]:
    """The attributes of an application that its layers are made from: methods that can be overridden,
    registries, what is used for each request.

    :param cls: the class of applications.
    """
    return frozenset(name for name in dir(cls) if name[0] != "_") - _UNOBSERVED | _OF_INSTANCES
