"""An exception and all that led to it, as plain and bounded data.

Everything an exception may do to its reader is met here: a ``__str__`` that raises, ten thousand frames, a
chain that bites its tail, source that is gone.  What writes the data out has only formatting left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any

from .source import SourceLine, columns_of, definition_line, library_path, source_lines
from .text import MAX_NAME, clean, cut_middle, text_of, type_name
from .values import Describer, Value

# The bounds: a page of megabytes helps nobody, and a client may have provoked the exception.
CONTEXT_LINES = 5  # source lines before and after the failing one
MAX_EXCEPTIONS = 24  # in all
MAX_CHAIN = 12  # exceptions that led to one another
MAX_MEMBERS = 12  # of one exception group
MAX_NESTING = 5  # exception groups within exception groups
MAX_FRAMES = 40  # of one exception
MAX_SOURCE = 300_000  # characters of source in all
MAX_NOTES = 20
MAX_FUNCTION = 12  # lines of a function that is shown from its beginning

#: The names that a frame knows: the globals of its module, its own locals.
Namespace = tuple[dict[str, Any], dict[str, Any]]
#: What to add to the message of an exception, which was raised in that frame.
Hint = Callable[[BaseException, FrameType | None], str]


@dataclass(frozen=True, slots=True)
class Frame:
    """A call the exception went through; ``library_path`` is None for a file of the application."""

    file: str
    library_path: str | None
    line: int
    function: str
    source: list[SourceLine]
    #: The local variables, if this is a frame of the application and they were asked for.
    values: list[Value]
    #: Its place among the namespaces that were kept, None if it has none.
    number: int | None = None
    #: What it has to do with the exception, where it was no call that it went through.
    why: str = ""

    @property
    def failing_line(self) -> str:
        return next((line.text.strip() for line in self.source if line.mark is not None), "")


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain; an int among its frames stands for that many left out."""

    type: str
    message: str
    #: What to do about it, "Did you mean ...?".
    hint: str
    notes: list[str]
    frames: list[Frame | int]
    role: str  # what it was to the next newer one of its chain: "cause", "context", or "" for the newest
    members: list[Chain]
    members_left_out: int


# An exception and those that led to it, newest first; an int stands for that many left out.
Chain = list[Raised | int]


