"""Serving an application until it is stopped, as ``app.run()`` and ``asyncflask run`` do."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..config import Config
from ..typing import ASGIApp
from .address import announce, clean_up, listen
from .options import uvicorn_settings
from .reloader import Reloader, inherited_socket
from .server import REST, failure_page, serve
from .sources import Sources
from .tls import TLS, tls_context

# Seconds that requests under way have when the server stops, and when it reloads: there someone waits.
GRACE = 3
RELOAD_GRACE = 1


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
    :param extra_files: other files, or folders with them, whose change reloads too.
    :param exclude_patterns: `fnmatch` patterns of paths whose change does not.
    :param ssl_context: serve HTTPS with this context, these files
        ``(certfile, keyfile)``, or a certificate made up for this run: ``"adhoc"``.
    :param certfile: the same as ``ssl_context=(certfile, keyfile)``.
    :param keyfile: may be left out when the key is in `certfile`.
    :param use_debugger: show why the application did not start, while the reloader waits for a change; False
        also keeps the debug page off.
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
    settings = uvicorn_settings(options)
    settings.setdefault("timeout_graceful_shutdown", RELOAD_GRACE if use_reloader else GRACE)
    if certfile is not None or keyfile is not None:
        if ssl_context is not None or certfile is None:
            raise TypeError("Give either 'ssl_context', or 'certfile' and 'keyfile'.")
        ssl_context = (certfile,) if keyfile is None else (certfile, keyfile)
    _check_place(use_reloader)

    tls = tls_context(ssl_context)

    inherited = inherited_socket()
    if inherited is not None:
        sock, parent = inherited
        serve(app, sock, settings, tls, parent=parent)
        return

    sock = listen(host, port)
    is_https = tls is not None or not settings.keys().isdisjoint(["ssl_certfile", "ssl_context_factory"])
    on_started = partial(announce, host, sock, "https" if is_https else "http")
    try:
        if use_reloader:
            grace = settings["timeout_graceful_shutdown"]
            Reloader(
                sock,
                Sources(extra_files or (), exclude_patterns or ()),
                patience=None if grace is None else grace + REST + 1,
                failure_page=partial(failure_page, sock, settings, tls),
                is_failure_shown=debug if use_debugger is None else use_debugger,
            ).run(on_started)
        else:
            serve(app, sock, settings, tls, on_started=on_started)
    finally:
        sock.close()
        clean_up(host)


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
