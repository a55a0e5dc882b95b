"""The test client with its requests to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any, Protocol

from werkzeug.test import TestResponse

from ..sessions import SessionMixin
from .async_websocket import AsyncTestWebsocket
from .contexts import KeptContexts
from .websocket import TestWebsocket


class SyncClient(Protocol):
    """What `AsyncFlaskClient` asks of the client that makes its requests: `FlaskClient` has it."""

    _contexts: KeptContexts
    _task: asyncio.Task[Any] | None

    def _make_request(
        self, *args: Any, buffered: bool, follow_redirects: bool, **kwargs: Any
    ) -> TestResponse: ...

    def _open_websocket(
        self, path: str = "/", *args: Any, subprotocols: Iterable[str] = (), **kwargs: Any
    ) -> TestWebsocket: ...

    def session_transaction(self, *args: Any, **kwargs: Any) -> AbstractContextManager[SessionMixin]: ...


class AsyncFlaskClient:
    """`FlaskClient` with its requests to be awaited; the application runs on the test's own loop.

    Whatever else the client has is here too: cookies, `environ_base`, ...
    """

    def __init__(self, client: SyncClient) -> None:
        self._client = client

    async def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Make a request, see `FlaskClient.open`. The response is complete when it is returned."""
        kwargs.setdefault("follow_redirects", False)
        client = self._client
        options = {**kwargs, "buffered": True}
        await self._leave_contexts()
        response = await asyncio.to_thread(client._make_request, *args, **options)
        if asyncio.current_task() is client._task:
            client._contexts.enter()
        return response

    async def _leave_contexts(self) -> None:
        # The context is kept for the block's own task; another one cannot take it away.
        if asyncio.current_task() is self._client._task:
            await self._client._contexts.leave_async()

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
