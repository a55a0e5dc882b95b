"""Sessions: what is kept of a browser from one request to the next.

``interface`` is what a session is, and what opens and saves them; ``cookie`` keeps them in a signed cookie,
as Flask does. ``server_side`` keeps them in a ``store``, and gives a `ServerSession`:
`MemorySessionInterface` in the memory of the process, `asyncflask.sessions.redis.RedisSessionInterface` in
Redis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..json.tag import TaggedJSONSerializer
from ..lazy import importing
from .cookie import SecureCookieSessionInterface, session_json_serializer
from .errors import SessionError, SessionTooLarge, SessionUnavailable
from .interface import NullSession, SecureCookieSession, SessionInterface, SessionMixin

if TYPE_CHECKING:
    from .memory import MemorySessionInterface
    from .server_side import ServerSessionInterface
    from .session import ServerSession
    from .store import Store
else:
    # Few applications have any of these.
    __getattr__ = importing(
        __name__,
        {
            "MemorySessionInterface": "asyncflask.sessions.memory:MemorySessionInterface",
            "ServerSession": "asyncflask.sessions.session:ServerSession",
            "ServerSessionInterface": "asyncflask.sessions.server_side:ServerSessionInterface",
            "Store": "asyncflask.sessions.store:Store",
        },
    )

__all__ = [
    "MemorySessionInterface",
    "NullSession",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "ServerSession",
    "ServerSessionInterface",
    "SessionError",
    "SessionInterface",
    "SessionMixin",
    "SessionTooLarge",
    "SessionUnavailable",
    "Store",
    "TaggedJSONSerializer",
    "session_json_serializer",
]
