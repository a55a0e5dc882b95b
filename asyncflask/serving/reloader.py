"""Start the program again when its source changes.

There are two processes. The parent opens the socket, watches the source
files, and starts itself again as a child, which inherits the socket and serves.
As the socket stays open, a request made during a reload waits for the next child.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing
from types import FrameType

import watchfiles

from ..debug.startup import StartupFile
from ..typing import ASGIApp
from .sources import Sources
from .terminal import end, interrupt_blocked, restore_echo, say, stopping_signals

# Werkzeug's names, because code of applications looks at the first one.
IS_CHILD = "WERKZEUG_RUN_MAIN"
SOCKET_FD = "WERKZEUG_SERVER_FD"
PARENT_PID = "ASYNCFLASK_RELOADER_PID"


def is_running_from_reloader() -> bool:
    """Whether this process is the one that the reloader has started to serve."""
    return os.environ.get(IS_CHILD) == "true"


def inherited_socket() -> tuple[socket.socket, int] | None:
    """In the child, once: the socket to serve on, and the parent's process id."""
    if not is_running_from_reloader() or SOCKET_FD not in os.environ:
        return None
    # Neither the port nor these variables are for processes that the application starts.
    sock = socket.socket(fileno=int(os.environ.pop(SOCKET_FD)))
    sock.set_inheritable(False)
    return sock, int(os.environ.pop(PARENT_PID))


class Reloader:
    """The parent process: keeps a child serving on the socket, a new one after each change.

    :param sock: listens already.
    :param sources: what to watch.
    :param patience: seconds that a child gets to end, None for any time.
    :param failure_page: answers requests, inside of its ``with`` block, for a child that could not start;
        else they would wait for the next change. It is called with what is known about the failure.
    :param is_failure_shown: whether that is more than that there was one, as in debug mode.
    """

    def __init__(
        self,
        sock: socket.socket,
        sources: Sources,
        *,
        patience: float | None,
        failure_page: Callable[[ASGIApp], AbstractContextManager[None]],
        is_failure_shown: bool = False,
    ) -> None:
        self.sock = sock
        self.sources = sources
        self.patience = patience
        self.failure_page = failure_page
        self.startup = StartupFile(is_failure_shown)
        self.stopping = threading.Event()
        self.stopped_by: int | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def run(self, announce: Callable[[], None]) -> None:
        with stopping_signals(self.handle_exit) as previous:
            announce()
            say(" * Restarting with watchfiles")
            try:
                while not self.stopping.is_set() and (path := self.serve_until_change()) is not None:
                    say(f" * Detected change in {path!r}, reloading")
                    self.stop_child()
            finally:
                self.stop_child()
                self.startup.close()
        if self.stopped_by is None:
            sys.exit(0)
        end(self.stopped_by, previous)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.stopping.is_set() and self.child is not None:
            self.child.kill()
        self.stopped_by = sig
        self.stopping.set()

    def serve_until_change(self) -> str | None:
        """The path that changed; None to stop: after a signal, or when the child has ended by itself."""
        # Looked up first, so that what changes from the child's start on is noticed.
        folders = self.sources.folders()
        child = self.child = self.start_child()
        failed = False
        with ExitStack() as stack, closing(self.changes(folders)) as changes:
            for path in changes:
                if path is not None:
                    return path
                code = child.poll()
                if code == 0:
                    return None
                if code is not None and not failed:
                    failed = True
                    say(f" * The application ended with code {code}; it starts again after the next change")
                    stack.enter_context(self.failure_page(self.startup.failure()))
        return None

    def start_child(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            IS_CHILD: "true",
            SOCKET_FD: str(self.sock.fileno()),
            PARENT_PID: str(os.getpid()),
            **self.startup.environment(),
        }
        command = [sys.executable, *sys.orig_argv[1:]]
        self.sock.set_inheritable(True)
        # Until it can deal with Ctrl-C the child does not see it: it would print a traceback.
        with interrupt_blocked(), self.startup.inherited():
            child = subprocess.Popen(command, env=environment, close_fds=False)
        self.sock.set_inheritable(False)
        return child

    def stop_child(self) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        restore_echo()

    def changes(self, folders: set[str]) -> Generator[str | None]:
        """The path of each source that changes, and four times a second None."""
        polling: bool | None = None
        while not self.stopping.is_set():
            watcher = watchfiles.watch(
                *folders,
                watch_filter=self.sources.is_relevant,
                stop_event=self.stopping,
                rust_timeout=250,
                yield_on_timeout=True,
                recursive=False,
                force_polling=polling,
                ignore_permission_denied=True,
            )
            try:
                for batch in watcher:
                    path = next((path for _, path in sorted(batch) if not os.path.isdir(path)), None)
                    yield path
                    if batch and path is None:
                        folders = self.sources.folders()  # there is a new one
                        break
            except FileNotFoundError:
                folders = self.sources.folders()  # one was removed in between
            except (OSError, RuntimeError) as error:
                if polling:
                    raise
                say(f" * Polling for changes: the system gives no notifications ({error})")
                polling = True
