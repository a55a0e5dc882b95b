"""Channels as Server-Sent Events, which a browser goes on with where it was."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..ctx import has_request_context
from ..globals import request
from ..sse import EventSourceResponse, ServerSentEvent, last_event_id
from .errors import ChannelsUnavailable, InvalidName, MessagesLost
from .message import Message, order_of

if TYPE_CHECKING:
    from .subscription import Subscription

logger = logging.getLogger(__name__)

#: What a browser is told when messages after its last one are not kept any more. A page that has to know
#: listens to the event "gap", and loads anew.
GAP = ServerSentEvent("", event="gap")


def as_event(message: Message) -> ServerSentEvent:
    """A message as an event: its content is the data, its id the id.

    :raises TypeError: for bytes, which no event can have.
    """
    if isinstance(message.content, bytes):
        raise TypeError(
            f"{message.name!r} has a message of bytes, and Server-Sent Events are text: publish a string or"
            " JSON, or pass 'event_stream' a function that makes an event of it."
        )
    return ServerSentEvent(message.content, id=message.id)


def event_stream(
    subscribe: Callable[..., Subscription],
    *names: str,
    event: Callable[[Message], ServerSentEvent] = as_event,
    history: int = 0,
    ping: float | None = 15.0,
    **options: Any,
) -> EventSourceResponse:
    """A response that sends what is published under some names. Called in a request, sync or async::

        @app.get("/news")
        def news():
            return app.channels.event_stream("news")

    The ids of the events are those of the history: a browser that connects again sends the last as
    ``Last-Event-ID``, and gets what it has missed. Where that is not kept any more it gets an event ``gap``
    before the rest. The stream ends when the server does, when the browser reads too slowly, and when Redis
    is away at its beginning; browsers connect again then.

    :param subscribe: `Channels.subscribe`.
    :param names: the names; with several of them one id says how far the browser is in all.
    :param event: makes an event of a message. With an id of its own the browser cannot go on after it.
    :param history: how many of the last messages a browser gets that comes for the first time.
    :param ping: see `EventSourceResponse`.
    :param options: ``buffer`` and ``when_full``, see `Channels.subscribe`.
    :raises InvalidName: for what is no name.
    """
    after = last_event_id(request) if has_request_context() else None
    if after is not None:
        with suppress(InvalidName):  # it has an id that somebody else has given: that is one who comes anew
            order_of(after)
            history = 0
            options["after"] = after
    subscription = subscribe(*names, history=history, **options)

    async def events() -> AsyncIterator[ServerSentEvent]:
        try:
            async with subscription as messages:
                if messages.gap:
                    yield GAP
                # Or a browser that loses the connection before the first message would not know where it was.
                yield ServerSentEvent(id=messages.last_id)
                async for message in messages:
                    yield event(message)
        except (MessagesLost, ChannelsUnavailable) as error:
            logger.info("A stream of events has ended: %s", error)

    return EventSourceResponse(events(), ping=ping)
