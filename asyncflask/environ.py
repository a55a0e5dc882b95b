"""ASGI scopes and WSGI environs, one made from the other.

Requests come as ASGI scopes. A WSGI environ is what much of Flask's API is
spoken in (``request.environ``, ``test_request_context``, Werkzeug's test
client), so both can be had from either.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .typing import Scope

#: What a router leaves in the scope: for its own routes.
ROUTING = ("app", "endpoint", "path_params", "route", "router")


def without_routing(scope: Scope) -> Scope:
    """A copy of the scope for an application that routes by itself."""
    return {key: value for key, value in scope.items() if key not in ROUTING}


def route_path(scope: Mapping[str, Any]) -> str:
    """The path below the application's root: what rules are matched against. It is empty at the root
    itself, without a slash after it.

    The ASGI specification has ``path`` include ``root_path``; servers and parent
    applications that leave it out are understood as well, and so is a mount of Starlette's that
    adds its own path to a server's ``root_path`` that is left out.
    """
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if root_path:
        rest = _below(root_path, path)
        if rest is None and "app_root_path" in scope:
            rest = _below(root_path.removeprefix(scope["app_root_path"].rstrip("/")), path)
        if rest is not None:
            return rest
    return path


def _below(root_path: str, path: str) -> str | None:
    if path.startswith(root_path):
        rest = path[len(root_path.rstrip("/")) :]
        if not rest or rest[0] == "/":
            return rest
    return None


def environ_from_scope(scope: Mapping[str, Any], stream: Any) -> dict[str, Any]:
    """A WSGI environ (PEP 3333) that says what an ASGI scope says.

    :param stream: the body, for ``wsgi.input``.
    """
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client")
    scheme = scope.get("scheme", "http")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": _to_wsgi(scope.get("root_path", "").rstrip("/")),
        "PATH_INFO": _to_wsgi(route_path(scope)),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": stream,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "asgi.scope": scope,
    }
    raw_path = scope.get("raw_path")
    if raw_path is not None:
        query = environ["QUERY_STRING"]
        uri = raw_path.decode("latin-1") + (f"?{query}" if query else "")
        environ["REQUEST_URI"] = environ["RAW_URI"] = uri
    if client:
        environ["REMOTE_ADDR"] = client[0]
        environ["REMOTE_PORT"] = str(client[1])
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            continue  # not to be confused with the name that has a dash there
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        value = raw_value.decode("latin-1")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        if name in environ:
            environ[name] += (";" if name == "HTTP_COOKIE" else ",") + value
        else:
            environ[name] = value
    return environ


def scope_from_environ(environ: Mapping[str, Any]) -> Scope:
    """An ASGI scope that says what a WSGI environ says.

    The environ itself is kept under ``asyncflask.environ``, so that a request
    made from it hands out the very same one.
    """
    headers = []
    for key, value in environ.items():
        if key.startswith("HTTP_") and key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            headers.append((key[5:].replace("_", "-").lower().encode("latin-1"), _header_value(value)))
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            headers.append((key.replace("_", "-").lower().encode("latin-1"), _header_value(value)))
    root_path = _from_wsgi(environ.get("SCRIPT_NAME", "")).rstrip("/")
    path = _from_wsgi(environ.get("PATH_INFO", ""))
    raw_uri = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ.get("REQUEST_METHOD", "GET").upper(),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root_path + path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": root_path,
        "headers": headers,
        "server": (environ.get("SERVER_NAME", "localhost"), _port(environ.get("SERVER_PORT"))),
        "asyncflask.environ": environ,
    }
    if raw_uri:
        scope["raw_path"] = raw_uri.partition("?")[0].encode("latin-1")
    if environ.get("REMOTE_ADDR"):
        scope["client"] = (environ["REMOTE_ADDR"], _port(environ.get("REMOTE_PORT")) or 0)
    return scope


def _to_wsgi(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def _from_wsgi(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")


def _port(value: object) -> int | None:
    return int(str(value)) if value and str(value).isdecimal() else None


def _header_value(value: object) -> bytes:
    text = str(value)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
