"""A websocket of the test client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Protocol

from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request as BaseRequest

from ..app import Flask
from ..typing import Message, Scope
from ..websocket import WebsocketDisconnect
from .call import prepare_call
from .contexts import KeptContexts


class WebsocketResponseError(Exception):
    """The application has refused the handshake.

    :ivar response: the HTTP response that it did it with.
    :ivar status_code: its status.
    """

    def __init__(self, response: TestResponse) -> None:
        super().__init__(f"The websocket was refused with {response.status}.")
        self.response = response
        self.status_code = response.status_code


class WebsocketClosed(Exception):
    """The application has closed the websocket.

    :ivar code: with this code (RFC 6455 section 7.4).
    :ivar reason: and this text.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The application has closed the websocket with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class WebsocketClient(Protocol):
    """What a websocket asks of the client that opens it: `FlaskClient` has it."""

    application: Flask
    response_wrapper: type[TestResponse]
    _contexts: KeptContexts
    _loop: asyncio.AbstractEventLoop | None

    def _scope(self, environ: dict[str, Any]) -> Scope: ...

    def _take_cookies(self, environ: dict[str, Any], headers: Headers) -> None: ...


class TestWebsocket:
    """A websocket to an application, as its client has it. The application's sync callables run in the
    calling thread, while that waits here.

    Use it with ``with``, which closes it at the end, or `close` it.

    :ivar accepted_subprotocol: the subprotocol that the application has chosen.
    :ivar headers: the headers of its answer.
    :ivar close_code: the code that the application has closed with, None before.
    :ivar close_reason: the text that came with it.
    """

    #: Whether the client's ``with`` block keeps the context of the view.
    keeps_contexts = True

    __test__ = False  # for pytest, which takes the name for that of tests

    def __init__(self, client: WebsocketClient, environ: dict[str, Any], subprotocols: list[str]) -> None:
        self.accepted_subprotocol: str | None = None
        self.headers = Headers()
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._client = client
        self._environ = environ
        self._to_app: deque[Message] = deque([{"type": "websocket.connect"}])
        self._from_app: deque[str | bytes] = deque()
        self._accepted = False
        self._denial: Message | None = None
        self._denial_body = b""
        self._gone = False
        self._arrived: asyncio.Event | None = None
        self._wait = prepare_call(
            client.application,
            client._loop,
            _websocket_scope(client._scope(environ), subprotocols),
            self._app_receive,
            self._app_send,
        )
        self._wait.start()

    # -- what the application sees --------------------------------------------------------------

    async def _app_receive(self) -> Message:
        if self._arrived is None:
            self._arrived = asyncio.Event()
        while not self._to_app:
            self._arrived.clear()
            await self._arrived.wait()
        return self._to_app.popleft()

    async def _app_send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
            self.accepted_subprotocol = message.get("subprotocol")
            for name, value in message.get("headers", ()):
                self.headers.add(name.decode("latin-1").title(), value.decode("latin-1"))
        elif kind == "websocket.send":
            text = message.get("text")
            self._from_app.append(text if text is not None else message["bytes"])
        elif kind == "websocket.close":
            self.close_code = message.get("code") or 1000
            self.close_reason = message.get("reason") or ""
        elif kind == "websocket.http.response.start":
            self._denial = message
        elif kind == "websocket.http.response.body":
            self._denial_body += message.get("body", b"")
        self._wait.wake()

    # -- what the client does -------------------------------------------------------------------

    def open(self) -> TestWebsocket:
        """Wait for the answer to the handshake. The client's `websocket_connect` calls it.

        :raises WebsocketResponseError: when it is no.
        """
        self._serve(lambda: self._accepted or self.close_code is not None or self._denial is not None)
        if self._accepted:
            self._client._take_cookies(self._environ, self.headers)
            return self
        self._wait.serve()
        self._wait.result()
        if self._denial is not None:
            for name, value in self._denial["headers"]:
                self.headers.add(name.decode("latin-1").title(), value.decode("latin-1"))
            self._client._take_cookies(self._environ, self.headers)
            raise self._refusal(self._denial["status"])
        raise self._refusal(403)

    def _refusal(self, status: int) -> WebsocketResponseError:
        """Like the response to a request of this client."""
        response = self._client.response_wrapper(
            [self._denial_body], str(status), self.headers, BaseRequest(self._environ)
        )
        response.json_module = self._client.application.json  # type: ignore[assignment]
        return WebsocketResponseError(response)

    def send(self, data: str | bytes) -> None:
        """Send a message, as text or binary after its type.

        :raises WebsocketClosed: when the application has closed.
        """
        if isinstance(data, str):
            message: dict[str, Any] = {"type": "websocket.receive", "text": data, "bytes": None}
        elif not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"A message is a string or bytes, not {type(data).__name__}.")
        else:
            message = {"type": "websocket.receive", "text": None, "bytes": bytes(data)}
        self._check_open()
        self._put(message)

    def receive(self, timeout: float = 10.0) -> str | bytes:
        """The application's next message.

        :param timeout: seconds after which it is a `TimeoutError`.
        :raises WebsocketClosed: when the application has closed instead.
        :raises Exception: what its view has raised, where exceptions are propagated.
        """
        self._serve(lambda: bool(self._from_app) or self.close_code is not None, timeout)
        if self._from_app:
            return self._from_app.popleft()
        self._check_open()
        raise WebsocketClosed(1006, "")

    def send_json(self, *args: Any, **kwargs: Any) -> None:
        """Send a value as JSON text: one, several as a list, or the items of a dict."""
        provider = self._client.application.json
        self.send(provider.dumps(provider._prepare_response_obj(args, kwargs)))

    def receive_json(self, timeout: float = 10.0) -> Any:
        """The application's next message, parsed as JSON."""
        return self._client.application.json.loads(self.receive(timeout))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the websocket, and let the application come to its end.

        :raises Exception: what its view has raised, where exceptions are propagated.
        """
        self._leave(code, reason)
        self._wait.serve()
        if self.keeps_contexts:
            self._client._contexts.enter()
        with suppress(WebsocketDisconnect):
            self._wait.result()

    def _leave(self, code: int, reason: str) -> None:
        if not self._gone:
            self._gone = True
            self._put({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _put(self, message: Message) -> None:
        self._to_app.append(message)
        if not self._wait.done:
            self._wait.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._arrived is not None:
            self._arrived.set()

    def _check_open(self) -> None:
        if self.close_code is not None:
            self._wait.serve()
            self._wait.result()
            raise WebsocketClosed(self.close_code, self.close_reason or "")
        if self._gone:
            raise RuntimeError("This websocket has been closed by 'close'.")

    def _serve(self, until: Callable[[], bool], timeout: float = 10.0) -> None:
        end = monotonic() + timeout
        while not self._wait.done and not until():
            if not self._wait.serve(until, patience=min(0.5, timeout)) and monotonic() > end:
                raise TimeoutError(f"The application has sent nothing for {timeout} seconds.")
        if self._wait.done and not until():
            self._wait.result()

    def __enter__(self) -> TestWebsocket:
        return self

    def __exit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc_value is None:
            self.close()
            return
        try:
            self.close()
        except Exception as error:  # the block's own is the one to be seen
            exc_value.add_note(f"Besides, the view raised {error!r}.")


def _websocket_scope(scope: Scope, subprotocols: list[str]) -> Scope:
    """The scope of a websocket, made from that of a request."""
    scope = {
        **scope,
        "type": "websocket",
        "scheme": {"http": "ws", "https": "wss"}.get(scope["scheme"], scope["scheme"]),
        "subprotocols": subprotocols,
        "extensions": {"websocket.http.response": {}},
    }
    del scope["method"], scope["asyncflask.environ"]
    return scope
