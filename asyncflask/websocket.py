"""A websocket, as its view sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest

from .concurrency import outside
from .disconnect import Connection
from .globals import current_app
from .lazy import lazy
from .typing import Message, Receive, Send
from .wrappers import Request

#: Seconds that a view which takes its messages may go on with the last one when the client has gone.
GRACE = 1.0

#: What a message counts for besides its own size, towards how much is taken from the server ahead.
_OVERHEAD = 256


class WebsocketDisconnect(asyncio.CancelledError):
    """The client has closed the websocket, or has gone: raised by `Websocket.receive` and `Websocket.send`.

    A view need not catch it, and does not by ``except Exception``: it ends there.

    :ivar code: the code that it was closed with (RFC 6455 section 7.4), 1005 without one, 1006 when the
        connection was lost.
    :ivar reason: the text that came with it.
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        super().__init__(f"The client has closed the websocket ({code}).")
        self.code = code
        self.reason = reason


class ClientGone(ConnectionError):
    """What an ASGI `send` raises when nobody is there any more (ASGI specification, "Send")."""


class WebsocketConnection(Connection):
    """The client's messages. They are taken from the server ahead of the view, though not many, so that
    it is noticed when the client goes.

    A view that takes no messages is cancelled then. One that does gets those that have come before;
    its next `receive` or `send` tells it, and it is cancelled if that takes longer than `GRACE`.
    """

    _takes_messages = False
    _is_handed_over = False
    _sent = 0
    _timer: asyncio.TimerHandle | None = None
    _goodbye: Message | None = None

    def lose(self, message: Message) -> None:
        if self._goodbye is not None:
            return  # the view knows from its `send`, and may take its time to clean up
        self._goodbye = message
        self.lost = True
        if self._is_handed_over:
            return
        if not self._takes_messages:
            self.cancel()
        else:
            self._timer = asyncio.get_running_loop().call_later(GRACE, self.cancel)

    def weigh(self, message: Message) -> int:
        return len(message.get("bytes") or message.get("text") or b"") + _OVERHEAD

    async def receive(self) -> Message:
        """The client's next message.

        :raises WebsocketDisconnect: when there is none to come.
        """
        self._takes_messages = True
        if self._messages.empty():
            self.check()
        message = await self.next_message()
        if message["type"] == "websocket.disconnect":
            self.check()
        return message

    def hand_over(self) -> None:
        """Another application has the websocket now. It is told when the client goes, not cancelled."""
        self._is_handed_over = True

    async def next_message(self) -> Message:
        """The client's next message as it is, for that application."""
        message = await super().receive()
        if message["type"] == "websocket.disconnect":
            self._messages.put_nowait(message)  # for those who ask again
        return message

    def check(self) -> None:
        """Raise WebsocketDisconnect if the client has gone, or this side has closed."""
        if self._goodbye is not None:
            if self.lost and asyncio.current_task() is not self._task:
                self.cancel()  # the view waits for the task that is told here
            elif self._timer is not None:
                self._timer.cancel()  # the view knows, and may take its time to clean up
            raise WebsocketDisconnect(self._goodbye.get("code") or 1005, self._goodbye.get("reason") or "")

    async def send(self, message: Message) -> None:
        """Send, and wait until the server takes more."""
        self.check()
        try:
            await self.pass_on(message)
        except ClientGone as gone:
            self._goodbye = {"type": "websocket.disconnect", "code": 1006, "reason": str(gone)}
            self.check()

    async def pass_on(self, message: Message) -> None:
        """Send a message as it is.

        :raises ClientGone: when the server says that nobody is there.
        """
        try:
            await outside(partial(self._send, message))
        except (OSError, RuntimeError) as error:  # ASGI specification, "Send"; of daphne's, the latter
            if isinstance(error, RuntimeError) and (message["type"] != "websocket.send" or self._goodbye):
                raise  # it says what is wrong with the message
            self.lost = True
            raise ClientGone(*error.args) from error
        self._sent += 1
        if self._sent % 16 == 0:
            await asyncio.sleep(0)  # servers may never wait in `send`, also when the client has gone

    def say_goodbye(self, code: int, reason: str) -> None:
        """This side closes: tell those who still wait for a message."""
        self.stop()  # some servers do not close while somebody receives
        if self._goodbye is None:
            self._goodbye = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._messages.put_nowait(self._goodbye)

    def stop(self) -> None:
        super().stop()
        if self._timer is not None:
            self._timer.cancel()


