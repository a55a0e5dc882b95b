"""Testing an application without a server."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from copy import copy
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import werkzeug
import werkzeug.test
from click.testing import CliRunner, Result
from werkzeug.datastructures import Headers
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request as BaseRequest
from werkzeug.wsgi import get_current_url

from .cli import ScriptInfo
from .ctx import AppContext, RequestContext
from .environ import scope_from_environ
from .sessions import SessionMixin
from .testing_websocket import (
    AsyncTestWebsocket,
    TestWebsocket,
    WebsocketClosed,
    WebsocketResponseError,
)
from .threads import Worker
from .typing import Message, Scope
from .waiting import Wait, call_from_sync

if TYPE_CHECKING:
    from .app import Flask


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Werkzeug's builder of WSGI environs, with defaults from an application.

    :param app: the application.
    :param path: the path, or a whole URL.
    :param base_url: the URL that `path` is relative to; made from the configuration unless given.
    :param subdomain: put before ``SERVER_NAME``.
    :param url_scheme: ``PREFERRED_URL_SCHEME`` unless given.
    :param args: as for Werkzeug's builder, as are `kwargs`.
    """

    def __init__(
        self,
        app: Flask,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if base_url is not None and (subdomain is not None or url_scheme is not None):
            raise AssertionError(
                "'base_url' says it all: 'subdomain' and 'url_scheme' cannot be given with it."
            )
        if base_url is None:
            host = app.config.get("SERVER_NAME") or "localhost"
            if subdomain:
                host = f"{subdomain}.{host}"
            url = urlsplit(path)
            scheme = url.scheme or url_scheme or app.config["PREFERRED_URL_SCHEME"]
            base_url = f"{scheme}://{url.netloc or host}/{app.config['APPLICATION_ROOT'].lstrip('/')}"
            path = f"{url.path}?{url.query}" if url.query else url.path
        #: The application that the requests are for.
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: Any, **kwargs: Any) -> str:
        """Dump the ``json`` argument with the application's provider."""
        return self.app.json.dumps(obj, **kwargs)


class _Exchange:
    """One request to an ASGI application, made by a thread that runs the sync callables meanwhile."""

    #: How many pieces of a streaming response may wait to be read, and how long (in seconds) the next one
    #: may take to come before the response is handed out as a stream.
    READ_AHEAD = 64
    PATIENCE = 0.05

    def __init__(self, client: FlaskClient, environ: dict[str, Any]) -> None:
        # A copy: the client makes the request after a redirect from the environ that it has.
        self.scope: Scope = scope_from_environ(dict(environ))
        self.scope["asyncflask.client"] = client
        if client._state is not None:
            self.scope["state"] = dict(client._state)
        self._body: bytes | None = _read_input(environ)
        self._pieces: deque[bytes] = deque()
        self._start: Message | None = None
        self._streamed = False
        self._buffered = True
        self._changed: asyncio.Event | None = None
        self._closed = False
        self._wait = Wait(
            cast(Any, client.application)(self.scope, self._receive, self._send), None, Worker(), client._loop
        )
        self._wait.start()

    # -- what the application sees --------------------------------------------------------------

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._until(lambda: self._closed)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._streamed = self._streamed or message.get("more_body", False)
            if not message.get("body"):
                return
            self._pieces.append(message["body"])
            self._wait.wake()
            if not self._buffered:
                await self._until(lambda: len(self._pieces) < self.READ_AHEAD or self._closed)

    async def _until(self, condition: Callable[[], bool]) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    # -- what the client does -------------------------------------------------------------------

    def run(self, buffered: bool) -> tuple[Iterable[bytes], str, Headers]:
        """Wait for the response: for the whole of it, or, unless `buffered`, until no more comes soon."""
        self._buffered = buffered
        if buffered:
            self._wait.serve()
        else:
            self._wait.serve(lambda: bool(self._pieces))
            while not self._wait.done and len(self._pieces) < self.READ_AHEAD:
                if not self._wait.serve(patience=self.PATIENCE):
                    break
        if self._wait.done:
            self._wait.result()
        if self._start is None:
            raise AssertionError("The application ended without a response.")
        status = self._start.get("asyncflask.status") or _status(self._start["status"])
        # No list unless it is asked for, even when all of it is there: for Flask's client that is a stream.
        body: Iterable[bytes] = _Stream(self) if self._streamed else iter(self._pieces)
        if buffered:
            body = list(self._pieces)
        return body, status, _headers(self._start)

    def next_piece(self) -> bytes | None:
        """The next piece of a stream, None at its end."""
        self._wait.serve(lambda: bool(self._pieces))
        if self._pieces:
            piece = self._pieces.popleft()
            self._tell()
            return piece
        self._wait.result()
        return None

    def disconnect(self) -> None:
        """Go away, and let the application come to its end."""
        if not self._wait.done:
            self._closed = True
            self._tell()
            self._wait.serve()

    @property
    def is_over(self) -> bool:
        return self._wait.done

    def _tell(self) -> None:
        if self._changed is not None:
            self._wait.loop.call_soon_threadsafe(self._changed.set)


