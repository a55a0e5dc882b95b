"""Names of old tutorials, which Flask has given up since, and what is used today in their place.

Nothing else in the framework needs this module: it is imported when one of the
names is used. Every use gives a `DeprecationWarning` that says what to do instead.
"""

from __future__ import annotations

import json
import sys
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar, Token
from threading import Lock, get_ident
from types import MethodType
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast
from warnings import warn_explicit
from weakref import proxy

import markupsafe
from jinja2.utils import htmlsafe_json_dumps
from werkzeug import security
from werkzeug.exceptions import NotFound
from werkzeug.utils import secure_filename

from .app import Flask
from .concurrency import as_coroutine, current_walk, inner_walk, outlasted
from .ctx import AppContext
from .globals import _cv_app, request_context
from .json import dumps
from .json.provider import DefaultJSONProvider, _default
from .middleware.layer import Layer, Route
from .observed import changed
from .scaffold import LegacyAttribute, Scaffold
from .typing import Receive, Scope, Send

if TYPE_CHECKING:
    from .blueprints import Blueprint, BlueprintSetupState
    from .protocols import Application

F = TypeVar("F", bound=Callable[..., Any])


# -- where the names are asked for --------------------------------------------------------------


def module_name(module: str, name: str) -> Any:
    """What the ``__getattr__`` of a module gives for one of its old names."""
    value, modern = _MODULE_NAMES[module][name]
    # `from asyncflask import name` asks whether there is one before it takes it.
    if sys._getframe(2).f_code.co_name != "_handle_fromlist":
        _deprecated(f"{module}.{name}", modern)
    return value


def get_attribute(owner: Any, name: str) -> Any:
    """The value of a `LegacyAttribute` of an application or a blueprint."""
    _deprecated(f"{_kind(owner)}.{name}", _ATTRIBUTES[name])
    if name == "before_first_request":
        return MethodType(before_first_request, owner)
    if name == "before_app_first_request":
        return MethodType(before_app_first_request, owner)
    if name == "before_first_request_funcs":
        return first_request_funcs(owner)
    codec = owner._legacy.get(name)
    if codec is None and _kind(owner) == "app":
        return JSONEncoder if name == "json_encoder" else JSONDecoder
    return codec


def set_attribute(owner: Any, name: str, value: Any) -> None:
    """Set a `LegacyAttribute`.

    :raises AttributeError: for a method.
    """
    _deprecated(f"{_kind(owner)}.{name}", _ATTRIBUTES[name])
    if name == "before_first_request_funcs":
        _set_first_request_funcs(owner, value)
    elif name in ("json_encoder", "json_decoder"):
        if _kind(owner) == "app":
            _use_codecs(owner)
        else:
            owner._check_setup_finished(name)  # the application learns of it when it registers the blueprint
        owner._legacy = {**owner._legacy, name: value}
    else:
        raise AttributeError(f"'{name}' is a method and cannot be set; call it with a function.")


def _kind(owner: Scaffold) -> str:
    return "app" if isinstance(owner, Flask) else "blueprint"


def _deprecated(old: str, modern: str) -> None:
    """Warn about an old name, at the line outside of the framework where it is used.

    :param modern: what to do instead, in the imperative.
    """
    frame = sys._getframe(1)
    # importlib: that an extension is imported by its old name is noticed from within the import.
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] in ("asyncflask", "importlib"):
        frame = frame.f_back
    warn_explicit(
        f"'{old}' is deprecated: {modern}.",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals["__name__"],
        frame.f_globals.setdefault("__warningregistry__", {}),
    )


def extension_imported(old: str, real: str) -> None:
    """Warn about an extension that is imported as ``asyncflask.ext.name``."""
    _deprecated(old, f"import '{real}'")


# -- paths --------------------------------------------------------------------------------------


def safe_join(directory: str, *pathnames: str) -> str:
    """Join a folder and parts of a path that a client has sent.

    :raises NotFound: when the path leads out of the folder.
    """
    path = security.safe_join(directory, *pathnames)
    if path is None:
        raise NotFound()
    return path


# -- context stacks -----------------------------------------------------------------------------


