"""Tracebacks of errors in the user's code, without the frames of the command line around it."""

from __future__ import annotations

import os
import traceback
from types import TracebackType

import click

import asyncflask

# With a separator at the end, so that what is called alike beside them is not meant.
_OURS = tuple(os.path.join(*module.__path__, "") for module in (asyncflask, click))


def of_users_code(error: BaseException) -> TracebackType | None:
    """The frames from the first that is neither of this package nor click's; None if there is none."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    return frames


def formatted(error: BaseException) -> str:
    """A traceback with these frames, with all of them if there are none."""
    frames = of_users_code(error) or error.__traceback__
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip("\n")
