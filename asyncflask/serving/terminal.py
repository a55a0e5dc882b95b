"""The process of the development server and its terminal: messages, Ctrl-C, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import click

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


def say(message: str) -> None:
    """Print a line on stderr."""
    click.echo(message, err=True)


@contextmanager
def stopping_signals(
    handler: Callable[[int, FrameType | None], None], restore: bool = True
) -> Iterator[dict[int, Any]]:
    """Handle the signals that stop a server, where signals can be handled; yields the handlers of before.

    :param restore: put those back at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    previous = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    _unblock_interrupt()
    try:
        yield previous
    finally:
        if restore:
            for number, old in previous.items():
                signal.signal(number, signal.SIG_DFL if old is None else old)


def end(number: int, previous: Mapping[int, Any]) -> None:
    """After a stop by a signal: call the application's own handler for it, else end as is usual."""
    handler = previous[number]
    if callable(handler) and handler is not signal.default_int_handler:
        handler(number, None)
    elif number != signal.SIGINT:
        sys.exit(0)


def quiet_interrupt() -> None:
    """Let Ctrl-C end this process silently while it imports the application; its parent sees to the rest."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _unblock_interrupt()


@contextmanager
def interrupt_blocked() -> Iterator[None]:
    """Hold Ctrl-C back, also from the processes that are started inside."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _unblock_interrupt() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def leave(code: int) -> None:
    """End the process now, whatever its threads are doing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def restore_echo() -> None:
    """A child that was ended at a debugger's prompt leaves a terminal that does not show what is typed."""
    try:
        import termios  # not on Windows
    except ImportError:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        attributes = termios.tcgetattr(sys.stdin)
        if not attributes[3] & termios.ECHO:
            attributes[3] |= termios.ECHO
            termios.tcsetattr(sys.stdin, termios.TCSANOW, attributes)
