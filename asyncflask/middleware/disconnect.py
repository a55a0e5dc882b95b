"""Noticing that the client has gone while the server still works for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..typing import Receive
from ..wrappers import Request


class Connection:
    """What is known of the client."""

    __slots__ = ("lost",)

    def __init__(self) -> None:
        #: Whether the client has gone, which has cancelled the task.
        self.lost = False


@asynccontextmanager
async def until_disconnect(request: Request, receive: Receive) -> AsyncIterator[Connection]:
    """Cancel the task inside of the block, once, when the client goes away.

    Servers tell of it in `receive` only. While the body is still to be read
    there, the one who reads it is told.
    """
    connection = Connection()
    if request.streams_body and request.has_body and not request.body.complete:
        yield connection
        return
    task = asyncio.current_task()
    assert task is not None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        connection.lost = True
        task.cancel()

    watcher = asyncio.get_running_loop().create_task(watch())
    try:
        yield connection
    except asyncio.CancelledError:
        if connection.lost:
            task.uncancel()
        raise
    finally:
        watcher.cancel()
