"""Channels over a websocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import HTTPException

from ..globals import current_app, websocket
from ..websocket import Websocket, WebsocketDisconnect
from .errors import ChannelsUnavailable, MessagesLost, MessageTooLarge
from .message import Message
from .subscription import Subscription

#: Close codes (RFC 6455 section 7.4.1, and its registry at IANA).
GOING_AWAY, POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1008, 1009, 1011, 1013


def _content(message: Message) -> str | bytes:
    return message.content


async def pump(
    messages: Subscription,
    receive: Callable[[str | bytes], Any] | None = None,
    send: Callable[[Message], str | bytes] = _content,
) -> None:
    """Send what a subscription gives to the websocket of the current view, and take what its client sends::

        @app.websocket("/rooms/<name>")
        async def room(name):
            async with app.channels.subscribe(name, after=websocket.args.get("after")) as messages:
                await pump(messages, lambda data: app.channels.publish(name, data))

    It returns when the client goes, unless the view is cancelled first: put into ``finally`` what is to be
    done then. When the server ends it closes with 1001, when the client reads too slowly, or Redis is away
    for what it has sent, with 1013 (try again later), when it has sent too much with 1009, and for what is no
    name with 1008.

    :param messages: the subscription, entered.
    :param receive: called with each message of the client, one after the other; sync (then in a worker
        thread) or async. Without it they are read, so that the client's leaving is noticed, and forgotten.
    :param send: makes of a message what is sent; called on the event loop. Unless given, its
        `Message.content`: a string or JSON as text, bytes as binary.
    """
    here: Websocket = websocket._get_current_object()  # type: ignore[attr-defined]
    await here._ensure_accepted()
    sending = asyncio.create_task(_send(here, messages, send))
    try:
        await _receive(here, receive)
    except ChannelsUnavailable:
        await _close(here, TRY_AGAIN_LATER)
    except MessageTooLarge:
        await _close(here, TOO_BIG)
    except HTTPException:
        await _close(here, POLICY_VIOLATION)
    finally:
        sending.cancel()
        await asyncio.wait([sending])
    if not sending.cancelled():
        sending.result()


async def _receive(here: Websocket, receive: Callable[[str | bytes], Any] | None) -> None:
    call = None if receive is None else current_app.ensure_async(receive)
    while not here.closed:
        try:
            data = await here.receive()
        except WebsocketDisconnect:
            return
        if call is not None:
            result = await call(data)
            if hasattr(result, "__await__"):  # a lambda around something async
                await result


async def _send(here: Websocket, messages: Subscription, send: Callable[[Message], str | bytes]) -> None:
    try:
        async for message in messages:
            await here.send(send(message))
    except MessagesLost:
        await _close(here, TRY_AGAIN_LATER)
    except Exception:
        await _close(here, INTERNAL_ERROR)
        raise
    else:
        await _close(here, GOING_AWAY)


async def _close(here: Websocket, code: int) -> None:
    """Close, and so have `_receive` end."""
    if not here.closed:
        await here.close(code)
