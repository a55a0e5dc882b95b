"""What can go wrong, as exceptions that are the right answer to a client where nobody catches them."""

from __future__ import annotations

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable


class InvalidName(BadRequest, ValueError):
    """A name, or an id to go on after, that is none. In a request: 400, for it often comes from the URL."""


class MessageTooLarge(RequestEntityTooLarge, ValueError):
    """A message larger than ``CHANNELS_MAX_MESSAGE_SIZE``. In a request: 413."""


class ChannelsUnavailable(ServiceUnavailable):
    """Redis is not to be reached, or this process has as much to do as it may. In a request: 503.

    A message whose publishing ends like this may have been published all the same: when the connection
    breaks in the middle, only Redis knows.

    :param reason: why. It is for the log: addresses are not for a client to know.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class MessagesLost(Exception):
    """A subscription cannot go on without a gap, so it has ended. Whoever listens begins anew: a browser
    that connects again and says which message was its last gets what is still kept."""


class SlowReader(MessagesLost):
    """The reader of a subscription is too slow for it."""
