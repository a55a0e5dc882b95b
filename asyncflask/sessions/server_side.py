"""Sessions that are kept on the server. The browser has a random id, in a signed cookie."""

from __future__ import annotations

import logging
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Literal

from itsdangerous import BadSignature

from ..signing import ValueSigner
from .cookie import SecureCookieSessionInterface, session_json_serializer, signed_cookie
from .errors import SessionTooLarge, SessionUnavailable
from .interface import SessionInterface, vary_by_cookie
from .session import AwaySession, ServerSession
from .store import Store

if TYPE_CHECKING:
    from ..app import Flask
    from ..wrappers import Request, Response

logger = logging.getLogger(__name__)

WhenAway = Literal["refuse", "empty"]


class ServerSessionInterface(SessionInterface):
    """Keeps sessions in a store. They are opened when they are first used. Of a session that was used only
    those keys are written that were changed, also inside of a value: what others change in the same session
    meanwhile is not lost, unless it is the same key.

    A session lasts ``PERMANENT_SESSION_LIFETIME`` from the last time that it was opened. Its cookie ends with
    the browser, unless ``session.permanent`` is set.

    :param store: where they are kept.
    :param max_size: bytes of a session, its keys and its values as JSON; 64 KiB unless given. More is a
        `SessionTooLarge`, which is a 413.
    :param migrate: take over sessions from Flask's signed cookies, so that nobody is logged out when the
        application begins to use this. Such cookies are valid for ``PERMANENT_SESSION_LIFETIME``. Turn it off
        after that: who has kept one could open its session again after it has ended here.
    :param when_away: what a session is when the store is not to be reached. ``"refuse"``: using it raises
        `SessionUnavailable`, which is a 503. ``"empty"``: it can be read, and is empty, so that what is for
        everybody can be seen; changing it is a 503.
    :raises ValueError: for another `when_away`, or a `max_size` that is not positive.
    """

    lazy = True
    session_class: type[ServerSession] = ServerSession
    #: Writes and reads each value: JSON with tags for some Python types.
    serializer: Any = session_json_serializer

    def __init__(
        self,
        store: Store,
        *,
        max_size: int = 64 * 1024,
        migrate: bool = True,
        when_away: WhenAway = "refuse",
    ) -> None:
        if when_away not in ("refuse", "empty"):
            raise ValueError(f"when_away is 'refuse' or 'empty', not {when_away!r}.")
        if max_size <= 0:
            raise ValueError(f"max_size is a number of bytes greater than 0, not {max_size!r}.")
        self.store = store
        self.max_size = max_size
        self.migrate = migrate
        self.when_away = when_away
        self._signed_cookies = SecureCookieSessionInterface()
        self._signer: tuple[Any, ValueSigner] | None = None

    def get_signer(self, app: Flask) -> ValueSigner | None:
        """What signs and checks ids for this application; None when it has no secret key.

        ``SECRET_KEY_FALLBACKS`` are accepted for reading.
        """
        if not app.secret_key:
            return None
        keys = [
            *(app.config["SECRET_KEY_FALLBACKS"] or ()),
            app.secret_key,
        ]  # itsdangerous signs with the last
        signer = self._signer
        if signer is None or signer[0] != keys:
            made = ValueSigner(keys, salt="session-id", key_derivation="hmac", digest_method=sha256)
            signer = self._signer = keys, made
        return signer[1]

    # -- opening --------------------------------------------------------------------------------

    async def open_session(self, app: Flask, request: Request) -> Any:
        signer = self.get_signer(app)
        if signer is None:
            return None
        cookie = signed_cookie(request, self.get_cookie_name(app))
        if not cookie:
            return self._new()
        try:
            id = signer.unsign(cookie.encode("utf-8", "replace")).decode("ascii")
        except BadSignature:
            return self._migrated(app, request)
        try:
            stored = await self.store.open(id, app.permanent_session_lifetime.total_seconds())
        except SessionUnavailable:
            if self.when_away == "refuse":
                raise
            return AwaySession()
        return self._new() if stored is None else self.session_class.of(id, stored, self.serializer)

    def _new(self, values: Any = None) -> ServerSession:
        session = self.session_class(values)
        session.serializer = self.serializer
        return session

    def _migrated(self, app: Flask, request: Request) -> ServerSession:
        """The session of one of Flask's cookies, or a new one."""
        found = self._signed_cookies.open_session(app, request) if self.migrate else None
        session = self._new(found)
        session.modified = bool(found)
        return session

    # -- saving ---------------------------------------------------------------------------------

    async def save_session(self, app: Flask, session: Any, response: Response) -> None:
        if session.accessed or session.modified:
            vary_by_cookie(response)
        if isinstance(session, AwaySession):
            return
        name, attributes = self.get_cookie_name(app), self.get_cookie_attributes(app)
        known = session.id
        if not session and session.modified and known is None:
            if session.ended is not None:
                await self._end(session)
            response.delete_cookie(name, **attributes)
        elif await self._save(app, session) and session.id is not None:
            if session.id == known and not self.should_set_cookie(app, session):
                return
            signer: Any = self.get_signer(app)
            expires = self.get_expiration_time(app, session)
            response.set_cookie(name, signer.sign(session.id).decode(), expires=expires, **attributes)

    def should_set_cookie(self, app: Flask, session: Any) -> bool:
        """Whether a browser that has the id needs the cookie again: it has another end."""
        if session.permanent or session.was_permanent:
            return super().should_set_cookie(app, session)
        return False

    async def save_websocket_session(self, app: Flask, session: Any) -> None:
        """Save what has been changed since the websocket was accepted.

        The browser can be told no id any more: a session keeps its own, also after `regenerate`, and one that
        has only begun then is dropped, with a warning in the log.
        """
        if session.id is None:
            if session.ended is not None:
                await self._end(session)
            if session:
                logger.warning("A session that began after its websocket was accepted is dropped")
            return
        if session.is_regenerated:
            logger.warning("A session cannot have another id after its websocket was accepted")
            session.is_regenerated = False
        await self._save(app, session)

    async def _end(self, session: ServerSession) -> None:
        await self.store.delete(session.ended or "")
        session.ended = None

    async def _save(self, app: Flask, session: ServerSession) -> bool:
        """Write what has been changed.

        :returns: False when another request has ended the session meanwhile: what this one has changed goes
            with it.
        """
        changed, removed = session.changes()
        if not (changed or removed or (session.is_regenerated and session.id is not None)):
            return True
        self._check_size(session, changed, removed)
        lifetime = app.permanent_session_lifetime.total_seconds()
        id = session.id
        if id is None:
            id = token_urlsafe(32)
            await self.store.begin(id, changed, lifetime, session.ended)
        elif session.is_regenerated:
            id = token_urlsafe(32)
            await self.store.move(session.id or "", id, changed, removed, lifetime)
        elif not await self.store.write(id, changed, removed, lifetime):
            logger.info("A session has ended while a request was about to change it")
            return False
        session.settle(id, changed, removed)
        return True

    def _check_size(self, session: ServerSession, changed: dict[str, str], removed: list[str]) -> None:
        size = session.size(changed, removed)
        if changed and size > self.max_size:
            raise SessionTooLarge(
                f"The session would have {size} bytes, and may have {self.max_size} (max_size). Keep what is"
                " large elsewhere, and in the session the key to it."
            )
