"""The application."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, ValuesView
from datetime import timedelta
from logging import Logger
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar, cast
from urllib.parse import quote

from werkzeug.datastructures import ImmutableDict
from werkzeug.exceptions import Aborter, BadRequest, BadRequestKeyError, HTTPException, NotFound
from werkzeug.routing import BuildError, MapAdapter, RequestRedirect, RoutingException
from werkzeug.utils import redirect as _wz_redirect
from werkzeug.wrappers import Response as BaseResponse

from . import observed
from .asgi import ASGIApplication, Lifespan
from .asgi_only import coroutine_function, require_asgi
from .concurrency import inner_walk
from .concurrency.waiting import run_sync
from .config import DEFAULTS, Config, ConfigAttribute
from .config import make_timedelta as _make_timedelta
from .ctx import AppContext, RequestContext, _AppCtxGlobals, _default_template_ctx_processor
from .error_handlers import find_error_handler
from .globals import _active_request_ctx, current_app, g, request, request_context, request_ctx, session
from .helpers import (
    CONTROLS,
    get_debug_flag,
    get_flashed_messages,
    get_load_dotenv,
    send_from_directory,
)
from .json.provider import DefaultJSONProvider, JSONProvider
from .lazy import imported, importing, lazy
from .logging import create_logger
from .middleware import errors
from .middleware.context import ContextMiddleware
from .middleware.finalize import finalize_request
from .middleware.hooks import preprocess_request, process_response
from .middleware.layer import Route, overridden
from .middleware.router import Router
from .middleware.teardown import do_teardown_appcontext, do_teardown_request
from .middleware.view import dispatch_request
from .observed import FunctionList, changed, setup_names
from .routing import Map, Rule, UrlBuilder, build_url, create_url_adapter
from .routing.adding import add_rule, add_static_rule
from .routing.building import handle_build_error
from .scaffold import LegacyAttribute, _endpoint_from_view_func, find_package, setupmethod
from .sessions import SecureCookieSessionInterface, SessionInterface
from .signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)
from .typing import ASGIApp, Receive, ResponseReturnValue, Scope, Send
from .websocket import Websocket
from .wrappers import Request, Response
from .wrappers.values import make_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import BaseLoader

    from .blueprints import Blueprint
    from .cli import AppGroup
    from .middleware.debug import DebugMiddleware
    from .templating import Environment
    from .testing import FlaskClient, FlaskCliRunner

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
_sentinel: Any = object()


class Flask(ASGIApplication):
    """An application: Flask's, as an ASGI application.

    :param import_name: the name of the module, ``__name__``; resources are found next to it.
    :param static_url_path: where static files are served; ``/`` with the folder's name, unless given.
    :param static_folder: the folder of static files, relative to `root_path`.
    :param static_host: the host to serve them on, with `host_matching`.
    :param host_matching: match rules by their ``host``.
    :param subdomain_matching: match rules by their ``subdomain`` of ``SERVER_NAME``.
    :param template_folder: the folder of templates, relative to `root_path`.
    :param instance_path: the absolute path of the instance folder; unless given, ``instance`` next to the
        module.
    :param instance_relative_config: look for configuration files in the instance folder.
    :param root_path: the folder of the module, where it cannot be found by itself.
    :param lifespan: ``lifespan(app)``, an async context manager around the time that the server runs, or an
        async generator function to make one of. A mapping that it gives is each request's ``state`` (ASGI
        lifespan state).
    """

    default_config: Mapping[str, Any] = DEFAULTS
    request_class: type[Request] = Request
    response_class: type[Response] = Response
    websocket_class: type[Websocket] = Websocket
    aborter_class: type[Aborter] = Aborter
    jinja_environment: type[Environment] = cast(Any, imported("asyncflask.templating:Environment"))
    app_ctx_globals_class: type[_AppCtxGlobals] = _AppCtxGlobals
    config_class: type[Config] = Config
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    url_rule_class: type[Any] = Rule
    url_map_class: type[Any] = Map
    test_client_class: type[FlaskClient] | None = None
    test_cli_runner_class: type[FlaskCliRunner] | None = None
    session_interface: SessionInterface = SecureCookieSessionInterface()
    #: Options for the Jinja environment, to be changed before it is first used.
    jinja_options: dict[str, Any] = {}

    testing = ConfigAttribute[bool]("TESTING")
    secret_key = ConfigAttribute["str | bytes | None"]("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute[timedelta](
        "PERMANENT_SESSION_LIFETIME",
        get_converter=_make_timedelta,  # type: ignore[arg-type]
    )

    before_first_request = LegacyAttribute()
    before_first_request_funcs = LegacyAttribute()

    # What is around the layers in debug mode.
    _debug_layer: DebugMiddleware | None = None
    # What signs sessions, and what it was made for; see `SecureCookieSessionInterface`.
    _signing_serializer: tuple[tuple[Any, ...], Any] | None = None

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
        lifespan: Lifespan | Callable[[Any], AsyncIterator[Any]] | None = None,
    ) -> None:
        require_asgi(type(self), _ASGI_CALL)
        object.__setattr__(self, "__call__", coroutine_function(self))
        super().__init__(
            import_name=import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
            lifespan=lifespan,
        )
        if instance_path is None:
            instance_path = self.auto_find_instance_path()
        elif not os.path.isabs(instance_path):
            raise ValueError(f"'instance_path' must be absolute; {instance_path!r} is not.")
        #: The folder for what belongs to this deployment: secrets, a database file.
        self.instance_path = instance_path
        self.config = self.make_config(instance_relative_config)
        #: Raises HTTP exceptions by status code, see `make_aborter`.
        self.aborter = self.make_aborter()
        #: Dumps and loads JSON for requests, responses and `asyncflask.json`.
        self.json: JSONProvider = self.json_provider_class(self)
        if self._has_legacy_codecs():
            from .legacy import adopt_codecs  # old names

            adopt_codecs(self, self)
        #: Called with error, endpoint and values when a URL cannot be built; the first string is taken.
        self.url_build_error_handlers: list[Callable[[Exception, str, dict[str, Any]], Any]] = FunctionList()
        self.teardown_appcontext_funcs: list[Callable[..., Any]] = FunctionList()
        self.shell_context_processors: list[Callable[[], dict[str, Any]]] = []
        #: Blueprints by the names that they are registered under.
        self.blueprints: dict[str, Blueprint] = {}
        #: What extensions keep for this application, by their names.
        self.extensions: dict[str, Any] = {}
        #: The rules, a `werkzeug.routing.Map`.
        self.url_map: Any = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        self.template_context_processors[None].append(_default_template_ctx_processor)
        self._got_first_request = False
        # The same, for `__call__`, while `asgi_app` has nothing more to do; and the setup that it is true in.
        self._direct: ASGIApp = cast(Any, None)
        self._direct_in: object = None

        if self.has_static_folder:
            add_static_rule(self, static_host, host_matching)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _SETUP:
            changed()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in _SETUP:
            changed()

    # -- ASGI -----------------------------------------------------------------------------------

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The ASGI application; calls `asgi_app`."""
        if self._direct_in is observed.setup and scope["type"] == "http":
            scope["app"] = self  # which is all that `asgi_app` would do
            return self._direct(scope, receive, send)
        return self.asgi_app(scope, receive, send)

    async def asgi_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What `__call__` calls, to be wrapped by ASGI middleware without losing the application:
        ``app.asgi_app = Middleware(app.asgi_app)``."""
        layers = self._layers or self.build_layers()
        scope["app"] = self
        if scope["type"] != "lifespan":
            if not self._got_first_request:
                self._got_first_request = True
            if self._lent_state is not None:
                scope["state"] = {**scope.get("state", {}), **self._lent_state}
            if (
                not self.config["DEBUG"]
                and self._lent_state is None
                and self._replacement_of("asgi_app") is None
            ):
                self._direct, self._direct_in = layers, observed.setup
        if self.config["DEBUG"]:
            from .middleware.debug import debug_layer  # debug mode

            layers = debug_layer(self, layers)
        await layers(scope, receive, send)

    def build_layers(self) -> ASGIApp:
        """What a request goes through, from the outside in: user middleware, the context, the router."""
        if any(owner._has_template_folder() for owner in (self, *self.iter_blueprints())):
            from . import templating  # noqa: F401  # Jinja, now and not in the middle of a request
        app: ASGIApp = ContextMiddleware(self.router, self)
        for cls, args, options in self._middleware:
            app = cls(app, *args, **options)
        self._layers = app
        return app

    @lazy
    def router(self) -> Router:
        """Starlette's router, for the rules of `url_map`."""
        return Router(self)

    def _replacement_of(self, name: str) -> Callable[..., Any] | None:
        cls = type(self)
        if name not in self.__dict__ and (cls is Flask or getattr(cls, name) is getattr(Flask, name)):
            return None
        method: Callable[..., Any] = getattr(self, name)
        return None if getattr(method, "__func__", method) is getattr(Flask, name) else method

    # -- names, configuration, resources --------------------------------------------------------

    @lazy
    def name(self) -> str:
        """The name of the application: that of its module, or of the file that is run."""
        if self.import_name == "__main__":
            file: str | None = getattr(sys.modules["__main__"], "__file__", None)
            return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]
        return self.import_name

    @lazy
    def logger(self) -> Logger:
        """The logger with the application's name. In debug mode it logs everything; it writes to
        stderr unless logging is configured."""
        return create_logger(self)

    def _make_cli(self) -> AppGroup:
        group = super()._make_cli()
        group.name = self.name
        return group

    @property
    def debug(self) -> bool:
        """Whether debug mode is on: tracebacks in the browser, templates reloaded. Never in production."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if self.config["TEMPLATES_AUTO_RELOAD"] is None:
            self.jinja_env.auto_reload = value

    @property
    def got_first_request(self) -> bool:
        """Whether a request has been handled, after which the setup is closed."""
        return self._got_first_request

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the application. It has already"
                " handled its first request, any changes will not be applied consistently.\n"
                "Make sure all imports, decorators, functions, etc. needed to set up the application are"
                " done before running it."
            )

    def make_config(self, instance_relative: bool = False) -> Config:
        """The configuration, with its defaults; called once by the constructor."""
        defaults = dict(self.default_config)
        defaults["DEBUG"] = get_debug_flag()
        return self.config_class(self.instance_path if instance_relative else self.root_path, defaults)

    def make_aborter(self) -> Aborter:
        """What `abort` raises with; called once by the constructor."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """The instance folder: next to the package or module, or below ``var`` of where it is installed."""
        prefix, package_path = find_package(self.import_name)
        if prefix is None:
            return os.path.join(package_path, "instance")
        return os.path.join(prefix, "var", f"{self.name}-instance")

    def open_instance_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file of the instance folder, for reading or writing.

        :param resource: the path relative to `instance_path`.
        :param mode: as for `open`.
        :param encoding: of a text file.
        """
        path = os.path.join(self.instance_path, resource)
        return open(path, mode) if "b" in mode else open(path, mode, encoding=encoding)

    # -- setup ----------------------------------------------------------------------------------

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Register a blueprint.

        :param options: ``name``, ``url_prefix``, ``subdomain``, ``url_defaults`` and ``cli_group`` for
            this registration; more are for the functions that it has recorded.
        """
        blueprint.register(self, options)

    def iter_blueprints(self) -> ValuesView[Blueprint]:
        """The blueprints, in the order of their registration."""
        return self.blueprints.values()

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        if endpoint is None:
            endpoint = _endpoint_from_view_func(view_func)  # type: ignore[arg-type]
        add_rule(self, rule, endpoint, view_func, provide_automatic_options, options)

    @setupmethod
    def teardown_appcontext(self, f: F) -> F:
        """Call `f` whenever an application context ends, with the exception that nobody handled or
        None: at the end of each request and CLI command. The last registered is called first."""
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(self, f: F) -> F:
        """Add the dict that `f` returns to the names in the shell."""
        self.shell_context_processors.append(f)
        return f

    def make_shell_context(self) -> dict[str, Any]:
        """The names in the shell."""
        context: dict[str, Any] = {"app": self, "g": g}
        for processor in self.shell_context_processors:
            context.update(self.call_from_sync(processor))
        return context

    @setupmethod
    def template_filter(self, name: str | None = None) -> Callable[[F], F]:
        """Register the decorated function as a template filter, under its name unless another is given."""
        return self._register_with(self.add_template_filter, name)

    @setupmethod
    def add_template_filter(self, f: Callable[..., Any], name: str | None = None) -> None:
        """Register a template filter, under the function's name unless another is given."""
        self.jinja_env.filters[name or f.__name__] = f

    @setupmethod
    def template_test(self, name: str | None = None) -> Callable[[F], F]:
        """Register the decorated function as a template test, under its name unless another is given."""
        return self._register_with(self.add_template_test, name)

    @setupmethod
    def add_template_test(self, f: Callable[..., Any], name: str | None = None) -> None:
        """Register a template test, under the function's name unless another is given."""
        self.jinja_env.tests[name or f.__name__] = f

    @setupmethod
    def template_global(self, name: str | None = None) -> Callable[[F], F]:
        """Register the decorated function as a template global, under its name unless another is given."""
        return self._register_with(self.add_template_global, name)

    @setupmethod
    def add_template_global(self, f: Callable[..., Any], name: str | None = None) -> None:
        """Register a global of templates, under the function's name unless another is given."""
        self.jinja_env.globals[name or f.__name__] = f

    def _register_with(self, add: Callable[..., None], name: str | None) -> Callable[[F], F]:
        def decorator(f: F) -> F:
            add(f, name=name)
            return f

        return decorator

    # -- templates ------------------------------------------------------------------------------

    @lazy
    def jinja_env(self) -> Environment:
        """The Jinja environment, made when it is first used."""
        return self.create_jinja_environment()

    def create_jinja_environment(self) -> Environment:
        """Make the Jinja environment from `jinja_options`, with the framework's globals."""
        from .templating import make_environment  # Jinja

        return make_environment(self)

    def create_global_jinja_loader(self) -> BaseLoader:
        """The loader for the application and its blueprints. Usually `jinja_loader` is to be overridden."""
        from .templating import DispatchingJinjaLoader  # Jinja

        return DispatchingJinjaLoader(self)

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Whether a template's variables are escaped: those of HTML, XML and SVG files and of strings are."""
        return filename is None or filename.endswith((".html", ".htm", ".xml", ".xhtml", ".svg"))

    def update_template_context(self, context: dict[str, Any]) -> None:
        """Add the variables of the context processors to a template's own, which stay as they are."""
        names: tuple[str | None, ...] = (None,)
        ctx = request_context()
        if ctx is not None:
            names = (None, *reversed(ctx.request.blueprints))
        own = context.copy()
        for name in names:
            for func in self.template_context_processors.get(name, ()):
                is_ours = func is _default_template_ctx_processor
                context.update(func() if is_ours else self.call_from_sync(func))
        context.update(own)

    # -- URLs -----------------------------------------------------------------------------------

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What matches and builds URLs for a request, or from the configuration without one.

        :returns: None without a request and ``SERVER_NAME``.
        :raises SecurityError: when the host is not one of ``TRUSTED_HOSTS``.
        """
        return create_url_adapter(self, request)

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """The URL of an endpoint.

        In a request it is relative to the host unless asked otherwise; elsewhere it
        is absolute, and needs ``SERVER_NAME``.

        :param endpoint: the endpoint; one that starts with a dot is of the current blueprint.
        :param _anchor: appended as ``#anchor``.
        :param _method: for an endpoint whose rules differ by method.
        :param _scheme: the scheme of an absolute URL.
        :param _external: whether the URL is absolute.
        :param values: the variables of the rule; the others go into the query string.
        :raises BuildError: when there is no such endpoint, or values are missing.
        """
        ctx = request_context()
        if (
            ctx is not None
            and _anchor is _method is _scheme is None
            and not _external
            and not self.url_default_functions
            and self._builds_plain_urls
            and endpoint[:1] != "."
        ):
            path = self._url_builder.build(endpoint, values)
            if path is not None:
                return f"{ctx.request.root_path}/{path}"
        return build_url(self, endpoint, values, _anchor, _method, _scheme, _external)

    @lazy
    def _url_builder(self) -> UrlBuilder:
        return UrlBuilder(self.url_map)

    @lazy
    def _builds_plain_urls(self) -> bool:
        """Whether URLs are built the framework's own way, on one domain."""
        return not (
            self.subdomain_matching
            or overridden(self, "create_url_adapter")
            or overridden(self, "inject_url_defaults")
        )

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Let the `url_defaults` functions of application and blueprints change the values of a URL."""
        names: list[str | None] = [None]
        if "." in endpoint:
            parts = endpoint.split(".")
            names.extend(".".join(parts[:end]) for end in range(1, len(parts)))
        for name in names:
            for func in self.url_default_functions.get(name, ()):
                self.call_from_sync(func, endpoint, values)

    def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
        """The URL from the first of `url_build_error_handlers` that has one.

        :raises BuildError: when none has.
        """
        return handle_build_error(self, error, endpoint, values)

    # -- contexts -------------------------------------------------------------------------------

    def app_context(self) -> AppContext:
        """A new application context: ``with app.app_context():``."""
        return AppContext(self)

    def request_context(self, environ: Mapping[str, Any]) -> RequestContext:
        """A request context for an ASGI scope or a WSGI environ: ``with app.request_context(scope):``."""
        return RequestContext(self, environ)

    def test_request_context(self, *args: Any, **kwargs: Any) -> RequestContext:
        """A request context for a made-up request, for tests and the shell.

        :param args: as for `asyncflask.testing.EnvironBuilder`: path, base_url, ...
        :param kwargs: as for it: method, data, json, query_string, headers, ...
        """
        from .testing import EnvironBuilder  # tests

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    # -- the stages of a request, for those who override or call them ---------------------------
    #
    # A request goes through the coroutines of the same names in `asyncflask.middleware`; these run them
    # from sync code. An override is called in their place.

    def full_dispatch_request(self) -> Response:
        """Run the hooks and the view, and make the response."""
        ctx = self._request_ctx()
        return cast(Response, self._run(ctx._route.full_dispatch(*ctx._channels)))

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Run the `before_request` functions; what the first of them returned that is not None."""
        return cast("ResponseReturnValue | None", self._run(preprocess_request(self._request_ctx())))

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view of the current request."""
        return cast(ResponseReturnValue, self._run(dispatch_request(self._request_ctx())))

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        """Make a response of a view's value and run the `after_request` functions."""
        return self._run(finalize_request(self._request_ctx(), rv, from_error_handler))

    def process_response(self, response: Response) -> Response:
        """Run the `after_request` functions and save the session."""
        return cast(Response, self._run(process_response(self._request_ctx(), response)))

    def handle_user_exception(self, e: Exception) -> Any:
        """What the handler of an exception returned."""
        return self._run(errors.handle_user_exception(self, e))

    def handle_http_exception(self, e: HTTPException) -> Any:
        """What the handler of an HTTP exception returned, else the exception itself."""
        return self._run(errors.handle_http_exception(self, e))

    def handle_exception(self, e: Exception) -> Response:
        """The response to an exception that no handler took."""
        return cast(Response, self._run(errors.answer_unhandled(self._request_ctx(), e)))

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """Run the `teardown_request` functions."""
        exc = sys.exc_info()[1] if exc is _sentinel else exc
        ctx = self._request_ctx()
        self._run(do_teardown_request(ctx._route, exc))

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """Run the `teardown_appcontext` functions."""
        exc = sys.exc_info()[1] if exc is _sentinel else exc
        self._run(do_teardown_appcontext(Route(self, None), exc))

    async def async_teardown_request(self, exc: BaseException | None) -> None:
        """`do_teardown_request`, from async code."""
        await self._in_walk(do_teardown_request(self._request_ctx()._route, exc))

    async def async_teardown_appcontext(self, exc: BaseException | None) -> None:
        """`do_teardown_appcontext`, from async code."""
        await self._in_walk(do_teardown_appcontext(Route(self, None), exc))

    async def _in_walk(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        await inner_walk(self.worker_pool).run(coroutine)

    def _request_ctx(self) -> Any:
        """The context of the current request, with the stack of layers for it."""
        ctx: Any = _active_request_ctx()
        if ctx._route is None or ctx._route.rule is not ctx.request.url_rule:
            ctx._route = self.router.instead(ctx.request)
        return ctx

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return run_sync(coroutine, self.worker_pool)

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise what was wrong with the URL. In debug mode a redirect that loses a form is an error, and a
        404 names the rules that come near."""
        error = request.routing_exception
        assert error is not None
        if type(error) is NotFound and self.debug:
            from .debug.near_rules import rule_not_found  # debug mode

            raise rule_not_found(self, request.path)
        if isinstance(error, RequestRedirect) and self.debug:
            from .debughelpers import refuse_to_lose_form  # debug mode

            refuse_to_lose_form(request, error)
        raise error

    def make_default_options_response(self) -> Response:
        """The answer to OPTIONS: the methods that the path allows."""
        response = self.response_class()
        adapter = _active_request_ctx().url_adapter
        response.allow.update(adapter.allowed_methods())  # type: ignore[union-attr]
        return response

    _find_error_handler = find_error_handler

    def trap_http_exception(self, e: Exception) -> bool:
        """Whether an HTTP exception is treated like any other: ``TRAP_HTTP_EXCEPTIONS``, and
        ``TRAP_BAD_REQUEST_ERRORS`` for bad requests (in debug mode for missing keys, unless set)."""
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        if not isinstance(e, BadRequest):
            return False
        trap_bad_request = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap_bad_request is None and isinstance(e, BadRequestKeyError) and self.debug:
            return True
        return bool(trap_bad_request)

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Whether teardown functions are not to be told of an exception."""
        return False

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        """Log an exception that no handler took."""
        self.logger.error(f"Exception on {request.path} [{request.method}]", exc_info=exc_info)

    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """A response that sends the browser to another URL; `asyncflask.redirect` calls this."""
        location = CONTROLS.sub(lambda found: quote(found[0]), location)  # which no header may contain
        return _wz_redirect(location, code=code, Response=self.response_class)

    def make_response(self, rv: Any) -> Response:
        """Make a response of what a view returned.

        :param rv: a string, bytes, a dict or list (as JSON), a sync or async iterator (streamed), a response,
            a WSGI callable; or a tuple of one of them with a status, with headers, or with both.
        :raises TypeError: for anything else.
        """
        return make_response(self, rv)

    # -- running and testing --------------------------------------------------------------------

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: Any,
    ) -> None:
        """Serve the application with uvicorn, for development.

        :param host: the address to listen on: that of ``SERVER_NAME``, else 127.0.0.1.
        :param port: the port: that of ``SERVER_NAME``, else 5000.
        :param debug: switch debug mode on or off.
        :param load_dotenv: read ``.env`` and ``.flaskenv``.
        :param options: see `asyncflask.serving.run`; ``use_reloader`` defaults to debug mode.
        """
        from .cli.app_run import run  # click and uvicorn

        run(self, host, port, debug, load_dotenv, options)

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> FlaskClient:
        """A client that calls the application in-process, see `asyncflask.testing.FlaskClient`.

        :param use_cookies: keep cookies from one request to the next.
        :param kwargs: for `test_client_class`.
        """
        from .testing import FlaskClient  # tests

        require_asgi(type(self), _ASGI_CALL)
        cls = self.test_client_class or FlaskClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: Any) -> FlaskCliRunner:
        """A runner for CLI commands, see `asyncflask.testing.FlaskCliRunner`."""
        from .testing import FlaskCliRunner  # tests

        cls = self.test_cli_runner_class or FlaskCliRunner
        return cls(self, **kwargs)


_SETUP = setup_names(Flask)
_ASGI_CALL = Flask.__call__

#: The name of what Flask keeps apart in ``flask.sansio``.
App = Flask

if not TYPE_CHECKING:  # for a type checker they are where they are made
    __getattr__ = importing(
        __name__,
        {
            "cli": "asyncflask.cli",
            "DispatchingJinjaLoader": "asyncflask.templating:DispatchingJinjaLoader",
            "Environment": "asyncflask.templating:Environment",
        },
    )


# Some of them are used elsewhere only, and are here because they are in Flask's module.
__all__ = [
    "App",
    "Flask",
    "ImmutableDict",
    "RoutingException",
    "appcontext_tearing_down",
    "current_app",
    "get_flashed_messages",
    "get_load_dotenv",
    "got_request_exception",
    "request_ctx",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "send_from_directory",
    "session",
]
