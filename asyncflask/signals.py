"""The signals that the framework sends, under Flask's names.

A receiver is called with the application as the sender and the keyword
arguments listed below. It may be ``def`` or ``async def``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from blinker import ANY, NamedSignal, Namespace

from .observed import changed

F = TypeVar("F", bound=Callable[..., Any])


class Signal(NamedSignal):
    """One of the framework's signals. Where nobody listens nothing is sent."""

    def connect(self, receiver: F, sender: Any = ANY, weak: bool = True) -> F:
        try:
            return super().connect(receiver, sender, weak)
        finally:
            changed()

    def disconnect(self, receiver: Callable[..., Any], sender: Any = ANY) -> None:
        try:
            super().disconnect(receiver, sender)
        finally:
            changed()

    def has_receivers(self, sender: Any) -> bool:
        """Whether anybody listens to what `sender` sends."""
        return bool(self.receivers) and any(True for _ in self.receivers_for(sender))


# For the framework's own signals; an extension has a namespace of its own.
_signals = Namespace()


def _signal(name: str) -> Signal:
    signal = _signals[name] = Signal(name)
    return signal


#: Before a template is rendered: `template`, `context` (a dict, may be changed).
before_render_template = _signal("before-render-template")
#: After a template was rendered: `template`, `context`.
template_rendered = _signal("template-rendered")

#: Before the first hook of a request; the request context is there.
request_started = _signal("request-started")
#: After the last `after_request` function: `response`.
request_finished = _signal("request-finished")
#: An exception that no handler took: `exception`. HTTP errors and handled exceptions do not count.
got_request_exception = _signal("got-request-exception")
#: After the teardown functions of the request, also after an error: `exc`, the exception or None.
request_tearing_down = _signal("request-tearing-down")

#: An application context became the current one.
appcontext_pushed = _signal("appcontext-pushed")
#: After the teardown functions of the application context: `exc`, the exception or None.
appcontext_tearing_down = _signal("appcontext-tearing-down")
#: An application context is no longer the current one.
appcontext_popped = _signal("appcontext-popped")

#: A message was flashed: `message`, `category`.
message_flashed = _signal("message-flashed")