class Collector:
    """Collects exceptions, and keeps the account of what may still be collected.

    :param context_lines: how many lines of source to take before and after a failing one.
    :param describer: describes local variables; None for none.
    :param hint: finds what to add to a message.
    :param namespaces: a list to keep the names of each frame in; None for none.
    :param view: the view function whose value has to do with the exception, if its own frame is gone.
    """

    def __init__(
        self,
        context_lines: int = CONTEXT_LINES,
        describer: Describer | None = None,
        hint: Hint | None = None,
        namespaces: list[Namespace] | None = None,
        view: Callable[..., Any] | None = None,
    ) -> None:
        self.context_lines = context_lines
        self.describer = describer
        self.hint = hint
        self.namespaces = namespaces
        self.view = view
        self.exceptions_left = MAX_EXCEPTIONS
        self.source_left = MAX_SOURCE

    def chain(self, error: BaseException, nesting: int = 0) -> Chain:
        """Collect an exception and those that led to it.

        :param error: the exception, with its traceback.
        :return: the chain, never empty, chosen as in Python's own traceback (``__cause__``, else
            ``__context__`` unless suppressed), newest first.  A chain or traceback over its bound loses its
            middle.
        """
        limit = max(1, min(MAX_CHAIN, self.exceptions_left))
        return [
            link if isinstance(link, int) else self.raised(*link, nesting)
            for link in cut_middle(list(_links(error)), limit)
        ]

    def raised(self, error: BaseException, role: str, nesting: int) -> Raised:
        self.exceptions_left -= 1
        frames = self.frames(error)
        hint = self.hint(error, last_frame(error)) if self.hint is not None else ""
        grouped = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        members: list[Chain] = []
        for member in grouped[:MAX_MEMBERS]:
            if nesting < MAX_NESTING and self.exceptions_left > 0:
                members.append(self.chain(member, nesting + 1))
        left_out = len(grouped) - len(members)
        return Raised(type_name(error), text_of(error), hint, _notes(error), frames, role, members, left_out)

    def frames(self, error: BaseException) -> list[Frame | int]:
        frames: list[Frame | int] = [
            entry if isinstance(entry, int) else self.frame(*entry)
            for entry in cut_middle(list(walk(error.__traceback__)), MAX_FRAMES)
        ]
        if isinstance(error, SyntaxError) and isinstance(error.lineno, int):
            frames.append(self.unparsed(error, error.lineno))
        view, self.view = self.view, None  # it is the newest exception that it has to do with
        if view is not None:
            frames.append(self.function(view))
        return frames

    def frame(self, frame: FrameType, line: int, instruction: int) -> Frame:
        code = frame.f_code
        library = library_path(code.co_filename)
        names: dict[str, Any] = {}
        if self.namespaces is not None or (self.describer is not None and library is None):
            names = dict(frame.f_locals)
        values = self.describer.variables(names) if self.describer is not None and library is None else []
        number = None
        if self.namespaces is not None:
            number = len(self.namespaces)
            self.namespaces.append((frame.f_globals, names))
        columns = columns_of(code, line, instruction)
        source = self.source(code.co_filename, line, line, columns, frame.f_globals)
        return _frame(code.co_filename, line, _function_name(code), source, values, number)

    def unparsed(self, error: SyntaxError, line: int) -> Frame:
        """Where the parser stopped: the real frames end in whatever imported the file."""
        file = error.filename if isinstance(error.filename, str) else "<unknown>"
        source = self.source(file, line, line, None, {})
        if not source and isinstance(error.text, str):
            source = [SourceLine(line, clean(error.text.rstrip(), 300), (0, 0))]
        return _frame(file, line, "", source)

    def function(self, view: Callable[..., Any]) -> Frame:
        """A function that has returned: from its ``def`` on."""
        code: CodeType = view.__code__
        first = definition_line(code)
        last = max((line for _, _, line in code.co_lines() if line is not None), default=first)
        source = self.source(code.co_filename, first, min(last, first + MAX_FUNCTION), None, view.__globals__)
        why = "the view function that returned this value"
        return _frame(code.co_filename, first, _function_name(code), source, why=why)

    def source(
        self,
        file: str,
        line: int,
        last: int,
        columns: tuple[int, int] | None,
        module: dict[str, Any],
    ) -> list[SourceLine]:
        if self.source_left <= 0:
            return []
        lines = source_lines(file, line, last, columns, module, self.context_lines)
        self.source_left -= sum(len(line.text) for line in lines)
        return lines


def walk(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int, int]]:
    """The frames of a traceback, each with its line and the offset of its failing instruction."""
    while traceback is not None:
        # Generated code may have no line.
        yield traceback.tb_frame, traceback.tb_lineno or 0, traceback.tb_lasti
        traceback = traceback.tb_next


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


def last_frame(error: BaseException) -> FrameType | None:
    """The frame that an exception was raised in."""
    last = None
    for frame, _, _ in walk(error.__traceback__):
        last = frame
    return last


def _frame(
    file: str,
    line: int,
    function: str,
    source: list[SourceLine],
    values: list[Value] | None = None,
    number: int | None = None,
    why: str = "",
) -> Frame:
    path = library_path(file)
    library = None if path is None else clean(path, MAX_NAME)
    return Frame(clean(file, MAX_NAME), library, line, function, source, values or [], number, why)


def _function_name(code: CodeType) -> str:
    # Jinja names a template's code through co_name alone.
    name, qualified = code.co_name, code.co_qualname
    return clean(qualified if qualified.rpartition(".")[2] == name else name, MAX_NAME)


def _notes(error: BaseException) -> list[str]:
    notes = getattr(error, "__notes__", ())
    if not isinstance(notes, (list, tuple)):  # nothing keeps a program from writing something else there
        notes = (notes,)
    return [text_of(note) for note in notes[:MAX_NOTES]]
