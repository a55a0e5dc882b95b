"""The rooms of the package: who imports whom, also for type checkers only and inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import asyncflask

PACKAGE = Path(asyncflask.__file__).parent

#: What a user's editor is asked about: the class, not a protocol.
SEEN = "seen"
#: What users override, with the class in the signature: a protocol there would make their override an error.
OVERRIDDEN = "overridden"
#: What a small application does not need to serve, imported when it is asked for.
LATE = "late"
#: Names of old tutorials, imported when one of them is used.
OLD = "old"

#: The imports that lead back up: who, whom, why. No others may.
ALLOWED: dict[tuple[str, str], str] = {
    ("globals", "app"): SEEN,  # current_app
    ("globals", "ctx"): SEEN,  # g, app_ctx
    ("globals", "sessions"): SEEN,  # session
    ("globals", "websocket"): SEEN,  # websocket
    ("globals", "wrappers"): SEEN,  # request
    ("ctx", "app"): SEEN,  # the attribute of the contexts
    ("helpers", "wrappers"): SEEN,  # what make_response() and send_file() return
    ("json", "wrappers"): SEEN,  # what jsonify() returns
    ("json.provider", "wrappers"): SEEN,  # what app.json.response() returns
    ("sessions", "app"): OVERRIDDEN,  # SessionInterface.open_session, ...
    ("blueprints", "app"): OVERRIDDEN,  # Blueprint.register, BlueprintSetupState.app
    ("scaffold", "cli"): LATE,  # app.cli
    ("app", "cli"): LATE,  # app.cli
    ("app", "cli.app_run"): LATE,  # app.run()
    ("app", "testing"): LATE,  # app.test_client(), ...
    ("asyncflask", "cli"): LATE,  # asyncflask.cli
    ("asyncflask", "as_flask"): LATE,  # ASYNCFLASK_AS_FLASK=1
    ("cli.run", "cli"): LATE,  # whose banner programs replace
    ("app", "legacy"): OLD,
    ("blueprints", "legacy"): OLD,
    ("globals", "legacy"): OLD,
    ("json", "legacy"): OLD,
    ("scaffold", "legacy"): OLD,
    ("middleware", "legacy"): OLD,
}


def modules() -> dict[str, Path]:
    return {
        ".".join(("asyncflask", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in PACKAGE.rglob("*.py")
    }


MODULES = modules()


@cache
def imported_by(name: str) -> set[str]:
    """The modules of the package that one of them imports, anywhere in its file."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            while target and target not in MODULES:
                target = target.rpartition(".")[0]
            if target and target != name:
                found.add(target)
            # To import a module is to import the folders that it is in, unless one is in there oneself.
            while (target := target.rpartition(".")[0]) not in ("", "asyncflask"):
                if not f"{name}.".startswith(f"{target}."):
                    found.add(target)
    return found


def cycles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """A cycle from each part of the graph that has any."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str] | None:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return None
        for target in sorted(graph[name]):
            cycle = visit(target, [*way, name])
            if cycle is not None:
                return cycle
        done.add(name)
        return None

    for name in sorted(graph):
        cycle = visit(name, [])
        if cycle is not None:
            yield cycle
            done.update(cycle)


def graph_without(allowed: set[tuple[str, str]]) -> dict[str, set[str]]:
    def short(name: str) -> str:
        return name.removeprefix("asyncflask.")

    return {
        name: {target for target in imported_by(name) if (short(name), short(target)) not in allowed}
        for name in MODULES
    }


def test_no_room_leads_back_to_itself() -> None:
    found = [" -> ".join(cycle) for cycle in cycles(graph_without(set(ALLOWED)))]
    assert not found, "these modules import each other:\n" + "\n".join(found)


def test_each_exception_is_one() -> None:
    """What is allowed but leads to no cycle any more is to be taken off the list."""
    for edge in ALLOWED:
        assert list(cycles(graph_without(set(ALLOWED) - {edge}))), f"{edge} needs no exception"
