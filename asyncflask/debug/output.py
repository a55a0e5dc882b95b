"""What code prints, kept apart from what the rest of the program prints meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

LIMIT = 50_000  # characters

_current: ContextVar[Output | None] = ContextVar("asyncflask.debug_output", default=None)


class Output:
    """What was printed, up to a limit."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = LIMIT
        self.left_out = 0

    def write(self, text: str) -> None:
        kept = text[: self._left]
        self._left -= len(kept)
        self.left_out += len(text) - len(kept)
        if kept:
            self._parts.append(kept)

    def text(self) -> str:
        text = "".join(self._parts)
        return f"{text}\n… ({self.left_out} more characters)" if self.left_out else text


class _Stream:
    """Stands for a stream of ``sys``: takes what is printed in a context that has an `Output`."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        output = _current.get()
        if output is None:
            return int(self.stream.write(text))
        output.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_users = 0


@contextmanager
def caught_streams() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` look where they are written from."""
    global _users
    _users += 1
    if _users == 1:
        sys.stdout, sys.stderr = _Stream(sys.stdout), _Stream(sys.stderr)
    try:
        yield
    finally:
        _users -= 1
        if not _users:
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if isinstance(stream, _Stream):  # unless somebody has put another one there meanwhile
                    setattr(sys, name, stream.stream)


def set_output(output: Output) -> None:
    """Have what the current context prints written there."""
    _current.set(output)