class ContextStack:
    """The contexts of one kind as the stack that they were kept on.

    :param name: of the stack.
    :param top: the active context of that kind, None without one.
    """

    def __init__(self, name: str, top: Callable[[], AppContext | None]) -> None:
        self._top = top
        self._pushed: ContextVar[tuple[tuple[AppContext, Token[AppContext]], ...]] = ContextVar(
            f"asyncflask.{name}", default=()
        )

    @property
    def top(self) -> AppContext | None:
        """The active context, None without one. Other attributes than its own may be set on it."""
        return self._top()

    def push(self, context: AppContext) -> None:
        """Make a context the active one, and nothing more: its own ``push`` also finds the route."""
        context._settle(_cv_app.get(None))
        token = _cv_app.set(context)
        self._pushed.set((*self._pushed.get(), (context, token)))

    def pop(self) -> AppContext | None:
        """Make the context before it active again, without running teardown functions.

        :returns: the one that was active, None without one.
        :raises RuntimeError: when that was not pushed with `push`.
        """
        context = self.top
        if context is None:
            return None
        pushed = self._pushed.get()
        if not pushed or pushed[-1][0] is not context:
            raise RuntimeError(
                f"{context!r} was not pushed onto this stack. A request's context is popped when the request"
                " ends; for one that was pushed with its own 'push()', call its own 'pop()'."
            )
        self._pushed.set(pushed[:-1])
        _cv_app.reset(pushed[-1][1])
        return context

    def __ident_func__(self) -> int:
        """A number for each active context, without one for each thread; the ``scopefunc`` that SQLAlchemy's
        ``scoped_session`` was given."""
        context = self.top
        return get_ident() if context is None else id(context)


def _top_app_ctx() -> AppContext | None:
    ctx = _cv_app.get(None)
    return None if ctx is None else ctx.app_ctx


# -- before the first request -------------------------------------------------------------------


def before_first_request(app: Flask, f: F) -> F:
    """Call `f`, sync or async, once, in the context of the first request, before its hooks."""
    app._check_setup_finished("before_first_request")
    first_request_funcs(app).append(f)
    return f


def before_app_first_request(blueprint: Blueprint, f: F) -> F:
    """`before_first_request` of the application that registers the blueprint."""
    blueprint._check_setup_finished("before_app_first_request")

    def register(state: BlueprintSetupState) -> None:
        first_request_funcs(state.app).append(f)

    blueprint.record_once(register)
    return f


def first_request_funcs(app: Application) -> list[Callable[[], Any]]:
    """What is called before the first request, in this order. The list may be changed until then."""
    if "before_first_request_funcs" not in app._legacy:
        _set_first_request_funcs(app, [])
    return cast("list[Callable[[], Any]]", app._legacy["before_first_request_funcs"])


def _set_first_request_funcs(app: Application, funcs: list[Callable[[], Any]]) -> None:
    app._legacy = {**app._legacy, "before_first_request_funcs": funcs}
    changed()


_among_first_request_funcs: ContextVar[bool] = ContextVar("asyncflask.first_request_funcs", default=False)


