"""Requests as no client should make them, from a seed: the same ones for every framework."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

PATHS = ["/", "/item/1", "/dir", "/dir/", "/json", "/form", "/data", "/cookie", "/missing", "/query?a=1&b=2"]
HOSTS = [
    "localhost",
    "localhost:80",
    "127.0.0.1@evil.example",
    "/evil.example",
    "//evil.example",
    "evil.example",
    "a b",
    "",
    "[::1]",
    "[::1",
    "localhost:99999",
    "localhost:x",
    "xn--",
    "\xff",
    "a" * 300,
    "..",
    "my_app",
    "%00",
    "<script>",
]
NAMES = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Cookie",
    "Content-Encoding",
    "Date",
    "Expect",
    "Forwarded",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Origin",
    "Range",
    "Referer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
]
TYPES = [
    "application/json",
    "application/json; charset=utf-7",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=nonsense",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    'multipart/form-data; boundary="' + "b" * 300,
    "text/plain",
    "",
    "/",
    "\xff/\xfe",
]
PARTS = [
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
    '--b\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\n\x00\r\n',
    "--b\r\n\r\n\r\n",
    "--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n",
    "--b--\r\n",
    "--b",
    "\r\n",
]
JSON = ["{", "[" * 2000, "1" * 5000, '{"a":' * 500, '"\\ud800"', "NaN", "null", '{"a": 1}', "\xff", "1e999"]
ODD = [
    "\x00",
    "\x01",
    "\x7f",
    "\t",
    " ",
    "%",
    "%00",
    "%2e%2e%2f",
    "%0d%0aX-Injected: 1",
    "\\",
    "//",
    "..",
    ";",
    "?",
    "#",
    "&",
    "=",
    "\xff",
    "\xc3\xa4",
    "'",
    '"',
    "<",
    "9" * 30,
    "a" * 500,
    "${x}",
    "{{1}}",
    ",",
    "-1",
    "bytes=0-",
    "bytes=-0,9-1",
    "Basic " + "A" * 20,
    "Basic \xff",
    "Bearer",
    "Digest a=b",
    "session=.eJw.x.y",
    "session=" + "a" * 3000,
    "a=b; a=c; =; ;;",
    "Thu, 99 Foo 0000 00:00:00",
    "Tue, 15 Nov 1994 08:12:31 GMT",
    'W/"a", *',
    "gzip;q=x",
    "en;q=9,*;q=",
    "http://[",
    "null",
]


@dataclass(frozen=True)
class HostileRequest:
    """A request on the wire.

    :param host: its Host header, None without one.
    """

    data: bytes
    host: str | None
    method: str


def hostile_requests(number: int, seed: int) -> Iterator[HostileRequest]:
    """Requests that are complete: each of them wants an answer."""
    dice = random.Random(seed)
    for _ in range(number):
        yield _make(dice)


def _text(dice: random.Random, most: int = 3) -> str:
    return "".join(dice.choice(ODD) for _ in range(dice.randint(0, most)))


def _make(dice: random.Random) -> HostileRequest:
    path = dice.choice(PATHS)
    if dice.random() < 0.5:
        cut = dice.randint(1, len(path))
        path = (path[:cut] + _text(dice) + path[cut:]).replace(" ", "%20")
    method = dice.choice(["GET", "GET", "POST", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"])
    if dice.random() < 0.03:
        method = dice.choice(["get", "TRACE", "BREW", "G\xcb", "A" * 100])
    host: str | None = dice.choice(HOSTS) if dice.random() < 0.4 else "localhost"
    headers = [] if host is None else [("Host", host)]
    for _ in range(dice.randint(0, 5)):
        name = dice.choice(NAMES) if dice.random() < 0.9 else "X-" + dice.choice(ODD)
        headers.append((name, _text(dice)))
    body = _body(dice, headers) if method in ("POST", "PUT", "PATCH") else b""
    names = [name.lower() for name, _ in headers]
    if "transfer-encoding" not in names and (body or method in ("POST", "PUT", "PATCH")):
        headers.append(("Content-Length", str(len(body))))
    headers.append(("Connection", "close"))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return HostileRequest("\r\n".join(lines).encode("latin-1") + body, host, method)


def _body(dice: random.Random, headers: list[tuple[str, str]]) -> bytes:
    kind = dice.choice(TYPES)
    headers.append(("Content-Type", kind))
    if "json" in kind:
        text = dice.choice(JSON)
    elif "multipart" in kind:
        text = "".join(dice.choice(PARTS) for _ in range(dice.randint(0, 6)))
    else:
        text = "&".join(f"{_text(dice, 1)}={_text(dice, 2)}" for _ in range(dice.randint(0, 5)))
    return text.encode("latin-1")
