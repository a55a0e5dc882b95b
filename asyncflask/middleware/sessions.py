"""The session of a request: opened before user code, saved into the response."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData

from ..concurrency import current_walk, is_async
from ..concurrency.ending import Ending
from ..ctx import AppContext
from ..globals import _cv_app
from ..sessions import SecureCookieSessionInterface, SessionError, SessionInterface
from ..typing import Receive, Scope, Send
from .errors import answer_error
from .finalize import make_response
from .layer import SENT, Layer, Route

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


class SessionMiddleware:
    """Opens the session with the application's `session_interface`, and saves it into the response.

    The signed cookie is only read when somebody uses the session. An interface
    of the application's own may have effects, or wait for a store: it is called
    for every request, in the thread if it is sync, unless it says that it is lazy.
    """

    def __init__(self, app: Layer, route: Route) -> None:
        self.app = app
        self.flask = route.flask
        interface = route.flask.session_interface
        self.opens_first = not is_lazy(interface)
        self.waits_when_used = not self.opens_first and is_async(interface.open_session)

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        if route.overridden("finalize_request") or route.overridden("process_response"):
            cls = SessionOpeningMiddleware
        flask = route.flask
        interface = flask.session_interface
        is_of_no_use = is_plain(interface) and (cls is SessionOpeningMiddleware or not flask.secret_key)
        return app if is_of_no_use else cls(app, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        ctx: Any = _cv_app.get()
        try:
            await self.begin(ctx)
        except SessionError as error:
            return await make_response(self.flask, await answer_error(self.flask, error))
        response = await self.app(scope, receive, send)
        if response is SENT or not has_session_to_save(self.flask, ctx):
            return response
        return await self.process(ctx, response)

    async def begin(self, ctx: Any) -> None:
        """Open the session, or see to it that it can be opened when somebody asks for it."""
        if self.waits_when_used:
            current_walk().is_bridged = True
        if not self.opens_first or ctx._session is not None:
            return
        interface = self.flask.session_interface
        session = await current_walk().call(interface.open_session, self.flask, ctx.request)
        ctx._session = interface.make_null_session(self.flask) if session is None else session

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, with what the session adds to it."""
        if response is not SENT and has_session_to_save(self.flask, ctx):
            try:
                await save_session(self.flask, ctx, response)
            except SessionError as error:
                return await make_response(self.flask, await answer_error(self.flask, error))
        return response


class SessionOpeningMiddleware(SessionMiddleware):
    """Opens the session; it is saved by the application's own `process_response`, or by the framework's when
    that calls it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        await self.begin(_cv_app.get())
        return await self.app(scope, receive, send)

    async def process(self, ctx: Any, response: Any) -> Any:
        """The response, unchanged."""
        return response


def is_lazy(interface: SessionInterface) -> bool:
    """Whether a session is opened when it is first used."""
    return is_plain(interface) or getattr(interface, "lazy", False)


def is_plain(interface: SessionInterface) -> bool:
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
    if type(interface) is not SecureCookieSessionInterface and not is_plain(interface):
        return False  # nobody used it, or opening it has failed
    # Nobody used it. It may be permanent, and such a cookie is sent again with each response.
    cookies = ctx.request.raw_headers.get(b"cookie")
    return cookies is not None and app.config["SESSION_REFRESH_EACH_REQUEST"] and may_be_session(app, ctx)


def may_be_session(app: Any, ctx: AppContext) -> bool:
    """Whether the session's cookie may be among those that the client has sent."""
    return app.session_interface.get_cookie_name(app).encode("latin-1", "replace") in (
        ctx.request.raw_headers.get(b"cookie", b"")
    )


async def save_websocket_session(ctx: Any, error: BaseException | None) -> BaseException | None:
    """Let the session interface save the session of a websocket at its end.

    :param error: what has ended the websocket.
    :returns: that, or the cancellation that has come meanwhile.
    """
    interface, session = ctx.app.session_interface, ctx._session
    save = getattr(interface, "save_websocket_session", None)
    if not saves_websockets(interface) and ctx.request.accepted and getattr(session, "modified", False):
        _warn_of_lost_session(ctx)
    if save is None or is_plain(interface) or session is None or interface.is_null_session(session):
        return error
    ending = Ending(ctx._walk, isinstance(error, CancelledError))
    await ending.call(save, ctx.app, session)
    for failure in ending.failures:
        if isinstance(failure, CancelledError):
            error = error or failure
        else:
            ctx.app.logger.error("The session of a websocket is not saved", exc_info=failure)
    ending.failures.clear()
    return error


def saves_websockets(interface: Any) -> bool:
    """Whether it can save a session at the end of a websocket: not where all of it is in the cookie."""
    save = getattr(type(interface), "save_websocket_session", None)
    return save not in (None, SessionInterface.save_websocket_session)


def _warn_of_lost_session(ctx: Any) -> None:
    ctx.app.logger.warning(
        "The session was changed in the websocket %s after it was accepted, which is lost: its cookie goes"
        " out with the handshake. Change it before 'await websocket.accept()', which the first 'receive' or"
        " 'send' does as well, or keep sessions on the server, such as with"
        " 'asyncflask.sessions.redis.RedisSessionInterface'.",
        ctx.request.path,
    )


async def save_session(app: Application, ctx: AppContext, response: Response) -> None:
    """Let the session interface add the session to the response."""
    interface = app.session_interface
    if ctx._session is None:
        ctx.open_session()
    session = ctx._session
    if interface.is_null_session(session):
        return
    if is_plain(interface):
        interface.save_session(app, session, response)
    else:
        await current_walk().call(interface.save_session, app, ctx._session, response)


def take_over_session(app: Any, ctx: AppContext, response: Response) -> None:
    """Let what a mounted application has stored in a session cookie that is this application's, too, be in
    this application's session, besides what was changed here: of two cookies of a name the first is lost.

    :param response: the mounted application's.
    """
    interface = app.session_interface
    if not (is_plain(interface) and isinstance(interface, SecureCookieSessionInterface)):
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
