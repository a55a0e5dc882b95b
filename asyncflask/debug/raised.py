"""An exception and all that led to it, as plain and bounded data.

Everything an exception may do to its reader is met here: a ``__str__`` that raises, ten thousand frames, a
chain that bites its tail, source that is gone.  What writes the data out has only formatting left to do.

Values of local variables are not collected: they hold passwords and keys more often than the cause of an
error.
"""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from os import sep
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

# The bounds: a page of megabytes helps nobody, and a client may have provoked the exception.
CONTEXT_LINES = 5  # source lines before and after the failing one
MAX_EXCEPTIONS = 24  # in all
MAX_CHAIN = 12  # exceptions that led to one another
MAX_MEMBERS = 12  # of one exception group
MAX_NESTING = 5  # exception groups within exception groups
MAX_FRAMES = 40  # of one exception
MAX_SOURCE = 300_000  # characters of source in all
MAX_MESSAGE = 4_000  # characters of a message or note
MAX_NOTES = 20
MAX_LINE = 300  # characters of a source line
MAX_NAME = 500  # characters of a file, function or type name


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source; only the failing one has a ``mark``: its failing part, from column to column."""

    number: int
    text: str
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A call the exception went through; ``library_path`` is None for a file of the application."""

    file: str
    library_path: str | None
    line: int
    function: str
    source: list[SourceLine]

    @property
    def failing_line(self) -> str:
        return next((line.text.strip() for line in self.source if line.mark is not None), "")


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain; an int among its frames stands for that many left out."""

    type: str
    message: str
    notes: list[str]
    frames: list[Frame | int]
    role: str  # what it was to the next newer one of its chain: "cause", "context", or "" for the newest
    members: list[Chain]
    members_left_out: int


# An exception and those that led to it, newest first; an int stands for that many left out.
Chain = list[Raised | int]


def collect(error: BaseException, context_lines: int = CONTEXT_LINES) -> Chain:
    """Collect an exception and those that led to it.

    :param error: the exception, with its traceback.
    :param context_lines: how many lines of source to take before and after a failing one.
    :return: the chain, never empty, chosen as in Python's own traceback (``__cause__``, else ``__context__``
        unless suppressed), newest first.  A chain or traceback over its bound loses its middle.
    """
    return _Collector(context_lines).chain(error)


class _Collector:
    """Keeps the account of what may still be collected."""

    def __init__(self, context_lines: int) -> None:
        self.context_lines = context_lines
        self.exceptions_left = MAX_EXCEPTIONS
        self.source_left = MAX_SOURCE

    def chain(self, error: BaseException, nesting: int = 0) -> Chain:
        limit = max(1, min(MAX_CHAIN, self.exceptions_left))
        return [
            link if isinstance(link, int) else self.raised(*link, nesting)
            for link in cut_middle(list(_links(error)), limit)
        ]

    def raised(self, error: BaseException, role: str, nesting: int) -> Raised:
        self.exceptions_left -= 1
        frames = self.frames(error)
        grouped = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        members: list[Chain] = []
        for member in grouped[:MAX_MEMBERS]:
            if nesting < MAX_NESTING and self.exceptions_left > 0:
                members.append(self.chain(member, nesting + 1))
        left_out = len(grouped) - len(members)
        return Raised(type_name(error), message(error), _notes(error), frames, role, members, left_out)

    def frames(self, error: BaseException) -> list[Frame | int]:
        frames: list[Frame | int] = [
            entry if isinstance(entry, int) else self.frame(*entry)
            for entry in cut_middle(list(_walk(error.__traceback__)), MAX_FRAMES)
        ]
        if isinstance(error, SyntaxError) and isinstance(error.lineno, int):
            frames.append(self.unparsed(error, error.lineno))
        return frames

    def frame(self, frame: FrameType, line: int, instruction: int) -> Frame:
        code = frame.f_code
        source = self.source(code.co_filename, line, _columns(code, line, instruction), frame.f_globals)
        return _frame(code.co_filename, line, _function_name(code), source)

    def unparsed(self, error: SyntaxError, line: int) -> Frame:
        """Where the parser stopped: the real frames end in whatever imported the file."""
        file = error.filename if isinstance(error.filename, str) else "<unknown>"
        source = self.source(file, line, None, {})
        if not source and isinstance(error.text, str):
            source = [SourceLine(line, clean(error.text.rstrip(), MAX_LINE), (0, 0))]
        return _frame(file, line, "", source)

    def source(
        self, file: str, line: int, columns: tuple[int, int] | None, module: dict[str, Any]
    ) -> list[SourceLine]:
        if self.source_left <= 0 or line < 1:
            return []
        try:
            linecache.checkcache(file)
            lines = linecache.getlines(file, module)
        except Exception:  # a module may bring its own loader
            return []
        if line > len(lines):  # the file is gone, or has changed
            return []
        first = max(1, line - self.context_lines)
        source = []
        for number, raw in enumerate(lines[first - 1 : line + self.context_lines], first):
            text = clean(raw.rstrip(), MAX_LINE)
            self.source_left -= len(text)
            if number != line:
                source.append(SourceLine(number, text))
            elif text == raw.rstrip():
                source.append(SourceLine(number, text, _characters(raw, columns)))
            else:  # the columns are those of another text
                source.append(SourceLine(number, text, (0, 0)))
        return source


def type_name(error: BaseException) -> str:
    """The type of an exception as Python's traceback names it."""
    try:
        module, name = type(error).__module__, type(error).__qualname__
        return clean(name if module in ("builtins", "__main__") else f"{module}.{name}", MAX_NAME)
    except Exception:
        return "exception without a name"


