"""Every public name is in the reference of the API, and every key on the page about configuration.

The reference is made by Sphinx' autodoc from the directives of `docs/api`; what these name, and the members
of the classes among them, is what the pages show.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import asyncflask
from asyncflask.channels.settings import Settings
from asyncflask.config import DEFAULTS

DOCS = Path(__file__).resolve().parents[1] / "docs"


def words(text: str) -> set[str]:
    return set(text.split())


#: Modules whose names are in the reference as those of `asyncflask` itself, or not for users. A new module is
#: either of these, or its names are in the reference.
WITHOUT_OWN_NAMES = words(
    """app as_flask asgi background blueprints body check concurrency ctx debug debughelpers disconnect
    draining endpoints entry environ error_handlers ext globals helpers hosts lazy legacy lifespan
    long_waits loops middleware mounting observed protocols redis routing sansio scaffold serving
    shutdown signing variables version websocket wrappers wsgi __main__"""
)
#: Modules further in that users import from.
FURTHER_IN = ["json.provider", "json.fast", "json.tag", "middleware.proxy_fix"]
#: What Flask's modules have as well, and asyncflask for code that imports it from there.
NOT_FOR_USERS = {
    "asyncflask.cli": words(
        """CertParamType F SeparatedPathType find_app_by_string find_best_app get_version
        of_users_code prepare_import routes_command run_command shell_command show_server_banner
        version_option warn_ignored_run"""
    ),
    "asyncflask.config": {"make_timedelta"},
    "asyncflask.json.provider": {"answers_as_default", "scan"},
    "asyncflask.sessions": {"CookieAttributes", "set_signed_cookie", "signed_cookie", "vary_by_cookie"},
    "asyncflask.templating": {"make_environment"},
    "asyncflask.typing": {"AsyncIterator", "Iterable"},
}

DIRECTIVE = re.compile(
    r"^\.\. (?P<kind>[\w:]+):: (?P<name>[\w.]+)$(?P<options>(?:\n   :[\w-]+:.*)*)", re.MULTILINE
)
#: Functions whose text is on the page itself.
BY_HAND = {"asyncflask.cli.pass_script_info"}
#: How a name stands in a table: `request.args`, `data`.
IN_TABLE = re.compile(r"`([\w.]+)`")
PAGES = sorted((DOCS / "api").glob("*.md"))


def documented() -> dict[str, str]:
    """The names that the reference has, whole, and the options of their directives."""
    found: dict[str, str] = {}
    for page in PAGES:
        module = "asyncflask"
        for match in DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
            kind, name = match["kind"], match["name"]
            if kind in ("module", "currentmodule", "automodule"):
                module = name
                continue
            whole = name if name.startswith("asyncflask.") else f"{module}.{name}"
            found[whole] = match["options"]
            if kind == "autoclass" and ":no-members:" not in match["options"]:
                found.update({f"{whole}.{member}": "" for member in shown_members(whole, match["options"])})
        if page.stem == "typing":
            found.update({f"asyncflask.typing.{name}": "" for name in table_names(page)})
    return found


def table_names(page: Path) -> set[str]:
    rows = re.findall(r"^\|.*\|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in IN_TABLE.findall(row.split("|")[1])}


def resolve(name: str) -> Any:
    """The object with a whole name."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return getattr(resolve(module), attribute)


def shown_members(name: str, options: str) -> set[str]:
    """What autodoc shows of a class: its own members, those of its bases with ``:inherited-members:``."""
    cls = resolve(name)
    bases = inspect.getmro(cls)[:-1] if ":inherited-members:" in options else (cls,)
    members = {member for base in bases for member in (*vars(base), *getattr(base, "__annotations__", ()))}
    return {member for member in members if not member.startswith("_")} - excluded(options)


def excluded(options: str) -> set[str]:
    found = re.search(r":exclude-members: (.*)", options)
    return set(re.findall(r"\w+", found[1])) if found else set()


def public_names(module: ModuleType) -> Iterator[str]:
    """The names that a module offers: those of its `__all__`, or those that it makes and are not private."""
    listed = getattr(module, "__all__", None)
    if module is asyncflask:
        # As type checkers see it: `from .x import y as y`, and what is imported late.
        source = inspect.getsource(module)
        names = set(re.findall(r"^\s*from \.\w[\w.]* import \w+ as (\w+)$", source, re.MULTILINE))
    elif listed is not None:
        names = set(listed)
    else:
        names = {
            name
            for name, value in vars(module).items()
            if str(getattr(value, "__module__", "")).startswith(module.__name__)
            and (inspect.isclass(value) or inspect.isfunction(value))
        }
    for name in sorted(names - NOT_FOR_USERS.get(module.__name__, set())):
        if not name.startswith("_") and not inspect.ismodule(getattr(module, name)):
            yield name


def public_modules() -> list[str]:
    top = {module.name for module in pkgutil.iter_modules(asyncflask.__path__)}
    return ["asyncflask", *(f"asyncflask.{name}" for name in [*sorted(top - WITHOUT_OWN_NAMES), *FURTHER_IN])]


