"""Sync functions that do not end, when everything else has: nobody waits for them any longer."""

from __future__ import annotations

import logging
import os
import sys
from types import FrameType

from .walk import Walk
from .worker import Worker

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# Or a coroutine would be closed in the end, and its `finally` clauses would run in the middle of nothing.
_kept: list[Walk] = []


def give_up(walk: Walk, logger: logging.Logger) -> None:
    """Let the task of a walk end now, whatever its thread still does. What is left of the walk is not run:
    its teardown functions would use what the thread uses.

    :param logger: told which function it is.
    """
    logger.error(
        "The server ends, and %s has not. Its request is given up, without its teardown functions: give what"
        " a sync function waits for a timeout, or run long work elsewhere.",
        _what_runs(walk.worker),
    )
    _kept.append(walk)
    walk.give_up()


def _what_runs(worker: Worker | None) -> str:
    """The name and place of the user's function that a thread is in."""
    thread = getattr(worker, "thread", None)
    frame = sys._current_frames().get(thread.ident) if thread is not None else None
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    users = [one for one in reversed(frames) if not one.f_code.co_filename.startswith(_PACKAGE)]
    names = [one for one in users if one.f_globals.get("__name__") != "threading"]
    if not names:
        return "a request"
    first, last = names[0], names[-1]
    return f"{first.f_code.co_qualname!r} (at {last.f_code.co_filename}:{last.f_lineno})"
