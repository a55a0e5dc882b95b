"""Which pages may open a websocket.

Browsers open websockets to any site, from any page, and send the cookies along: the same-origin policy does
not cover them, and there is no CORS for them. What tells a visitor's own page from a foreign one is the
``Origin`` header (RFC 6455 section 10.2), which every browser sends and no page can change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden

from ..wrappers import Response

_PORTS = {"http": 80, "https": 443}


def is_foreign(websocket: Any, allowed: Iterable[str] | str | None) -> bool:
    """Whether a handshake comes from a page that may not open a websocket here.

    :param websocket: the `Websocket`.
    :param allowed: ``WEBSOCKET_ORIGINS``. None: pages of the host that the websocket is asked from, on any
        port, since cookies do not tell ports apart (RFC 6265 section 8.5), but no page over HTTP for a
        websocket over TLS. Or origins, ``https://app.example``, ``https://*.example`` for all names below; or
        "*" for all.
    """
    header: bytes | None = websocket.raw_headers.get(b"origin")
    if header is None or allowed == "*":
        return False  # no browser: it could send any Origin
    origin = _parsed(header.decode("latin-1"))
    if origin is None:
        return True
    if allowed is None:
        scheme, name, _ = origin
        own = _parsed(f"http://{websocket.host}")
        is_downgraded = scheme == "http" and websocket.scheme == "wss"
        return own is None or own[1] != name or is_downgraded
    return not any(_covers(entry, origin) for entry in ([allowed] if isinstance(allowed, str) else allowed))


_Origin = tuple[str, str, int | None]


def _parsed(text: str) -> _Origin | None:
    """Scheme, host and port of an origin (RFC 6454 section 6.2); None for what is none, as "null"."""
    try:
        parts = urlsplit(text.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or parts.path.strip("/") or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or _PORTS.get(parts.scheme)


def _covers(entry: str, origin: _Origin) -> bool:
    allowed = _parsed(entry)
    if allowed is None or (allowed[0], allowed[2]) != (origin[0], origin[2]):
        return False
    name = allowed[1]
    return origin[1].endswith(name[1:]) if name.startswith("*.") else origin[1] == name


def forbidden(flask: Any, websocket: Any) -> Response:
    """The answer to such a handshake."""
    origin = websocket.headers["Origin"][:200]
    log = flask.logger.warning if flask.debug else flask.logger.info
    log("A websocket to %r is refused: its Origin %r is not of WEBSOCKET_ORIGINS", websocket.path, origin)
    return Response(Forbidden("Websockets cannot be opened from this origin.").get_body(), 403)
