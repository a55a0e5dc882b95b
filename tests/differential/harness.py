"""Run one application under Flask and under asyncflask, and compare what a client sees.

A case is a function that takes the framework (the module ``flask`` or ``asyncflask``), builds an
application with it and returns ``(app, steps)`` or ``(app, steps, log)``::

    @case
    def test_hello(fw):
        app = fw.Flask(__name__)

        @app.get("/<name>")
        def hello(name):
            return f"Hello {name}"

        return app, ["/ann", post("/ann")]

``steps`` is a list of requests (a plain string is a GET), or a generator function that takes the test
client and yields what is to be compared: responses, or any value with a stable ``repr``. ``log`` is a list
that the application's functions append to; what a step added to it is compared as well, and so is what
``app.logger`` recorded.

Flask always runs the source as it is written. asyncflask runs it as written, with every view, hook and
handler rewritten to ``async def``, and with every second one (both ways round).

``DIFFERENTIAL_SUBJECT=flask pytest tests/differential`` puts Flask on both sides, to check the cases.
"""

from __future__ import annotations

import ast
import asyncio
import copy
import difflib
import functools
import importlib
import inspect
import logging
import os
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import CodeType, ModuleType
from typing import Any
from unittest import mock

import pytest
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

ORACLE = "flask"
SUBJECT = os.environ.get("DIFFERENTIAL_SUBJECT", "asyncflask")

Build = Callable[[Any], tuple[Any, ...]]


@functools.cache
def framework(name: str) -> ModuleType:
    """The package, with the submodules imported that cases reach as attributes."""
    for submodule in ("cli", "config", "json.provider", "json.tag", "sessions", "testing", "views"):
        importlib.import_module(f"{name}.{submodule}")
    return importlib.import_module(name)


# Steps


@dataclass(frozen=True)
class Request:
    """One request of a list of steps; ``options`` are those of ``client.open``."""

    path: str
    method: str = "GET"
    options: dict[str, Any] = field(default_factory=dict)
    raises: bool = False
    message: bool = False

    def __str__(self) -> str:
        options = "".join(f" {name}={value!r}" for name, value in self.options.items())
        return re.sub(" at 0x[0-9a-f]+", "", f"{self.method} {self.path}{options}")


def _request(method: str, path: str = "/", **options: Any) -> Request:
    return Request(path, method, options)


get, post, put, patch, delete, head, options = (
    functools.partial(_request, method)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
)


def raising(path: str, method: str = "GET", message: bool = False, **options: Any) -> Request:
    """A request whose exception reaches the caller of the client; see :func:`raised` for ``message``."""
    return Request(path, method, options, raises=True, message=message)


def raised(function: Callable[..., Any], *args: Any, message: bool = False, **kwargs: Any) -> str:
    """Describe the exception of a call by its type and, if ``message`` is true, its text.

    The texts of the frameworks' own exceptions differ; those of the application and of Werkzeug do not.
    """
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return f"raised {exception_name(error)}" + (f": {error}" if message else "")
    return f"did not raise, returned {result!r}"


def exception_name(error: BaseException) -> str:
    """The name of the class, or of its first base that is not private to one of the frameworks."""
    return next(
        cls.__name__ for cls in type(error).__mro__ if cls.__module__.split(".")[0] not in {ORACLE, SUBJECT}
    )


# What is compared: a transcript, one block of lines for each thing that was observed


IGNORED_HEADERS = {"date", "server", "connection"}


def transcript(build: Build, name: str) -> list[str]:
    """Build the application with the framework called ``name``, walk its steps, tell what happened."""
    with frozen_time():
        app, steps, *rest = build(framework(name))
        log: list[Any] = rest[0] if rest else []
        blocks = []
        with captured_logger(app.name) as records:
            for title, value in walk(app, steps):
                blocks.append(
                    "\n".join([title, *describe(value), *drain("log", log), *drain("logger", records)])
                )
        return blocks


