"""What those are told who take the application for a WSGI one."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any
from weakref import proxy

from .typing import ASGIApp, Receive, Scope, Send

NO_WSGI_APP = (
    "This application is an ASGI one, it has no 'wsgi_app'. Wrap 'app.asgi_app' in ASGI middleware instead:"
    " 'app.asgi_app = Middleware(app.asgi_app)'. That for ProxyFix is asyncflask.middleware.proxy_fix."
    " A WSGI application is mounted beside this one with 'app.mount(path, a2wsgi.WSGIMiddleware(wsgi_app))'."
)


def require_asgi(cls: type, asgi_call: Callable[..., Any]) -> None:
    """Raise TypeError if a class of applications has what WSGI servers call in the place of `__call__`.

    Instrumentation for Flask puts it there; otherwise each request would fail.

    :param asgi_call: the framework's own `__call__`.
    """
    call: Callable[..., Any] = cls.__call__
    if call is asgi_call:
        return
    try:
        signature(call).bind(None, {}, None, None)
    except TypeError:
        name = getattr(call, "__qualname__", repr(call))
        raise TypeError(
            f"{cls.__name__}.__call__ is now {name!r}, which is for WSGI, and the application an ASGI one."
            " Use what the instrumentation has for ASGI. For Sentry:"
            " 'sentry_sdk.init(disabled_integrations=[FlaskIntegration()], ...)' and"
            " 'app.add_middleware(SentryAsgiMiddleware)'."
        ) from None
    except ValueError:
        return  # it does not tell its parameters


def coroutine_function(app: ASGIApp) -> ASGIApp:
    """What servers find when they ask whether an application's ``__call__`` is a coroutine function, and with
    that an ASGI 3 application. The method itself is none: it would only await another."""
    referred: ASGIApp = proxy(app)  # or the application, which has the function, would keep itself alive

    async def __call__(scope: Scope, receive: Receive, send: Send) -> None:
        await referred(scope, receive, send)

    return __call__
