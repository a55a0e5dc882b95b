"""What holds up the event loop, or wants one of its own (AF4)."""

from __future__ import annotations

import ast
import re

from .findings import FileReport
from .project import Check, Project
from .rule import Function, FunctionNode
from .waiting import FILES, MODEL_QUERY, THREAD, instead_of

#: Decorators of what is called in a request.
_VIEW_DECORATORS = re.compile(
    r".\.(?:(?:app_)?(?:route|errorhandler)\(\)|(?:get|post|put|patch|delete)\(\)|(?:before|after|teardown)_(?:app_)?request"
    r"|(?:app_)?context_processor)"
)
_VIEW_BASES = {"flask.views.View", "flask.views.MethodView"}


def first_wait(project: Project, path: str) -> list[str]:
    """The way from a function of the code base to something that waits: paths, the last one waits."""
    ways = [[path]]
    seen = {path}
    for way in ways:
        for called in map(project.expand, project.calls_of(way[-1])):
            if instead_of(called):
                return [*way, called]
            if called not in seen:
                seen.add(called)
                ways.append([*way, called])
    return []


def _shown(path: str) -> str:
    """A path for messages."""
    return f"{path.lstrip(':?')}()"


class BlockingCheck(Check):
    """Calls that wait inside ``async def``, and event loops besides the server's."""

    def __init__(self, report: FileReport, project: Project) -> None:
        super().__init__(report, project)
        self._called: dict[str, list[str]] = {}

    def defined(self, node: FunctionNode, function: Function) -> None:
        if function.is_async and not self._is_test(function):
            self.project.has_async_functions = True
        # A decorator may put it into a thread, and calling a generator runs nothing.
        if function.key and not function.is_async and not node.decorator_list and not _is_generator(node):
            self._called[function.key] = self.project.add_function(function.key)

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        if module.partition(".")[0] == "flask_sqlalchemy":
            self.project.uses_flask_sqlalchemy = True
        elif module == "asgiref.sync" and name == "async_to_sync":
            self.warning(
                node,
                "AF405",
                "async_to_sync() runs functions on another loop than the server's",
                "make the view 'async def' and await, or use app.ensure_sync(function)",
            )

    def assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        in_module = self.place.function is None and not self.place.scope.is_class
        if in_module and isinstance(target, ast.Name) and value is not None:
            path = self.place.path_of(value)
            if path.endswith(")") and not path.startswith("?"):
                self.project.add_variable(f"{self.place.stem}.{target.id}", path)

    def class_(self, node: ast.ClassDef, bases: list[str]) -> None:
        if "threading.local" in bases:
            self._thread_local(node)

    def call(self, node: ast.Call, path: str, awaited: bool) -> None:
        if path == "threading.local":
            self._thread_local(node)
        elif path == "nest_asyncio.apply":
            self.error(
                node,
                "AF404",
                "nest_asyncio cannot patch the server's loop, uvloop's",
                "leave it out: 'async def' functions run on the server's loop",
            )
        function = self.place.function
        if function is None:
            return
        self._called.get(function.key, []).append(path)
        if path == "asyncio.run" or path.endswith(".run_until_complete"):
            self._run(node, path, function)
        elif path == "asgiref.sync.async_to_sync" and function.is_async:
            self.error(
                node, "AF405", "async_to_sync() cannot wait where an event loop runs", "await the function"
            )
        elif function.is_async and not awaited and not self._is_test(function):
            self._in_async(node, path)

    def _in_async(self, node: ast.Call, path: str) -> None:
        if FILES.fullmatch(path):
            self.note(
                node,
                "AF406",
                f"{_shown(path)} inside 'async def' holds up the loop as long as the disk takes",
                THREAD,
            )
        elif instead_of(path):
            self._waits(node, path)
        elif not path.startswith("?"):
            self.project.later.append(lambda: self._in_async_later(node, path))
        if MODEL_QUERY.fullmatch(path):
            self.project.later.append(lambda: self._model_query(node, path))

    def _in_async_later(self, node: ast.Call, path: str) -> None:
        expanded = self.project.expand(path)
        if instead_of(expanded):
            self._waits(node, expanded)
            return
        way = first_wait(self.project, path)
        if way:
            self.warning(
                node,
                "AF402",
                f"{' -> '.join(map(_shown, way))} inside 'async def' holds up all requests",
                instead_of(way[-1]) or THREAD,
            )

    def _model_query(self, node: ast.Call, path: str) -> None:
        if self.project.uses_flask_sqlalchemy:
            self._waits(node, path)

    def _waits(self, node: ast.Call, path: str) -> None:
        self.warning(
            node,
            "AF401",
            f"{_shown(path)} inside 'async def' holds up all requests",
            instead_of(path) or THREAD,
        )

    def _thread_local(self, node: ast.Call | ast.ClassDef) -> None:
        def report() -> None:
            if self.project.has_async_functions:
                self.warning(
                    node,
                    "AF403",
                    "'async def' functions of all requests are in one thread, and share threading.local",
                    "use flask.g, or a contextvars.ContextVar",
                )
            else:
                self.note(
                    node,
                    "AF403",
                    "threading.local is shared by all requests once functions are 'async def'",
                    "use flask.g, or a contextvars.ContextVar",
                )

        self.project.later.append(report)

    def _run(self, node: ast.Call, path: str, function: Function) -> None:
        if function.is_async:
            self.error(
                node,
                "AF404",
                f"{_shown(path)} inside 'async def' raises RuntimeError: the loop is running already",
                "await the coroutine",
            )
        elif self._is_view(function):
            self.warning(
                node,
                "AF404",
                f"{_shown(path)} in a view makes a loop of its own for every request",
                "make the view 'async def' and await the coroutine",
            )

    def _is_view(self, function: Function) -> bool:
        return bool(self.report.imports) and (
            bool(_VIEW_BASES & set(function.bases)) or any(map(_VIEW_DECORATORS.search, function.decorators))
        )

    def _is_test(self, function: Function) -> bool:
        """Whether nothing else is to run on the loop."""
        stem = self.place.stem
        return function.name.startswith("test") or stem.startswith("test_") or stem == "conftest"


def _is_generator(node: FunctionNode) -> bool:
    parts: list[ast.AST] = list(node.body)
    for part in parts:
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            parts += ast.iter_child_nodes(part)
    return False
