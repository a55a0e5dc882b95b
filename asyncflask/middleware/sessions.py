"""The session of a request: opened before user code, saved into the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from itsdangerous import BadData

from ..concurrency import current_walk
from ..ctx import AppContext
from ..globals import _cv_app
from ..sessions import SecureCookieSessionInterface, SessionInterface
from ..typing import Receive, Scope, Send
from .layer import SENT, Layer, Route

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


class SessionMiddleware:
    """Opens the session with the application's `session_interface`, and saves it into the response.

    The signed cookie is only read when somebody uses the session. An interface
    of the application's own may have effects, or wait for a store: it is called
    for every request, in the thread if it is sync.
    """

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        self.opens_first = not is_lazy(route.flask.session_interface)

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        if route.overridden("finalize_request") or route.overridden("process_response"):
            cls = SessionOpeningMiddleware
        flask = route.flask
        never_saved = cls is SessionOpeningMiddleware or not flask.secret_key
        return app if is_lazy(flask.session_interface) and never_saved else cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        if self.opens_first and ctx._session is None:
            await self.open(ctx)
        response = await self.app(scope, receive, send)
        if response is SENT or not has_session_to_save(self.flask, ctx):
            return response
        return await self.process(ctx, response)

    async def open(self, ctx: Any) -> None:
        """Open the session before anybody asks for it."""
        interface = self.flask.session_interface
        session = await current_walk().call(interface.open_session, self.flask, ctx.request)
        ctx._session = interface.make_null_session(self.flask) if session is None else session

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, with what the session adds to it."""
        if response is not SENT and has_session_to_save(self.flask, ctx):
            await save_session(self.flask, ctx, response)
        return response


class SessionOpeningMiddleware(SessionMiddleware):
    """Opens the session; it is saved by the application's own `process_response`, or by the framework's when
    that calls it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        if ctx._session is None:
            await self.open(ctx)
        return await self.app(scope, receive, send)

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, unchanged."""
        return response


def is_lazy(interface: SessionInterface) -> bool:
    """Whether opening and saving are the framework's own, which touch nothing but the cookie."""
    cls = type(interface)
    return cls is SecureCookieSessionInterface or (
        getattr(cls, "open_session", None) is SecureCookieSessionInterface.open_session
        and getattr(cls, "save_session", None) is SecureCookieSessionInterface.save_session
    )


def has_session_to_save(app: Application, ctx: AppContext) -> bool:
    """Whether `save_session` may have something to do."""
    if ctx._session is not None:
        return True
    interface = app.session_interface
    if type(interface) is not SecureCookieSessionInterface and not is_lazy(interface):
        return False  # opening it has failed
    # Nobody used it. It may be permanent, and such a cookie is sent again with each response.
    cookies = ctx.request.raw_headers.get(b"cookie")
    return cookies is not None and app.config["SESSION_REFRESH_EACH_REQUEST"] and may_be_session(app, ctx)


def may_be_session(app: Any, ctx: AppContext) -> bool:
    """Whether the session's cookie may be among those that the client has sent."""
    request = ctx.request
    if len(request.raw_headers) != len(request.scope["headers"]):
        return True  # more than one header may have cookies
    return app.session_interface.get_cookie_name(app).encode("latin-1", "replace") in (
        request.raw_headers.get(b"cookie", b"")
    )


async def save_session(app: Application, ctx: AppContext, response: Response) -> None:
    """Let the session interface add the session to the response."""
    interface = app.session_interface
    if ctx._session is None:
        ctx.open_session()
    session = ctx._session
    if interface.is_null_session(session):
        return
    if is_lazy(interface):
        interface.save_session(app, session, response)
    else:
        await current_walk().call(interface.save_session, app, ctx._session, response)


def take_over_session(app: Any, ctx: AppContext, response: Response) -> None:
    """Let what a mounted application has stored in a session cookie that is this application's, too, be in
    this application's session, besides what was changed here: of two cookies of a name the first is lost.

    :param response: the mounted application's.
    """
    interface = app.session_interface
    if not (is_lazy(interface) and isinstance(interface, SecureCookieSessionInterface)):
        return
    cookie = interface.cookie_in(app, response)
    serializer = interface.get_signing_serializer(app)
    if cookie is None or serializer is None:
        return
    try:
        stored = dict(serializer.loads(cookie)) if cookie else {}
    except (BadData, ValueError, TypeError):
        return  # signed with another key
    session = ctx.open_session() if ctx._session is None else ctx._session
    modified = session.modified
    if modified:
        before = interface.open_session(app, ctx.request)
        for key in before.keys() - session.keys():
            stored.pop(key, None)
        stored |= {key: value for key, value in session.items() if key not in before or before[key] != value}
        # This application's own cookie will have all of it.
        start = f"{interface.get_cookie_name(app)}={cookie};"
        cookies = response.headers.getlist("Set-Cookie")
        response.headers.setlist("Set-Cookie", [other for other in cookies if not other.startswith(start)])
    session.clear()
    session.update(stored)
    session.modified = modified
