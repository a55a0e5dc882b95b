"""What a proxy says of the client, in the place of what the server sees of the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from werkzeug.http import parse_list_header

from ..environ import environ_from_scope, route_path
from ..typing import ASGIApp, Receive, Scope, Send

_CHANGED_KEYS = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")

# RFC 3986 section 3.1.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}

# Browsers drop control characters from a URL and read "\" as "/": "/\t/example.com" would be another host.
_NOT_IN_PREFIX = re.compile(r"[\x00-\x1f\x7f\\]")


class ProxyFix:
    """Let an application see the request as the client has made it, not as the proxy has.

    Behind a proxy the server sees the proxy's address, and http where the client
    has used https. Proxies tell the rest in ``X-Forwarded-`` headers::

        from asyncflask.middleware.proxy_fix import ProxyFix

        app.asgi_app = ProxyFix(app.asgi_app, x_for=1, x_proto=1, x_host=1)

    Anybody can send these headers, and a proxy adds its value at the end of those
    that are there. So each number says how many proxies in front of the application
    set that header: the value counted from the right is taken, and a header with
    fewer values is ignored. With too large a number a client can claim what it likes.

    It acts on ``http`` and ``websocket`` scopes, with the semantics of Werkzeug's WSGI
    middleware of this name:

    - ``X-Forwarded-For`` sets ``client``, the port of which is then 0 (not known);
    - ``X-Forwarded-Proto`` sets ``scheme``, ws or wss for a websocket;
    - ``X-Forwarded-Host`` sets the ``host`` header and ``server``;
    - ``X-Forwarded-Port`` sets the port in both;
    - ``X-Forwarded-Prefix`` sets ``root_path``, and is put before ``path``, which includes it by the ASGI
      specification. It is for proxies that strip the prefix from the path.

    A scheme that is none is ignored, and so is a prefix that a browser could take for a host; a prefix gets
    one slash at its start. The application gets a copy of the scope, with the original under
    ``asyncflask.proxy_fix.orig``.

    :param app: the ASGI application to wrap.
    :param x_for: how many values of ``X-Forwarded-For`` to trust, 0 to ignore it.
    :param x_proto: the same for ``X-Forwarded-Proto``.
    :param x_host: the same for ``X-Forwarded-Host``.
    :param x_port: the same for ``X-Forwarded-Port``.
    :param x_prefix: the same for ``X-Forwarded-Prefix``.
    :raises ValueError: when one of the numbers is negative.
    """

    def __init__(
        self,
        app: ASGIApp,
        x_for: int = 1,
        x_proto: int = 1,
        x_host: int = 0,
        x_port: int = 0,
        x_prefix: int = 0,
    ) -> None:
        if min(x_for, x_proto, x_host, x_port, x_prefix) < 0:
            raise ValueError("ProxyFix counts proxies: pass 0 for a header that is not to be trusted.")
        self.app = app
        self.x_for = x_for
        self.x_proto = x_proto
        self.x_host = x_host
        self.x_port = x_port
        self.x_prefix = x_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self.fix(scope)
        await self.app(scope, receive, send)

    def fix(self, scope: Scope) -> Scope:
        """A copy of the scope with what the trusted headers say."""
        fixed: dict[str, Any] = {**scope, "asyncflask.proxy_fix.orig": scope}

        if address := _trusted(scope, b"x-forwarded-for", self.x_for):
            fixed["client"] = (address, 0)

        scheme = _trusted(scope, b"x-forwarded-proto", self.x_proto)
        if scheme and _SCHEME.fullmatch(scheme):
            if scope["type"] == "websocket":
                scheme = _WEBSOCKET_SCHEMES.get(scheme, scheme)
            fixed["scheme"] = scheme

        if host := _trusted(scope, b"x-forwarded-host", self.x_host):
            _set_host(fixed, host)
            name, port = _split_port(host)
            old_port = (scope.get("server") or ("", None))[1]
            fixed["server"] = (name, old_port if port is None else _number(port))

        if port := _trusted(scope, b"x-forwarded-port", self.x_port):
            if host := _value(fixed["headers"], b"host"):
                _set_host(fixed, f"{_split_port(host)[0]}:{port}")
            if fixed.get("server"):
                fixed["server"] = (fixed["server"][0], _number(port))

        prefix = _trusted(scope, b"x-forwarded-prefix", self.x_prefix)
        if prefix and not _NOT_IN_PREFIX.search(prefix):
            _set_root_path(fixed, prefix.encode("latin-1").decode(errors="replace"))

        environ = scope.get("asyncflask.environ")
        if environ is not None:  # the test client's
            made = environ_from_scope(fixed, None)
            fixed["asyncflask.environ"] = {
                **environ,
                **{key: made[key] for key in _CHANGED_KEYS if key in made},
                "werkzeug.proxy_fix.orig": {key: environ.get(key) for key in _CHANGED_KEYS},
            }
        return fixed


def _value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """All values of a header: several headers of one name are one list (RFC 9110 section 5.2)."""
    return b",".join(value for key, value in headers if key == name).decode("latin-1")


def _trusted(scope: Scope, name: bytes, count: int) -> str | None:
    """The value that the outermost of `count` proxies has set."""
    if count == 0:
        return None
    values = parse_list_header(_value(scope["headers"], name))
    return values[-count] if len(values) >= count else None


def _set_host(scope: dict[str, Any], host: str) -> None:
    others = [item for item in scope["headers"] if item[0] != b"host"]
    scope["headers"] = [(b"host", host.encode("latin-1")), *others]


def _split_port(host: str) -> tuple[str, str | None]:
    if ":" in host and not host.endswith("]"):  # which is where an IPv6 address without a port ends
        name, _, port = host.rpartition(":")
        return name, port
    return host, None


def _number(port: str) -> int | None:
    return int(port) if re.fullmatch("[0-9]{1,5}", port) else None


def _set_root_path(scope: dict[str, Any], prefix: str) -> None:
    rest = route_path(scope)
    if rest and rest[0] != "/":
        rest = f"/{rest}"  # such as the "*" of OPTIONS
    stripped = prefix.strip("/")
    scope["root_path"] = f"/{stripped}" if stripped else ""
    scope["path"] = scope["root_path"] + rest
