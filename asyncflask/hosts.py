"""The host that a client asks for: what is one, and what is not."""

from __future__ import annotations

import re
from collections.abc import Collection

from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

#: A name, or an IPv4 address, or an IPv6 address in brackets, and perhaps a port (RFC 3986 section 3.2.2). Of
#: what a name may have there, these are the characters that names in use have: with others, browsers and
#: proxies do not agree on where a host begins and ends. Werkzeug has no underscore, Docker's names have.
_HOST = re.compile(
    r"([a-z0-9._-]+ | \[[a-f0-9]*:[a-f0-9.:]+\]) (?: : ([1-9][0-9]{0,4}) )?",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)

_USUAL_PORTS = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}


def is_host(value: str) -> bool:
    """Whether that is a host, in a ``Host`` header."""
    found = _HOST.fullmatch(value)
    return found is not None and int(found[2] or 0) < 65536 and ("xn--" not in value or _is_idna(value))


def requested_host(
    scheme: str,
    header: str | None,
    server: tuple[str, int | None] | None,
    trusted: Collection[str] | None,
) -> str:
    """The host that a client asked for, with the port unless it is the usual one; empty when what it sent is
    none.

    :param header: the ``Host`` header; None without one, where it is the server's address.
    :raises SecurityError: when it is not one of those that are trusted.
    """
    host: str = get_host(scheme, header, server, trusted)
    if not host and header is not None and "_" in header and is_host(header):
        return header.removesuffix(_USUAL_PORTS.get(scheme, "-"))
    return "" if "xn--" in host and not _is_idna(host) else host


def check_host(header: str | None) -> None:
    """Refuse a request whose ``Host`` is none: a redirect would lead to wherever a browser finds a host in
    what is left.

    :param header: the ``Host`` header, None without one.
    :raises SecurityError: a 400, as for a host that is not trusted.
    """
    if header is not None and not is_host(header):
        raise SecurityError(f"The Host header is no host: {header[:200]!r}.")


def _is_idna(host: str) -> bool:
    try:
        host.encode().decode("idna")
    except UnicodeDecodeError:
        return True  # Werkzeug shows such a label as it is
    except UnicodeError:
        return False
    return True
