"""The application context and the request context.

A server's request gets its contexts from `middleware.context`; here is what
they hold, and how tests, scripts and background work push them by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Token
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import HTTPException

from .concurrency import Walk, is_async
from .globals import _cv_app, _cv_request
from .lazy import lazy
from .sessions import SecureCookieSessionInterface
from .signals import appcontext_popped, appcontext_pushed

if TYPE_CHECKING:
    from werkzeug.routing import MapAdapter

    from .app import Flask
    from .middleware.disconnect import Connection
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


class AppContext:
    """What belongs to one run of the application: `current_app` and `g`.

    Use it with ``with app.app_context():``, or ``async with`` where async
    teardown functions have to wait.
    """

    #: Whether a server's request holds the context: then no pop is the last one.
    held = False

    def __init__(self, app: Flask) -> None:
        self.app = app

    @lazy
    def _cv_tokens(self) -> list[Token[AppContext]]:
        return []

    @lazy
    def g(self) -> _AppCtxGlobals:
        """The namespace for this context."""
        return self.app.app_ctx_globals_class()

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Builds URLs from the configuration; None without ``SERVER_NAME``."""
        return self.app.create_url_adapter(None)

    def push(self) -> None:
        """Make this the active context."""
        self._cv_tokens.append(_cv_app.set(self))
        if appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.waiting)

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Make the context before it active again; the last pop runs the teardown functions.

        :param exc: what ended the context; the exception being handled, when it is not given.
        """
        try:
            if len(self._cv_tokens) == 1 and not self.held:
                self.app.do_teardown_appcontext(_current(exc))
        finally:
            self._reset()
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app, _async_wrapper=self.app.waiting)

    def _reset(self) -> None:
        active = _cv_app.get(None)
        _cv_app.reset(self._cv_tokens.pop())
        if active is not self:
            raise AssertionError(f"Popped the wrong application context: {active!r} instead of {self!r}.")

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
        try:
            if len(self._cv_tokens) == 1 and not self.held:
                await self.app.async_teardown_appcontext(exc_value)
        finally:
            self._reset()
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app, _async_wrapper=self.app.waiting)


class ServedAppContext(AppContext):
    """That of a server's request, who makes it sets `app`."""

    held = True
    __init__ = object.__init__