def message(error: BaseException) -> str:
    """The message of an exception, or a text that says why it cannot be shown."""
    return _text(error)


def clean(text: str, limit: int) -> str:
    """Shorten a text, and escape what does not print: terminals obey it, UTF-8 may not encode it."""
    text = str.__str__(text)  # of no subclass: a Markup would not be escaped in HTML
    left_out = len(text) - limit
    if left_out > 0:
        text = text[:limit]
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() or character in "\t\n" else ascii(character)[1:-1]
            for character in text
        )
    return f"{text} … ({left_out} more characters)" if left_out > 0 else text


def cut_middle(items: list[T], limit: int) -> list[T | int]:
    """Keep ``limit`` items, half of them from either end, and between them the number left out."""
    if len(items) <= limit:
        return [*items]
    tail = limit // 2
    return [*items[: limit - tail], len(items) - limit, *items[len(items) - tail :]]


def _links(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    seen: set[int] = set()
    link: BaseException | None = error
    role = ""
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link, role
        if link.__cause__ is not None:
            link, role = link.__cause__, "cause"
        elif not link.__suppress_context__:
            link, role = link.__context__, "context"
        else:
            return


def _walk(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int, int]]:
    """The frames of a traceback, each with its line and the offset of its failing instruction."""
    while traceback is not None:
        yield (
            traceback.tb_frame,
            traceback.tb_lineno or 0,
            traceback.tb_lasti,
        )  # generated code may have no line
        traceback = traceback.tb_next


def _columns(code: CodeType, line: int, instruction: int) -> tuple[int, int] | None:
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


def _frame(file: str, line: int, function: str, source: list[SourceLine]) -> Frame:
    path = _library_path(file)
    return Frame(
        clean(file, MAX_NAME), None if path is None else clean(path, MAX_NAME), line, function, source
    )


def _function_name(code: CodeType) -> str:
    # Jinja names a template's code through co_name alone.
    name, qualified = code.co_name, code.co_qualname
    return clean(qualified if qualified.rpartition(".")[2] == name else name, MAX_NAME)


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", ())
    if not isinstance(notes, (list, tuple)):  # nothing keeps a program from writing something else there
        notes = (notes,)
    return [_text(note) for note in notes[:MAX_NOTES]]


def _text(value: object) -> str:
    try:
        return clean(str(value), MAX_MESSAGE)
    except BaseException:  # also a SystemExit: it must not end the server from within __str__
        return "<no text: __str__ failed>"


_LIBRARY_FOLDERS = tuple(
    sorted(
        {folder + sep for name, folder in sysconfig.get_paths().items() if name.endswith("lib")},
        key=len,
        reverse=True,  # site-packages may lie in the standard library's folder
    )
)
_PACKAGE = Path(__file__).parent.parent


def _library_path(file: str) -> str | None:
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
