"""The end of a server: what is under way is finished, or ended and torn down; then the application is.

A server stops taking connections at a signal, waits for the requests under way, cancels them perhaps, and
then ends the lifespan. Streams of events and websockets would go on for ever, and the server would wait for
them; servers cancel, and end the lifespan without waiting for the teardown. So the application

- learns of the signal itself, see `shutdown`;
- ends streams of events and websockets, whose clients come back by themselves: one after the other, so that
  they do not all come back in the same moment;
- lets everything else go on for ``SHUTDOWN_TIMEOUT`` seconds, then cancels it;
- keeps the end of the lifespan waiting until all that was cancelled is torn down. A sync function cannot be
  cancelled: when it does not end either, it is given up, and its name is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from .concurrency.given_up import give_up
from .concurrency.walk import Walk
from .shutdown import stopping_signals
from .typing import Scope

if TYPE_CHECKING:
    from .protocols import Application

#: Seconds for the teardown of what was cancelled, until a sync function that still runs is given up.
LAST = 3.0

#: At most so many connections are ended in a second, unless that would take longer than `SPREAD` seconds.
RATE, SPREAD = 100, 2.0

#: How often is looked whether all is over, in seconds.
PAUSE = 0.02


class Endless(Protocol):
    """A connection that goes on until somebody ends it."""

    def end(self) -> None: ...


class UnderWay:
    """What an application is busy with."""

    def __init__(self) -> None:
        #: The requests and websockets that have had to wait for something, with their scopes.
        self.walks: dict[Walk, Scope] = {}
        #: Streams of events and websockets.
        self.endless: set[Endless] = set()
        #: Whether requests that are cancelled are so because the server ends.
        self.is_ending = False


class Drain:
    """The end of an application on an event loop.

    :param app: the application.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        # A request that runs a lifespan is not to be waited for by it.
        self._around = frozenset(app.under_way.walks)
        self._server_waits = False
        #: Whether a sync function still runs that nobody waits for any more.
        self.has_given_up = False

    def begin(self) -> None:
        """End what would not end by itself, soon. A second call does nothing."""
        if self._task is None:
            self.app.under_way.is_ending = True
            self.app.shutdown_event.set()
            self._task = self._loop.create_task(self._run())

    async def finish(self) -> None:
        """The server ends the lifespan: return when all requests are torn down, or given up."""
        self._server_waits = True
        self.begin()
        assert self._task is not None
        await self._task
        self.app.under_way.is_ending = False

    async def _run(self) -> None:
        end = self._loop.time() + self.app.config["SHUTDOWN_TIMEOUT"]
        health: Any = self.app.extensions.get("health")
        if hasattr(health, "drain"):
            await health.drain(delay=0)  # the server takes no more requests already
        await self._end_endless(end)
        await self._until_over(end)
        await self._cancel(self._loop.time() + LAST)
        for walk in self._left():
            self.has_given_up = True
            give_up(walk, self.app.logger)

    async def _end_endless(self, end: float) -> None:
        endless = [one for one in self.app.under_way.endless if getattr(one, "_loop", None) is self._loop]
        pause = min(1 / RATE, SPREAD / max(len(endless), 1))
        for one in endless:
            one.end()
            if len(endless) > RATE and self._loop.time() < end and not self._server_waits:
                await asyncio.sleep(pause)

    async def _until_over(self, end: float) -> None:
        """Wait for the requests under way, also for those that come while the server does not wait for the
        application yet; and no longer for those that it has cancelled.

        :param end: when to wait no longer.
        """
        while self._loop.time() < end:
            if self._server_waits and all(walk.was_interrupted for walk in self._left()):
                return
            await asyncio.sleep(PAUSE)

    async def _cancel(self, end: float) -> None:
        """Cancel what is left, and wait for its teardown."""
        while (left := self._left()) and self._loop.time() < end:
            for walk in left:
                if not walk.was_interrupted:
                    walk.cancel()
            await asyncio.sleep(PAUSE)

    def _left(self) -> list[Walk]:
        walks = self.app.under_way.walks
        return [walk for walk in walks if walk.loop is self._loop and walk not in self._around]


#: The drains on each loop: an application may be mounted in another.
_drains: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Drain]] = WeakKeyDictionary()
#: The loops whose server begins the drain itself, when it takes no more connections.
_led: WeakKeyDictionary[asyncio.AbstractEventLoop, bool] = WeakKeyDictionary()


def lead() -> None:
    """The server of the running loop calls `begin`, so that signals need not be looked out for."""
    _led[asyncio.get_running_loop()] = True


async def leave() -> None:
    """Have the applications on the running loop say that they are not ready, and wait until load balancers
    have noticed."""
    applications = [drain.app for drain in _drains.get(asyncio.get_running_loop(), ())]
    health: list[Any] = [app.extensions.get("health") for app in applications]
    await asyncio.gather(*(one.drain() for one in health if hasattr(one, "drain")))


def begin() -> None:
    """Begin the drain of all applications on the running loop."""
    for drain in _drains.get(asyncio.get_running_loop(), ()):
        drain.begin()


@contextmanager
def draining(app: Application) -> Iterator[Drain]:
    """The drain of an application whose lifespan begins on the running loop."""
    drain = Drain(app)
    loop = asyncio.get_running_loop()
    drains = _drains.setdefault(loop, [])
    drains.append(drain)
    try:
        with nullcontext() if loop in _led else stopping_signals(drain.begin):
            yield drain
    finally:
        drains.remove(drain)