NAMES = documented()


@pytest.mark.parametrize("module", public_modules())
def test_public_names_are_in_the_reference(module: str) -> None:
    objects = [value for name in NAMES if (value := found(name)) is not None]
    missing = []
    for name in public_names(importlib.import_module(module)):
        value = found(f"{module}.{name}")
        if f"{module}.{name}" not in NAMES and not any(value is other for other in objects):
            missing.append(name)
    assert not missing, (
        f"Add them to a page in docs/api: {missing}. If they are not for users, name them in this test, or"
        " their module in WITHOUT_OWN_NAMES."
    )


def found(name: str) -> Any:
    """The object as it is defined, None when a constructor sets it."""
    owner, attribute = owner_of(name)
    return getattr(owner, attribute, None) if inspect.ismodule(owner) else vars(owner).get(attribute)


def owner_of(name: str) -> tuple[Any, str]:
    """What a whole name is in, a module or a class, and its name there."""
    owner, _, attribute = name.rpartition(".")
    try:
        return importlib.import_module(owner), attribute
    except ModuleNotFoundError:
        return resolve(owner), attribute


def test_the_reference_names_what_there_is() -> None:
    assert [name for name in NAMES if not exists(name)] == []


def exists(name: str) -> bool:
    owner, attribute = owner_of(name)
    annotated = [
        each for base in getattr(owner, "__mro__", ()) for each in vars(base).get("__annotations__", ())
    ]
    return hasattr(owner, attribute) or attribute in annotated


#: The classes whose every public attribute has to be there, and the page with a table of Werkzeug's.
CLASSES = {
    "asyncflask.Flask": None,
    "asyncflask.Blueprint": None,
    "asyncflask.Config": None,
    "asyncflask.Request": "request",
    "asyncflask.Response": "request",
    "asyncflask.Websocket": "request",
    "asyncflask.channels.Channels": None,
    "asyncflask.channels.Subscription": None,
    "asyncflask.health.Health": None,
    "asyncflask.sessions.SessionInterface": None,
    "asyncflask.sse.ServerSentEvent": None,
    "asyncflask.views.View": None,
    "asyncflask.views.MethodView": None,
}


@pytest.mark.parametrize("name", CLASSES)
def test_attributes_are_in_the_reference(name: str) -> None:
    cls = resolve(name)
    page = CLASSES[name]
    there = table_names(DOCS / "api" / f"{page}.md") if page else set()
    for base in inspect.getmro(cls):
        for documented_class in [found for found in NAMES if resolve_class(found) is base]:
            prefix = f"{documented_class}."
            there |= {each.removeprefix(prefix) for each in NAMES if each.startswith(prefix)}
            there |= excluded(NAMES[documented_class])
    missing = [name for name in dir(cls) if not name.startswith("_") and name not in there | set(dir(dict))]
    assert not missing, (
        f"They are neither in the docstrings that the reference shows, nor in a table: {missing}"
    )


def resolve_class(name: str) -> Any:
    value = found(name)
    return value if inspect.isclass(value) else None


def functions() -> list[str]:
    """The functions and methods among the names."""
    return [name for name in sorted(NAMES) if inspect.isroutine(found(name)) and name not in BY_HAND]


def test_functions_say_what_they_do() -> None:
    assert [name for name in functions() if not inspect.getdoc(resolve(name))] == [], (
        "They have no docstring."
    )


# -- configuration ------------------------------------------------------------------------------

KEY = re.compile(
    r"^### `(?P<key>[A-Z_]+)`\n\n(?P<type>[^\n]+), default `(?P<default>[^`]+)`, "
    r"(?P<origin>Flask(?: 3\.1)?|Quart|asyncflask)\n\n"
    r"(?P<meaning>.+?)\n\nExample: `(?P<example>[^`]+)`$",
    re.MULTILINE | re.DOTALL,
)
KEYS = {
    match["key"]: match for match in KEY.finditer((DOCS / "configuration.md").read_text(encoding="utf-8"))
}
#: Those that count without being in the configuration from the beginning.
CHANNELS = {f"CHANNELS_{name.upper()}": value for name, value in vars(Settings()).items()}
ALL_KEYS = {**DEFAULTS, **CHANNELS}


def test_every_key_is_on_the_page_about_configuration() -> None:
    assert set(KEYS) == set(ALL_KEYS)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_the_page_says_the_default_of_a_key_and_gives_an_example(key: str) -> None:
    default = eval(KEYS[key]["default"], {"timedelta": timedelta})
    assert default == ALL_KEYS[key]
    names: dict[str, Any] = {"timedelta": timedelta}
    exec(KEYS[key]["example"], names)
    assert key in names


def test_keys_of_flask_are_called_so() -> None:
    import flask

    from_flask = {key for key, match in KEYS.items() if match["origin"].startswith("Flask")}
    assert from_flask == set(flask.Flask.default_config)
