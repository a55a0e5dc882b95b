"""The lifespan of an application that a client's ``with`` block runs."""

from __future__ import annotations

import asyncio
from typing import Any

from ..app import Flask
from ..typing import Message
from .call import prepare_call


class Lifespan:
    """The server's part of the lifespan protocol (ASGI specification, "Lifespan Protocol").

    :ivar state: what the scope of a request has a copy of, between startup and shutdown; else None.
    """

    def __init__(self, app: Flask, loop: asyncio.AbstractEventLoop | None) -> None:
        self.state: dict[str, Any] | None = None
        self._app = app
        self._loop = loop
        self._startup_done = False
        self._stopping: asyncio.Event | None = None
        self._received = 0

    def start(self) -> None:
        """Run the startup. Raises what it raises."""
        state: dict[str, Any] = {}
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
            "asyncflask.client": None,  # no server's
        }
        self._wait = prepare_call(self._app, self._loop, scope, self._receive, self._send)
        self._wait.start()
        self._wait.serve(lambda: self._startup_done)
        if self._wait.done:
            self._wait.result()
            raise RuntimeError("The application's lifespan ended before its startup was complete.")
        self.state = state

    def stop(self) -> None:
        """Run the shutdown. Raises what it raises."""
        self.state = None
        self._wait.loop.call_soon_threadsafe(lambda: self._stop_event().set())
        self._wait.serve()
        self._wait.result()

    def _stop_event(self) -> asyncio.Event:
        if self._stopping is None:
            self._stopping = asyncio.Event()
        return self._stopping

    async def _receive(self) -> Message:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._stop_event().wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._startup_done = True
            self._wait.wake()
