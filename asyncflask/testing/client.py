"""The test client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from importlib.metadata import version
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import werkzeug.test
from werkzeug.datastructures import Headers
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request as BaseRequest
from werkzeug.wsgi import get_current_url

from ..app import Flask
from ..concurrency.waiting import call_from_sync
from ..ctx import AppContext
from ..environ import scope_from_environ
from ..sessions import SessionMixin
from ..typing import Scope
from .async_client import AsyncFlaskClient
from .contexts import KeptContexts
from .environ import EnvironBuilder
from .exchange import Exchange, read_input
from .lifespan import Lifespan
from .websocket import TestWebsocket


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
        self._contexts = KeptContexts()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._lifespan: Lifespan | None = None
        #: What every request's environ starts with.
        self.environ_base: dict[str, Any] = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": f"Werkzeug/{version('werkzeug')}",
        }

    def keep(self, context: AppContext) -> None:
        """Called by the application at the end of a request, with its context."""
        if self.preserve_context:
            self._contexts.keep(context)

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
        self._contexts.leave()
        response = self._make_request(*args, buffered=buffered, follow_redirects=follow_redirects, **kwargs)
        self._contexts.enter()
        return response

    def _make_request(
        self, *args: Any, buffered: bool, follow_redirects: bool, **kwargs: Any
    ) -> TestResponse:
        request = self._request_from(args, kwargs)
        response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        response.json_module = self.application.json  # type: ignore[assignment]
        return response

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
        self._contexts.forget_new()  # after a redirect only the last request's stay
        self._add_cookies_to_wsgi(environ)
        exchange = Exchange(self.application, self._loop, self._scope(environ), read_input(environ))
        body, status, headers = exchange.run(buffered)
        self._take_cookies(environ, headers)
        return body, status, headers

    def _scope(self, environ: dict[str, Any]) -> Scope:
        # A copy: the client makes the request after a redirect from the environ that it has.
        scope = scope_from_environ(dict(environ))
        scope["asyncflask.client"] = self
        if self._lifespan is not None and self._lifespan.state is not None:
            scope["state"] = dict(self._lifespan.state)
        return scope

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
        self._contexts.leave()
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
            self._contexts.leave()
        finally:
            self._stop_lifespan()

    def _start_lifespan(self) -> None:
        if self.application.has_lifespan:
            self._lifespan = Lifespan(self.application, self._loop)
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
            await self._contexts.leave_async()
        finally:
            await asyncio.to_thread(self._stop_lifespan)
            self._loop = None
