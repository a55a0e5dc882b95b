"""A session that is kept on the server, as a view sees it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, Self

from .cookie import session_json_serializer
from .errors import SessionUnavailable
from .interface import SecureCookieSession

logger = logging.getLogger(__name__)

#: What cannot be changed inside, so that the same object is the same value.
_IMMUTABLE = (str, int, bool, float, type(None))


class ServerSession(SecureCookieSession):
    """A dict that knows what of it is in the store, and under which id.

    :ivar id: the id that the store has it under; None while it is not there.
    :ivar ended: the id that it had before `clear`: its data is to be deleted.
    :ivar is_regenerated: whether it is to have another id.
    """

    serializer: Any = session_json_serializer
    new = True
    id: str | None = None
    ended: str | None = None
    is_regenerated = False
    #: Whether it was permanent when it was opened.
    was_permanent = False

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(initial)
        self._stored: dict[str, str] = {}
        self._loaded: dict[str, Any] = {}

    @classmethod
    def of(cls, id: str, stored: Mapping[str, str], serializer: Any) -> Self:
        """The session that the store has under an id."""
        session = cls()
        session.serializer = serializer
        session.id, session.new = id, False
        for key, text in stored.items():
            try:
                value = serializer.loads(text)
            except Exception as error:  # of a tag that is not registered any more, say
                logger.warning("The value of %r in a session is not readable: %r", key, error)
                continue
            session._stored[key] = text
            session._loaded[key] = value
        dict.update(session, session._loaded)
        session.was_permanent = session.permanent
        return session

    def regenerate(self) -> None:
        """Give the session another id, and make the one that it had worthless; the data stays. To be called
        when somebody logs in: whoever has brought an id into the browser before, to share the session that
        is logged in (session fixation), knows the wrong one then."""
        self.is_regenerated = True
        self.modified = True

    def clear(self) -> None:
        """End the session: its data is deleted, with what others may write to it meanwhile, and its id is
        worth nothing any more. What is put in afterwards is a new one."""
        super().clear()
        if self.id is not None:
            self.ended, self.id = self.id, None
            self._stored, self._loaded = {}, {}

    def destroy(self) -> None:
        """End the session, as `clear` does. To be called when somebody logs out."""
        self.clear()

    def changes(self) -> tuple[dict[str, str], list[str]]:
        """What is to be written: keys with their new values as text, and keys that were removed.

        :raises TypeError: for what cannot be written.
        """
        stored, loaded = self._stored, self._loaded
        changed: dict[str, str] = {}
        present = set()
        for key, value in self.items():
            name = key if type(key) is str else _json_key(key)
            present.add(name)
            if type(value) in _IMMUTABLE and name in loaded and loaded[name] is value:
                continue
            text = self.serializer.dumps(value)
            if stored.get(name) != text:
                changed[name] = text
        return changed, [name for name in stored if name not in present]

    def size(self, changed: Mapping[str, str], removed: Collection[str]) -> int:
        """Bytes of all keys and values in UTF-8, with these changes."""
        kept = {**self._stored, **changed}
        for key in removed:
            del kept[key]
        text = "".join(kept) + "".join(kept.values())
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def settle(self, id: str, changed: Mapping[str, str], removed: list[str]) -> None:
        """Note that the store has it as it is now."""
        self.id, self.ended, self.is_regenerated = id, None, False
        self._stored.update(changed)
        for key in removed:
            del self._stored[key]
        self._loaded = {key: self[key] for key in self._stored if key in self}


class AwaySession(ServerSession):
    """The session while the store is not to be reached: empty, and nothing can be put into it."""

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise SessionUnavailable("The store of the sessions is not to be reached, so nothing is changed.")

    __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = _fail
    regenerate = _fail
    del _fail


def _json_key(key: Any) -> str:
    """A key as JSON, and so Flask's cookie, has it.

    :raises TypeError: for one that JSON cannot have.
    """
    name: str
    (name,) = json.loads(json.dumps({key: None}))
    return name
