"""A websocket of the test client, with its methods to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, cast

from ..concurrency.waiting import Wait
from .websocket import TestWebsocket


class AsyncTestWebsocket:
    """`TestWebsocket` with its methods to be awaited. Await it, or use it with ``async with``."""

    def __init__(self, connect: Callable[[], TestWebsocket], before: Callable[[], Awaitable[None]]) -> None:
        self._connect = connect
        self._before = before
        self._websocket: TestWebsocket | None = None
        # One for all: the application's sync callables run in it, and find the same thread each time.
        self._thread = ThreadPoolExecutor(1, "asyncflask-test-websocket")

        self._calls = 0

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        run = partial(copy_context().run, call, *args)
        self._calls += 1
        if self._websocket is not None:
            self._websocket._wait.wake()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        finally:
            self._calls -= 1
            if self._websocket is not None and not self._websocket._wait.done:
                self._thread.submit(self._serve, self._websocket._wait)

    async def _at_once(self, send: Callable[..., None], *args: Any) -> None:
        """Send, also while the thread waits for a message."""
        if self._opened.close_code is None:
            send(*args)
        else:
            await self._in_thread(send, *args)  # which waits for the end of the view, and raises

    def _serve(self, wait: Wait) -> None:
        """Between calls: the loop may end before the next one, and then waits for the teardown functions."""
        wait.serve(lambda: self._calls > 0)

    @property
    def _opened(self) -> TestWebsocket:
        if self._websocket is None:
            raise RuntimeError(
                "The websocket is not open yet: 'async with client.websocket_connect(...) as websocket:', or"
                " 'websocket = await client.websocket_connect(...)'."
            )
        return self._websocket

    def __await__(self) -> Generator[Any, None, AsyncTestWebsocket]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> AsyncTestWebsocket:
        await self._before()  # in this task, which has the contexts of the last request
        self._websocket = await self._in_thread(self._connect)
        self._websocket.keeps_contexts = False  # another thread's, and another task's
        return self

    async def __aexit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._opened._leave(1000, "")
        await self._in_thread(self._opened.__exit__, exc_type, exc_value, tb)
        self._thread.shutdown(wait=False)

    async def send(self, data: str | bytes) -> None:
        """`TestWebsocket.send`."""
        await self._at_once(self._opened.send, data)

    async def receive(self, timeout: float = 10.0) -> str | bytes:  # noqa: ASYNC109 (a thread waits)
        """`TestWebsocket.receive`."""
        return cast("str | bytes", await self._in_thread(self._opened.receive, timeout))

    async def send_json(self, *args: Any, **kwargs: Any) -> None:
        """`TestWebsocket.send_json`."""
        await self._at_once(partial(self._opened.send_json, *args, **kwargs))

    async def receive_json(self, timeout: float = 10.0) -> Any:  # noqa: ASYNC109 (a thread waits)
        """`TestWebsocket.receive_json`."""
        return await self._in_thread(self._opened.receive_json, timeout)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """`TestWebsocket.close`."""
        self._opened._leave(code, reason)  # also while the thread waits for a message
        await self._in_thread(self._opened.close, code, reason)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)
