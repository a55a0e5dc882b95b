"""One call of the application by a thread that speaks WSGI."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, cast
from wsgiref.util import is_hop_by_hop

from ..concurrency import LendingWalk, _inner_walk
from ..concurrency.current import adopt
from ..concurrency.loop_thread import is_running_loop
from ..concurrency.waiting import Wait
from ..concurrency.walk import TO_LOOP
from ..concurrency.worker import Worker, borrowed
from ..typing import ASGIApp, Message, Receive, Scope, Send
from .afterwards import Afterwards
from .input import StreamReader
from .start_response import as_written

#: Bytes of a stream that may wait to be taken.
KEPT_SIZE = 64 * 1024

_NO_CONTEXT = Context()


class Call:
    """Calls an ASGI application from a thread, which waits until the response has started and runs the sync
    functions of the request meanwhile.

    Where nothing is around the application that wants an event loop, the request begins in the thread itself:
    if it meets nothing async, that is all there is to it.

    :param loop: the running loop for what is async.
    :param start_response: called when the response starts; within the request's context if the layers do so,
        see `begin_response`.
    :param receive: gives the body, None where `reader` does.
    :param reader: reads it, in the thread.
    :param afterwards: keeps what is to be done when the response has been sent, if somebody else knows when
        that is.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        start_response: Callable[..., Any],
        receive: Receive | None,
        reader: StreamReader | None,
        afterwards: Afterwards | None,
    ) -> None:
        self._loop = loop
        self._start_response = start_response
        self._receive = receive
        self._reader = reader
        self._start: Message | None = None
        self._has_begun = False
        self._pieces: deque[bytes] = deque()
        self._kept = 0
        # Whether all of the body is in `_pieces`, and whether its end is known before it was sent.
        self._is_whole = self._is_foreseen = False
        self._is_closed = False
        # Where the rest of the body goes on the loop, once the thread is free.
        self._sink: Send | None = None
        self._room: asyncio.Future[None] | None = None
        self._gone: asyncio.Event | None = None
        # Who waits for the server.
        self._receiver: asyncio.Task[Any] | None = None
        self._wait: Wait | None = None
        self._walk: LendingWalk | None = None
        self._worker: Worker | None = None
        #: What is to be done when the response has been sent.
        self.afterwards = Afterwards() if afterwards is None else afterwards
        # Whether a WSGI server has called, or a middleware that it has called.
        self._is_for_server = afterwards is None
        #: Whether there is nothing left to be closed.
        self.is_over = False

    # -- the thread's part ------------------------------------------------------------------------

    def run(self, app: ASGIApp, scope: Scope, pool: Any, begins_here: bool) -> None:
        """Call the application, and return when the response has started, or whatever it raises.

        :param pool: further threads for sync functions.
        :param begins_here: whether the application may be stepped in this thread.
        """
        scope["asyncflask.wsgi"] = scope["asyncflask.as_written"] = self
        with borrowed() as worker:
            self._worker = worker
            walk = self._walk = LendingWalk(_NO_CONTEXT, pool, worker)
            walk.loop = self._loop
            coroutine = cast(Coroutine[Any, Any, Any], app(scope, self.receive, self.send))
            try:
                if not (begins_here and self._step(walk, coroutine)):
                    self._wait_for(walk, coroutine, worker)
            finally:
                context, walk.request_context = walk.request_context, None
                if context is not None:
                    adopt(context, of_request=True)
        if not self._has_begun:
            if self._start is None:
                raise RuntimeError("The application ended without a response.")
            self._begin(self._start)

    def _step(self, walk: LendingWalk, coroutine: Coroutine[Any, Any, Any]) -> bool:
        """Run the application in this thread as far as that goes; whether it has ended."""
        walk.in_thread = True
        token = _inner_walk.set(walk)
        try:
            asked = coroutine.send(None)
        except StopIteration:
            walk.is_over = True
            return True
        finally:
            walk.in_thread = False
            _inner_walk.reset(token)
        if asked is not TO_LOOP:
            coroutine.throw(RuntimeError("Something was awaited in a worker thread."))
        return False

    def _wait_for(self, walk: LendingWalk, coroutine: Coroutine[Any, Any, Any], worker: Worker) -> None:
        wait = self._wait = Wait(coroutine, None, worker, self._loop, walk)
        wait.start()
        try:
            wait.serve(self._has_answered)
        except BaseException:  # an interrupt of the program
            wait.cancel()
            wait.serve()
            raise
        if wait.done:
            wait.result()

    def _has_answered(self) -> bool:
        return self._start is not None or (
            self._is_foreseen and self._walk is not None and self._walk.request_has_ended()
        )

    def next_piece(self) -> bytes | None:
        """The next piece of the body, None at its end. Raises what the application raises."""
        if not self._pieces and self._wait is not None and self.is_under_way:
            self._wait.serve(lambda: bool(self._pieces))
        if self._pieces:
            piece = self._pieces.popleft()
            self._take(piece)
            return piece
        if self._wait is not None and not self._is_foreseen:
            self._wait.result()
        return None

    def close(self) -> None:
        """Let the application come to its end, like a client that goes away if that is too early."""
        if self.is_under_way:
            assert self._wait is not None
            self._loop.call_soon_threadsafe(self._go)
            self._wait.serve()
            with suppress(asyncio.CancelledError):
                self._wait.result()
        self._end()

    def abandon(self) -> None:
        """`close`, without waiting for it. Callable from any thread."""
        if not self.is_under_way:
            self._end()
        elif type(self._worker) is Worker:
            # The application may need this thread to come to its end, and nobody offers it any more.
            threading.Thread(target=self._close_quietly, daemon=True).start()
        else:  # one of a pool, which goes on by itself
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._leave)

    def _close_quietly(self) -> None:
        with suppress(Exception):  # nobody is left to be told
            self.close()

    def _leave(self) -> None:
        self._go()
        if self.is_under_way:
            self._task.add_done_callback(lambda task: self._end())

    def _end(self) -> None:
        self.is_over = True
        self._wait = None
        if self._is_for_server:
            self.afterwards.begin()

    @property
    def is_under_way(self) -> bool:
        """Whether the application is not through with the request."""
        return self._wait is not None and not (self._wait.done or self._is_foreseen)

    # -- what the application calls ----------------------------------------------------------------

    async def receive(self) -> Message:
        """Its ``receive``."""
        if self._is_closed:
            return {"type": "http.disconnect"}
        if self._receive is not None:
            return await self._receive_unless_closed(self._receive)
        reader = self._reader
        if reader is None:  # the body is over, and nobody will tell when the client goes
            self._gone = self._gone or asyncio.Event()
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = reader.next_message() if not is_running_loop() else await self._read_in_thread(reader)
        if not message.get("more_body", False):
            self._reader = None
        return message

    async def _receive_unless_closed(self, receive: Receive) -> Message:
        task = self._receiver = asyncio.current_task() if is_running_loop() else None
        try:
            return await receive()
        except asyncio.CancelledError:
            if task is None or not self._is_closed or task.uncancel():
                raise
            return {"type": "http.disconnect"}
        finally:
            self._receiver = None

    async def _read_in_thread(self, reader: StreamReader) -> Message:
        message: asyncio.Future[Message] = self._loop.create_future()

        def settle(set_it: Callable[[Any], None], value: Any) -> None:
            if not message.done():
                set_it(value)

        def read() -> None:
            try:
                done = partial(settle, message.set_result, reader.next_message())
            except Exception as error:
                done = partial(settle, message.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(done)

        cast(Worker, self._worker).submit(read)
        return await message

    async def send(self, message: Message) -> None:
        """Its ``send``."""
        if self._is_foreseen:
            return
        if message["type"] == "http.response.start":
            self._start = message
            self._wake()
        elif message["type"] == "http.response.body":
            if self._sink is not None:
                await self._sink(message)
                return
            self._is_whole = not message.get("more_body", False)
            self._keep(message.get("body", b""))
            self._wake()
            while self._kept > KEPT_SIZE and not (self._is_whole or self._is_closed or self._sink):
                self._room = self._loop.create_future()
                await self._room

    def begin_response(self, start: Message, body: bytes | None) -> None:
        """Call ``start_response`` now, in the request's thread and within its context: before it is torn
        down, as under Flask.

        :param body: the whole body, where that is known.
        """
        self._begin(start)
        if body is not None:
            self._keep(body)
            self._is_whole = self._is_foreseen = True

    def _begin(self, start: Message) -> None:
        self._has_begun = True
        status, headers = as_written(start)
        if self._is_for_server:
            # Which may have none of these (PEP 3333, "Other HTTP Features").
            headers = [item for item in headers if not is_hop_by_hop(item[0])]
        self._start_response(status, headers)

    # -- the loop's part --------------------------------------------------------------------------

    async def pass_on(self, start: Message, send: Send) -> None:
        """Send the response, and what is still to come of it without a thread.

        :param start: the message that it starts with.
        :param send: the server's.
        """
        try:
            await self._pass_on(start, send)
        finally:
            await self._end_task()
            self._end()

    async def _pass_on(self, start: Message, send: Send) -> None:
        await send(start)
        while self._pieces or not (self._is_whole or self._sink):
            if self._pieces:
                piece = self._pieces.popleft()
                more = bool(self._pieces) or not self._is_whole
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                if not more:
                    break
            else:
                self._sink = send
                self._make_room()
        else:
            if self._sink is None:
                await send({"type": "http.response.body", "body": b""})
        if self.is_under_way:
            await self._task

    @property
    def _task(self) -> asyncio.Task[Any]:
        return cast(Any, self._wait).task  # type: ignore[no-any-return]

    async def _end_task(self) -> None:
        if not self.is_under_way or self._task.done():
            return
        self._go()
        self._task.cancel()
        await asyncio.wait({self._task})

    def _go(self) -> None:
        self._is_closed = True
        self._make_room()
        if self._gone is not None:
            self._gone.set()
        if self._receiver is not None:
            self._receiver.cancel()

    # -- the body on its way ----------------------------------------------------------------------

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._kept += len(piece)
            self._pieces.append(piece)

    def _take(self, piece: bytes) -> None:
        self._kept -= len(piece)
        if self._room is not None and self._kept <= KEPT_SIZE:
            self._loop.call_soon_threadsafe(self._make_room)

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _wake(self) -> None:
        if self._wait is not None:
            self._wait.wake()
