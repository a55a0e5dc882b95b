"""Groups: names that are published to together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .calling import from_anywhere
from .message import check_name

if TYPE_CHECKING:
    from .owner import Owner

#: Seconds that a name stays in a group, unless it is added again: a day.
SECONDS = 24 * 60 * 60.0


class Group:
    """Names that are published to together. Made by `Channels.group`.

    Who is a member is said from wherever it is known, and not where a subscription is open: each user listens
    to one name of theirs, and the groups say what goes there.

    :param channels: whose it is.
    :param name: the name of the group.
    """

    def __init__(self, channels: Owner, name: str) -> None:
        self._channels = channels
        self._set = f" group {name}"

    @from_anywhere
    async def add(self, *names: str, seconds: float = SECONDS) -> None:
        """Put names into the group, or keep them there for longer.

        :param names: the names of channels.
        :param seconds: for how long, so that what is forgotten goes by itself; a day, unless given.
        :raises InvalidName: for what is no name.
        """
        members = [check_name(name).encode() for name in names]
        if members:
            await self._channels.backend.add(self._set, members, seconds)

    @from_anywhere
    async def discard(self, *names: str) -> None:
        """Take names out of the group."""
        members = [check_name(name).encode() for name in names]
        if members:
            await self._channels.backend.discard(self._set, members)

    @from_anywhere
    async def names(self) -> list[str]:
        """The names in the group."""
        return sorted(member.decode() for member in await self._channels.backend.members(self._set))

    @from_anywhere
    async def publish(self, data: Any) -> list[str]:
        """Publish to each name of the group, see `Channels.publish`.

        :returns: the ids.
        """
        names = sorted(member.decode() for member in await self._channels.backend.members(self._set))
        return list(await asyncio.gather(*(self._channels.publish(name, data) for name in names)))
