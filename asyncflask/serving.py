"""The development server, as ``app.run()`` and ``asyncflask run`` start it.

uvicorn serves. Around it are the things a developer expects of Flask's server:
a start message, options of Werkzeug's ``run_simple``, an end without a
traceback, and a reloader.

The reloader is two processes. The parent opens the socket, watches the source
files, and starts itself again as a child, which inherits the socket and serves.
As the socket stays open, a request made during a reload waits for the next child.
"""

from __future__ import annotations

import asyncio
import errno
import fnmatch
import importlib.util
import inspect
import logging
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, Literal

import click
import uvicorn
import watchfiles
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import AccessFormatter, DefaultFormatter

from .typing import ASGIApp, Receive, Scope, Send

TLS = ssl.SSLContext | Sequence[str | os.PathLike[str]] | Literal["adhoc"]

# Werkzeug's names, because code of applications looks at the first one.
IS_CHILD = "WERKZEUG_RUN_MAIN"
SOCKET_FD = "WERKZEUG_SERVER_FD"
PARENT_PID = "ASYNCFLASK_RELOADER_PID"

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]

# Seconds that requests under way have when the server stops, and when it reloads: there someone waits.
GRACE = 3
RELOAD_GRACE = 1
# Seconds after that for the rest (shutdown functions, threads), before the process is ended.
REST = 3

# Options of Werkzeug's server that say nothing to an ASGI server, or (the debugger's) to this layer.
MEANINGLESS = {
    "passthrough_errors",
    "processes",
    "reloader_interval",
    "reloader_type",
    "request_handler",
    "threaded",
    "use_debugger",
    "use_evalex",
}
OTHER_WAY = {
    "fd": "pass the socket to uvicorn itself",
    "reload": "use 'use_reloader'",
    "reload_dirs": "use 'extra_files'",
    "reload_excludes": "use 'exclude_patterns'",
    "reload_includes": "use 'extra_files'",
    "static_files": "use 'static_folder' of the application, or mount starlette.staticfiles.StaticFiles",
    "uds": "use the host 'unix:///path/to/socket'",
    "workers": "this server is one process: start 'uvicorn module:app --workers N'",
}


def is_running_from_reloader() -> bool:
    """Whether this process is the one that the reloader has started to serve."""
    return os.environ.get(IS_CHILD) == "true"