class Websocket(Request):
    """The websocket of a view declared with ``@app.websocket``: everything that a request has, and
    messages.

    It is accepted by `accept`, or else by the first `receive` or `send`.

    :param environ: an ASGI ``websocket`` scope.
    """

    #: Whether the handshake has been answered with yes.
    accepted = False
    #: Whether it was closed or refused from this side.
    closed = False

    _connection: WebsocketConnection
    _before_accept: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_body = False  # whatever the headers of the handshake say
        self._accepting = asyncio.Lock()

    def open(self, receive: Receive, send: Send, connection: WebsocketConnection) -> None:
        """Tie it to a server. Called by the framework."""
        self._receive = receive
        self._send = send
        self._connection = connection

    @lazy
    def scheme(self) -> str:
        """``ws`` or ``wss``."""
        scheme: str = self.scope.get("scheme", "ws")
        return scheme

    @property
    def requested_subprotocols(self) -> list[str]:
        """The subprotocols that the client speaks, the ones it likes best first (RFC 6455 section 1.9)."""
        return list(self.scope.get("subprotocols", ()))

    async def accept(
        self,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        subprotocol: str | None = None,
    ) -> None:
        """Answer the handshake with yes.

        :param headers: further headers of the answer; what has been changed in the session goes along.
        :param subprotocol: one of `requested_subprotocols`.
        :raises RuntimeError: when it has been answered already.
        :raises ValueError: when the client does not speak that subprotocol; it would close.
        """
        if subprotocol is not None and subprotocol not in self.requested_subprotocols:
            raise ValueError(
                f"The client has not offered the subprotocol {subprotocol!r}: choose one of"
                f" {self.requested_subprotocols}, or none."
            )
        async with self._accepting:
            self._check_open()
            if self.accepted:
                raise RuntimeError(
                    "The websocket is accepted already, perhaps by a 'receive' or a 'send' before."
                )
            await self._accept(Headers(headers), subprotocol)

    async def _accept(self, headers: Headers, subprotocol: str | None) -> None:
        if self._before_accept is not None:
            await self._before_accept(headers)
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._connection.send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": raw})
        self.accepted = True

    async def _ensure_accepted(self) -> None:
        self._check_open()
        if not self.accepted:
            async with self._accepting:
                if not self.accepted:
                    await self._accept(Headers(), None)

    async def receive(self) -> str | bytes:
        """The client's next message: a string, or bytes, as it was sent.

        :raises WebsocketDisconnect: when the client has closed the websocket.
        :raises RuntimeError: when it was closed from this side.
        """
        await self._ensure_accepted()
        message = await self._connection.receive()
        text = message.get("text")
        data: str | bytes = text if text is not None else message["bytes"]
        return data

    async def receive_json(self) -> Any:
        """The client's next message, parsed as JSON.

        :raises BadRequest: when it is none.
        """
        data = await self.receive()
        try:
            return current_app.json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The message is no JSON: {error}") from error

    async def send(self, data: str | bytes) -> None:
        """Send a message, as text or binary after its type. Waits while the client does not read.

        :raises WebsocketDisconnect: when the client has gone.
        :raises RuntimeError: when it was closed from this side.
        :raises TypeError: for anything else than a string or bytes.
        """
        if isinstance(data, str):
            message: dict[str, Any] = {"type": "websocket.send", "text": data}
        elif isinstance(data, bytes | bytearray | memoryview):
            message = {"type": "websocket.send", "bytes": bytes(data)}
        else:
            raise TypeError(
                f"A message is a string or bytes, not {type(data).__name__}: 'send_json' takes other values."
            )
        await self._ensure_accepted()
        await self._connection.send(message)

    async def send_json(self, *args: Any, **kwargs: Any) -> None:
        """Send a value as JSON text.

        :param args: the value, or several values that become a list.
        :param kwargs: the items of a dict.
        """
        provider = current_app.json
        await self.send(provider.dumps(provider._prepare_response_obj(args, kwargs)))

    def has_something_to_close(self) -> bool:
        return False

    async def close(self, code: int = 1000, reason: str = "") -> None:  # type: ignore[override]
        """Close the websocket; before it was accepted, refuse it.

        :param code: says why (RFC 6455 section 7.4): 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999.
        :param reason: a text of at most 123 bytes.
        :raises ValueError: for a code or reason that cannot be sent.
        """
        reason = reason or ""
        if not (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) and not 3000 <= code <= 4999:
            raise ValueError(
                f"A websocket cannot be closed with {code}: use 1000, another registered code up to 1014, or"
                " one of your own from 4000 to 4999 (RFC 6455 section 7.4)."
            )
        if len(reason.encode()) > 123:
            raise ValueError("The reason that a websocket is closed with is longer than 123 bytes.")
        self._check_open()
        self._connection.say_goodbye(code, reason)
        if not self._connection.lost:
            await outside(partial(self._send, {"type": "websocket.close", "code": code, "reason": reason}))
        self.closed = True

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError("The websocket has been closed by 'close'.")

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive()
            except WebsocketDisconnect:
                return
            yield message