class FirstRequestMiddleware:
    """Calls the functions that are to run before the first request; other requests wait meanwhile.

    An exception in one of them is handled as one in the view is, and the next
    request calls all of them again.
    """

    def __init__(self, app: Layer, once: _Once) -> None:
        self.app = app
        self.once = once

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        once = route.flask.__dict__.setdefault("_first_request_functions", _Once(route.flask))
        return app if once.done else cls(app, once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        # A request that one of the functions makes cannot wait for them to be done.
        if not _among_first_request_funcs.get() and not _cv_app.get()._route.has_failed:
            await self.once.run()
        return await self.app(scope, receive, send)


class _Once:
    def __init__(self, flask: Application) -> None:
        self.flask = cast("Application", proxy(flask))
        self.done = False
        self._lock = Lock()
        # None of asyncio's: requests may be on different loops, as those of test clients are.
        self._running: Future[None] | None = None

    async def run(self) -> None:
        walk = current_walk()
        while not self.done:
            mine: Future[None] = Future()
            mine.set_running_or_notify_cancel()  # so that nobody who waits for it can cancel it
            with self._lock:
                other = self._running
                if other is None:
                    self._running = mine
            if other is not None:
                await walk.to_loop()
                await wrap_future(other)
                continue
            try:
                await walk.to_loop()
                # Others wait for it: it goes on when this request is cancelled.
                await outlasted(as_coroutine(inner_walk(self.flask.worker_pool).run(self._call_all())))
            finally:
                self._running = None
                mine.set_result(None)

    async def _call_all(self) -> None:
        token = _among_first_request_funcs.set(True)
        try:
            for func in first_request_funcs(self.flask):
                await current_walk().call(func)
            self.done = True
            changed()  # the layer is no longer wanted
        finally:
            _among_first_request_funcs.reset(token)


# -- JSON ---------------------------------------------------------------------------------------


class JSONEncoder(json.JSONEncoder):
    """A `json.JSONEncoder` for the types that `DefaultJSONProvider` adds."""

    def default(self, o: Any) -> Any:
        """What is serialized in place of `o`. Override it for other types, and call it for these.

        :raises TypeError: for an object of any other type.
        """
        return _default(o)


class JSONDecoder(json.JSONDecoder):
    """A `json.JSONDecoder`, to be subclassed."""


def htmlsafe_dumps(obj: Any, **kwargs: Any) -> str:
    """`asyncflask.json.dumps`, with ``<``, ``>``, ``&`` and ``'`` escaped, to be used inside of ``<script>``
    and of attributes in single quotes. It is a `markupsafe.Markup`."""
    return htmlsafe_json_dumps(obj, dumps=dumps, **kwargs)


def htmlsafe_dump(obj: Any, fp: IO[str], **kwargs: Any) -> None:
    """`htmlsafe_dumps` into a file opened for writing text."""
    fp.write(htmlsafe_dumps(obj, **kwargs))


class CodecJSONProvider(DefaultJSONProvider):
    """JSON by the `json_encoder` and `json_decoder` of the blueprint of the current request, else of the
    application, else as usual."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        encoder = kwargs.get("cls") or self._codec("json_encoder")
        if encoder is not None:
            kwargs["cls"] = encoder
            if encoder.default is not json.JSONEncoder.default:
                kwargs.setdefault("default", None)  # the provider's would replace the encoder's method
        return super().dumps(obj, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        decoder = self._codec("json_decoder")
        if decoder is not None:
            kwargs.setdefault("cls", decoder)
        return super().loads(s, **kwargs)

    def _codec(self, name: str) -> Any:
        codec = None
        ctx = request_context()
        if ctx is not None and ctx.app.json is self and ctx.request.blueprint is not None:
            blueprint = ctx.app.blueprints.get(ctx.request.blueprint)
            codec = None if blueprint is None else _codec_of(blueprint, name)
        return _codec_of(self._app, name) if codec is None else codec


def _codec_of(owner: Any, name: str) -> Any:
    in_class = getattr(owner.__class__, name)  # type() of the proxy that a provider has is something else
    return owner._legacy.get(name) if isinstance(in_class, LegacyAttribute) else getattr(owner, name)


def adopt_codecs(owner: Scaffold, app: Flask) -> None:
    """Let ``app.json`` use the codecs of an application or of a blueprint, also those of its class."""
    for name in ("json_encoder", "json_decoder"):
        if not isinstance(getattr(type(owner), name), LegacyAttribute):
            _deprecated(f"{type(owner).__name__}.{name}", _ATTRIBUTES[name])
    _use_codecs(app)


def _use_codecs(app: Flask) -> None:
    provider = app.json
    kind = type(provider)
    if kind.dumps is not DefaultJSONProvider.dumps or kind.loads is not DefaultJSONProvider.loads:
        return  # it is one of these already, or the application has JSON of its own
    dumps_before = provider.dumps
    provider.__class__ = type(f"Codec{kind.__name__}", (CodecJSONProvider, kind), {})
    environment = vars(app).get("jinja_env")
    if environment is not None and environment.policies["json.dumps_function"] == dumps_before:
        environment.policies["json.dumps_function"] = provider.dumps


# -- the names and what is used today -----------------------------------------------------------

_FIRST_REQUEST = (
    "do it where the application is made, as in 'create_app()', or when the server starts, in"
    " 'Flask(..., lifespan=...)'"
)
_PROVIDER = (
    "write a subclass of 'asyncflask.json.provider.DefaultJSONProvider' and set it as the"
    " 'json_provider_class' of a 'Flask' subclass, or an instance of it as 'app.json'"
)

#: The attributes of applications and blueprints: what to do instead.
_ATTRIBUTES = {
    "before_app_first_request": _FIRST_REQUEST,
    "before_first_request": _FIRST_REQUEST,
    "before_first_request_funcs": _FIRST_REQUEST,
    "json_decoder": _PROVIDER,
    "json_encoder": _PROVIDER,
}

_STACKS = {
    "_app_ctx_stack": (
        ContextStack("app_ctx_stack", _top_app_ctx),
        "use 'current_app' and 'g', and 'has_app_context()' to ask whether they are there",
    ),
    "_request_ctx_stack": (
        ContextStack("request_ctx_stack", request_context),
        "use 'request' and 'session', 'g' for attributes of your own, and 'has_request_context()' to ask"
        " whether they are there",
    ),
}

#: The names of each module: the object, and what to do instead.
_MODULE_NAMES: dict[str, dict[str, tuple[Any, str]]] = {
    "asyncflask": {
        **_STACKS,
        "Markup": (markupsafe.Markup, "import it from 'markupsafe'"),
        "escape": (markupsafe.escape, "import it from 'markupsafe'"),
        "safe_join": (
            safe_join,
            "use 'send_from_directory', or 'werkzeug.security.safe_join', which gives None for a path that"
            " leads out of the folder",
        ),
        "secure_filename": (secure_filename, "import it from 'werkzeug.utils'"),
        "signals_available": (True, "there are always signals"),
    },
    "asyncflask.globals": _STACKS,
    "asyncflask.json": {
        "JSONDecoder": (JSONDecoder, _PROVIDER),
        "JSONEncoder": (JSONEncoder, _PROVIDER),
        "htmlsafe_dump": (htmlsafe_dump, "use the filter 'tojson' in a template"),
        "htmlsafe_dumps": (htmlsafe_dumps, "use the filter 'tojson' in a template"),
    },
}
