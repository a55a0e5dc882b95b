"""The headers that a server adds to those of the application."""

from __future__ import annotations

from collections.abc import Collection

from werkzeug.http import http_date

from ..typing import ASGIApp, Message, Receive, Scope, Send


class DefaultHeaders:
    """ASGI middleware that adds ``Server`` and ``Date``, unless the application has sent its own: uvicorn
    would put another one beside (RFC 9110 sections 6.6.1 and 10.2.4 allow one of each).

    :param app: the application.
    :param names: which of the two are wanted, in lower case.
    """

    def __init__(self, app: ASGIApp, names: Collection[bytes]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._completed(message.get("headers", ()))}
            await send(message)

        await self.app(scope, receive, completing if scope["type"] == "http" else send)

    def _completed(self, headers: Collection[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = {name.lower() for name, _ in headers}
        values = {b"server": b"uvicorn", b"date": http_date().encode()}
        return [*((name, values[name]) for name in self.names if name not in given), *headers]
