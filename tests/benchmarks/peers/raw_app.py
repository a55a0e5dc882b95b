"""An ASGI application without a framework: the lower bound, not something to write."""

from __future__ import annotations

import json
from typing import Any

from .data import ARTICLE, GREETING, pause

WITHOUT = frozenset(
    (
        "int",
        "sync",
        "sync-64",
        "form-post",
        "json-post",
        "404",
        "plain-300",
        "json-300",
        "int-300",
        "wait-sync",
    )
)


def create_app(extra_routes: int = 0) -> Any:
    return application


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        await lifespan(receive, send)
        return
    path = scope["path"]
    content_type = b"text/plain; charset=utf-8"
    status = 200
    if path == "/plain":
        body = GREETING.encode()
    elif path == "/json":
        content_type = b"application/json"
        body = json.dumps(ARTICLE, separators=(",", ":")).encode()
    elif path == "/wait":
        await pause()
        body = GREETING.encode()
    else:
        status = 404
        body = b"not found"
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Any, send: Any) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
