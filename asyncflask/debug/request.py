"""What the page tells about the request, the configuration and what is installed."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from inspect import unwrap
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from ..sessions import SecureCookieSessionInterface
from ..version import VERSION
from .masking import HIDDEN, Mask
from .source import definition_line
from .text import clean
from .values import Describer, Value

if TYPE_CHECKING:
    from ..ctx import AppContext
    from ..protocols import Application

MAX_HEADERS = 64
MAX_HEADER = 1_000  # characters of a header's value, and of the request line

PACKAGES = ("starlette", "werkzeug", "jinja2", "uvicorn", "hypercorn", "granian")


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page."""

    title: str
    rows: list[Value]
    #: Whether it can be seen before it is asked for.
    is_open: bool = False


def sections(
    scope: Mapping[str, Any], app: Application | None, ctx: AppContext | None, describer: Describer
) -> list[Section]:
    """The tables of a page; those without rows are left out.

    :param scope: the ASGI scope of the request.
    :param app: the application, None if it is not known.
    :param ctx: the request's context, None if it has not got that far.
    :param describer: describes values and leaves out secrets.
    """
    found = []
    tables: list[tuple[str, Callable[[], list[Value]], bool]] = [
        ("Route", lambda: _route(app, ctx, describer), True),
        ("Query", lambda: _multi(ctx, "args", describer), True),
        ("Form", lambda: _body(ctx, "form", describer), True),
        ("Files", lambda: _body(ctx, "files", describer), True),
        ("JSON", lambda: _json(ctx, describer), True),
        ("Session", lambda: _session(app, ctx, describer), True),
        ("Cookies", lambda: _cookies(app, ctx, describer), False),
        ("Request headers", lambda: list(headers(scope, describer.mask)), False),
        ("Configuration that differs from the defaults", lambda: _config(app, describer), False),
        ("Versions", lambda: _versions(scope), False),
    ]
    is_parsed = ctx is None or "form" in ctx.request.__dict__
    for title, rows, is_open in tables:
        try:
            table = rows()
        except Exception as error:  # a request or session of the application's own
            table = [Value("", f"This cannot be shown: {type(error).__name__}.")]
        if table:
            found.append(Section(title, table, is_open))
    if ctx is not None and not is_parsed and ctx.request.has_something_to_close():
        ctx.request.close()  # the files of a form that only this has looked at
    return found


def request_line(scope: Mapping[str, Any], mask: Mask) -> str:
    """Method, path and query."""
    query = scope.get("query_string")
    parts = (scope.get("method", ""), " ", scope.get("path", ""), "?" if query else "", query or "")
    return clean(mask.text("".join(map(_decoded, parts)).strip()[: 4 * MAX_HEADER]), MAX_HEADER)


def headers(scope: Mapping[str, Any], mask: Mask) -> Iterator[Value]:
    """The headers, secrets among them hidden."""
    for raw_name, raw_value in islice(scope.get("headers", ()), MAX_HEADERS):
        name = clean(_decoded(raw_name), MAX_HEADER)
        value = _decoded(raw_value)[: 4 * MAX_HEADER]
        hidden = mask.learn(name, value) or "session" in name.lower()
        yield Value(name, HIDDEN if hidden else clean(mask.text(value), MAX_HEADER))


def learn_secrets(
    scope: Mapping[str, Any], app: Application | None, ctx: AppContext | None, mask: Mask
) -> None:
    """Take note of the secrets before any value is described: they turn up under other names."""
    for raw_name, raw_value in islice(scope.get("headers", ()), MAX_HEADERS):
        mask.learn(_decoded(raw_name), _decoded(raw_value).partition(" ")[2] or _decoded(raw_value))
    groups: list[Any] = []
    if app is not None:
        groups.append(app.config)
    if ctx is not None:
        groups += [ctx.request.view_args, ctx.request.args, ctx.request.cookies, ctx._session]
        groups.append(ctx.request.__dict__.get("form"))
    for group in groups:
        if isinstance(group, Mapping):
            for name, value in list(group.items()):
                mask.learn(name, value)


