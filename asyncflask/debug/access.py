"""Who may use the consoles: a browser on this machine that asks this server directly."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

# What proxies and tunnels add. Behind one every client has the address of this machine.
_PROXY_HEADERS = {
    b"cf-connecting-ip",
    b"client-ip",
    b"forwarded",
    b"true-client-ip",
    b"via",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-original-host",
    b"x-proxyuser-ip",
    b"x-real-ip",
}


def may_use_console(scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from this machine, by no proxy, and for a name of this machine.

    The last keeps out pages of other hosts whose name was made to lead here (DNS rebinding).
    """
    headers = list(scope["headers"])
    if any(name.lower() in _PROXY_HEADERS or name.lower().startswith(b"x-forwarded") for name, _ in headers):
        return False
    client = scope.get("client")
    if not client or not _is_loopback(str(client[0])):
        return False
    hosts = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
    return len(hosts) == 1 and _is_this_machine(hosts[0])


def is_of_the_page(scope: Mapping[str, Any]) -> bool:
    """Whether the page's own script has sent a request, as far as the browser tells."""
    headers: dict[bytes, str] = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if headers.get(b"sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = headers.get(b"origin")
    if origin is not None and origin.lower().partition("://")[2] != headers.get(b"host", "").lower():
        return False
    # Which a form of another page cannot send without being asked for permission first.
    return headers.get(b"content-type", "").partition(";")[0].strip().lower() == "application/json"


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if "@" in host:
        return False
    name = name.rstrip(".")
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return bool(ip.is_loopback)
