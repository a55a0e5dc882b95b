"""An exception as plain text, for a terminal, and as JSON, for a client that speaks it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from .raised import Chain, Frame, Raised
from .source import FRAMEWORK, folded_frames, library_name


def plain_text(chain: Chain) -> str:
    """The chain in the form of Python's own traceback, oldest exception first; it ends in a newline."""
    parts: list[str] = []
    for link in reversed(chain):
        if isinstance(link, int):
            parts.append(f"[{link} exceptions of the chain left out]\n")
            continue
        parts.append(_raised_text(link))
        if link.role == "cause":
            parts.append("The exception above was the direct cause of the one below:\n")
        elif link.role == "context":
            parts.append("While the exception above was handled, the one below was raised:\n")
    return "\n".join(parts)


def _raised_text(raised: Raised) -> str:
    lines = ["Traceback (most recent call last):"] if raised.frames else []
    for folded, run in groupby(raised.frames, lambda frame: _is_folded(frame, raised.frames)):
        if folded:
            lines.append(_folded_text(run))
            continue
        for frame in run:
            lines += frame_text(frame)
    lines.append(f"{raised.type}: {raised.message}" if raised.message else raised.type)
    lines.extend(raised.notes)
    if raised.hint:
        lines.append(raised.hint)
    total = len(raised.members) + raised.members_left_out
    for number, member in enumerate(raised.members, 1):
        lines.append(f"  {number} of {total} in the group:")
        lines.extend(f"  | {line}".rstrip() for line in plain_text(member).splitlines())
    if raised.members_left_out:
        lines.append(f"  [{raised.members_left_out} of {total} in the group left out]")
    return "\n".join(lines) + "\n"


def frame_text(frame: Frame | int) -> list[str]:
    """The lines for one frame."""
    if isinstance(frame, int):
        return [f"  [{frame} frames left out]"]
    function = f", in {frame.function}" if frame.function else ""
    why = f" ({frame.why})" if frame.why else ""
    lines = [f'  File "{frame.file}", line {frame.line}{function}{why}']
    if frame.failing_line:
        lines.append(f"    {frame.failing_line}")
    return lines


def _is_folded(frame: Frame | int, frames: list[Frame | int]) -> bool:
    """Whether a frame is the framework's, and not the one that raised the exception."""
    if isinstance(frame, int) or frame.library_path is None or frame is frames[-1]:
        return False
    return library_name(frame.library_path) in FRAMEWORK


def _folded_text(frames: Iterable[Frame | int]) -> str:
    paths = [frame.library_path or "" for frame in frames if isinstance(frame, Frame)]
    return f"  [{folded_frames(list(map(library_name, paths)))}]"


def json_value(chain: Chain) -> dict[str, Any]:
    """The newest exception as an object of JSON, those that led to it inside of it, and all as text.

    Its keys: ``type``, ``message``, ``hint``, ``notes``, ``frames`` (``file``, ``line``, ``function``,
    ``code``, ``library``), ``cause`` or ``context`` with another such object, ``members`` of a group; and
    ``traceback``, the text.
    """
    return {"error": _chain_value(chain), "traceback": plain_text(chain)}


def _chain_value(chain: Chain) -> dict[str, Any]:
    value: dict[str, Any] = {}
    inner: dict[str, Any] = value
    for link in chain:
        if isinstance(link, int):
            inner["left_out"] = link
            continue
        if link.role:
            inner[link.role] = inner = {}
        inner.update(_raised_value(link))
    return value


def _raised_value(raised: Raised) -> dict[str, Any]:
    value: dict[str, Any] = {"type": raised.type, "message": raised.message}
    if raised.hint:
        value["hint"] = raised.hint
    if raised.notes:
        value["notes"] = raised.notes
    value["frames"] = [_frame_value(frame) for frame in raised.frames]
    if raised.members:
        value["members"] = [_chain_value(member) for member in raised.members]
    return value


def _frame_value(frame: Frame | int) -> dict[str, Any]:
    if isinstance(frame, int):
        return {"left_out": frame}
    return {
        "file": frame.file,
        "line": frame.line,
        "function": frame.function,
        "code": frame.failing_line,
        "library": frame.library_path is not None,
    }