class _Stream:
    """The body of a response that is still under way."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        piece = self._exchange.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self._exchange.disconnect()

    def __del__(self) -> None:
        if self._exchange.is_over:
            return
        # The application may need a thread to come to its end, and this one has not offered itself.
        threading.Thread(target=self._exchange.disconnect, daemon=True).start()


def _read_input(environ: Mapping[str, Any]) -> bytes:
    stream = environ.get("wsgi.input")
    length = str(environ.get("CONTENT_LENGTH") or "")
    if stream is None or not (length.isdigit() or environ.get("wsgi.input_terminated")):
        return b""
    body: bytes = stream.read(int(length)) if length.isdigit() else stream.read()
    if stream.seekable():
        stream.seek(0)  # a redirect may send it again
    return body


def _status(code: int) -> str:
    return f"{code} {werkzeug.http.HTTP_STATUS_CODES.get(code, 'UNKNOWN').upper()}"


def _headers(start: Message) -> Headers:
    names = {name.lower(): name for name in start.get("asyncflask.names", ())}
    headers = Headers()
    for raw_name, raw_value in start.get("headers", ()):
        name = raw_name.decode("latin-1")
        headers.add(names.get(name, name.title()), raw_value.decode("latin-1"))
    return headers


class FlaskClient(Client):
    """A client for tests: Werkzeug's, calling the ASGI application in-process.

    In a ``with`` block the context of the last request stays active, so that
    `request`, `session` and `g` can be looked at; and the application's lifespan
    runs. ``async with app.test_client() as client:`` gives an `AsyncFlaskClient`.

    Sync callables of the application run in the calling thread, as they do under
    Flask's client; coroutines run on an event loop in the background.
    """

    application: Flask  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preserve_context = False
        self._new_contexts: list[AppContext | RequestContext] = []
        self._contexts: list[AppContext | RequestContext] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._state: dict[str, Any] | None = None
        self._lifespan: _Lifespan | None = None
        #: What every request's environ starts with.
        self.environ_base: dict[str, Any] = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": f"Werkzeug/{version('werkzeug')}",
        }

    def keep(self, *contexts: AppContext | RequestContext) -> None:
        """Called by the application at the end of a request, with its contexts."""
        if self.preserve_context:
            self._new_contexts.extend(contexts)

    # -- requests -------------------------------------------------------------------------------

    def open(
        self, *args: Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: Any
    ) -> TestResponse:
        """Make a request.

        :param args: path and further arguments of `EnvironBuilder`, or such a builder, a request, an environ.
        :param buffered: wait for the whole of a streaming response.
        :param follow_redirects: make the further requests too; the responses before are its ``history``.
        :param kwargs: as for `EnvironBuilder`: method, data, json, query_string, headers, ...
        """
        self._leave_contexts()
        response = self._make_request(*args, buffered=buffered, follow_redirects=follow_redirects, **kwargs)
        self._enter_contexts()
        return response

    def _make_request(
        self, *args: Any, buffered: bool, follow_redirects: bool, **kwargs: Any
    ) -> TestResponse:
        request = self._request_from(args, kwargs)
        response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        response.json_module = self.application.json  # type: ignore[assignment]
        return response

    def _enter_contexts(self) -> None:
        while self._new_contexts:
            context = self._new_contexts.pop(0)
            context.__enter__()
            self._contexts.append(context)

    def _leave_contexts(self) -> None:
        """Leave the contexts of the last request, all of them; the first exception is raised at the end."""
        with ExitStack() as stack:
            while self._contexts:
                stack.push(self._contexts.pop(0))

    async def _leave_contexts_async(self) -> None:
        async with AsyncExitStack() as stack:
            while self._contexts:
                stack.push_async_exit(self._contexts.pop(0))

    def _request_from(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BaseRequest:
        first = args[0] if args and not kwargs else None
        if isinstance(first, werkzeug.test.EnvironBuilder):
            builder = copy(first)
            builder.environ_base = {**self.environ_base, **(builder.environ_base or {})}
            return builder.get_request()
        if isinstance(first, dict):
            return EnvironBuilder.from_environ(
                first, app=self.application, environ_base={**self.environ_base}
            ).get_request()
        if isinstance(first, BaseRequest):
            request = copy(first)
            request.environ = {**self.environ_base, **first.environ}
            return request
        kwargs["environ_base"] = {**self.environ_base, **kwargs.get("environ_base", {})}
        builder = EnvironBuilder(self.application, *args, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    def run_wsgi_app(
        self, environ: dict[str, Any], buffered: bool = False
    ) -> tuple[Iterable[bytes], str, Headers]:
        """Where Werkzeug's client calls the application."""
        self._new_contexts.clear()  # after a redirect only the last request's stay
        self._add_cookies_to_wsgi(environ)
        body, status, headers = _Exchange(self, environ).run(buffered)
        self._take_cookies(environ, headers)
        return body, status, headers

    def _take_cookies(self, environ: dict[str, Any], headers: Headers) -> None:
        url = urlsplit(get_current_url(environ))
        self._update_cookies_from_response(
            url.hostname or "localhost", url.path, headers.getlist("Set-Cookie")
        )

    def websocket_connect(
        self, path: str = "/", *args: Any, subprotocols: Iterable[str] = (), **kwargs: Any
    ) -> TestWebsocket:
        """Open a websocket.

        :param path: the path, or a whole URL.
        :param args: as for `EnvironBuilder`, as are `kwargs`: headers, query_string, ...
        :param subprotocols: what the client speaks.
        :raises WebsocketResponseError: when the application refuses it; its ``status_code`` says how.
        """
        self._leave_contexts()
        return self._open_websocket(path, *args, subprotocols=subprotocols, **kwargs)

    def _open_websocket(
        self, path: str = "/", *args: Any, subprotocols: Iterable[str] = (), **kwargs: Any
    ) -> TestWebsocket:
        environ = self._websocket_environ(path, args, kwargs)
        return TestWebsocket(self, environ, list(subprotocols)).open()

    def _websocket_environ(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        for scheme in ("ws", "wss"):
            if path.startswith(f"{scheme}:"):
                path = path.replace("ws", "http", 1)
        environ: dict[str, Any] = self._request_from((path, *args), kwargs).environ
        self._add_cookies_to_wsgi(environ)
        return environ

    # -- session --------------------------------------------------------------------------------

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        """The session as the client's cookies have it, to be looked at and changed; saved at the end.

        :param args: as for `open`, for what the session is opened with, as are `kwargs`.
        :raises TypeError: when the client keeps no cookies.
        """
        if self._cookies is None:
            raise TypeError("Cookies are disabled. Create a client with 'use_cookies=True'.")
        app = self.application
        ctx = app.test_request_context(*args, **kwargs)
        self._add_cookies_to_wsgi(ctx.request.environ)
        ctx = app.request_context(ctx.request.environ)
        interface = app.session_interface

        def call(func: Callable[..., Any], *values: Any) -> Any:
            return call_from_sync(app.worker_pool, func, *values)

        with ctx:
            session = call(interface.open_session, app, ctx.request)
        if session is None:
            raise RuntimeError("Session backend did not open a session.")
        yield session
        if interface.is_null_session(session):
            return
        response = app.response_class()
        with ctx:
            call(interface.save_session, app, session, response)
        self._update_cookies_from_response(
            ctx.request.host.partition(":")[0], ctx.request.path, response.headers.getlist("Set-Cookie")
        )

    # -- with -----------------------------------------------------------------------------------

    def __enter__(self) -> FlaskClient:
        if self.preserve_context:
            raise RuntimeError("Cannot nest client invocations")
        self._start_lifespan()
        self.preserve_context = True
        return self

    def __exit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.preserve_context = False
        try:
            self._leave_contexts()
        finally:
            self._stop_lifespan()

    def _start_lifespan(self) -> None:
        if self.application.has_lifespan:
            self._lifespan = _Lifespan(self)
            self._lifespan.start()

    def _stop_lifespan(self) -> None:
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            lifespan.stop()
        else:
            app = self.application
            call_from_sync(app.worker_pool, app.background_tasks.finish)

    async def __aenter__(self) -> AsyncFlaskClient:
        if self.preserve_context:
            raise RuntimeError("Cannot nest client invocations")
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await asyncio.to_thread(self._start_lifespan)
        self.preserve_context = True
        return AsyncFlaskClient(self)

    async def __aexit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.preserve_context = False
        try:
            await self._leave_contexts_async()
        finally:
            await asyncio.to_thread(self._stop_lifespan)
            self._loop = None


class AsyncFlaskClient:
    """`FlaskClient` with its requests to be awaited; the application runs on the test's own loop.

    Whatever else the client has is here too: cookies, `environ_base`, ...
    """

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    async def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Make a request, see `FlaskClient.open`. The response is complete when it is returned."""
        kwargs.setdefault("follow_redirects", False)
        client = self._client
        options = {**kwargs, "buffered": True}
        await self._leave_contexts()
        response = await asyncio.to_thread(client._make_request, *args, **options)
        if asyncio.current_task() is client._task:
            client._enter_contexts()
        return response

    async def _leave_contexts(self) -> None:
        # The context is kept for the block's own task; another one cannot take it away.
        if asyncio.current_task() is self._client._task:
            await self._client._leave_contexts_async()

    async def get(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with GET."""
        return await self.open(*args, **{**kwargs, "method": "GET"})

    async def post(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with POST."""
        return await self.open(*args, **{**kwargs, "method": "POST"})

    async def put(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with PUT."""
        return await self.open(*args, **{**kwargs, "method": "PUT"})

    async def patch(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with PATCH."""
        return await self.open(*args, **{**kwargs, "method": "PATCH"})

    async def delete(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with DELETE."""
        return await self.open(*args, **{**kwargs, "method": "DELETE"})

    async def head(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with HEAD."""
        return await self.open(*args, **{**kwargs, "method": "HEAD"})

    async def options(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with OPTIONS."""
        return await self.open(*args, **{**kwargs, "method": "OPTIONS"})

    async def trace(self, *args: Any, **kwargs: Any) -> TestResponse:
        """`open` with TRACE."""
        return await self.open(*args, **{**kwargs, "method": "TRACE"})

    def websocket_connect(self, *args: Any, **kwargs: Any) -> AsyncTestWebsocket:
        """`FlaskClient.websocket_connect`, to be awaited, or used with ``async with``."""
        connect = partial(self._client._open_websocket, *args, **kwargs)
        return AsyncTestWebsocket(connect, self._leave_contexts)

    @asynccontextmanager
    async def session_transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[SessionMixin]:
        """`FlaskClient.session_transaction`, with ``async with``."""
        with self._client.session_transaction(*args, **kwargs) as session:
            yield session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _Lifespan:
    """The server's part of the lifespan protocol (ASGI specification, "Lifespan Protocol")."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._state: dict[str, Any] = {}
        self._startup_done = False
        self._failure: str | None = None
        self._stopping: asyncio.Event | None = None
        self._received = 0

    def start(self) -> None:
        """Run the startup. Raises what it raises."""
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
            "asyncflask.client": None,  # no server's
        }
        app: Any = self._client.application
        self._wait = Wait(app(scope, self._receive, self._send), None, Worker(), self._client._loop)
        self._wait.start()
        self._wait.serve(lambda: self._startup_done)
        if self._wait.done:
            self._wait.result()
            raise RuntimeError("The application's lifespan ended before its startup was complete.")
        self._client._state = self._state

    def stop(self) -> None:
        """Run the shutdown. Raises what it raises."""
        self._client._state = None
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


class FlaskCliRunner(CliRunner):
    """Runs an application's CLI commands.

    :param app: the application.
    :param kwargs: as for click's `CliRunner`.
    """

    def __init__(self, app: Flask, **kwargs: Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(self, cli: Any = None, args: Any = None, **kwargs: Any) -> Result:  # type: ignore[override]
        """Run a command.

        :param cli: the command; the application's `Flask.cli` group unless given.
        :param args: its arguments, a list or a string.
        :param kwargs: as for click's runner. Without ``obj`` commands find this application.
        """
        if cli is None:
            cli = self.app.cli
        if "obj" not in kwargs:
            kwargs["obj"] = ScriptInfo(create_app=lambda: self.app)
        return super().invoke(cli, args, **kwargs)


__all__ = [
    "AsyncFlaskClient",
    "AsyncTestWebsocket",
    "EnvironBuilder",
    "FlaskCliRunner",
    "FlaskClient",
    "TestWebsocket",
    "WebsocketClosed",
    "WebsocketResponseError",
]
