"""Server-Sent Events: a response that goes on, one event at a time.

Source: the HTML standard, section 9.2, https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from . import json
from .globals import current_app, request_context
from .typing import HeadersValue, Message, Receive, Scope, Send
from .wrappers import Request, Response

# All that ends a line there. `str.splitlines` knows more, which are part of the text here.
_LINE_END = re.compile("\r\n|\r|\n")
_PING = b":\n\n"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    r"""An event for the browser's ``EventSource``.

    :param data: what ``event.data`` is in the browser: a string as it is, anything else as JSON
        (``current_app.json``). Each ``\r`` and ``\r\n`` in a string arrives as ``\n``. With None there is
        no data, and the browser takes note of `id` and `retry` without an event.
    :param event: the type, which ``addEventListener`` is called with; unless given, ``message``.
    :param id: what the browser sends as ``Last-Event-ID`` when it connects again. Without one it keeps
        that of an earlier event; the empty string takes that back.
    :param retry: milliseconds that the browser waits before it connects again.
    :param comment: lines that the browser ignores.
    :raises TypeError: for a value of another type.
    :raises ValueError: for a line break in `event` or `id`, a NUL in `id`, a negative `retry`, an `event`
        without data (which the browser would drop), or nothing at all.
    """

    data: Any = None
    _: KW_ONLY
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name in ("event", "id", "comment"):
            value = getattr(self, name)
            if not (value is None or isinstance(value, str) or (name == "id" and type(value) is int)):
                raise TypeError(f"The {name} of an event is a string, not {value!r}.")
            if name != "comment" and isinstance(value, str) and _LINE_END.search(value):
                raise ValueError(
                    f"The {name} of an event is one line, not {value!r}: put text into its data."
                )
        if isinstance(self.id, str) and "\0" in self.id:
            raise ValueError(f"Browsers ignore an id with a NUL: {self.id!r}.")
        if self.retry is not None:
            if type(self.retry) is not int:
                raise TypeError(f"retry is a whole number of milliseconds, not {self.retry!r}.")
            if self.retry < 0:
                raise ValueError(f"retry is a number of milliseconds to wait, not {self.retry}.")
        if self.data is None:
            if self.event is not None:
                raise ValueError("Browsers drop an event without data: pass data='' for an empty one.")
            if self.id is None and self.retry is None and self.comment is None:
                raise ValueError("There is nothing in this event: pass data.")

    def encode(self) -> bytes:
        """The event as it is sent."""
        lines: list[str] = []
        if self.comment is not None:
            lines += [f": {line}" for line in _LINE_END.split(self.comment)]
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.data is not None:
            lines += _data_lines(self.data)
        return _encode(lines)


def _data_lines(data: Any) -> list[str]:
    text = data if isinstance(data, str) else json.dumps(data)
    return [f"data: {line}" for line in _LINE_END.split(text)]


def _encode(lines: list[str]) -> bytes:
    # One lone surrogate in somebody's text is not to end the stream.
    return "\n".join([*lines, "", ""]).encode(errors="replace")


def _encode_item(item: Any) -> bytes:
    return item.encode() if isinstance(item, ServerSentEvent) else _encode(_data_lines(item))


def last_event_id(request: Request) -> str | None:
    """The id of the last event that a browser has got before it connects again, None on its first time.

    The same is in ``request.headers["Last-Event-ID"]``, but headers are decoded as
    Latin-1, and browsers send this one as UTF-8.

    :param request: the request, or `asyncflask.request`.
    """
    value = request.headers.get("Last-Event-ID")
    return value.encode("latin-1").decode(errors="replace") if value else None


class EventSourceResponse(Response):
    """A response that sends the events of a generator as they come::

        @app.get("/news")
        async def news():
            async def events():
                async for item in subscription:
                    yield ServerSentEvent(item.text, id=item.number)

            return EventSourceResponse(events())

    It ends when the source does, whereupon browsers connect again; a response with status 204 to that tells
    them not to. When the client goes away, the source is cancelled where it waits. In any case it is closed
    at the end.

    An async source is stepped on the event loop, a sync one in a worker thread, which it holds while it
    waits: with many listeners, use an async one. A sync source that waits is not interrupted, so it should
    send something, or end, now and then.

    :param source: an async or sync iterable of events. A `ServerSentEvent` is sent as it is, a string is the
        data of an event, and anything else is the data as JSON.
    :param ping: seconds of silence after which a comment is sent, so that proxies keep the connection; None
        to send none. The source does not notice.
    :param status: the status; browsers take events with 200 only.
    :param headers: more headers. ``Cache-Control: no-cache`` and ``X-Accel-Buffering: no`` (for nginx) are
        added unless they are among them.
    :raises TypeError: when `source` cannot be iterated over, or is a single value.
    :raises ValueError: when `ping` is not positive.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> EventSourceResponse:
        # `make_response` changes the class of what is not of the application's own one: no more `__call__`.
        own: type[Response] = current_app.response_class if current_app else Response
        return super().__new__(cls if issubclass(cls, own) else _joined(cls, own))  # type: ignore[arg-type]

    def __init__(
        self,
        source: AsyncIterable[Any] | Iterable[Any],
        *,
        ping: float | None = 15.0,
        status: int = 200,
        headers: HeadersValue | None = None,
    ) -> None:
        if ping is not None and ping <= 0:
            raise ValueError(f"ping is a number of seconds, not {ping}; pass None for no comments.")
        super().__init__(
            _events(source),  # type: ignore[arg-type]
            status=status,
            headers=headers,  # type: ignore[arg-type]
            content_type="text/event-stream; charset=utf-8",
        )
        ctx = request_context()
        if ctx is not None:
            ctx._is_streamed = True  # the source uses the request to its end
        self.headers.setdefault("Cache-Control", "no-cache")
        self.headers.setdefault("X-Accel-Buffering", "no")
        self.ping = ping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Send the events, and comments in between."""
        if self.ping is None:
            await super().__call__(scope, receive, _starting_at_once(send))
            return
        async with _heartbeat(_starting_at_once(send), self.ping) as lively_send:
            await super().__call__(scope, receive, lively_send)


@cache
def _joined(cls: type[EventSourceResponse], own: type[Response]) -> type[EventSourceResponse]:
    return type(cls.__name__, (cls, own), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def _events(source: Any) -> _AsyncEvents | _SyncEvents:
    if hasattr(source, "__aiter__"):
        return _AsyncEvents(source)
    if hasattr(source, "__iter__") and not isinstance(source, str | bytes | bytearray | Mapping):
        return _SyncEvents(source)
    raise TypeError(
        "EventSourceResponse takes an async or sync iterable of events, such as a generator (call its"
        f" function), not {source!r}. For a single event pass a list."
    )


class _AsyncEvents:
    """The encoded events of an async source."""

    def __init__(self, source: AsyncIterable[Any]) -> None:
        self._source = source
        self._iterator: AsyncIterator[Any] | None = None

    def __aiter__(self) -> _AsyncEvents:
        return self

    async def __anext__(self) -> bytes:
        if self._iterator is None:
            self._iterator = aiter(self._source)
        return _encode_item(await anext(self._iterator))

    async def aclose(self) -> None:
        try:
            if self._iterator is not None and hasattr(self._iterator, "aclose"):
                await self._iterator.aclose()
        finally:
            if self._source is not self._iterator and hasattr(self._source, "aclose"):
                await self._source.aclose()


class _SyncEvents:
    """The encoded events of a sync source."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._iterator: Iterator[Any] | None = None

    def __iter__(self) -> _SyncEvents:
        return self

    def __next__(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._source)
        return _encode_item(next(self._iterator))

    def close(self) -> None:
        try:
            if self._iterator is not None and hasattr(self._iterator, "close"):
                self._iterator.close()
        finally:
            if self._source is not self._iterator and hasattr(self._source, "close"):
                self._source.close()