class RequestContext:
    """What belongs to one request: `request` and `session`.

    :param app: the application.
    :param environ: an ASGI scope or a WSGI environ; see ``app.test_request_context`` for a convenient way
        to get one.
    :param request: the request, when it exists already.
    :param session: the session, when it is open already.
    """

    #: Whether a server's request holds the context: then no pop is the last one.
    held = False
    #: The messages that `get_flashed_messages` has taken out of the session.
    flashes: list[tuple[str, str]] | None = None
    #: The exception that no error handler took, for the teardown functions.
    error: BaseException | None = None
    #: What a converter raised while the URL was matched.
    failed: Exception | None = None
    #: Whether the client went away while the view was waiting, which has cancelled it.
    lost = False
    #: Looks out for the client while the view waits.
    connection: Connection | None = None
    #: The walk that serves the request; None when no server does.
    walk: Walk | None = None
    _session: Any = None
    _after_request_functions: Sequence[AfterRequestCallable[Any]] = ()

    def __init__(
        self,
        app: Flask,
        environ: Mapping[str, Any],
        request: Request | None = None,
        session: Any = None,
    ) -> None:
        self.app = app
        if request is None:
            request = app.request_class(environ)
            request.json_module = app.json
            request._app = app
        self.request: Request = request
        if session is not None:
            self._session = session

    @lazy
    def _cv_tokens(self) -> list[tuple[Token[RequestContext], AppContext | None]]:
        return []

    @lazy
    def url_adapter(self) -> MapAdapter | None:
        """Matches and builds URLs as seen from this request."""
        return self.app.create_url_adapter(self.request)

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
        interface = self.app.session_interface
        if type(interface) is SecureCookieSessionInterface:
            session = interface.open_session(self.app, self.request)
        else:
            session = self.app.ensure_sync(interface.open_session)(self.app, self.request)
        if session is None:
            session = interface.make_null_session(self.app)
        self._session = session
        return session

    def begin_waiting(self, walk: Walk) -> None:
        """The view has to wait. Called by the walk."""
        from .middleware.disconnect import watch_client

        watch_client(self, walk)

    def copy(self) -> RequestContext:
        """A context with the same request and session, to be pushed elsewhere."""
        cls = RequestContext if type(self) is ServedRequestContext else type(self)
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

    def push(self) -> None:
        """Make this the active context, inside of one of the application's."""
        app_ctx: AppContext | None = _cv_app.get(None)
        if app_ctx is None or app_ctx.app is not self.app:
            app_ctx = self.app.app_context()
            app_ctx.push()
        else:
            app_ctx = None
        self._cv_tokens.append((_cv_request.set(self), app_ctx))
        if self._session is None:
            # Before matching, so that converters can use it.
            self.open_session()
        self.match_request()

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Make the context before it active again; the last pop runs the teardown functions.

        :param exc: what ended the request; the exception being handled, when it is not given.
        """
        last = len(self._cv_tokens) == 1 and not self.held
        try:
            if last:
                exc = _current(exc)
                self.app.do_teardown_request(exc)
                if self.request.has_something_to_close():
                    self.request.close()
        finally:
            active = _cv_request.get(None)
            token, app_ctx = self._cv_tokens.pop()
            _cv_request.reset(token)
            if last and "environ" in self.request.__dict__:
                self.request.environ["werkzeug.request"] = None  # a reference cycle
            if app_ctx is not None:
                app_ctx.pop(exc)
            if active is not self:
                raise AssertionError(f"Popped the wrong request context: {active!r} instead of {self!r}.")

    def __enter__(self) -> RequestContext:
        self.push()
        return self

    def __exit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.pop(exc_value)

    async def __aenter__(self) -> RequestContext:
        self.push()
        return self

    async def __aexit__(
        self, exc_type: type | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        app_ctx = self._cv_tokens[-1][1]
        last = len(self._cv_tokens) == 1 and not self.held
        try:
            if last:
                await self.app.async_teardown_request(exc_value)
                if self.request.has_something_to_close():
                    self.request.close()
        finally:
            token, _ = self._cv_tokens.pop()
            _cv_request.reset(token)
            if app_ctx is not None:
                await app_ctx.__aexit__(exc_type, exc_value, tb)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.url!r} [{self.request.method}] of {self.app.name}>"


class ServedRequestContext(RequestContext):
    """That of a server's request, who makes it sets `app`, `request` and `walk`."""

    held = True
    __init__ = object.__init__


def _current(exc: BaseException | None) -> BaseException | None:
    return sys.exc_info()[1] if exc is _sentinel else exc


def has_request_context() -> bool:
    """Whether `request` and `session` can be used here."""
    return _cv_request.get(None) is not None


def has_websocket_context() -> bool:
    """Whether `websocket` can be used here."""
    ctx = _cv_request.get(None)
    return ctx is not None and ctx.request.scope["type"] == "websocket"


def has_app_context() -> bool:
    """Whether `current_app` and `g` can be used here."""
    return _cv_app.get(None) is not None


def after_this_request(f: F) -> F:
    """Call `f`, sync or async, with the response of this request; it returns the response to send.

    :raises RuntimeError: outside of a request.
    """
    ctx = _cv_request.get(None)
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
    ctx = _cv_request.get(None)
    if ctx is None:
        raise RuntimeError(
            "'copy_current_request_context' needs an active request, such as in a view function."
        )
    ctx = ctx.copy()

    if is_async(f):

        @wraps(f)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            async with ctx:
                return await f(*args, **kwargs)

        return async_wrapper  # type: ignore[return-value]

    @wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with ctx:
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
    app_ctx = _cv_app.get(None)
    ctx = _cv_request.get(None)
    values: dict[str, Any] = {}
    if app_ctx is not None:
        values["g"] = app_ctx.g
    if ctx is not None:
        # The session stays the global proxy, which opens it and notes that it was used.
        values["request"] = ctx.request
    return values
