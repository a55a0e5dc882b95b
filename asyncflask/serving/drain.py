"""uvicorn that loses no request when it ends.

uvicorn closes what is idle, and a client that has sent a request there meanwhile gets no answer: behind nginx
that is a 502. Here an open connection is answered on, with ``Connection: close`` from then on (RFC 9112
section 9.6), so that the client opens its next one elsewhere.
"""

from __future__ import annotations

import asyncio
import select
import socket
from typing import Any

import uvicorn

from .. import draining

_CLOSE = (b"connection", b"close")

#: Seconds that a connection may be idle. A proxy that keeps connections must be the first to close one, or it
#: sends a request into one that is about to be closed; nginx and the balancers of AWS keep them for 60.
KEEP_ALIVE = 75


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with a drain before its end.

    :ivar linger: seconds that an idle connection may bring one more request.
    :ivar is_behind_balancer: whether somebody asks if the process is ready, and is to notice that it is not
        before it takes no more connections, see `asyncflask.health.Health.drain`.
    """

    linger = 2.0
    is_behind_balancer = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        draining.lead()
        await super().startup(sockets=sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Be ready no more; listen no more; answer what still comes; end streams, events and websockets; and
        then what uvicorn does: wait for the rest, and end the application."""
        if self.is_behind_balancer:
            await draining.leave()
        for server in self.servers:
            server.close()
        draining.begin()
        state = self.server_state
        state.default_headers = [*state.default_headers, _CLOSE]
        for connection in list(state.connections):
            _close_after(getattr(connection, "cycle", None))
        loop = asyncio.get_running_loop()
        end = loop.time() + self.linger
        while state.connections and loop.time() < end and not self.force_exit:  # noqa: ASYNC110 (no event)
            await asyncio.sleep(0.02)
        while any(map(_has_more, state.connections)) and loop.time() < end + 1:  # noqa: ASYNC110
            await asyncio.sleep(0)  # what has come is read first
        await super().shutdown(sockets=sockets)


def _has_more(connection: Any) -> bool:
    """Whether a request has come that is not read yet."""
    try:
        descriptor = connection.transport.get_extra_info("socket").fileno()
        return bool(select.select([descriptor], [], [], 0)[0])
    except (AttributeError, OSError, ValueError):  # it is closed, or its number is too large
        return False


def _close_after(cycle: Any) -> None:
    """Close a connection when the response under way is sent, and say so."""
    if cycle is not None and not cycle.response_complete:
        cycle.keep_alive = False
        if not cycle.response_started:
            cycle.default_headers = [*cycle.default_headers, _CLOSE]