def view_of(app: Application | None, ctx: AppContext | None) -> Any:
    """The function that serves the request, without its decorators; None if it is not known."""
    if app is None or ctx is None or ctx.request.endpoint is None:
        return None
    view: Any = app.view_functions.get(ctx.request.endpoint)
    cls = getattr(view, "view_class", None)
    if cls is not None:
        view = getattr(cls, ctx.request.method.lower(), None) or cls.dispatch_request
    view = unwrap(view) if view is not None else None
    return view if hasattr(view, "__code__") else None


def _route(app: Application | None, ctx: AppContext | None, describer: Describer) -> list[Value]:
    if ctx is None:
        return []
    request = ctx.request
    rows = []
    if request.url_rule is not None:
        rows.append(Value("rule", clean(str(request.url_rule.rule), 500)))
        rows.append(Value("endpoint", clean(str(request.endpoint), 500)))
    view = view_of(app, ctx)
    if view is not None:
        code = view.__code__
        kind = "async def" if code.co_flags & 0x80 else "def"
        place = f"{kind} {view.__qualname__}, {code.co_filename} line {definition_line(code)}"
        rows.append(Value("view", clean(place, 1_000)))
    if request.blueprints:
        rows.append(Value("blueprint", clean(", ".join(request.blueprints), 500)))
    if request.view_args:
        rows += [
            Value(f"argument {row.name}", row.text) for row in describer.table(request.view_args.items())
        ]
    return rows


def _multi(ctx: AppContext | None, name: str, describer: Describer) -> list[Value]:
    """One of the request's dictionaries with several values to a key."""
    if ctx is None:
        return []
    values = getattr(ctx.request, name)
    return describer.table((key, value) for key, several in values.lists() for value in several)


def _body(ctx: AppContext | None, name: str, describer: Describer) -> list[Value]:
    """The form or the files, if the body has come."""
    if ctx is None or not ctx.request.has_body:
        return []
    if "form" not in ctx.request.__dict__ and not ctx.request.body.complete:
        return [Value("", "The body has not been received.")] if name == "form" else []
    if name == "form":
        return _multi(ctx, name, describer)
    return describer.table(
        (key, f"{file.filename} ({file.mimetype})") for key, file in ctx.request.files.items(multi=True)
    )


def _json(ctx: AppContext | None, describer: Describer) -> list[Value]:
    if ctx is None:
        return []
    value = next((value for value in ctx.request._cached_json if value is not Ellipsis), None)
    if value is None:
        return []
    return describer.table(value.items()) if isinstance(value, dict) else [Value("", describer.value(value))]


def _session(app: Application | None, ctx: AppContext | None, describer: Describer) -> list[Value]:
    if app is None or ctx is None:
        return []
    session = ctx._session
    # That of another interface may be in a database, which is not asked for an error's sake.
    if session is None and type(app.session_interface) is SecureCookieSessionInterface:
        session = app.session_interface.open_session(cast("Any", app), ctx.request)
    return describer.table(session.items()) if isinstance(session, Mapping) else []


def _cookies(app: Application | None, ctx: AppContext | None, describer: Describer) -> list[Value]:
    if ctx is None:
        return []
    session_name = None if app is None else app.config["SESSION_COOKIE_NAME"]
    rows = describer.table(ctx.request.cookies.items(multi=True))
    return [
        Value(row.name, HIDDEN) if row.name == session_name or "session" in row.name.lower() else row
        for row in rows
    ]


def _config(app: Application | None, describer: Describer) -> list[Value]:
    if app is None:
        return []
    defaults = app.default_config
    missing = object()
    return describer.table(
        (name, value) for name, value in sorted(app.config.items()) if defaults.get(name, missing) != value
    )


def _versions(scope: Mapping[str, Any]) -> list[Value]:
    rows = [
        Value("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        Value("platform", platform.platform()),
    ]
    rows.append(Value("asyncflask", VERSION))
    rows += [Value(name, found) for name in PACKAGES if (found := _version(name))]
    asgi = scope.get("asgi")
    if isinstance(asgi, Mapping):
        rows.append(Value("ASGI", clean(f"{asgi.get('version')}, HTTP {asgi.get('spec_version')}", 100)))
    return rows


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _decoded(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
