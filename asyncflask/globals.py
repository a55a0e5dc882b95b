"""The proxies and the context variables behind them.

A context variable holds the active application context and another the active
request context; every proxy looks its object up there each time it is used.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from .app import Flask
    from .ctx import AppContext, RequestContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .wrappers import Request

_no_app_msg = """\
Working outside of application context.

What was called needs the current application. Inside a request and in CLI
commands it is there by itself; elsewhere use it inside
'with app.app_context():'."""

_no_req_msg = """\
Working outside of request context.

What was called needs an active HTTP request. Views, hooks and the tasks they
start have one; in tests use 'with app.test_request_context(...):', and wrap a
function that is to run in a thread of your own with
'copy_current_request_context'."""

_cv_app: ContextVar[AppContext] = ContextVar("asyncflask.app_ctx")
_cv_request: ContextVar[RequestContext] = ContextVar("asyncflask.request_ctx")

app_ctx: AppContext = LocalProxy(_cv_app, unbound_message=_no_app_msg)  # type: ignore[assignment]
current_app: Flask = LocalProxy(_cv_app, "app", unbound_message=_no_app_msg)  # type: ignore[assignment]
g: _AppCtxGlobals = LocalProxy(_cv_app, "g", unbound_message=_no_app_msg)  # type: ignore[assignment]

request_ctx: RequestContext = LocalProxy(_cv_request, unbound_message=_no_req_msg)  # type: ignore[assignment]
request: Request = LocalProxy(_cv_request, "request", unbound_message=_no_req_msg)  # type: ignore[assignment]
session: SessionMixin = LocalProxy(_cv_request, "session", unbound_message=_no_req_msg)  # type: ignore[assignment]


if not TYPE_CHECKING:  # for a type checker there are no such names

    def __getattr__(name):
        if name in ("_app_ctx_stack", "_request_ctx_stack"):
            from .legacy import module_name

            return module_name(__name__, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
