"""The options that `run` takes besides its own parameters: uvicorn's, and those of Werkzeug's server."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import uvicorn

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


def uvicorn_settings(options: Mapping[str, Any]) -> dict[str, Any]:
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
