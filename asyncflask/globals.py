"""The proxies and the context variable behind them.

It holds the active context; every proxy looks its object up there each time it is used.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, cast

from werkzeug.local import LocalProxy as WerkzeugLocalProxy

if TYPE_CHECKING:
    from .app import Flask
    from .ctx import AppContext, _AppCtxGlobals
    from .sessions import SessionMixin
    from .websocket import Websocket
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


class LocalProxy(WerkzeugLocalProxy[Any]):
    # Werkzeug's; those that `_proxy` makes take fewer steps for what is done with them most.
    __slots__ = ()
    __doc__ = WerkzeugLocalProxy.__dict__["__doc__"]  # the object's own; a class without one has None


#: The exception that the last attribute was missed with in a thread, and which that was.
_missed = threading.local()


def _proxy(variable: ContextVar[Any], attribute: str, message: str) -> Any:
    """A proxy for what a context variable holds in an attribute.

    `__getattr__`, Werkzeug's way, is called when Python has not found an attribute and made an exception that
    says so; `__getattribute__` is called at once, which takes a third of the time.
    """
    get = variable.get
    own = object.__getattribute__

    def current() -> Any:
        context = get(None)
        if context is None:
            raise RuntimeError(message)
        return getattr(context, attribute)

    class Proxy(LocalProxy):
        __slots__ = ()
        __doc__ = LocalProxy.__dict__["__doc__"]

        def __getattribute__(self, name: str) -> Any:
            if name[:1] == "_":
                return own(self, name)  # the proxy's own, else `__getattr__` is asked
            context = get(None)
            if context is None:
                raise RuntimeError(message)
            try:
                return getattr(getattr(context, attribute), name)
            except AttributeError as error:
                _missed.error = name, error
                raise

        def __getattr__(self, name: str) -> Any:
            # Python comes here with what `__getattribute__` has missed, which is not asked for twice.
            missed, error = _missed.__dict__.pop("error", (None, None))
            if missed == name:
                try:
                    raise error
                finally:
                    del error  # whose traceback refers to this frame
            return getattr(current(), name)

        def __iter__(self) -> Any:
            return iter(current())

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(current(), name, value)

        def __getitem__(self, key: Any) -> Any:
            return current()[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            current()[key] = value

        def __contains__(self, key: object) -> bool:
            return key in current()

    Proxy.__name__ = Proxy.__qualname__ = LocalProxy.__name__
    return Proxy(variable, attribute, unbound_message=message)


_no_websocket_msg = """\
Working outside of a websocket.

What was called needs a view declared with '@app.websocket', or one of its
hooks. In a view of an HTTP request use 'request'."""


def _websocket() -> Websocket:
    ctx = request_context()
    if ctx is None or ctx.request.scope["type"] != "websocket":
        raise RuntimeError(_no_websocket_msg)
    return cast("Websocket", ctx.request)


_cv_app: ContextVar[AppContext] = ContextVar("asyncflask.app_ctx")


def request_context() -> AppContext | None:
    """The context with the request that is seen here, None without one."""
    ctx = _cv_app.get(None)
    return None if ctx is None else ctx.request_ctx


def _active_app_ctx() -> AppContext:
    ctx = _cv_app.get(None)
    if ctx is None:
        raise RuntimeError(_no_app_msg)
    return ctx.app_ctx


def _active_request_ctx() -> AppContext:
    ctx = request_context()
    if ctx is None:
        raise RuntimeError(_no_req_msg)
    return ctx


class _RequestVariable:
    """The variable that Flask 3.1 has for the contexts of requests, for extensions that look there."""

    def get(self, *default: Any) -> Any:
        """The context with the request that is seen here."""
        ctx = request_context()
        if ctx is None and not default:
            raise LookupError(self)
        return default[0] if ctx is None else ctx

    def set(self, ctx: AppContext) -> Token[AppContext]:
        """Make a context the active one."""
        return _cv_app.set(ctx)

    def reset(self, token: Token[AppContext]) -> None:
        """Make the context before it active again."""
        _cv_app.reset(token)


_cv_request = _RequestVariable()

app_ctx: AppContext = LocalProxy(_active_app_ctx, unbound_message=_no_app_msg)  # type: ignore[assignment]
current_app: Flask = _proxy(_cv_app, "app", _no_app_msg)
g: _AppCtxGlobals = _proxy(_cv_app, "g", _no_app_msg)

request_ctx: AppContext = LocalProxy(_active_request_ctx, unbound_message=_no_req_msg)  # type: ignore[assignment]
websocket: Websocket = LocalProxy(_websocket, unbound_message=_no_websocket_msg)  # type: ignore[assignment]
request: Request = _proxy(_cv_app, "request", _no_req_msg)
session: SessionMixin = _proxy(_cv_app, "session", _no_req_msg)


if not TYPE_CHECKING:  # for a type checker there are no such names

    def __getattr__(name):
        if name in ("_app_ctx_stack", "_request_ctx_stack"):
            from .legacy import module_name  # old names

            return module_name(__name__, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
