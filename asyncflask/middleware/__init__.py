"""The layers around the router, each an ASGI callable around the next.

From the outside in: `context`, `hooks.AfterRequestMiddleware`, `sessions`,
`errors`, `hooks.BeforeRequestMiddleware`, and the router. They are called as
ASGI is, and use what ASGI leaves open, the return value: the router returns what
the view returned, `AfterRequestMiddleware` makes it a response and returns that,
and `ContextMiddleware` sends it. `SENT` says that a response has gone out already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..typing import Receive, Scope, Send

if TYPE_CHECKING:
    from ..app import Flask

Layer = Callable[[Scope, Receive, Send], Awaitable[Any]]

#: What a layer returns when the response has been sent by an ASGI application further in.
SENT: Any = type("SENT", (), {"__repr__": lambda self: "SENT"})()


def overridden(app: Flask, name: str) -> Callable[..., Any] | None:
    """The method of the application that replaces the framework's own, by a subclass or an assignment."""
    return app._replacement_of(name)
