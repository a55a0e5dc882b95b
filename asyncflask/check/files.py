"""Which files are looked at, and their text."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from .servers import is_server_configuration

#: Larger files are data or generated.
MAX_SIZE = 4 * 1024 * 1024

PYTHON_SUFFIXES = {".py", ".pyw", ".wsgi"}
_SKIPPED = {"node_modules", "__pycache__", "site-packages"}
_SHEBANG = re.compile(rb"#!.*\bpython")


class UnreadableError(Exception):
    """A file that cannot be read; the message says why."""


def find_files(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """The files to check: those that are named, and of a folder its Python files and server configurations.

    Links are followed, to every folder once. Hidden folders, virtual environments,
    ``node_modules``, ``site-packages`` and ``__pycache__`` are left out.
    A folder that cannot be listed is yielded itself, so that `read` says why.
    """
    seen: set[tuple[int, int]] = set()
    for path in map(Path, paths):
        yield from _find(path, seen) if path.is_dir() else _once(path, seen)


def _find(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    # A stack of our own: folders may be nested deeper than functions can call each other.
    stack = [folder]
    while stack:
        folder = stack.pop()
        try:
            if not _is_new(folder, seen):
                continue
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError:
            yield folder
            continue
        if "pyvenv.cfg" in names:
            continue
        folders = []
        for name in names:
            path = folder / name
            if path.is_dir():
                if not name.startswith(".") and name not in _SKIPPED:
                    folders.append(path)
            elif _is_wanted(path):
                yield from _once(path, seen)
        stack += reversed(folders)


def _once(path: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        if not _is_new(path, seen):
            return
    except OSError:
        pass  # what is wrong is said when it is read
    yield path


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    status = path.stat()
    key = status.st_dev, status.st_ino
    if key in seen:
        return False
    seen.add(key)
    return True


def is_python(path: Path) -> bool:
    """Whether a file is a Python source, by its suffix or, without one, by its first line."""
    if path.suffix:
        return path.suffix in PYTHON_SUFFIXES
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False  # reading from a pipe waits
        with path.open("rb") as file:
            return _SHEBANG.match(file.read(80)) is not None
    except OSError:
        return False


def _is_wanted(path: Path) -> bool:
    return is_server_configuration(path) or is_python(path)


def read(path: Path) -> bytes:
    """The content of a file.

    :raises UnreadableError: if there is none to be had.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is not a file" if not path.is_dir() else "cannot be listed")
        if status.st_size > MAX_SIZE:
            raise UnreadableError(f"is larger than {MAX_SIZE // 1024 // 1024} MiB")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error
