"""``app.run()``: the development server without a command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from .. import serving
from ..helpers import get_debug_flag, get_load_dotenv

if TYPE_CHECKING:
    from ..app import Flask


def run(
    app: Flask,
    host: str | None,
    port: int | None,
    debug: bool | None,
    load_dotenv: bool,
    options: dict[str, Any],
) -> None:
    """See `Flask.run`."""
    from .. import cli  # where programs that want no banner set another

    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        cli.warn_ignored_run()
        return
    if get_load_dotenv(load_dotenv):
        cli.load_dotenv()
        if "FLASK_DEBUG" in os.environ:
            app.debug = get_debug_flag()
    if debug is not None:
        app.debug = bool(debug)
    server_host, _, server_port = (app.config["SERVER_NAME"] or "").partition(":")
    if port is None or (not port and port != 0):
        port = int(server_port or 5000)
    cli.show_server_banner(app.debug, app.name)
    host = host or server_host or "127.0.0.1"
    try:
        substitute = _substitute_server()
        if substitute is not None:
            defaults = {"use_reloader": app.debug, "use_debugger": app.debug, "threaded": True}
            substitute(host, int(port), app, **{**defaults, **options})
        else:
            serving.run(cast(Any, app), host, int(port), debug=app.debug, **options)
    finally:
        app._got_first_request = False


def _substitute_server() -> Callable[..., Any] | None:
    """What somebody, a test perhaps, has put in the place of ``werkzeug.serving.run_simple``."""
    run_simple = getattr(sys.modules.get("werkzeug.serving"), "run_simple", None)
    return None if getattr(run_simple, "__module__", None) == "werkzeug.serving" else run_simple
