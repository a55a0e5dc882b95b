"""Scripts of many requests on one connection: what is asked at the same time goes, and comes, together."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from ..loops import spawn
from . import Server, connection_like, make_client
from .script import Script

#: Seconds after which a connection is closed that nobody uses.
LINGER = 10.0

#: Commands that are sent together, at most.
BATCH = 200


class PipelineError(Exception):
    """A script could not be run, or its end is not known.

    :ivar cause: why.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(eq=False)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]
    answer: Future[Any]
    #: Whether the connection broke before the answer came.
    has_failed = False
    #: Whether Redis does not know the script.
    is_unknown = False

    def command(self) -> tuple[Any, ...]:
        name, script = ("EVAL", self.script.text) if self.is_unknown else ("EVALSHA", self.script.sha)
        return (name, script, len(self.keys), *self.keys, *self.arguments)

    def settle(self, reply: Any) -> None:
        if self.answer.done():
            return  # who has asked has gone
        if isinstance(reply, Exception):
            self.answer.set_exception(PipelineError(reply))
        else:
            self.answer.set_result(reply)


class Pipeline:
    """Runs scripts, for all requests of an event loop, over one connection of its own.

    While an answer is on its way the scripts that are asked for wait, and go together then: under load that
    is a write, a read and a change of tasks for many requests instead of for each. A script whose connection
    breaks is run again, once, on a new one. So it has to be one that may be run twice.

    :param server: see `Server`.
    :param timeout: seconds that connecting, with the answers of a batch, may take.
    """

    def __init__(self, server: Server, timeout: float) -> None:
        self._client = make_client(server, 1, timeout)
        self._timeout = timeout
        self._connection: Any = None
        self._calls: list[_Call] = []
        self._wake: Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Future[Any]:
        """Run a script.

        :returns: its result, to be awaited.
        :raises PipelineError: when that is awaited, and Redis is away or refuses.
        """
        answer: Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.append(_Call(script, keys, arguments, answer))
        if self._task is None or self._task.done():
            self._task = spawn(self._serve())
        elif self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return answer

    async def _serve(self) -> None:
        """Send what there is, until there was nothing for a while."""
        calls: list[_Call] = []
        try:
            while self._calls or await self._is_called():
                calls, self._calls = self._calls[:BATCH], self._calls[BATCH:]
                again = await self._exchange(calls)
                self._calls[:0] = again
        finally:  # also when the loop ends
            for call in [*calls, *self._calls]:
                call.answer.cancel()
            self._calls = []
            await self._disconnect()

    async def _is_called(self) -> bool:
        loop = asyncio.get_running_loop()
        wake = self._wake = loop.create_future()
        timer = loop.call_later(LINGER, wake.cancel)
        try:
            await wake
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
        finally:
            timer.cancel()
            self._wake = None
        return bool(self._calls)

    async def _exchange(self, calls: list[_Call]) -> list[_Call]:
        """Send a batch, and take the answers.

        :returns: what is to be sent again.
        """
        again: list[_Call] = []
        answered = 0
        try:
            async with asyncio.timeout(self._timeout):
                connection = self._connection or await self._connect()
                commands = [connection.pack_command(*call.command()) for call in calls]
                await connection.send_packed_command([piece for command in commands for piece in command])
                for call in calls:
                    try:
                        reply: Any = await connection.read_response()
                    except ResponseError as error:
                        reply = error
                    answered += 1
                    if isinstance(reply, NoScriptError) and not call.is_unknown:
                        call.is_unknown = True
                        again.append(call)
                    else:
                        call.settle(reply)
        except (RedisError, OSError, TimeoutError) as error:
            await self._disconnect()
            for call in calls[answered:]:
                if call.has_failed or isinstance(error, TimeoutError):
                    call.settle(_like(error))
                else:
                    call.has_failed = True
                    again.append(call)
        return again

    async def _connect(self) -> Any:
        connection = connection_like(self._client, self._timeout)
        await connection.connect()
        self._connection = connection
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)


def _like(error: Exception) -> Exception:
    """An exception of its own for each of those who have asked."""
    if isinstance(error, TimeoutError):
        return RedisConnectionError("It takes too long to answer")
    return copy(error).with_traceback(None)
