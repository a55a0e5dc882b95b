"""In which form a client wants an error, and how it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from ..typing import Scope, Send


@dataclass(frozen=True, slots=True)
class Form:
    """One of the forms that an error can have."""

    name: str
    content_type: bytes


HTML = Form("html", b"text/html; charset=utf-8")
PLAIN = Form("plain", b"text/plain; charset=utf-8")
JSON = Form("json", b"application/json")


def form_for(headers: Iterable[tuple[bytes, bytes]]) -> Form:
    """The form that a client likes best (RFC 9110 section 12.5.1). Who takes anything gets plain text: a
    browser that is shown a page names HTML."""
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"accept"]
    accepted = parse_accept_header(",".join(values), MIMEAccept)
    for kind, quality in sorted(accepted, key=lambda item: item[1], reverse=True):
        kind = kind.lower().partition(";")[0].strip()
        if quality <= 0:
            continue
        if kind in ("text/html", "application/xhtml+xml"):
            return HTML
        if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
            return JSON
        if kind in ("*/*", "text/*", "text/plain"):
            return PLAIN
    return PLAIN


async def send_document(scope: Scope, send: Send, form: Form, text: str, nonce: str) -> None:
    """Answer with an error. Over HTTP/1 the connection ends with it: a server that is told of the exception
    closes it, and the client has to know (RFC 9112 section 9.6).

    :param nonce: that of the page's style and script; nothing else of it may run or load.
    """
    body = text.encode()
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    headers = [
        (b"content-type", form.content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", (policy if form is HTML else "default-src 'none'").encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"vary", b"Accept"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
