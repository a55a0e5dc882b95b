"""Server configurations and command lines that start a WSGI server (AF2)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .findings import Finding, Severity

_SUFFIXES = {".ini", ".service", ".conf", ".sh"}
_NAMES = re.compile(
    r"Procfile|Makefile|Dockerfile.*|.*\.dockerfile|(?:docker-)?compose.*\.ya?ml", re.IGNORECASE
)
_GUNICORN = re.compile(r"gunicorn.*\.py|.*gunicorn.*conf.*\.py", re.IGNORECASE)

_UVICORN = "'uvicorn module:app --workers N', or gunicorn with '--worker-class uvicorn_worker.UvicornWorker'"
_MOD_WSGI = "mod_wsgi serves WSGI applications"
_PROXY = "run 'uvicorn module:app' behind Apache's mod_proxy"
_WSGI_SERVERS = {"gunicorn", "waitress-serve", "uwsgi", "mod_wsgi-express", "hupper"}
_APP = re.compile(r"[\w.]+:[\w.]+(?:\(.*\))?")
#: Words before the name of a server that do something else than starting it.
_OTHERWISE = {
    "install",
    "add",
    "remove",
    "uninstall",
    "kill",
    "killall",
    "pkill",
    "systemctl",
    "service",
    "stop",
    "echo",
}
_UWSGI_KEY = re.compile(r"(?:module|wsgi|wsgi-file|callable|mount|plugins?)\s*=")


def is_server_configuration(path: Path) -> bool:
    """Whether a file may tell how to start a server; Python files are not meant."""
    return path.suffix in _SUFFIXES or _NAMES.fullmatch(path.name) is not None


def check_python_configuration(path: Path, tree: ast.Module) -> Iterator[Finding]:
    """Look at a Python file if its name says that a server reads it."""
    if path.suffix == ".wsgi":
        yield Finding(1, 1, "AF204", Severity.ERROR, _MOD_WSGI, _PROXY)
    elif _GUNICORN.fullmatch(path.name):
        yield from _gunicorn_settings(tree)


def _gunicorn_settings(tree: ast.Module) -> Iterator[Finding]:
    settings = {
        target.id: node
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    advice = "worker_class = 'uvicorn_worker.UvicornWorker'"
    chosen = settings.get("worker_class")
    if chosen is not None:
        worker = chosen.value.value if isinstance(chosen.value, ast.Constant) else None
        if isinstance(worker, str) and not _is_asgi(worker):
            line, column = chosen.lineno, chosen.col_offset + 1
            message = f"gunicorn's worker {worker!r} is for WSGI"
            yield Finding(line, column, "AF203", Severity.ERROR, message, advice)
    elif settings.keys() & {"bind", "workers", "wsgi_app", "threads"}:
        message = "without a worker_class, gunicorn's workers are for WSGI"
        yield Finding(1, 1, "AF203", Severity.WARNING, message, f"{advice}, here or on the command line")


def check_configuration(path: Path, text: str) -> Iterator[Finding]:
    """Look through the lines of a file that `is_server_configuration`."""
    section = ""
    for number, column, line in _lines(text):
        if line.startswith("[") and line.rstrip().endswith("]"):
            section = line.strip()
        elif section == "[uwsgi]" and _UWSGI_KEY.match(line):
            yield Finding(number, column, "AF204", Severity.ERROR, "uWSGI serves WSGI applications", _UVICORN)
        elif path.suffix == ".conf" and line.split(maxsplit=1)[0] == "WSGIScriptAlias":
            yield Finding(number, column, "AF204", Severity.ERROR, _MOD_WSGI, _PROXY)
        else:
            yield from _command(number, column, line)


def _lines(text: str) -> Iterator[tuple[int, int, str]]:
    """Number, column and text of the lines with something in them, continued ones in one piece."""
    start, whole = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.lstrip().startswith(("#", ";")):
            continue
        start = start if whole else number
        whole += line
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
            continue
        if whole.strip():
            yield start, len(whole) - len(whole.lstrip()) + 1, whole.strip()
        whole = ""
    if whole.strip():
        yield start, 1, whole.strip()


def _command(number: int, column: int, line: str) -> Iterator[Finding]:
    words = re.sub(r"[\"',\[\]=]", " ", line).split()
    for position, word in enumerate(words):
        name, before, after = word.rpartition("/")[2], words[:position], words[position + 1 :]
        if _OTHERWISE & set(before):
            return
        if name in _WSGI_SERVERS and _starts_an_app(after) and not any(map(_is_asgi, after)):
            yield Finding(
                number, column, "AF204", Severity.ERROR, f"{name} serves WSGI applications", _UVICORN
            )
            return
        if name in ("flask", "quart") and _is_run(after):
            yield Finding(
                number,
                column,
                "AF205",
                Severity.ERROR,
                f"'{name} run' serves applications of {name.title()} itself",
                "'asyncflask run', with '--as-flask' if the application still imports flask",
            )
            return


def _starts_an_app(after: list[str]) -> bool:
    # A configuration file, or a variable, may name the worker.
    if any(word in ("-c", "--config") or word.startswith("$") for word in after):
        return False
    return any(_APP.fullmatch(word) or word.startswith("-") or word.endswith(".ini") for word in after)


def _is_run(after: list[str]) -> bool:
    for position, word in enumerate(after):
        if word == "run":
            return True
        if not word.startswith("-") and not (position and after[position - 1].startswith("-")):
            return False
    return False


def _is_asgi(word: str) -> bool:
    return "uvicorn" in word.lower() or word.lower().endswith("asgi") or word.endswith("_asgi")
