"""The response: Werkzeug's, sent as an ASGI application."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextvars import copy_context
from functools import lru_cache
from inspect import isasyncgen
from typing import Any, cast

from werkzeug.datastructures import (
    Headers,
)
from werkzeug.http import HTTP_STATUS_CODES, remove_entity_headers
from werkzeug.wrappers import Response as ResponseBase

from .. import json
from ..concurrency import active_walk, current_walk, inner_walk, outside
from ..concurrency.ending import Ending
from ..concurrency.pool import shared_pool
from ..environ import environ_from_scope
from ..globals import _cv_app, current_app
from ..helpers import CONTROLS
from ..lazy import lazy
from ..typing import Message, Receive, Scope, Send
from .headers import is_out_of_range, raw_header, raw_names


class Response(ResponseBase):
    """A Werkzeug response that is also an ASGI application.

    The body may be a string, bytes, a list of them, or a sync or async iterator
    of them. Set ``app.response_class`` to a subclass to change the defaults.
    """

    default_mimetype: str | None = "text/html"
    json_module = json
    autocorrect_location_header = False

    #: Whether a subclass makes its instances in a way of its own, its headers, and its end.
    _asks_questions = False
    _has_own_headers = False
    _has_own_close = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._asks_questions = (
            cls.__init__ is not ResponseBase.__init__
            or cls.get_wsgi_headers is not ResponseBase.get_wsgi_headers
            or cls.close is not ResponseBase.close
            or cls.default_status != 200
            or not cls.automatically_set_content_length
        )
        cls._has_own_headers = cls.get_wsgi_headers is not ResponseBase.get_wsgi_headers
        cls._has_own_close = cls.close is not ResponseBase.close

    @property
    def status_code(self) -> int:
        """The HTTP status code as a number."""
        return self._status_code

    @status_code.setter
    def status_code(self, code: int) -> None:
        status = _statuses.get(code)
        if status is None:
            self.status = code
        else:
            self._status, self._status_code = status, code

    # What `of` leaves as it is.
    _status = "200 OK"
    _status_code = 200
    direct_passthrough = False
    _on_close: Sequence[Callable[[], Any]] = ()  # type: ignore[assignment]
    #: The only header of a response made by `of`, for as long as nobody has asked for its headers.
    _content_type: tuple[bytes, bytes] | None = None
    #: What `prepare` has made.
    _prepared: Sequence[tuple[bytes, bytes]] = ()

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Response:
        """A response with status 200, as nearly every view wants it, without the questions of `__init__`.

        :param body: the body.
        :param content_type: the whole of the Content-Type header.
        """
        if cls._asks_questions:
            return cls(body, content_type=content_type)
        response = cls.__new__(cls)
        response.response = [body]
        response._content_type = _content_type(content_type)
        return response

    @classmethod
    def html(cls, text: str) -> Response:
        """`of` for a view's text, for this class itself."""
        if cls.default_mimetype != "text/html":
            return cls(text)
        response = _new(cls)
        response.response = [text.encode()]
        response._status_code = 200
        response._content_type = _HTML
        return response

    @lazy
    def headers(self) -> Headers:
        """The headers."""
        if self._content_type is None:
            return Headers()
        body: Any = self.response
        length = len(body[0]) if len(body) == 1 and type(body[0]) is bytes else self._length()
        headers = Headers.__new__(Headers)
        headers._list = [("Content-Type", self._content_type[1].decode()), ("Content-Length", str(length))]
        self._content_type = None
        return headers

    def _length(self) -> int:
        return sum(map(len, self.iter_encoded()))

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """``MAX_COOKIE_SIZE`` of the configuration: a larger cookie gives a warning."""
        app = current_app
        return app.config["MAX_COOKIE_SIZE"] if app else super().max_cookie_size

    @property
    def is_async_stream(self) -> bool:
        """Whether the body is an async iterator."""
        return hasattr(self.response, "__aiter__")

    def messages(self, scope: Scope) -> tuple[Message, Message] | None:
        """What is to be sent, if the response was made by `of` and left alone, as nearly every one is."""
        content_type, parts, status = self._content_type, self.response, self._status_code
        if (
            content_type is None
            or type(parts) is not list
            or len(parts) != 1
            or type(body := parts[0]) is not bytes
            or (status != 200 and (status < 400 or self._status is not _statuses.get(status)))
            or scope["method"] == "HEAD"
            or "headers" in self.__dict__  # somebody has put others there
        ):
            return None
        headers = [content_type, (b"content-length", b"%d" % len(body))]
        return (
            {"type": "http.response.start", "status": status, "headers": headers},
            {"type": "http.response.body", "body": body},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Send the response (ASGI specification, "Response Start" and "Response Body").

        A sync iterator is stepped in the worker thread, an async one on the
        loop; either is closed at the end, also when the client goes away.
        """
        messages = self.messages(scope)
        if messages is not None:
            for message in messages:
                await send(message)
            return
        parts: Any = self.response
        status = self._status_code
        if type(parts) is not list and active_walk() is None:
            # Around the application rather than inside of it: nobody else closes it.
            walk = inner_walk(shared_pool())
            walk.server_context = copy_context()
            await walk.run(self.send_and_close(scope, receive, send))
            return
        if not 200 <= status < 600:
            check_status(status, self._status)
            if status >= 600:
                _teach_uvicorn(status, self._status)
        start: dict[str, Any] = {"type": "http.response.start", "status": status}
        start["headers"] = self._prepared or self.asgi_headers(scope)
        if "asyncflask.client" in scope:
            # What does not go over the wire, for the test client: the reason and how names are written.
            start["asyncflask.status"] = self.status
            start["asyncflask.names"] = [name for name, _ in self.headers]
        without_body = scope["method"] == "HEAD" or status == 304 or status == 204 or status < 200
        if type(parts) is list or type(parts) is tuple:
            if without_body:
                body = b""
            elif len(parts) == 1 and type(parts[0]) is bytes:
                body = parts[0]
            else:
                body = b"".join(self.iter_encoded())
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        await send(start)
        if not without_body:
            if self.is_async_stream:
                await self._send_async(send)
            else:
                await self._send_sync(send)
        await send({"type": "http.response.body", "body": b""})

    async def send_and_close(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response from within a walk, and close it."""

        async def send_outside(message: Message) -> None:
            await outside(lambda: send(message))

        try:
            await self(scope, receive, send_outside)
        finally:
            await self.aclose()

    async def _send_async(self, send: Send) -> None:
        chunks = cast(AsyncIterator[Any], self.response)
        count = 0
        async for chunk in chunks:
            body = chunk.encode() if isinstance(chunk, str) else chunk
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            count += 1
            if count % 16 == 0:
                # Neither iterator nor server need ever wait, and then nobody else had a turn, nor were it
                # noticed that the client has gone.
                await asyncio.sleep(0)

    async def _send_sync(self, send: Send) -> None:
        walk = current_walk()
        iterator = iter(cast(Iterable[Any], self.response))
        while True:
            await walk.to_thread()
            chunk = next(iterator, None)
            await walk.to_loop()
            if chunk is None:
                return
            body = chunk.encode() if isinstance(chunk, str) else chunk
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})

    def prepare(self, scope: Scope) -> None:
        """Make the headers now, to be sent later."""
        self._prepared = self.asgi_headers(scope)

    def asgi_headers(self, scope: Scope | None = None) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI wants them, with those that follow from status and body.

        :param scope: of the request; the active one's unless given.
        """
        status = self._status_code
        if not isinstance(self.headers, Headers):
            self.headers = Headers(self.headers)  # somebody has put a dict there
        items: list[tuple[str, str]] = self.headers._list
        if self._has_own_headers or self.autocorrect_location_header:
            environ = environ_from_scope(scope or _cv_app.get().request.scope, None)
            items = self.get_wsgi_headers(environ)._list
        has_length = not self.automatically_set_content_length
        if status == 304 or status < 200 or status == 204:
            headers = Headers(self.headers)
            if status == 304:
                remove_entity_headers(headers)
            else:
                headers.remove("Content-Length")
            items = headers.to_wsgi_list()
            has_length = True
        raw = []
        for name, value in items:
            raw_name = raw_names.get(name)
            if raw_name is None:
                raw.append(raw_header(name, value))
                raw_name = raw[-1][0]
            else:
                raw.append((raw_name, value.encode("latin-1")))
            if raw_name == b"content-length":
                has_length = True
        if not has_length and self.is_sequence:
            raw.append((b"content-length", str(sum(map(len, self.iter_encoded()))).encode()))
        return raw

    def make_conditional(
        self, request_or_environ: Any, accept_ranges: bool | str = False, complete_length: int | None = None
    ) -> Any:
        """Answer conditional and range requests; see Werkzeug's. Dates that are none are ignored."""
        environ = getattr(request_or_environ, "environ", request_or_environ)
        invalid = [name for name in _DATES if is_out_of_range(environ.get(name, ""))]
        if invalid:
            environ = {name: value for name, value in environ.items() if name not in invalid}
        return super().make_conditional(environ, accept_ranges, complete_length)

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        """Call `func`, sync or async, once the response is sent or its client is gone."""
        self._on_close = [*self._on_close, func]
        _ = self.headers  # it is no longer one that has nothing but a body, see `messages`
        return func

    def has_something_to_close(self) -> bool:
        return bool(self._on_close) or not self.is_sequence

    async def aclose(self) -> None:
        """Close the body's iterator and call what was registered with `call_on_close`.

        Every one of them is called; the first exception is raised at the end.
        """
        ending = Ending(current_walk(), is_cancelled=True)
        body: Any = self.response
        if hasattr(body, "aclose") and (isasyncgen(body) or not hasattr(body, "close")):
            await ending.do(body.aclose, shielded=False)
        elif hasattr(body, "close"):
            await ending.call(body.close)
        for close in self._on_close:
            await ending.call(close)
        if self._has_own_close:
            self._on_close, self.response = (), []  # done; what is left is the subclass's own
            await ending.call(self.close)
        ending.raise_first()


_new = object.__new__
_HTML = b"content-type", b"text/html; charset=utf-8"


@lru_cache(64)
def _content_type(value: str) -> tuple[bytes, bytes]:
    return b"content-type", value.encode("latin-1")


#: Status lines by their codes.
_statuses = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}

#: Where an environ has dates that a conditional response looks at.
_DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")


def check_status(code: int, status: str) -> None:
    """Raise ValueError unless that can be sent."""
    if not 100 <= code <= 999:
        raise ValueError(
            f"{status!r} cannot be sent: HTTP status codes have three digits. Set a code, or a string such as"
            " '404 Not Found'."
        )


def _teach_uvicorn(status: int, text: str) -> None:
    """Let uvicorn send a status that its tables lack: they end at 599, and it drops the connection."""
    phrase = CONTROLS.sub("", text[4:]).encode("latin-1", "replace") or b"UNKNOWN"
    httptools = sys.modules.get("uvicorn.protocols.http.httptools_impl")
    if httptools is not None:
        httptools.STATUS_LINE[status] = b"HTTP/1.1 %d %s\r\n" % (status, phrase)
    h11 = sys.modules.get("uvicorn.protocols.http.h11_impl")
    if h11 is not None:
        h11.STATUS_PHRASES[status] = phrase
