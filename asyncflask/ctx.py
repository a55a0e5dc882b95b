"""The context: of a request, or of a run of the application without one.

A server's request gets its context from `middleware.context`; here is what it holds, and how tests, scripts
and background work push one by hand. As in Flask 3.2 there is one kind, in one context variable. What can be
seen of Flask 3.1's two kinds holds: a request pushed inside of a context of its application shares its `g`,
and a context of an application pushed inside of a request leaves that visible.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import HTTPException

from .concurrency import Walk, is_async
from .disconnect import watch_client
from .globals import _cv_app, _no_req_msg, request_context
from .lazy import lazy
from .sessions import SecureCookieSessionInterface
from .signals import appcontext_popped, appcontext_pushed

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter

    from .app import Flask
    from .typing import AfterRequestCallable
    from .wrappers import Request

F = TypeVar("F", bound=Callable[..., Any])

_sentinel: Any = object()


class _AppCtxGlobals:
    """The namespace behind `g`."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, or `default`."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _sentinel) -> Any:
        """Remove the attribute and return it, or `default`.

        :raises KeyError: when it is not there and there is no default.
        """
        if default is _sentinel:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The attribute, set to `default` when it is not there."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        context = _cv_app.get(None)
        return object.__repr__(self) if context is None else f"<flask.g of {context.app.name!r}>"


class _OfRequest:
    """An attribute that belongs to a request. A context without a request that was pushed inside of one (as
    under Flask 3.1, whose contexts for the two are separate) has what that one has.

    :param default: what it is without a request.
    """

    def __init__(self, default: Any = None) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, ctx: AppContext | None, owner: type) -> Any:
        if ctx is None:
            return self
        if ctx._around is not None:
            return getattr(ctx._around, self._name)
        if self._name == "request":
            raise RuntimeError(_no_req_msg)
        return self._default


