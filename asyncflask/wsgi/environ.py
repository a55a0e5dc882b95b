"""The environ that WSGI middleware gets, and the scope of what it hands on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..environ import environ_from_scope, scope_from_environ
from ..typing import ASGIApp, Receive, Scope
from .afterwards import Afterwards
from .input import Input

if TYPE_CHECKING:
    from ..protocols import Application

#: ``start_response`` (PEP 3333, "The start_response() Callable").
Start = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[dict[str, Any], Start], Iterable[bytes]]

#: Where an environ has the `Exchange` that it was made for.
EXCHANGE = "asyncflask.exchange"

_PATH = ("SCRIPT_NAME", "PATH_INFO")
_OF_SCOPE = frozenset(
    (
        *_PATH,
        "REQUEST_METHOD",
        "QUERY_STRING",
        "SERVER_NAME",
        "SERVER_PORT",
        "REMOTE_ADDR",
        "REMOTE_PORT",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "wsgi.url_scheme",
        "wsgi.input_terminated",
    )
)


class Exchange:
    """A request of an ASGI server that WSGI middleware gets.

    :param app: what is inside of the middleware.
    :param flask: the application that this belongs to.
    :param scope: the request.
    :param receive: the server's.
    :param context: what the server is called in, see `in_context`.
    :param loop: the running loop.
    """

    def __init__(
        self,
        app: ASGIApp,
        flask: Application,
        scope: Scope,
        receive: Receive,
        context: Context,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.app = app
        self.flask = flask
        self.scope = scope
        self.loop = loop
        #: What is to be done when the response has been sent.
        self.afterwards = Afterwards()
        self.input = Input(scope, receive, context)
        environ = scope.get("asyncflask.environ")
        environ = environ_from_scope(scope, None) if environ is None else dict(environ)
        environ["wsgi.input"] = self.input
        environ["wsgi.input_terminated"] = True
        self._made: dict[str, Any] = environ

    def environ(self) -> dict[str, Any]:
        """The environ for the middleware, which may change it."""
        return {**self._made, EXCHANGE: self}

    def receive_ahead(self) -> None:
        """Take the body if it is there already: later it would be a way to the loop and back."""
        if self.input.is_announced and not self.input.is_awaited:
            self.input.begin()

    def scope_of(self, environ: dict[str, Any]) -> Scope:
        """The scope of a request with that environ, which will be the request's own."""
        made = self._made
        changed = {name for name, value in environ.items() if made.get(name) is not value}
        if len(environ) - 1 != len(made) or len(changed) > 1:
            changed.update(made.keys() - environ.keys())
        scope = dict(self.scope)
        if any(name in _OF_SCOPE or name.startswith("HTTP_") for name in changed):
            _follow(scope, environ, changed)
        scope["asyncflask.environ"] = environ
        return scope


def _follow(scope: dict[str, Any], environ: Mapping[str, Any], changed: Iterable[str]) -> None:
    raw_path = scope.pop("raw_path", None)
    scope.pop("client", None)
    scope.pop("app_root_path", None)  # of a router around the application: the path has it now
    scope.update(scope_from_environ(environ))
    if not any(name in changed for name in _PATH):
        scope["raw_path"] = raw_path
        if raw_path is None:
            del scope["raw_path"]
    else:
        scope["raw_path"] = quote(scope["path"], safe="/:@!$&'()*+,;=~").encode()