def run(
    app: ASGIApp | str,
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    debug: bool = False,
    use_reloader: bool | None = None,
    extra_files: Iterable[str | os.PathLike[str]] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    ssl_context: TLS | None = None,
    certfile: str | os.PathLike[str] | None = None,
    keyfile: str | os.PathLike[str] | None = None,
    **options: Any,
) -> None:
    """Serve an application with uvicorn until Ctrl-C or SIGTERM.

    After Ctrl-C the function returns, as Flask's does; after SIGTERM it raises
    `SystemExit` with code 0, unless the application has a handler of its own for
    that signal, which is then called. Requests under way get
    ``timeout_graceful_shutdown`` seconds to end (default 3, with the reloader 1); a second
    Ctrl-C ends the process at once. As soon as the socket accepts connections,
    `` * Running on http://127.0.0.1:5000`` is on stderr, where Flask has it.

    :param app: an ASGI application, or where to import one from: ``"module:app"``.
    :param host: host name, IPv4 or IPv6 address, or ``unix://path``.
    :param port: TCP port; 0 lets the system choose one.
    :param debug: what `use_reloader` is when that is not given.
    :param use_reloader: start the program again when a Python file changes. It is
        executed with the same arguments and with ``WERKZEUG_RUN_MAIN=true`` in
        the environment. Set ``WATCHFILES_FORCE_POLLING=1`` where the file system
        sends no notifications (network drives, some containers).
    :param extra_files: other files, or folders with them, whose change reloads too.
    :param exclude_patterns: `fnmatch` patterns of paths whose change does not.
    :param ssl_context: serve HTTPS with this context, these files
        ``(certfile, keyfile)``, or a certificate made up for this run: ``"adhoc"``.
    :param certfile: the same as ``ssl_context=(certfile, keyfile)``.
    :param keyfile: may be left out when the key is in `certfile`.
    :param options: options of ``uvicorn.Config``. `proxy_headers` is off by
        default: as under Flask, forwarded headers count when the application asks
        for them. Those of Werkzeug's ``run_simple`` that mean nothing under ASGI
        (``threaded``, ``processes``, ...) are ignored.
    :raises TypeError: for an unknown option.
    :raises RuntimeError: where the server cannot run: in a thread that has a running
        event loop, or with the reloader elsewhere than in the main thread.
    :raises SystemExit: with code 1 if the address cannot be listened on, 3 if the
        application's startup failed; the reason is on stderr.
    """
    if use_reloader is None:
        use_reloader = debug
    settings = {"timeout_graceful_shutdown": RELOAD_GRACE if use_reloader else GRACE, **_settings(options)}
    if certfile is not None or keyfile is not None:
        if ssl_context is not None or certfile is None:
            raise TypeError("Give either 'ssl_context', or 'certfile' and 'keyfile'.")
        ssl_context = (certfile,) if keyfile is None else (certfile, keyfile)
    _check_place(use_reloader)

    tls = _tls(ssl_context)

    if is_running_from_reloader() and SOCKET_FD in os.environ:
        # Neither the port nor these variables are for processes that the application starts.
        sock = socket.socket(fileno=int(os.environ.pop(SOCKET_FD)))
        sock.set_inheritable(False)
        _serve(app, sock, settings, tls, parent=int(os.environ.pop(PARENT_PID)))
        return

    sock = _listen(host, port)
    is_https = tls is not None or not settings.keys().isdisjoint(["ssl_certfile", "ssl_context_factory"])
    announce = partial(_announce, host, sock, "https" if is_https else "http")
    try:
        if use_reloader:
            reloader = _Reloader(sock, settings, tls, _Sources(extra_files or (), exclude_patterns or ()))
            reloader.run(announce)
        else:
            _serve(app, sock, settings, tls, on_started=announce)
    finally:
        sock.close()
        if host.startswith("unix://"):
            with suppress(FileNotFoundError):
                os.unlink(_unix_path(host))


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options for uvicorn, out of those that `run` was given."""
    known = inspect.signature(uvicorn.Config).parameters.keys() - OTHER_WAY.keys() - {"app", "host", "port"}
    settings: dict[str, Any] = {
        "log_config": None,
        "proxy_headers": False,
    }
    for name, value in options.items():
        if name in known:
            settings[name] = value
        elif name not in MEANINGLESS:
            hint = f": {OTHER_WAY[name]}" if name in OTHER_WAY else "; uvicorn.Config lists what it takes"
            raise TypeError(f"run() got an unexpected option {name!r}{hint}.")
    return settings


def _check_place(use_reloader: bool) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "run() starts an event loop, and one is running already. There, use"
            " 'await uvicorn.Server(uvicorn.Config(app)).serve()'."
        )
    if not use_reloader:
        return
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("The reloader works in the main thread only: pass use_reloader=False.")
    if hasattr(sys, "ps1"):
        raise RuntimeError(
            "The reloader starts a program again, and a session has none: pass use_reloader=False."
        )


def _tls(value: TLS | None) -> ssl.SSLContext | None:
    if value is None or isinstance(value, ssl.SSLContext):
        return value
    if value == "adhoc":
        if importlib.util.find_spec("cryptography") is None:
            raise RuntimeError("ssl_context='adhoc' needs the cryptography library: pip install cryptography")
        from werkzeug.serving import generate_adhoc_ssl_context

        return generate_adhoc_ssl_context()
    if isinstance(value, str) or not 1 <= len(value) <= 2:
        raise TypeError(
            f"ssl_context is an ssl.SSLContext, a tuple (certfile, keyfile), or 'adhoc', not {value!r}."
        )
    for path in value:
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certfile, *rest = value
    context.load_cert_chain(certfile, rest[0] if rest else None)
    return context


def _unix_path(host: str) -> str:
    return os.path.abspath(host.removeprefix("unix://"))


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; exits with one line on stderr if there cannot be one."""
    if not 0 <= port <= 65535:
        raise ValueError(f"A port is a number from 0 to 65535, not {port}.")
    try:
        if host.startswith("unix://"):
            path = _unix_path(host)
            with suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.stat(path).st_mode):
                    os.unlink(path)
            return socket.create_server(path, family=socket.AF_UNIX)
        if ":" in host:
            both = host == "::" and socket.has_dualstack_ipv6()
            return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=both)
        return socket.create_server((host, port))
    except OSError as error:
        if host.startswith("unix://"):
            message = f"Cannot listen on {host}: {error.strerror or error}."
        elif error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else port - 1
            message = (
                f"Port {port} is in use by another program. Stop that program, or choose another port:"
                f" '--port {other}' or 'app.run(port={other})'."
            )
            if sys.platform == "darwin" and port == 5000:
                message += " On macOS it may be 'AirPlay Receiver' in the system settings."
        elif error.errno == errno.EACCES:
            message = (
                f"No permission to listen on {host}:{port}. Choose a port above 1023, such as '--port 5000'."
            )
        else:
            reason = str(error.strerror or error).partition(" (while attempting")[0]
            message = f"Cannot listen on {host}:{port}: {reason}."
        _say(f"Error: {message}")
        sys.exit(1)