def walk(
    app: Any, steps: Iterable[str | Request] | Callable[[Any], Iterator[Any]]
) -> Iterator[tuple[str, Any]]:
    client = app.test_client()
    if callable(steps):
        for number, value in enumerate(steps(client), 1):
            yield f"[{number}]", value
        return
    for step in steps:
        request = Request(step) if isinstance(step, str) else step
        send = functools.partial(client.open, request.path, method=request.method, **request.options)
        if request.raises:
            yield (
                f"[{request}]",
                Verbatim(raised(lambda send=send: describe(send()), message=request.message)),
            )
        else:
            yield f"[{request}]", send()


class Verbatim(str):
    """Text that goes into the transcript as it is."""


def describe(value: Any) -> list[str]:
    if isinstance(value, Verbatim):
        return [value]
    if not isinstance(value, TestResponse):
        return [repr(value)]
    body = value.get_data()
    headers = [
        (name.lower(), text) for name, text in value.headers.items() if name.lower() not in IGNORED_HEADERS
    ]
    lines = [f"{name}: {comparable(name, text)}" for name, text in headers]
    lines = [value.status, *sorted(lines), *map(repr, body.splitlines(keepends=True))]
    value.close()
    return lines


def drain(title: str, entries: list[Any]) -> list[str]:
    lines = [f"{title}: {entry!r}" for entry in entries]
    entries.clear()
    return lines


HTTP_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")


