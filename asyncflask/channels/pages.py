"""Reading messages of several names in the order in which they were published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from .message import Message, Order


@dataclass
class Page:
    """A piece of the history.

    :param messages: in order; those of several names are one sequence.
    :param more: whether there are more after them.
    :param gaps: the names of which there were messages that are not kept any more.
    """

    messages: list[Message]
    more: bool = False
    gaps: set[str] = field(default_factory=set)


#: Reads up to a number of messages of each name, after the position that is given with it.
ReadEach = Callable[[Mapping[str, Order], int], Awaitable[Mapping[str, Page]]]


async def pages(read_each: ReadEach, positions: Mapping[str, Order], count: int) -> AsyncIterator[Page]:
    """What comes after positions, page by page, in the order of publishing.

    A name of which only a part was read holds the others back: what is later than that part comes with the
    next page. So no more than `count` messages of each name are in memory.
    """
    ahead: list[Message] = []
    partly: dict[str, Order] = {}
    due: Mapping[str, Order] = positions
    while due:
        read = await read_each(due, count)
        gaps: set[str] = set()
        for name, page in read.items():
            ahead += page.messages
            gaps |= page.gaps
            partly.pop(name, None)
            if page.more:
                partly[name] = page.messages[-1].order
        ahead.sort(key=attrgetter("order"))
        if not partly:
            yield Page(ahead, False, gaps)
            return
        bound = min(partly.values())
        ready = [message for message in ahead if message.order <= bound]
        ahead = ahead[len(ready) :]
        yield Page(ready, True, gaps)
        due = {name: order for name, order in partly.items() if order <= bound}
