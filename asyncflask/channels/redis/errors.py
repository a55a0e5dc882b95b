"""What Redis does not do, as the exception of the channels."""

from __future__ import annotations

from ...redis import reason
from ..errors import ChannelsUnavailable


def unavailable(error: BaseException | None) -> ChannelsUnavailable:
    """The exception for who has asked for something."""
    return ChannelsUnavailable(reason(error))
