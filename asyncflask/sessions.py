"""Sessions: what they look like, and how they are kept in a signed cookie.

The cookie is Flask's, byte for byte, so that both frameworks can serve the same
users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import CallbackDict
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response as WerkzeugResponse

from .json.tag import TaggedJSONSerializer
from .lazy import lazy
from .signing import CookieSerializer, sha1

if TYPE_CHECKING:
    from .app import Flask
    from .wrappers import Request, Response


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
    def``. Sync ones run in the request's worker thread.
    """

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


session_json_serializer = TaggedJSONSerializer()


class SecureCookieSessionInterface(SessionInterface):
    """Keeps the session in the cookie itself: readable by the user, and signed against changes."""

    #: Distinguishes these signatures from others made with the same secret key.
    salt = "cookie-session"
    #: The hash of the signature.
    digest_method = staticmethod(sha1)
    #: How itsdangerous makes the signing key from the secret key.
    key_derivation = "hmac"
    #: Writes and reads the payload: JSON with tags for some Python types.
    serializer: Any = session_json_serializer
    session_class: type[Any] = SecureCookieSession

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs and checks cookies for this application; None when it has no secret key.

        ``SECRET_KEY_FALLBACKS`` are accepted for reading.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"]
        made_for = (
            self,
            secret_key,
            tuple(fallbacks) if fallbacks else (),
            self.salt,
            self.serializer,
            self.key_derivation,
            self.digest_method,
        )
        # Making one takes longer than signing with it.
        kept = app._signing_serializer
        if kept is not None and kept[0] == made_for:
            made: URLSafeTimedSerializer = kept[1]
            return made
        serializer = CookieSerializer(
            [*(fallbacks or ()), secret_key],  # itsdangerous signs with the last
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )
        app._signing_serializer = (made_for, serializer)
        return serializer

    def open_session(self, app: Flask, request: Request) -> Any:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        cookie = signed_cookie(request, self.get_cookie_name(app))
        if cookie:
            max_age = int(app.permanent_session_lifetime.total_seconds())
            try:
                data = serializer.loads(cookie, max_age=max_age)
            except (BadData, ValueError, TypeError, KeyError, RecursionError, OverflowError, OSError):
                data = None  # expired, forged, or not of ours: a new session
            if isinstance(data, dict):
                return self.session_class(data)
        return self.session_class()

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        used = session.accessed or session.modified
        if used:
            vary_by_cookie(response)
        if not session:
            if session.modified:
                response.delete_cookie(self.get_cookie_name(app), **self._attributes(app))
        elif self.should_set_cookie(app, session):
            if not session.modified and self.cookie_in(app, response) is not None:
                return  # a mounted application has set it: the one that came would undo that
            if not used:
                vary_by_cookie(response)
            serializer: Any = self.get_signing_serializer(app)
            set_signed_cookie(
                response,
                self.get_cookie_name(app),
                serializer.dumps(dict(session)),
                self.get_expiration_time(app, session),
                self._attributes(app),
            )

    def cookie_in(self, app: Flask, response: Response) -> str | None:
        """The value of this application's cookie in a response, if it is set there already."""
        start = f"{self.get_cookie_name(app)}="
        for cookie in reversed(response.headers.getlist("Set-Cookie")):
            if cookie.startswith(start):
                value, *attributes = cookie[len(start) :].split(";")
                where = {
                    name.strip().lower(): of for name, _, of in (item.partition("=") for item in attributes)
                }
                domain = self.get_cookie_domain(app)
                if where.get("path") == self.get_cookie_path(app) and where.get("domain") == (
                    domain and domain.lstrip(".")
                ):
                    return value
        return None

    def _attributes(self, app: Flask) -> Mapping[str, Any]:
        if type(self) is SecureCookieSessionInterface and not self.__dict__:
            return _attributes(*map(app.config.__getitem__, _ATTRIBUTES))
        return {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "partitioned": self.get_cookie_partitioned(app),
            "samesite": self.get_cookie_samesite(app),
            "httponly": self.get_cookie_httponly(app),
        }


_ATTRIBUTES = (
    "SESSION_COOKIE_DOMAIN",
    "SESSION_COOKIE_PATH",
    "APPLICATION_ROOT",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_PARTITIONED",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_HTTPONLY",
)


class CookieAttributes(dict[str, Any]):
    """The attributes of a cookie as `Response.set_cookie` takes them, and as they stand in the header."""

    @lazy
    def text(self) -> str:
        return dump_cookie("x", "", **self)[2:]


@lru_cache(64)
def _attributes(
    domain: Any, path: Any, root: Any, secure: Any, partitioned: Any, samesite: Any, httponly: Any
) -> CookieAttributes:
    return CookieAttributes(
        domain=domain,
        path=path or root,
        secure=secure,
        partitioned=partitioned,
        samesite=samesite,
        httponly=httponly,
    )


@lru_cache(64)
def _pattern_of_cookie(name: str) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:^|;[ \t]*)" + re.escape(name.encode("latin-1", "replace")) + rb"=([\w.\-]+)(?:;|$)", re.A
    )


def signed_cookie(request: Request, name: str) -> str | None:
    """A cookie of the request, found without reading the others when it is what signing makes."""
    if "cookies" not in request.__dict__:
        header = request.raw_headers.get(b"cookie")
        if header is None:
            return None
        # A raw header is the last of its name; HTTP/2 may bring several (RFC 9113 section 8.2.3).
        if b'"' not in header and len(request.raw_headers) == len(request.scope["headers"]):
            found = _pattern_of_cookie(name).search(header)
            if found is not None:
                return found[1].decode()
    return request.cookies.get(name)


def set_signed_cookie(
    response: Response, name: str, value: str, expires: datetime | None, attributes: Mapping[str, Any]
) -> None:
    """`Response.set_cookie` for a value that needs no quotes, as that of a signed cookie."""
    if (
        expires is None
        and type(attributes) is CookieAttributes
        and type(response).set_cookie is WerkzeugResponse.set_cookie
    ):
        cookie = f"{name}={value}{attributes.text}"
        if len(cookie) <= 4093 and cookie.isascii() and "\n" not in cookie and "\r" not in cookie:
            response.headers._list.append(("Set-Cookie", cookie))
            return
    response.set_cookie(name, value, expires=expires, **attributes)


def vary_by_cookie(response: Response) -> None:
    """Note that the response depends on the cookie (RFC 9110 section 12.5.5)."""
    items = response.headers._list
    for name, _ in items:
        if len(name) == 4 and name.lower() == "vary":
            response.vary.add("Cookie")
            return
    items.append(("Vary", "Cookie"))
