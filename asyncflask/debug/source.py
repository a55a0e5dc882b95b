"""Lines of source, and whose they are."""

from __future__ import annotations

import linecache
import re
import sysconfig
from dataclasses import dataclass
from itertools import islice
from os import sep
from pathlib import Path
from types import CodeType
from typing import Any

from .text import clean

MAX_LINE = 300  # characters of a source line


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source; only the failing one has a ``mark``: its failing part, from column to column."""

    number: int
    text: str
    mark: tuple[int, int] | None = None


def source_lines(
    file: str, line: int, last: int, columns: tuple[int, int] | None, module: dict[str, Any], context: int
) -> list[SourceLine]:
    """The lines around a failing one; none if the file is gone, or has changed.

    :param file: the file as its code names it.
    :param line: the failing line.
    :param last: the last line that belongs to it; `line`, unless it is a function that is shown.
    :param columns: the failing part of it, see `columns_of`.
    :param module: the globals of its module, whose loader may know the source.
    :param context: how many lines to take before and after.
    """
    if line < 1:
        return []
    try:
        linecache.checkcache(file)
        lines = linecache.getlines(file, module)
    except Exception:  # a module may bring its own loader
        return []
    if line > len(lines):
        return []
    first = max(1, line - context)
    source = []
    for number, raw in enumerate(lines[first - 1 : max(last, line + context)], first):
        text = clean(raw.rstrip(), MAX_LINE)
        if number != line:
            source.append(SourceLine(number, text))
        elif text == raw.rstrip():
            source.append(SourceLine(number, text, _characters(raw, columns)))
        else:  # the columns are those of another text
            source.append(SourceLine(number, text, (0, 0)))
    return source


def columns_of(code: CodeType, line: int, instruction: int) -> tuple[int, int] | None:
    """Where in its line the failing expression stands, in bytes of UTF-8; None if it spans several."""
    if instruction < 0:
        return None
    position = next(islice(code.co_positions(), instruction // 2, None), None)
    if position is None:
        return None
    start_line, end_line, start, end = position
    if start_line != line or end_line != line or start is None or end is None:
        return None
    return start, end


def _characters(line: str, columns: tuple[int, int] | None) -> tuple[int, int]:
    if columns is None:
        return 0, 0
    encoded = line.encode("utf-8", "surrogatepass")
    start, end = (len(encoded[:column].decode("utf-8", "replace")) for column in columns)
    is_whole_line = not (line[:start].strip() or line[end:].strip())
    return (0, 0) if is_whole_line else (start, end)


_LIBRARY_FOLDERS = tuple(
    sorted(
        {folder + sep for name, folder in sysconfig.get_paths().items() if name.endswith("lib")},
        key=len,
        reverse=True,  # site-packages may lie in the standard library's folder
    )
)
# What is between a server and a view. The frames of other libraries tell something.
FRAMEWORK = {"asyncflask", "asyncio", "anyio", "contextlib", "hypercorn", "starlette", "uvicorn"}
FRAMEWORK |= {"click", "jinja2", "werkzeug"}

_PACKAGE = Path(__file__).parent.parent


def definition_line(code: CodeType) -> int:
    """The line of a function's ``def``; its code begins with the decorators."""
    first = code.co_firstlineno
    lines = linecache.getlines(code.co_filename)
    for number, line in enumerate(lines[first - 1 : first + 20], first):
        if re.match(r"\s*(async\s+)?def\b", line):
            return number
    return first


def library_path(file: str) -> str | None:
    """The path of a file within its library; None if the file belongs to the application."""
    if file.startswith("<frozen "):
        return file
    for folder in (f"{sep}site-packages{sep}", f"{sep}dist-packages{sep}"):
        _, found, path = file.rpartition(folder)
        if found:
            return path
    if file.startswith(f"{_PACKAGE}{sep}"):
        return file[len(str(_PACKAGE.parent)) + 1 :]
    return next((file[len(folder) :] for folder in _LIBRARY_FOLDERS if file.startswith(folder)), None)


def folded_frames(libraries: list[str]) -> str:
    """What is written in the place of frames that follow one another.

    :param libraries: the library of each.
    """
    plural = "s" if len(libraries) > 1 else ""
    return f"{len(libraries)} frame{plural} of {' and '.join(dict.fromkeys(libraries))}"


def library_name(path: str) -> str:
    """The name of the library that a path of `library_path` is in."""
    return path.replace("\\", "/").partition("/")[0].removesuffix(".py")