def _starting_at_once(send: Send) -> Send:
    """Have the headers sent before the first event: daphne, for one, waits for something of the body."""

    async def starting(message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.start":
            await send({"type": "http.response.body", "body": b"", "more_body": True})

    return starting


@asynccontextmanager
async def _heartbeat(send: Send, interval: float) -> AsyncIterator[Send]:
    """A `send` whose silences are filled from beside, while the task waits for the next event.

    So the source runs in the response's own task, uninterrupted. When a heartbeat
    cannot be sent, the task is cancelled, and the reason raised.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    lock = asyncio.Lock()
    last = loop.time()
    failure: Exception | None = None

    async def lively_send(message: Message) -> None:
        nonlocal last
        async with lock:
            await send(message)
            last = loop.time()

    async def beat() -> None:
        nonlocal last, failure
        try:
            while True:
                if (rest := last + interval - loop.time()) > 0:
                    await asyncio.sleep(rest)
                    continue
                async with lock:
                    if last + interval <= loop.time():
                        await send({"type": "http.response.body", "body": _PING, "more_body": True})
                        last = loop.time()
        except Exception as error:
            failure = error
            task.cancel()

    heart = loop.create_task(beat())
    try:
        yield lively_send
    except asyncio.CancelledError:
        if failure is None or task.uncancel() > 0:
            raise
        raise failure from None
    finally:
        heart.cancel()
