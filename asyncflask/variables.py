"""Context variables that go on where their context ends: from the startup to requests, and from a request to
its background tasks.

Request ids, spans, the connections of an ORM are kept in context variables. The framework's own, of request
and application, are never taken along.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context, ContextVar
from functools import partial
from typing import Any

from .typing import ASGIApp, Receive, Scope, Send

_UNSET: Any = object()
_OURS = "asyncflask."


def without_request(context: Context) -> Context:
    """A new context with what another one has, except for the request and what belongs to it."""
    new = Context()
    for variable, value in context.items():
        if not variable.name.startswith(_OURS):
            new.run(variable.set, value)
    return new


class StartupVariables:
    """What `before_serving`, `while_serving` and `lifespan` have set, for requests and websockets.

    :param before: the context when the startup began.
    :param after: the same when it was complete.
    """

    def __init__(self, before: Context, after: Context) -> None:
        self._changes: list[tuple[ContextVar[Any], Any, Any]] = [
            (variable, before.get(variable, _UNSET), value)
            for variable, value in after.items()
            if not variable.name.startswith(_OURS) and before.get(variable, _UNSET) is not value
        ]

    def __bool__(self) -> bool:
        return bool(self._changes)

    def around(self, app: ASGIApp) -> ASGIApp:
        """`app` with the variables set for as long as it runs. What a request has set for itself, in
        middleware of the server's say, stays."""
        return partial(self._run, app)

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        tokens = [
            variable.set(value) for variable, before, value in self._changes if variable.get(_UNSET) is before
        ]
        try:
            await app(scope, receive, send)
        finally:
            for token in tokens:
                with suppress(ValueError):  # closed from somewhere else, whose context is not this one
                    token.var.reset(token)
