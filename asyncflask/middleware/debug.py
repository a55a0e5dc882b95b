"""The traceback page for exceptions that nothing in the application has answered."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..debug import render_plain, render_traceback


class DebugMiddleware:
    """Answer an unhandled exception with its traceback, then raise it on.

    A client that accepts ``text/html`` gets the page of :func:`asyncflask.debug.render_traceback`, any other
    the text of :func:`asyncflask.debug.render_plain`; both with status 500.  The exception is raised again in
    any case, so that the server logs it and a test client sees it.  If the response had already started,
    nothing is sent: what the client has cannot be taken back.

    The page shows the source of the application: for development only.

    :param app: the ASGI application to watch; scopes other than ``http`` pass through untouched.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        response_started = False

        async def watched_send(message: Message) -> None:
            nonlocal response_started
            if message["type"] == "http.response.start":
                response_started = True
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except Exception as error:
            if not response_started:
                # The client may be gone (OSError since ASGI HTTP 2.4); the exception matters more.
                with suppress(OSError):
                    await _send_traceback(error, scope, send)
            raise


async def _send_traceback(error: Exception, scope: Scope, send: Send) -> None:
    if _accepts_html(scope["headers"]):
        content_type, text = b"text/html; charset=utf-8", render_traceback(error, scope)
    else:
        content_type, text = b"text/plain; charset=utf-8", render_plain(error)
    body = text.encode()
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        # The page has no script: if anything in it were ever read as one, it must not run.
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _accepts_html(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"accept" and b"text/html" in value.lower() for name, value in headers)
