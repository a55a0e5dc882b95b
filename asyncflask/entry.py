"""What servers and instrumentation find when they look at how an application is called."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from types import MethodType
from typing import Any, cast
from weakref import proxy

from .typing import ASGIApp, Receive, Scope, Send


def coroutine_function(app: ASGIApp) -> ASGIApp:
    """What servers find when they ask whether an application's ``__call__`` is a coroutine function, and with
    that an ASGI 3 application. The method itself is none: it would only await another."""
    referred: ASGIApp = proxy(app)  # or the application, which has the function, would keep itself alive

    async def __call__(scope: Scope, receive: Receive, send: Send) -> None:
        await referred(scope, receive, send)

    return __call__


def adopt_wsgi_call(cls: type, own: Callable[..., Any]) -> None:
    """Where a class of applications has a ``__call__`` that is for WSGI, let it be WSGI middleware.

    Instrumentation for Flask puts one there (Sentry's does), and subclasses may have one. ASGI servers would
    call it with an argument too many.

    :param own: the framework's own ``__call__``.
    """
    for base in cls.__mro__[:-1]:
        call = vars(base).get("__call__")
        if not (call is None or call is own or call in _adopted or _takes_asgi(call)):
            cast(Any, base).__call__ = _with_asgi(call, own)


def _with_asgi(call: Callable[..., Any], own: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(self: Any, scope: Any, receive: Any, send: Any = None) -> Any:
        return call(self, scope, receive) if send is None else own(self, scope, receive, send)

    _adopted[__call__] = call
    return __call__


#: What has been adopted, by what is in its place now.
_adopted: dict[Any, Callable[..., Any]] = {}


def _takes_asgi(call: Callable[..., Any]) -> bool:
    try:
        signature(call).bind(None, {}, None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # it does not tell its parameters
    return True


def outermost_wsgi_app(app: Any, own: Callable[..., Any]) -> Any:
    """What a WSGI server would call first, if that is not the application itself.

    :param own: the framework's own `wsgi_app`.
    """
    for base in type(app).__mro__:
        call = _adopted.get(vars(base).get("__call__"))
        if call is not None:
            return MethodType(call, app)
    return None if getattr(app.wsgi_app, "__func__", None) is own else app.wsgi_app
