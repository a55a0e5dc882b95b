"""Sessions that are kept in a signed cookie.

The cookie is Flask's, byte for byte, so that both frameworks can serve the same
users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response as WerkzeugResponse

from ..json.tag import TaggedJSONSerializer
from ..lazy import lazy
from ..signing import CookieSerializer, sha1
from .interface import SecureCookieSession, SessionInterface, vary_by_cookie

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Request, Response

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
                response.delete_cookie(self.get_cookie_name(app), **self.get_cookie_attributes(app))
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
                self.get_cookie_attributes(app),
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

    def get_cookie_attributes(self, app: Flask) -> dict[str, Any]:
        if type(self) is SecureCookieSessionInterface and not self.__dict__:
            return _attributes(*map(app.config.__getitem__, _ATTRIBUTES))
        return super().get_cookie_attributes(app)


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
        if b'"' not in header:
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
        limit = response.max_cookie_size
        if (
            (not limit or len(cookie) <= limit)
            and cookie.isascii()
            and "\n" not in cookie
            and "\r" not in cookie
        ):
            response.headers._list.append(("Set-Cookie", cookie))
            return
    response.set_cookie(name, value, expires=expires, **attributes)
