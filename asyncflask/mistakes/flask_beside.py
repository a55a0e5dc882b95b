"""Flask itself in the same process, of which an extension uses the request: there is none in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..protocols import Application

_REMEDY = (
    "Put 'import asyncflask.as_flask' into the first line of the module that starts the program, or use"
    " 'asyncflask run --as-flask', in tests 'pytest -p asyncflask.as_flask': then 'import flask' gives"
    " asyncflask."
)


def explain(error: BaseException) -> str:
    """For what Flask's own proxies raise without a request of Flask's."""
    if not isinstance(error, RuntimeError) or not str(error).startswith("Working outside of "):
        return ""
    flask = _flask()
    if flask is None or str(error) not in _messages(flask):
        return ""
    return f"It is Flask itself that says so, beside asyncflask, which has the request. {_REMEDY}"


def warning(app: Application) -> str:
    """A sentence about extensions of Flask's that an application has, if Flask itself is what they use."""
    flask = _flask()
    if flask is None:
        return ""
    proxies = {id(vars(flask).get(name)) for name in ("current_app", "request", "session", "g")}
    packages: dict[str, None] = {}
    for module in _modules_of(app):
        package = sys.modules.get(module.partition(".")[0])
        for one in filter(None, (sys.modules.get(module), package)):
            if any(id(value) in proxies for value in list(vars(one).values())):
                packages[module.partition(".")[0]] = None
    if not packages:
        return ""
    verb = "uses" if len(packages) == 1 else "use"
    names = ", ".join(packages)
    return f"{names} {verb} Flask itself, beside asyncflask, and will find no request there. {_REMEDY}"


def _flask() -> ModuleType | None:
    """Flask itself, if it has been imported."""
    module = sys.modules.get("flask")
    return None if module is None or module.__name__ != "flask" else module


def _messages(flask: ModuleType) -> Iterable[str]:
    module = sys.modules.get(f"{flask.__name__}.globals")
    return [value for value in vars(module).values() if type(value) is str] if module else []


def _modules_of(app: Application) -> set[str]:
    """The modules of what extensions have put into an application: functions, and objects of theirs."""
    registries = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.template_context_processors,
    )
    functions: list[Any] = [f for registry in registries for listed in registry.values() for f in listed]
    functions += [*app.teardown_appcontext_funcs, *app.view_functions.values()]
    modules = {name for function in functions for name in _modules_around(function)}
    modules.update(type(value).__module__ for value in (*app.extensions.values(), *vars(app).values()))
    return {name for name in modules if name.partition(".")[0] not in _OWN}


_OWN = {"asyncflask", "builtins", "werkzeug", "starlette", "flask", "__main__"} | set(sys.stdlib_module_names)


def _modules_around(function: Callable[..., Any]) -> Iterable[str]:
    """The modules of a function and of the decorators around it."""
    inner: Any = function
    while inner is not None:
        plain = getattr(inner, "__func__", inner)
        yield getattr(plain, "__globals__", {}).get("__name__", "")
        inner = getattr(inner, "__wrapped__", None)
