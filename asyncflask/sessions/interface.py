"""What a session is, and what opens and saves sessions."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from werkzeug.datastructures import CallbackDict

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Request, Response


class SessionMixin(MutableMapping[str, Any]):
    """What a session is besides a mapping."""

    #: Whether the session was made in this request. Not every interface can tell.
    new = False
    #: Whether the session was changed and is to be saved. A change inside of a
    #: nested value is not seen: set this to True after one.
    modified = True
    #: Whether the session was used at all; the response then varies by cookie.
    accessed = False

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser, for ``PERMANENT_SESSION_LIFETIME``."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


class SecureCookieSession(CallbackDict[str, Any], SessionMixin):
    """A dict that notices when it is changed."""

    modified = False
    accessed = False

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        dict.__init__(self, initial or ())

    @staticmethod
    def on_update(session: SecureCookieSession) -> None:
        session.modified = True


class NullSession(SecureCookieSession):
    """The session of an application without a secret key. It can be read, and says why not be written."""

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "The session is unavailable because no secret key was set.  Set the secret_key on the"
            " application to something unique and secret."
        )

    __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = _fail
    del _fail


class SessionInterface:
    """How sessions are opened and saved. Subclass it and set ``app.session_interface``.

    `open_session` and `save_session` are to be written; both may be ``async
    def``. Sync ones run in the request's worker thread. What answers the client
    with something else than a 500 is a `SessionError`.
    """

    #: Whether a session is opened when it is first used, and saved only then, as that of a signed cookie.
    #: Else it is opened before each request, as by Flask, whether it is used or not. An ``async def
    #: open_session`` may wait all the same where code on the event loop says ``session["x"]``. Only in a task
    #: that a view has begun it cannot: use the session before that, or ``await open_session()`` there.
    lazy = False

    null_session_class: type[Any] = NullSession
    #: Unused since pickles are no longer a session format; kept for subclasses that set it.
    pickle_based = False

    def make_null_session(self, app: Flask) -> Any:
        """The session to use when `open_session` gave None."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Whether `obj` is one of `make_null_session`, which is never saved."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Flask) -> str:
        """``SESSION_COOKIE_NAME``."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_domain(self, app: Flask) -> str | None:
        """``SESSION_COOKIE_DOMAIN``. Without one the browser sends the cookie to the exact host only."""
        domain: str | None = app.config["SESSION_COOKIE_DOMAIN"]
        return domain

    def get_cookie_path(self, app: Flask) -> str:
        """``SESSION_COOKIE_PATH``, else ``APPLICATION_ROOT``."""
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Flask) -> bool:
        """``SESSION_COOKIE_HTTPONLY``: whether scripts are kept from the cookie."""
        httponly: bool = app.config["SESSION_COOKIE_HTTPONLY"]
        return httponly

    def get_cookie_secure(self, app: Flask) -> bool:
        """``SESSION_COOKIE_SECURE``: whether the cookie is for HTTPS only."""
        secure: bool = app.config["SESSION_COOKIE_SECURE"]
        return secure

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """``SESSION_COOKIE_SAMESITE``: "Strict", "Lax" or None."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_cookie_partitioned(self, app: Flask) -> bool:
        """``SESSION_COOKIE_PARTITIONED``: whether embedded pages keep the cookie per embedding site."""
        partitioned: bool = app.config["SESSION_COOKIE_PARTITIONED"]
        return partitioned

    def get_cookie_attributes(self, app: Flask) -> dict[str, Any]:
        """All of these, as `Response.set_cookie` and `Response.delete_cookie` take them."""
        return {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "partitioned": self.get_cookie_partitioned(app),
            "samesite": self.get_cookie_samesite(app),
            "httponly": self.get_cookie_httponly(app),
        }

    def get_expiration_time(self, app: Flask, session: Any) -> datetime | None:
        """When the cookie ends: with the browser (None), or with the lifetime of a permanent session."""
        if session.permanent:
            return datetime.now(UTC) + app.permanent_session_lifetime
        return None

    def should_set_cookie(self, app: Flask, session: Any) -> bool:
        """Whether the response needs the cookie: the session was modified, or it is permanent and
        ``SESSION_REFRESH_EACH_REQUEST`` is set."""
        return bool(session.modified or (session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]))

    def open_session(self, app: Flask, request: Request) -> Any:
        """The session of a request, or None for a null session. May be ``async def``."""
        raise NotImplementedError(f"{type(self).__name__}.open_session() is to be written.")

    def save_session(self, app: Flask, session: Any, response: Response) -> Any:
        """Save the session when the response is made, and set its cookie there. May be ``async def``."""
        raise NotImplementedError(f"{type(self).__name__}.save_session() is to be written.")

    def save_websocket_session(self, app: Flask, session: Any) -> Any:
        """Save what has been changed in the session of a websocket when that ends. May be ``async def``.

        What was changed before the websocket was accepted has been saved by `save_session`, whose cookies go
        with that answer. Afterwards nothing can reach the browser any more: what is kept in a cookie is lost,
        so this does nothing, unless you have a store. Called before the ``teardown_websocket`` functions,
        however the websocket ends, when the session was opened; what it raises is logged.
        """


def vary_by_cookie(response: Response) -> None:
    """Note that the response depends on the cookie (RFC 9110 section 12.5.5)."""
    items = response.headers._list
    for name, _ in items:
        if len(name) == 4 and name.lower() == "vary":
            response.vary.add("Cookie")
            return
    items.append(("Vary", "Cookie"))