def _announce(host: str, sock: socket.socket, scheme: str) -> None:
    if host.startswith("unix://"):
        places = [host]
    else:
        hosts = [f"[{host}]" if ":" in host else host]
        if host in ("0.0.0.0", "::"):
            _say(f" * Running on all addresses ({host})")
            hosts = ["127.0.0.1", _outside_address("10.255.255.255", socket.AF_INET)]
            if host == "::":
                hosts = ["[::1]", f"[{_outside_address('fd00::1', socket.AF_INET6)}]"]
        port = sock.getsockname()[1]
        places = [f"{scheme}://{name}:{port}" for name in dict.fromkeys(hosts)]
    for place in places:
        _say(f" * Running on {place}")
    _say(click.style("Press CTRL+C to quit", fg="yellow"))


def _outside_address(destination: str, family: socket.AddressFamily) -> str:
    """This machine's address as others see it; connecting a UDP socket picks it, and sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])


def _say(message: str) -> None:
    click.echo(message, err=True)


def _serve(
    app: ASGIApp | str,
    sock: socket.socket,
    settings: Mapping[str, Any],
    tls: ssl.SSLContext | None,
    *,
    on_started: Callable[[], None] | None = None,
    parent: int = 0,
) -> None:
    """Serve on that socket until a signal comes or the process `parent` has ended; closes the socket."""
    server = _Server(_config(app, settings, tls), on_started, parent)
    with _stopping_signals(server.handle_exit) as previous, server.time_limit(), server.quiet_stop():
        server.run(sockets=[sock])
    if not server.started:
        sys.exit(3)
    if server.stopped_by is not None:
        _end(server.stopped_by, previous)


def _config(app: ASGIApp | str, settings: Mapping[str, Any], tls: ssl.SSLContext | None) -> uvicorn.Config:
    if settings["log_config"] is None:
        _configure_logging(settings.get("use_colors"))
    config = uvicorn.Config(app, **settings)
    config.load()
    if tls is not None:
        config.ssl = tls
    return config


def _configure_logging(use_colors: bool | None) -> None:
    """Let uvicorn's loggers print, unless the application has set them up."""
    access = LOGGING_CONFIG["formatters"]["access"]["fmt"]
    for name, stream, formatter in (
        ("uvicorn", sys.stderr, DefaultFormatter("%(levelprefix)s %(message)s", use_colors=use_colors)),
        ("uvicorn.access", sys.stdout, AccessFormatter(access, use_colors=use_colors)),
    ):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter)
            logger.addHandler(handler)
            logger.propagate = False
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    errors = logging.getLogger("uvicorn.error")
    if errors.level == logging.NOTSET:
        errors.setLevel(logging.WARNING)
    # How applications have silenced the request log so far.
    werkzeug = logging.getLogger("werkzeug")
    if werkzeug.disabled or werkzeug.level > logging.INFO:
        logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