def comparable(name: str, text: str) -> str:
    """The value of a header without what two runs need not share.

    ``Allow`` is a set. An expiry in the near future depends on the moment of the run: it is replaced by its
    distance from it, in minutes.
    """
    if name == "allow":
        return ", ".join(sorted(text.split(", ")))
    if name not in {"expires", "set-cookie"}:
        return text

    def distance(match: re.Match[str]) -> str:
        date = datetime.strptime(match[0], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        minutes = round((date - datetime.now(UTC)).total_seconds() / 60)
        return f"<now + {minutes} min>" if -2 < minutes < 60 * 24 * 100 else match[0]

    return HTTP_DATE.sub(distance, text)


class Clock:
    """The time that session cookies are signed with, in seconds since the epoch."""

    now = 1_700_000_000

    def advance(self, seconds: int) -> None:
        self.now += seconds


clock = Clock()


@contextmanager
def frozen_time() -> Iterator[None]:
    """Sign with a fixed time, so that the cookies of both frameworks can be compared byte for byte."""
    clock.now = Clock.now
    with mock.patch.object(TimestampSigner, "get_timestamp", side_effect=lambda: clock.now):
        yield


@contextmanager
def captured_logger(name: str) -> Iterator[list[tuple[str, str]]]:
    """The level, and the exception type or else the message, of what the logger records from WARNING on."""
    records: list[tuple[str, str]] = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            records.append((record.levelname, exception_name(error) if error else record.getMessage()))

    logger, handler = logging.getLogger(name), Capture(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)


def compare(expected: list[str], actual: list[str], title: str) -> None:
    """Fail with a diff of the two transcripts unless they are equal."""
    if expected == actual:
        return
    before, after = ("\n\n".join(blocks).split("\n") for blocks in (expected, actual))
    diff = difflib.unified_diff(before, after, ORACLE, SUBJECT, lineterm="", n=30)
    pytest.fail("\n".join([title, *diff]), pytrace=False)


# From sync source to async source


REGISTER = {
    "route", "get", "post", "put", "patch", "delete", "endpoint", "add_url_rule", "before_request",
    "before_app_request", "after_request", "after_app_request", "after_this_request", "teardown_request",
    "teardown_app_request", "teardown_appcontext", "errorhandler", "app_errorhandler",
    "register_error_handler", "url_value_preprocessor", "app_url_value_preprocessor", "context_processor",
    "app_context_processor", "url_defaults", "app_url_defaults",
}  # fmt: skip
"""Methods that register a function which may be ``async def``."""

VIEW_METHODS = {"dispatch_request", "get", "post", "put", "patch", "delete", "head", "options"}


def variants(
    build: Build, sync: Collection[str], asynchronous: Collection[str]
) -> dict[str, CodeType | None]:
    """The distinct ways to make functions of a case asynchronous, compiled; ``None`` is the case as it is.

    Compiled when the case is defined: a coroutine that a test left behind can disturb the parser.
    """
    if SUBJECT == ORACLE:
        return {"sync": None}
    tree = ast.parse(textwrap.dedent(inspect.getsource(build)))
    ast.increment_lineno(tree, build.__code__.co_firstlineno - 1)
    tree.body[0].decorator_list = []
    lines = candidates(tree, sync, asynchronous)
    choices = {"sync": [], "async": lines, "mixed-even": lines[::2], "mixed-odd": lines[1::2]}
    distinct: dict[frozenset[int], str] = {}
    for name, chosen in choices.items():
        distinct.setdefault(frozenset(chosen), name)
    return {name: compiled(build, tree, chosen) if chosen else None for chosen, name in distinct.items()}


def candidates(tree: ast.Module, sync: Collection[str], asynchronous: Collection[str]) -> list[int]:
    """The line numbers of the functions that may be ``async def``, in the order of the source."""
    lines: set[int] = set()
    registered = set(asynchronous)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and method_name(node) in REGISTER:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            registered |= {argument.id for argument in arguments if isinstance(argument, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base)[-4:] == "View" for base in node.bases):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            lines |= {item.lineno for item in methods if item.name in VIEW_METHODS}
        if isinstance(node, ast.FunctionDef):
            decorated = any(method_name(item) in REGISTER for item in node.decorator_list)
            if (decorated or node.name in registered) and node.name not in sync:
                lines.add(node.lineno)
    return sorted(lines)


def compiled(build: Build, tree: ast.Module, lines: Collection[int]) -> CodeType:
    """The code of the case with the functions at these lines made ``async def``."""
    changed = ast.fix_missing_locations(ToAsync(lines).visit(copy.deepcopy(tree)))
    return compile(changed, inspect.getfile(build), "exec")


class ToAsync(ast.NodeTransformer):
    """Make the functions at some lines ``async def``; each really waits once."""

    def __init__(self, lines: Collection[int]) -> None:
        self.lines = lines

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if node.lineno not in self.lines:
            return node
        fields = dict(ast.iter_fields(node))
        fields["body"] = [*ast.parse("await _pause()").body, *node.body]
        return ast.copy_location(ast.AsyncFunctionDef(**fields), node)


def load(build: Build, code: CodeType | None) -> Build:
    """The function that ``code`` defines, with the globals of the case."""
    if code is None:
        return build
    namespace = {**build.__globals__, "_pause": functools.partial(asyncio.sleep, 0)}
    exec(code, namespace)
    return namespace[build.__name__]


def method_name(node: ast.expr) -> str | None:
    """The ``name`` of ``x.name`` or ``x.name(...)``."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else None


# A case is a test


def case(
    build: Build | None = None, *, sync: Collection[str] = (), asynchronous: Collection[str] = ()
) -> Callable[..., Any]:
    """Make a test of a function that builds an application.

    :param sync: names of inner functions that stay ``def`` in every variant.
    :param asynchronous: names of inner functions to make ``async def`` beside the registered ones.
    """
    if build is None:
        return functools.partial(case, sync=sync, asynchronous=asynchronous)

    codes = variants(build, sync, asynchronous)
    expected = functools.cache(lambda: transcript(build, ORACLE))

    @pytest.mark.parametrize("variant", codes)
    def test(variant: str) -> None:
        actual = transcript(load(build, codes[variant]), SUBJECT)
        compare(expected(), actual, f"{build.__name__}, {variant}")

    test.__name__, test.__doc__, test.__module__ = build.__name__, build.__doc__, build.__module__
    return test
