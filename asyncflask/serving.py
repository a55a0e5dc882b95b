"""The development server, as ``app.run()`` and ``asyncflask run`` start it.

uvicorn serves (`server`). Around it are the things a developer expects of Flask's
server: options of Werkzeug's ``run_simple``, a start message, an end without a
traceback (`terminal`), and a reloader (`reloader`).
"""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import inspect
import os
import socket
import ssl
import stat
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import click
import uvicorn

from .config import Config
from .reloader import Reloader, Sources, inherited_socket
from .server import REST, failure_page, serve
from .terminal import say
from .typing import ASGIApp

TLS = ssl.SSLContext | Sequence[str | os.PathLike[str]] | Literal["adhoc"]

# Seconds that requests under way have when the server stops, and when it reloads: there someone waits.
GRACE = 3
RELOAD_GRACE = 1

# Options of Werkzeug's server that say nothing to uvicorn.
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


def run(
    app: ASGIApp | str,
    host: str = "127.0.0.1",
    port: int = 5000,
    *,
    debug: bool = False,
    use_reloader: bool | None = None,
    use_debugger: bool | None = None,
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
    :param debug: what `use_reloader` and `use_debugger` are when they are not given.
    :param use_reloader: start the program again when a Python file changes. It is
        executed with the same arguments and with ``WERKZEUG_RUN_MAIN=true`` in
        the environment. Set ``WATCHFILES_FORCE_POLLING=1`` where the file system
        sends no notifications (network drives, some containers).
    :param use_debugger: show why the application did not start, while the reloader waits for a change; False
        also keeps the debug page off.
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
    config = getattr(app, "config", None)
    if isinstance(config, Config):
        config["DEBUG_PAGE"] &= use_debugger is not False
        config["DEBUG_CONSOLE"] &= options.get("use_evalex", True) is not False
    settings = {"timeout_graceful_shutdown": RELOAD_GRACE if use_reloader else GRACE, **_settings(options)}
    if certfile is not None or keyfile is not None:
        if ssl_context is not None or certfile is None:
            raise TypeError("Give either 'ssl_context', or 'certfile' and 'keyfile'.")
        ssl_context = (certfile,) if keyfile is None else (certfile, keyfile)
    _check_place(use_reloader)

    tls = _tls(ssl_context)

    inherited = inherited_socket()
    if inherited is not None:
        sock, parent = inherited
        serve(app, sock, settings, tls, parent=parent)
        return

    sock = _listen(host, port)
    is_https = tls is not None or not settings.keys().isdisjoint(["ssl_certfile", "ssl_context_factory"])
    announce = partial(_announce, host, sock, "https" if is_https else "http")
    try:
        if use_reloader:
            grace = settings["timeout_graceful_shutdown"]
            Reloader(
                sock,
                Sources(extra_files or (), exclude_patterns or ()),
                patience=None if grace is None else grace + REST + 1,
                failure_page=partial(failure_page, sock, settings, tls),
                is_failure_shown=debug if use_debugger is None else use_debugger,
            ).run(announce)
        else:
            serve(app, sock, settings, tls, on_started=announce)
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
        say(f"Error: {message}")
        sys.exit(1)


def _announce(host: str, sock: socket.socket, scheme: str) -> None:
    if host.startswith("unix://"):
        places = [host]
    else:
        hosts = [f"[{host}]" if ":" in host else host]
        if host in ("0.0.0.0", "::"):
            say(f" * Running on all addresses ({host})")
            hosts = ["127.0.0.1", _outside_address("10.255.255.255", socket.AF_INET)]
            if host == "::":
                hosts = ["[::1]", f"[{_outside_address('fd00::1', socket.AF_INET6)}]"]
        port = sock.getsockname()[1]
        places = [f"{scheme}://{name}:{port}" for name in dict.fromkeys(hosts)]
    for place in places:
        say(f" * Running on {place}")
    say(click.style("Press CTRL+C to quit", fg="yellow"))


def _outside_address(destination: str, family: socket.AddressFamily) -> str:
    """This machine's address as others see it; connecting a UDP socket picks it, and sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])
