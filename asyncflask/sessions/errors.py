"""What can go wrong with a session, as exceptions that are the right answer to a client."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, ServiceUnavailable


class SessionError(HTTPException):
    """A session that cannot be opened or saved. Session interfaces raise a subclass with a ``code``: it goes
    to the error handlers, and is the answer, instead of a 500."""


class SessionUnavailable(SessionError, ServiceUnavailable):
    """The store is not to be reached. In a request: 503.

    :param reason: why. It is for the log: addresses are not for a client to know.
    """

    def __init__(self, reason: str = "The session is not to be had.") -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class SessionTooLarge(SessionError, RequestEntityTooLarge):
    """More in the session than the store takes. In a request: 413."""
