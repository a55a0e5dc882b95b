"""Reads a module's syntax tree in the order in which it would run, and tells rules what it meets."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import PurePath

from .names import Scope, path_of_import
from .rule import Function, FunctionNode, Place, Rule

_CLASSES_KEPT = ("flask.Flask", "flask.Blueprint", "flask.views.View", "flask.views.MethodView")

#: Parts of expressions that have no parts, and of which nothing is told.
_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


class Walker(Place):
    """Reads one module.

    :param path: of the file. The names of the file and the folders tell how other modules import it.
    :param rules: called for everything in it.
    """

    def __init__(self, path: PurePath, rules: Sequence[Rule]) -> None:
        super().__init__(path)
        self.rules = rules
        for rule in rules:
            rule.place = self
        self._bases: list[str] = []
        self._in_handler = False
        self._later: deque[Callable[[], None]] = deque()

    def run(self, tree: ast.Module) -> None:
        """Read everything. A function's body is read after all that surrounds it, when its names are known.

        :raises RecursionError: if something is nested too deeply.
        """
        self._block(tree.body)
        while self._later:
            self._later.popleft()()

    def _bind(self, target: ast.expr, path: str) -> None:
        # What comes after `except ImportError:` is the second choice.
        self.scope.bind(target, path, second_choice=self._in_handler)

    def _bind_import(self, name: str, path: str) -> None:
        self._bind(ast.Name(name), path_of_import(path))

    # -- statements -----------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef():
                self._class(node)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                self._expression(annotation)
                self._assign([target], value)
            case ast.AugAssign(target=target, value=value):
                self._expression(value)
                self._expression(target)
            case ast.Return(value=ast.expr() as value):
                self._expression(value)
                self._handed_out(value)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.For(target=target, iter=iterable) | ast.AsyncFor(target=target, iter=iterable):
                self._expression(iterable)
                if isinstance(node, ast.AsyncFor):
                    path = self.path_of(iterable)
                    for rule in self.rules:
                        rule.iterated(iterable, path)
                self._expression(target)
                self._bind(target, "?")
                self._block(node.body)
                self._block(node.orelse)
            case ast.If(test=test):
                self._expression(test)
                with self._guard(asked=_names_asked_for(test), caught=_caught_by_test(test)):
                    self._block(node.body)
                    self._block(node.orelse)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case _:
                self._others(node)

    def _others(self, node: ast.AST) -> None:
        """The parts of a statement for which there is nothing special to do."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child)
            elif isinstance(child, ast.expr):
                self._expression(child)
            elif isinstance(child, ast.match_case):
                for part in ast.walk(child.pattern):
                    name = getattr(part, "name", None) or getattr(part, "rest", None)
                    if name:
                        self._bind(ast.Name(name), "?")
                self._others(child)

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr | None) -> None:
        for rule in self.rules:
            for target in targets:
                rule.assigned(target, value)
                for part in getattr(target, "elts", ()):
                    rule.assigned(part, None)
        if value is not None:
            self._expression(value)
        for target in targets:
            self._expression(target)
            if value is not None:
                self._bind(target, self.path_of(value))

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        is_async = isinstance(node, ast.AsyncWith)
        for item in node.items:
            expression = item.context_expr
            self._expression(expression)
            path = self.path_of(expression)
            for rule in self.rules:
                rule.entered(expression, path, is_async)
            if item.optional_vars is not None:
                # What `async with` gives is mostly another object: an awaited client, a cursor.
                self._bind(item.optional_vars, f"{path}:async" if is_async else path)
        self._block(node.body)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        caught: set[str] = set()
        for handler in node.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            names = {"Exception" if kind is None else self.path_of(kind) for kind in kinds}
            # Only around imports is catching everything meant for these.
            if all(isinstance(part, ast.Import | ast.ImportFrom | ast.Assign) for part in node.body):
                names = {"ImportError" if name in ("Exception", "BaseException") else name for name in names}
            caught |= {"ImportError" if name == "ModuleNotFoundError" else name for name in names}
        with self._guard(caught=caught):
            self._block(node.body)
        self._block(node.orelse)
        before, self._in_handler = self._in_handler, True
        for handler in node.handlers:
            if handler.name:
                self._bind(ast.Name(handler.name), "?")
            with self._guard(caught=caught):
                self._block(handler.body)
        self._in_handler = before
        self._block(node.finalbody)

    @contextmanager
    def _guard(
        self, asked: AbstractSet[str] = frozenset(), caught: AbstractSet[str] = frozenset()
    ) -> Iterator[None]:
        before = self.asked, self.caught
        self.asked, self.caught = self.asked | asked, self.caught | caught
        try:
            yield
        finally:
            self.asked, self.caught = before

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        level = getattr(node, "level", 0)
        if isinstance(node, ast.Import):
            for alias in node.names:
                for rule in self.rules:
                    rule.imported(alias, alias.name, None)
                self._bind_import(
                    alias.asname or alias.name.partition(".")[0],
                    alias.name if alias.asname else alias.name.partition(".")[0],
                )
            return
        module = node.module or ""
        for alias in node.names:
            if level:
                folders = [*self.package[: len(self.package) - level + 1][-1:], *filter(None, [module])]
                path = ":" + ".".join([*folders, alias.name])
            else:
                for rule in self.rules:
                    rule.imported(alias, module, alias.name)
                path = f"{module}.{alias.name}"
            if alias.name != "*":
                self._bind_import(alias.asname or alias.name, path)

    def _function(self, node: FunctionNode) -> None:
        function = Function(
            node.name,
            isinstance(node, ast.AsyncFunctionDef),
            f":{self.stem}.{node.name}" if self.scope.parent is None else "",
            [self.path_of(decorator) for decorator in node.decorator_list],
            self._bases if self.scope.is_class else [],
        )
        annotations = [argument.annotation for argument in _arguments(node.args)] + [node.returns]
        for expression in filter(
            None, (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *annotations)
        ):
            self._expression(expression)
        for rule in self.rules:
            rule.defined(node, function)
        self._bind(ast.Name(node.name), function.key or f"?{node.name}")
        scope, asked, caught = self.scope, self.asked, self.caught

        def read_body() -> None:
            self.scope, self.function, self.asked, self.caught = Scope(scope), function, asked, caught
            for argument in _arguments(node.args):
                self.scope.paths[argument.arg] = f"?{argument.arg}"
            self._block(node.body)

        self._later.append(read_body)

    def _class(self, node: ast.ClassDef) -> None:
        for expression in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self._expression(expression)
        bases = [self.path_of(base) for base in node.bases]
        for rule in self.rules:
            rule.class_(node, bases)
        kept = [base for base in bases if base in _CLASSES_KEPT]
        self._bind(ast.Name(node.name), kept[0] if kept else f":{self.stem}.{node.name}")
        outer, self.scope = self.scope, Scope(self.scope, is_class=True)
        outer_bases, self._bases = self._bases, bases
        self._block(node.body)
        self.scope, self._bases = outer, outer_bases

    # -- expressions ----------------------------------------------------------------------------

    def _expression(self, node: ast.expr) -> None:
        outer = self.function
        awaited: set[ast.expr] = set()
        # A stack of our own, because a long sum or chain of calls is a deep tree.
        stack: list[tuple[ast.AST, Function | None]] = [(node, outer)]
        while stack:
            part, self.function = stack.pop()
            self._tell_expression(part, awaited)
            if isinstance(part, ast.Lambda):
                inner = Function("<lambda>", is_async=False)
                stack.append((part.body, inner))
                stack += [(default, self.function) for default in part.args.defaults]
            else:
                children = [child for child in ast.iter_child_nodes(part) if not isinstance(child, _LEAVES)]
                stack += [(child, self.function) for child in reversed(children)]
        self.function = outer

    def _tell_expression(self, node: ast.AST, awaited: set[ast.expr]) -> None:
        match node:
            case ast.Attribute():
                path = self.path_of(node)
                for rule in self.rules:
                    rule.attribute(node, path)
            case ast.Call(func=func):
                path = self.path_of(func)
                for rule in self.rules:
                    rule.call(node, path, node in awaited)
            case ast.Await(value=value):
                awaited.add(value)
                path = self.path_of(value)
                for rule in self.rules:
                    rule.await_(node, path)
            case ast.Subscript(value=value):
                path = self.path_of(value)
                for rule in self.rules:
                    rule.subscript(node, path)
            case ast.NamedExpr(target=target, value=value):
                self._bind(target, self.path_of(value))
            case ast.Yield(value=ast.expr() as value):
                self._handed_out(value)

    def _handed_out(self, node: ast.expr) -> None:
        path = self.path_of(node)
        for rule in self.rules:
            rule.handed_out(node, path)


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from filter(None, (arguments.vararg, arguments.kwarg))


def _names_asked_for(test: ast.expr) -> set[str]:
    return {
        str(part.args[1].value)
        for part in ast.walk(test)
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Name)
        and part.func.id in ("hasattr", "getattr")
        and len(part.args) > 1
        and isinstance(part.args[1], ast.Constant)
    }


def _caught_by_test(test: ast.expr) -> set[str]:
    """``if TYPE_CHECKING:``, ``if sys.version_info < (3,):`` and ``if hasattr(...):`` guard imports, too."""
    names = {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(test)}
    guards = {"TYPE_CHECKING", "version_info", "PY2", "PY3", "hasattr"}
    return {"ImportError"} if names & guards else set()