class AppContext:
    """What belongs to one run of the application, `current_app` and `g`, and in a request also `request` and
    `session`.

    Use it with ``with app.app_context():``, or ``async with`` where async teardown functions have to wait.

    :param app: the application.
    :param environ: an ASGI scope or a WSGI environ to make a request of; ``app.test_request_context`` is a
        convenient way to get one.
    :param request: the request, when it exists already.
    :param session: the session, when it is open already.
    """

    #: Whether a server's request holds the context: then no pop is the last one.
    _held = False
    # Of a context without a request: the context with one that it was pushed in.
    _around: AppContext | None = None
    # The context that has the `g` of this one, and whose end is that of the application's run (Flask 3.1).
    _shared: AppContext | None = None

    request: Request = _OfRequest()  # type: ignore[assignment]
    #: The walk that serves the request; None when no server does.
    _walk: Walk | None = _OfRequest()  # type: ignore[assignment]
    #: The messages that `get_flashed_messages` has taken out of the session.
    flashes: list[tuple[str, str]] | None = _OfRequest()  # type: ignore[assignment]
    #: The stack of layers that the request goes through.
    _route: Any = _OfRequest()
    #: Scope, `receive` and `send`, where a method of the application is called in the place of the layers.
    _channels: Any = (None, None, None)
    #: The exception that no error handler took, for the teardown functions.
    _error: BaseException | None = None
    #: Whether a stream was made that uses the context, so that it does not end before that.
    _is_streamed = False
    #: The stack that the request went through until the setup was changed.
    _outdated: Any = None
    #: Looks out for the client while the request waits.
    _connection: Any = None
    #: Whether the client went away while the request was waiting, which has cancelled it.
    _lost = False
    #: Whether an ASGI application that answers has started its response.
    _has_started = False
    _session: Any = _OfRequest()
    _after_request_functions: Sequence[AfterRequestCallable[Any]] = _OfRequest(())  # type: ignore[assignment]

    def __init__(
        self,
        app: Flask,
        environ: Mapping[str, Any] | None = None,
        request: Request | None = None,
        session: Any = None,
    ) -> None:
        self.app = app
        if request is None and environ is not None:
            request = app.request_class(environ)
            request.json_module = app.json
            request._app = app
        if request is not None:
            self.request = request
        if session is not None:
            self._session = session

    @lazy
    def _cv_tokens(self) -> list[Token[AppContext]]:
        return []

    @lazy
    def g(self) -> _AppCtxGlobals:
        """The namespace for this context."""
        return self.app.app_ctx_globals_class() if self._shared is None else self._shared.g

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Matches and builds URLs as seen from the request. Without a request it builds them from the
        configuration, and is None without ``SERVER_NAME``."""
        return self.app.create_url_adapter(self.request if self._has_own_request else None)

    @property
    def _has_own_request(self) -> bool:
        return "request" in self.__dict__

    @property
    def has_request(self) -> bool:
        """Whether `request` and `session` can be used here."""
        return self._has_own_request or self._around is not None

    @property
    def session(self) -> Any:
        """The session, opened when it is first used; using it is noted in its `accessed`."""
        session = self._session
        if session is None:
            session = self.open_session()
        session.accessed = True
        return session

    @session.setter
    def session(self, session: Any) -> None:
        self._session = session

    def open_session(self) -> Any:
        """Open the session now, from sync code, without marking it as accessed."""
        if self._around is not None:
            return self._around.open_session()
        interface = self.app.session_interface
        if type(interface) is SecureCookieSessionInterface:
            session = interface.open_session(self.app, self.request)
        else:
            session = self.app.ensure_sync(interface.open_session)(self.app, self.request)
        if session is None:
            session = interface.make_null_session(self.app)
        self._session = session
        return session

    def copy(self) -> AppContext:
        """A context with the same request and session, to be pushed elsewhere."""
        cls = AppContext if isinstance(self, ServedContext) else type(self)
        if not self._has_own_request:
            return cls(self.app)
        return cls(self.app, self.request.scope, request=self.request, session=self._session)

    def match_request(self) -> None:
        """Find the rule for the request's path. Override to take part in the matching."""
        try:
            adapter = self.url_adapter
            if adapter is not None:
                rule, view_args = adapter.match(return_rule=True)
                self.request.url_rule, self.request.view_args = rule, dict(view_args)
        except HTTPException as error:
            # The frames of the matching would keep the request alive, and tell nobody anything.
            error.__traceback__ = error.__context__ = None
            self.request.routing_exception = error

    def begin_waiting(self, walk: Walk) -> None:
        """The view has to wait. Called by the walk."""
        watch_client(self, walk)

    # -- pushed by hand -------------------------------------------------------------------------

    def push(self) -> None:
        """Make this the active context."""
        is_first = not self._cv_tokens
        if is_first:
            self._settle(_cv_app.get(None))
        self._cv_tokens.append(_cv_app.set(self))
        if self._is_announced(is_first) and appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.waiting)
        if self._has_own_request:
            if self._session is None:
                # Before matching, so that converters can use it.
                self.open_session()
            self.match_request()

    def _settle(self, outer: AppContext | None) -> None:
        """Note what is shared with the context that this one is pushed in."""
        if not self._has_own_request:
            self._around = None if outer is None else outer.request_ctx
            return
        self.__dict__.pop("g", None)
        self._shared = None if outer is None or outer.app is not self.app else outer.app_ctx

    @property
    def app_ctx(self) -> AppContext:
        """The context that has the `g` of this one: itself unless it was pushed inside of that one."""
        return self if self._shared is None else self._shared

    @property
    def request_ctx(self) -> AppContext | None:
        """The context that has the `request` which is seen here, None without one."""
        return self if self._has_own_request else self._around

    def _is_announced(self, at_the_end: bool) -> bool:
        return self._shared is None and (at_the_end or not self._has_own_request)

    def without_request(self) -> AppContext:
        """A context with the same `g` in which no request is seen."""
        ctx = AppContext(self.app)
        ctx._shared = self.app_ctx
        ctx._walk = self._walk
        return ctx

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Make the context before it active again; the last pop runs the teardown functions.

        :param exc: what ended the context; the exception being handled, when it is not given.
        """
        is_last = len(self._cv_tokens) == 1 and not self._held
        is_announced = self._is_announced(len(self._cv_tokens) == 1)
        try:
            if is_last:
                exc = _current(exc)
                try:
                    if self._has_own_request:
                        self.app.do_teardown_request(exc)
                        self._close_request()
                finally:
                    if self._shared is None:
                        with self._seen_without_request():
                            self.app.do_teardown_appcontext(exc)
        finally:
            self._reset()
        if is_announced and appcontext_popped.receivers:
            appcontext_popped.send(self.app, _async_wrapper=self.app.waiting)

    async def _pop_async(self, exc: BaseException | None) -> None:
        is_last = len(self._cv_tokens) == 1 and not self._held
        is_announced = self._is_announced(len(self._cv_tokens) == 1)
        try:
            if is_last:
                try:
                    if self._has_own_request:
                        await self.app.async_teardown_request(exc)
                        self._close_request()
                finally:
                    if self._shared is None:
                        with self._seen_without_request():
                            await self.app.async_teardown_appcontext(exc)
        finally:
            self._reset()
        if is_announced and appcontext_popped.receivers:
            appcontext_popped.send(self.app, _async_wrapper=self.app.waiting)

    def _close_request(self) -> None:
        if self.request.has_something_to_close():
            self.request.close()
        if "environ" in self.request.__dict__:
            self.request.environ["werkzeug.request"] = None  # a reference cycle

    @contextmanager
    def _seen_without_request(self) -> Iterator[None]:
        if not self._has_own_request or _cv_app.get(None) is not self:
            yield
            return
        token = _cv_app.set(self.without_request())
        try:
            yield
        finally:
            _cv_app.reset(token)

    def _reset(self) -> None:
        active = _cv_app.get(None)
        _cv_app.reset(self._cv_tokens.pop())
        if active is not self:
            kind = "request" if self._has_own_request else "application"
            raise AssertionError(f"Popped the wrong {kind} context: {active!r} instead of {self!r}.")

    def __enter__(self) -> AppContext:
        self.push()
        return self

    def __exit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.pop(exc_value)

    async def __aenter__(self) -> AppContext:
        self.push()
        return self

    async def __aexit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._pop_async(exc_value)

    def __repr__(self) -> str:
        if not self._has_own_request:
            return f"<{type(self).__name__} of {self.app.name}>"
        return f"<{type(self).__name__} {self.request.url!r} [{self.request.method}] of {self.app.name}>"


#: The name that it had while the context of a request was one of its own.
RequestContext = AppContext


class ServedContext(AppContext):
    """That of a server's request, who makes it sets `app`, `request` and `_walk`: a class without an
    ``__init__`` in Python has its instances in two thirds of the time."""

    _held = True
    has_request = _has_own_request = True
    __init__ = object.__init__

    _walk: Walk
    flashes = None
    _session: Any = None
    _after_request_functions: Sequence[AfterRequestCallable[Any]] = ()
    _route: Any = None

    def _settle(self, outer: AppContext | None) -> None:
        """Nothing changes when a test pushes it once more."""


def _current(exc: BaseException | None) -> BaseException | None:
    return sys.exc_info()[1] if exc is _sentinel else exc


def has_request_context() -> bool:
    """Whether `request` and `session` can be used here."""
    return request_context() is not None


def has_websocket_context() -> bool:
    """Whether `websocket` can be used here."""
    ctx = request_context()
    return ctx is not None and ctx.request.scope["type"] == "websocket"


def has_app_context() -> bool:
    """Whether `current_app` and `g` can be used here."""
    return _cv_app.get(None) is not None


def after_this_request(f: F) -> F:
    """Call `f`, sync or async, with the response of this request; it returns the response to send.

    :raises RuntimeError: outside of a request.
    """
    ctx = request_context()
    if ctx is None:
        raise RuntimeError("'after_this_request' needs an active request, such as in a view function.")
    ctx._after_request_functions = [*ctx._after_request_functions, f]
    return f


def copy_current_request_context(f: F) -> F:
    """Wrap `f`, sync or async, so that it runs with the current request and session wherever it is called.

    Tasks started in a view have the context by themselves; a thread of your own
    does not.

    :raises RuntimeError: outside of a request.
    """
    ctx = request_context()
    if ctx is None:
        raise RuntimeError(
            "'copy_current_request_context' needs an active request, such as in a view function."
        )
    ctx = ctx.copy()

    if is_async(f):

        @wraps(f)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            async with ctx.copy():  # it may be called by several tasks at a time
                return await f(*args, **kwargs)

        return async_wrapper  # type: ignore[return-value]

    @wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with ctx.copy():
            return f(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


def copy_current_websocket_context(f: F) -> F:
    """`copy_current_request_context`, for a function that uses `websocket`.

    :raises RuntimeError: outside of a websocket.
    """
    if not has_websocket_context():
        raise RuntimeError("'copy_current_websocket_context' needs an active websocket, such as in its view.")
    return copy_current_request_context(f)


def _default_template_ctx_processor() -> dict[str, Any]:
    """The variables that every template has."""
    ctx = _cv_app.get(None)
    if ctx is None:
        return {}
    if not ctx.has_request:
        return {"g": ctx.g}
    # The session stays the global proxy, which opens it and notes that it was used.
    return {"g": ctx.g, "request": ctx.request}
