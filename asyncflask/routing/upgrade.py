"""A request where a websocket is wanted."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import HTTPException


class UpgradeRequired(HTTPException):
    """*426* `Upgrade Required`: the URL is one of websockets only (RFC 9110 section 15.5.22)."""

    code = 426
    description = "This URL is for websockets: it is opened with 'ws://' or 'wss://' in the place of 'http'."

    #: Whether the client speaks a version of HTTP that has the header ``Upgrade``.
    has_upgrades = True

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        headers = [*super().get_headers(*args, **kwargs)]
        if self.has_upgrades:
            headers += [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        return headers
