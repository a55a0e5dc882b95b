"""The signals that the framework sends, under Flask's names.

A receiver is called with the application as the sender and the keyword
arguments listed below. It may be ``def`` or ``async def``.
"""

from __future__ import annotations

from blinker import Namespace

# For the framework's own signals; an extension has a namespace of its own.
_signals = Namespace()

#: Before a template is rendered: `template`, `context` (a dict, may be changed).
before_render_template = _signals.signal("before-render-template")
#: After a template was rendered: `template`, `context`.
template_rendered = _signals.signal("template-rendered")

#: Before the first hook of a request; the request context is there.
request_started = _signals.signal("request-started")
#: After the last `after_request` function: `response`.
request_finished = _signals.signal("request-finished")
#: An exception that no handler took: `exception`. HTTP errors and handled exceptions do not count.
got_request_exception = _signals.signal("got-request-exception")
#: After the teardown functions of the request, also after an error: `exc`, the exception or None.
request_tearing_down = _signals.signal("request-tearing-down")

#: An application context became the current one.
appcontext_pushed = _signals.signal("appcontext-pushed")
#: After the teardown functions of the application context: `exc`, the exception or None.
appcontext_tearing_down = _signals.signal("appcontext-tearing-down")
#: An application context is no longer the current one.
appcontext_popped = _signals.signal("appcontext-popped")

#: A message was flashed: `message`, `category`.
message_flashed = _signals.signal("message-flashed")
