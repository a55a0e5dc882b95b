"""The session of a request: opened before user code, saved into the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..concurrency import current_walk
from ..ctx import RequestContext
from ..globals import _cv_request
from ..sessions import SecureCookieSessionInterface, SessionInterface
from ..typing import Receive, Scope, Send
from . import Layer

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Response


class SessionMiddleware:
    """Opens the session with the application's `session_interface`.

    The signed cookie is only read when somebody uses the session. An interface
    of the application's own may have effects, or wait for a store: it is called
    for every request, in the thread if it is sync.
    """

    def __init__(self, app: Layer, flask: Flask) -> None:
        self.app = app
        self.flask = flask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        interface = self.flask.session_interface
        if not is_lazy(interface):
            ctx = _cv_request.get()
            if ctx._session is None:
                session = await current_walk.get().call(interface.open_session, self.flask, ctx.request)
                ctx._session = interface.make_null_session(self.flask) if session is None else session
        return await self.app(scope, receive, send)


def is_lazy(interface: SessionInterface) -> bool:
    """Whether opening and saving are the framework's own, which touch nothing but the cookie."""
    cls = type(interface)
    return cls is SecureCookieSessionInterface or (
        getattr(cls, "open_session", None) is SecureCookieSessionInterface.open_session
        and getattr(cls, "save_session", None) is SecureCookieSessionInterface.save_session
    )


async def save_session(app: Flask, ctx: RequestContext, response: Response) -> None:
    """Let the session interface add the session to the response."""
    interface = app.session_interface
    if not is_lazy(interface):
        if not interface.is_null_session(ctx._session):
            await current_walk.get().call(interface.save_session, app, ctx._session, response)
        return
    if ctx._session is None:
        # Nobody used it. It may be permanent, and such a cookie is sent again with each response.
        if not (app.config["SESSION_REFRESH_EACH_REQUEST"] and _has_cookie(app, ctx)):
            return
        ctx.open_session()
    if not interface.is_null_session(ctx._session):
        interface.save_session(app, ctx._session, response)


def _has_cookie(app: Flask, ctx: RequestContext) -> bool:
    name = app.session_interface.get_cookie_name(app).encode()
    return any(key == b"cookie" and name in value for key, value in ctx.request.scope["headers"])