@contextmanager
def _stopping_signals(
    handler: Callable[[int, FrameType | None], None],
) -> Iterator[dict[int, Any]]:
    """Handle the signals that stop a server, where signals can be handled; yields the handlers of before."""
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    previous = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    _unblock_interrupt()
    try:
        yield previous
    finally:
        # The reloader's child is about to end, and its parent may be about to say so once more.
        if not is_running_from_reloader():
            for number, old in previous.items():
                signal.signal(number, signal.SIG_DFL if old is None else old)


def _end(number: int, previous: Mapping[int, Any]) -> None:
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


def _unblock_interrupt() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _leave(code: int) -> None:
    """End the process now, whatever its threads are doing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


class _Server(uvicorn.Server):
    """uvicorn's server, without a traceback, a signal or a wait at its end."""

    def __init__(
        self, config: uvicorn.Config, on_started: Callable[[], None] | None = None, parent: int = 0
    ) -> None:
        super().__init__(config)
        self.on_started = on_started
        self.parent = parent if os.name == "posix" else 0
        self.stopped_by: int | None = None
        self._stopping = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and self.on_started is not None:
            self.on_started()

    async def on_tick(self, counter: int) -> bool:
        if self.parent and os.getppid() != self.parent:
            self.should_exit = True
            self._stopping.set()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn closes a connection that has not asked for anything yet. One that was accepted just now gets
        # the time to: during a reload no request is to be lost.
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.05)
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again at the end; `_serve` deals with signals.
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            _leave(128 + sig)
        self.should_exit = True
        self.stopped_by = sig
        self._stopping.set()

    @contextmanager
    def quiet_stop(self) -> Iterator[None]:
        """Keep uvicorn from reporting that the requests it cancels at the end are cancelled."""

        def is_news(record: logging.LogRecord) -> bool:
            error = record.exc_info[1] if record.exc_info else None
            return not (self.should_exit and isinstance(error, asyncio.CancelledError))

        logger = logging.getLogger("uvicorn.error")
        logger.addFilter(is_news)
        try:
            yield
        finally:
            logger.removeFilter(is_news)

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """End the process if stopping takes too long: a sync view cannot be interrupted otherwise."""
        grace = self.config.timeout_graceful_shutdown
        ended = threading.Event()

        def watch() -> None:
            self._stopping.wait()
            if not ended.wait(None if grace is None else grace + REST):
                _say("Stopped while the application was still busy.")
                _leave(0)

        threading.Thread(target=watch, name="asyncflask-stop", daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            self._stopping.set()


class _Reloader:
    """The parent process: keeps a child serving on the socket, a new one after each change.

    :param settings: for uvicorn.
    :param tls: for the page that tells of a failed start.
    """

    def __init__(
        self,
        sock: socket.socket,
        settings: Mapping[str, Any],
        tls: ssl.SSLContext | None,
        sources: _Sources,
    ) -> None:
        self.sock = sock
        self.settings = settings
        self.tls = tls
        self.sources = sources
        self.stopping = threading.Event()
        self.stopped_by: int | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def run(self, announce: Callable[[], None]) -> None:
        with _stopping_signals(self.handle_exit) as previous:
            announce()
            _say(" * Restarting with watchfiles")
            try:
                while not self.stopping.is_set() and (path := self.serve_until_change()) is not None:
                    _say(f" * Detected change in {path!r}, reloading")
                    self.stop_child()
            finally:
                self.stop_child()
        if self.stopped_by is None:
            sys.exit(0)
        _end(self.stopped_by, previous)

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
                    _say(f" * The application ended with code {code}; it starts again after the next change")
                    stack.enter_context(self.failure_page())
        return None

    def start_child(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            IS_CHILD: "true",
            SOCKET_FD: str(self.sock.fileno()),
            PARENT_PID: str(os.getpid()),
        }
        command = [sys.executable, *sys.orig_argv[1:]]
        self.sock.set_inheritable(True)
        # Until it can deal with Ctrl-C the child does not see it: it would print a traceback.
        with _interrupt_blocked():
            child = subprocess.Popen(command, env=environment, close_fds=False)
        self.sock.set_inheritable(False)
        return child

    def stop_child(self) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        grace = self.settings["timeout_graceful_shutdown"]
        self.child.terminate()
        try:
            self.child.wait(None if grace is None else grace + REST + 1)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        _restore_echo()

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
                _say(f" * Polling for changes: the system gives no notifications ({error})")
                polling = True

    @contextmanager
    def failure_page(self) -> Iterator[None]:
        """Answer requests for a child that could not start, so that they do not wait for the next change."""
        server = _Server(_config(_failed_to_start, {**self.settings, "lifespan": "off"}, self.tls))
        thread = threading.Thread(target=server.run, args=([self.sock.dup()],), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()


async def _failed_to_start(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1011})
        return
    body = b"The application failed to start. The error is in the terminal; saving a file starts it again.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _restore_echo() -> None:
    """A child that was ended at a debugger's prompt leaves a terminal that does not show what is typed."""
    try:
        import termios
    except ImportError:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        attributes = termios.tcgetattr(sys.stdin)
        if not attributes[3] & termios.ECHO:
            attributes[3] |= termios.ECHO
            termios.tcsetattr(sys.stdin, termios.TCSANOW, attributes)


class _Sources:
    """Which files make up the program: Python files outside of installed packages, and those named."""

    ignored = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
    installed = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "scripts")}

    def __init__(
        self, extra_files: Iterable[str | os.PathLike[str]], exclude_patterns: Iterable[str]
    ) -> None:
        self.extra = {os.path.abspath(path) for path in extra_files}
        self.exclude = list(exclude_patterns)

    def is_relevant(self, change: watchfiles.Change, path: str) -> bool:
        """Whether a change of a path in a watched folder is to be looked at."""
        name = os.path.basename(path)
        if any(fnmatch.fnmatch(path, pattern) for pattern in self.exclude):
            return False
        if self.is_extra(path):
            return True
        if name.startswith(".") or name in self.ignored:
            return False
        if name.endswith(".py"):
            return True
        return change == watchfiles.Change.added and os.path.isdir(path)

    def is_extra(self, path: str) -> bool:
        return path in self.extra or any(path.startswith(os.path.join(extra, "")) for extra in self.extra)

    def folders(self) -> set[str]:
        """The folders that hold such files now, each to be watched without those below it."""
        modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        roots = {os.path.abspath(path) for path in sys.path}
        roots |= {os.path.dirname(os.path.abspath(path)) for path in modules if isinstance(path, str)}
        found: set[str] = set()
        for root in roots:
            if not self.is_installed(root):
                self.walk(root, found, everything=False)
        for path in self.extra:
            if os.path.isdir(path):
                self.walk(path, found, everything=True)
            else:
                found.add(os.path.dirname(path))
        return {path for path in found if os.path.isdir(path)}

    def is_installed(self, path: str) -> bool:
        parts = path.split(os.sep)
        real = os.path.realpath(path)
        return not self.ignored.isdisjoint(parts) or any(
            real == folder or real.startswith(os.path.join(folder, "")) for folder in self.installed
        )

    def walk(self, root: str, found: set[str], everything: bool) -> None:
        """Add the folders below the root, no further than one without Python files in one without them."""
        pending = [(root, True)]
        while pending:
            folder, worthwhile = pending.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError:
                continue
            has_python = any(entry.name.endswith(".py") for entry in entries)
            if not (worthwhile or has_python or everything):
                continue
            found.add(folder)
            pending += [
                (entry.path, has_python)
                for entry in entries
                if not (entry.name.startswith(".") or entry.name in self.ignored)
                and entry.is_dir(follow_symlinks=False)
                and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
            ]
