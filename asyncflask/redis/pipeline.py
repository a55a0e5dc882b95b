"""Scripts of many requests on one connection: what is asked at the same time goes, and comes, together."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from ..loops import spawn
from . import Server, connection_like, make_client
from .resp import INCOMPLETE, pack, parse
from .script import Script

#: Seconds after which a connection is closed that nobody uses.
LINGER = 10.0


class PipelineError(Exception):
    """A script could not be run, or its end is not known.

    :ivar cause: why.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False, slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]
    answer: Future[Any]
    #: When it was asked for, by the loop's clock.
    asked: float
    #: Whether the connection broke before the answer came.
    has_failed: bool = False
    #: Whether Redis does not know the script.
    is_unknown: bool = False

    def command(self) -> bytes:
        name, script = ("EVAL", self.script.text) if self.is_unknown else ("EVALSHA", self.script.sha)
        return pack((name, script, len(self.keys), *self.keys, *self.arguments))

    def settle(self, reply: Any) -> None:
        if self.answer.done():
            return  # who has asked has gone
        if isinstance(reply, Exception):
            self.answer.set_exception(PipelineError(copy(reply).with_traceback(None)))
        else:
            self.answer.set_result(reply)


class Pipeline(asyncio.Protocol):
    """Runs scripts, for all requests of an event loop, over one connection of its own.

    Nothing waits for the answer to somebody else's: what is asked in one turn of the loop is one write, and
    what has come by the next is one read. A script whose connection breaks is run again, once, on a new one.
    So it has to be one that may be run twice.

    redis-py makes the connection (TLS, passwords, Sentinel, unix sockets), and hands it over.

    :param server: see `Server`.
    :param timeout: seconds that connecting and an answer may take.
    """

    def __init__(self, server: Server, timeout: float) -> None:
        self._client = make_client(server, 1, timeout)
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._stream: Any = None
        self._received = bytearray()
        #: What is to be sent, and what is waited for.
        self._waiting: list[_Call] = []
        self._sent: deque[_Call] = deque()
        self._is_due = False
        self._was_used = False
        self._timer: asyncio.TimerHandle | None = None
        self._keeper: Task[None] | None = None

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Future[Any]:
        """Run a script.

        :returns: its result, to be awaited.
        :raises PipelineError: when that is awaited, and Redis is away or refuses.
        """
        answer: Future[Any] = self._loop.create_future()
        self._waiting.append(_Call(script, keys, arguments, answer, self._loop.time()))
        self._was_used = True
        if self._keeper is None or self._keeper.done():
            self._keeper = spawn(self._keep())
        elif not self._is_due and self._transport is not None:
            self._is_due = True
            self._loop.call_soon(self._send)
        return answer

    def _send(self) -> None:
        self._is_due = False
        if self._transport is None:
            return
        calls, self._waiting = self._waiting, []
        self._sent.extend(calls)
        self._transport.write(b"".join([call.command() for call in calls]))
        if self._timer is None and calls:
            self._timer = self._loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """Give up if the answer that is waited for is too late."""
        self._timer = None
        if not self._sent:
            return
        late = self._loop.time() - self._sent[0].asked - self._timeout
        if late >= 0:
            self._lose(RedisConnectionError("It takes too long to answer"), may_repeat=False)
        else:
            self._timer = self._loop.call_later(-late, self._look)

    # -- what the transport calls ---------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        received: bytes | bytearray = data
        if self._received:
            self._received += data
            received = self._received
        position = 0
        try:
            while position < len(received):
                reply, position = parse(received, position)
                if reply is INCOMPLETE:
                    break
                self._take(self._sent.popleft(), reply)
        except (ValueError, IndexError) as error:
            self._lose(RedisConnectionError(str(error)), may_repeat=False)
        else:
            self._received = bytearray(received[position:])

    def _take(self, call: _Call, reply: Any) -> None:
        if isinstance(reply, NoScriptError) and not call.is_unknown:
            call.is_unknown = True
            self._waiting.append(call)
            self._loop.call_soon(self._send)
        else:
            call.settle(reply)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._lose(error or RedisConnectionError("The connection was closed"))

    # -- the connection -------------------------------------------------------------------------

    def _lose(self, error: Exception, may_repeat: bool = True) -> None:
        """Go on with a new connection, if there is something to go on with."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._received = bytearray()
        sent, self._sent = self._sent, deque()
        again = []
        for call in sent:
            if call.has_failed or not may_repeat:
                call.settle(error)
            else:
                call.has_failed = True
                again.append(call)
        self._waiting[:0] = again
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = spawn(self._keep()) if self._waiting else None

    async def _keep(self) -> None:
        """Connect, and stay connected for as long as somebody needs it."""
        this = asyncio.current_task()
        try:
            try:
                async with asyncio.timeout(self._timeout):
                    transport = await self._connect()
            except (RedisError, OSError) as error:  # a TimeoutError is an OSError
                calls, self._waiting = self._waiting, []
                for call in calls:
                    call.settle(RedisConnectionError("It takes too long") if not error.args else error)
                return
            self._transport = transport
            transport.set_protocol(self)
            self._send()
            while self._was_used or self._sent:
                self._was_used = False
                await asyncio.sleep(LINGER)
        finally:  # also when the loop ends
            if self._keeper is this:
                self._close()

    async def _connect(self) -> asyncio.Transport:
        connection = connection_like(self._client, self._timeout)
        await connection.connect()
        # Its stream would close what is not its own any more, when it is deleted.
        self._stream = connection._writer
        connection._reader = connection._writer = None
        return cast(asyncio.Transport, self._stream.transport)

    def _close(self) -> None:
        self._keeper = None
        transport, self._transport = self._transport, None
        for call in [*self._sent, *self._waiting]:
            call.answer.cancel()
        self._sent.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if transport is not None:
            transport.abort()
