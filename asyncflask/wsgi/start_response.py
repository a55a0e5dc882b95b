"""How a response begins under WSGI: ``start_response`` (PEP 3333), and what is said in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any

from werkzeug.http import HTTP_STATUS_CODES

from ..typing import Message

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_STATUS = re.compile(r"[1-9][0-9][0-9](?: |$)")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# RFC 9110 section 5.6.2.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def as_written(start: Message) -> tuple[str, Headers]:
    """What a response starts with in ASGI, as WSGI wants it.

    :param start: the message ``http.response.start``. The framework's own responses, when asked for it, add
        the reason and how the names of headers are written, which does not go over the wire.
    """
    code = start["status"]
    status = start.get("asyncflask.status") or f"{code} {HTTP_STATUS_CODES.get(code, 'UNKNOWN').upper()}"
    names = {name.lower(): name for name in start.get("asyncflask.names", ())}
    headers = []
    for raw_name, raw_value in start.get("headers", ()):
        name = raw_name.decode("latin-1")
        headers.append((names.get(name) or name.title(), raw_value.decode("latin-1")))
    return status, headers


class StartResponse:
    """The ``start_response`` that a server hands out.

    :param write: sends bytes and waits for that; called in a thread.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write: Callable[[bytes], object] = write
        self._started: tuple[str, Headers] | None = None
        #: Whether it has gone out, and cannot be changed any more.
        self.is_sent = False

    def __call__(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """Begin the response, or, with `exc_info`, begin it anew.

        :param exc_info: the exception that is being handled; raised if the response has gone out already.
        :raises AssertionError: when it is called a second time without an exception.
        """
        if exc_info is not None:
            try:
                if self.is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._started is not None:
            raise AssertionError("start_response() was called a second time, and without exc_info.")
        self._started = status, headers
        return self._write

    def end(self) -> None:
        """There is nothing to write to any more."""
        self._write = _too_late

    def message(self) -> Message:
        """The message that starts the response. From then on it has gone out.

        :raises AssertionError: when `start_response` has not been called.
        :raises ValueError: when there is something in it that cannot be sent.
        """
        if self._started is None:
            raise AssertionError("The WSGI middleware gave a response without calling start_response().")
        status, headers = self._started
        if not _STATUS.match(status):
            raise ValueError(f"{status!r} cannot be sent: a status is a code and a reason, as '200 OK'.")
        self.is_sent = True
        raw = [_raw(name, value) for name, value in headers]
        return {"type": "http.response.start", "status": int(status[:3]), "headers": raw}


def _too_late(data: bytes) -> None:
    raise RuntimeError("write() was called after the response has ended.")


def _raw(name: str, value: Any) -> tuple[bytes, bytes]:
    raw_name = name.lower().encode("latin-1")
    if not _TOKEN.fullmatch(raw_name):
        raise ValueError(f"{name!r} cannot be sent: it is no name of a header (RFC 9110 section 5.1).")
    if _CONTROLS.search(value):
        raise ValueError(f"The header {name!r} cannot be sent: there is a control character in its value.")
    return raw_name, value.encode("latin-1")
