"""Tracebacks on the terminal, without the framework's frames."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from .source import FRAMEWORK, folded_frames, library_name, library_path

_PACKAGE = __package__.partition(".")[0]

#: The loggers that servers write an application's exceptions to.
LOGGERS = ("uvicorn.error", "hypercorn.error")

_KEY = "__asyncflask_traceback__"


def folded_traceback(error: BaseException) -> str:
    """The traceback as Python writes it, with a line in the place of frames of the framework that follow one
    another. The frame that raised the exception is always there."""
    found = traceback.TracebackException.from_exception(error, compact=True)
    _fold(found, set())
    return "".join(found.format()).rstrip("\n")


def _fold(found: traceback.TracebackException, seen: set[int]) -> None:
    if id(found) in seen:
        return
    seen.add(id(found))
    found.stack = _FoldedStack(found.stack)
    for other in (found.__cause__, found.__context__, *(found.exceptions or ())):
        if other is not None:
            _fold(other, seen)


class _FoldedStack(traceback.StackSummary):
    """Frames, some of which are written as their number."""

    def format(self, **options: object) -> list[str]:
        return list(self._lines(options))

    def _lines(self, options: dict[str, object]) -> Iterator[str]:
        last = self[-1] if self else None

        def is_folded(frame: traceback.FrameSummary) -> bool:
            return frame is not last and _library(frame) in FRAMEWORK

        for folded, group in groupby(self, is_folded):
            frames = list(group)
            if folded:
                yield f"  [{folded_frames(list(map(_library, frames)))}]\n"
            else:
                yield from traceback.StackSummary.from_list(frames).format(**options)


def _library(frame: traceback.FrameSummary) -> str:
    path = library_path(frame.filename)
    return "" if path is None else library_name(path)


def remember(error: BaseException, text: str) -> None:
    """Have the filter write this text in the place of the exception's traceback."""
    with suppress(AttributeError, TypeError):  # a class without a dictionary
        error.__dict__[_KEY] = text


class FoldingFilter(logging.Filter):
    """Has log records of exceptions that came through the framework written with a folded traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None and not record.exc_text:
            try:
                text = vars(error).get(_KEY) or (folded_traceback(error) if _is_ours(error) else None)
            except Exception:  # of a class of its own; the log will say what it can
                text = None
            if isinstance(text, str):
                record.exc_text = text  # what `logging.Formatter` writes, when it is there
        return True


def _is_ours(error: BaseException) -> bool:
    found = error.__traceback__
    while found is not None:
        if str(found.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE:
            return True
        found = found.tb_next
    return False
