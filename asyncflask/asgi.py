"""What an application has because it is an ASGI one: middleware, mounts, the lifespan, tasks, threads."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from inspect import isasyncgenfunction
from typing import TYPE_CHECKING, Any, TypeVar, cast

from starlette.datastructures import State, URLPath

from .background import BackgroundTasks
from .concurrency import is_async
from .concurrency.in_worker import sync_to_async
from .concurrency.pool import WorkerPool
from .concurrency.waiting import async_to_sync, call_from_sync
from .draining import UnderWay
from .entry import outermost_wsgi_app
from .lazy import lazy
from .lifespan import check_generator, lent, serving
from .long_waits import long_waits
from .middleware.router import Router
from .mounting import Mount, make_mount
from .observed import changed
from .scaffold import Scaffold, setupmethod
from .typing import ASGIApp, Receive, Scope, Send, ServingT, WhileServingT
from .variables import StartupVariables

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from .channels import Channels
    from .config import Config
    from .protocols import Application
    from .wsgi.environ import WSGIApp

F = TypeVar("F", bound=Callable[..., Any])
Lifespan = Callable[[Any], AbstractAsyncContextManager["Mapping[str, Any] | None"]]


class ASGIApplication(Scaffold):
    """The part of `Flask` that Flask's own does not have.

    :param args: for `Scaffold`, as are `kwargs`.
    :param lifespan: see `Flask`.
    """

    config: Config
    url_map: Any
    router: Router
    # The application with its middleware around it, made with the first request.
    _layers: ASGIApp | None = None
    # The state that `lifespan` has left in an application that this one is mounted in.
    _lent_state: Mapping[str, Any] | None = None
    # The context variables that the startup has set, None when it has set none.
    _startup_variables: StartupVariables | None = None

    def __init__(
        self,
        *args: Any,
        lifespan: Lifespan | Callable[[Any], AsyncIterator[Any]] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._middleware: list[tuple[Callable[..., ASGIApp], tuple[Any, ...], dict[str, Any]]] = []
        #: What is mounted, the longest path first.
        self.mounts: list[Mount] = []
        self.before_serving_funcs: list[Callable[[], Any]] = []
        self.after_serving_funcs: list[Callable[[], Any]] = []
        self.while_serving_gens: list[Callable[[], Any]] = []
        self.under_way = UnderWay()
        self.background_tasks = BackgroundTasks(self._application)
        #: A place for what libraries for Starlette keep in an application.
        self.state = State()
        #: The error handlers in Starlette's form, see `add_exception_handler`.
        self.exception_handlers: dict[int | type[Exception], Callable[..., Any]] = {}
        #: Set when the server begins to end, for streams and tasks that end by themselves then: with the
        #: signal that it ends at, or with the end of the lifespan. Each start has one of its own.
        self.shutdown_event = asyncio.Event()
        self._lifespan = asynccontextmanager(lifespan) if isasyncgenfunction(lifespan) else lifespan

    @property
    def _application(self) -> Application:
        return cast("Application", self)

    # -- what is around it and what is in it ----------------------------------------------------

    @setupmethod
    def add_middleware(self, cls: Callable[..., ASGIApp], *args: Any, **options: Any) -> None:
        """Put ASGI middleware around the application: the last added is the outermost.

        It sees everything, the lifespan too. Unlike ``app.asgi_app = Middleware(app.asgi_app)``
        it may be added before or after anything else.

        :param cls: called with the application that it goes around.
        :param args: further arguments for it, as are `options`.
        """
        self._middleware.append((cls, args, options))
        self._layers = None
        changed()

    @setupmethod
    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Hand what is below a path, and no rule is for, to another ASGI application.

        Hooks and session are around it as around a view; it takes the body as it comes, and its
        answer goes out as it comes. Its lifespan runs with this application's.

        :param path: the path; "/" for everything that is left.
        :param app: the application. For a WSGI application that is ``a2wsgi.WSGIMiddleware(wsgi_app)``.
        :param name: the endpoint, for `url_for` with a ``path``; made from the path unless given.
        :raises TypeError: when `app` is no ASGI application.
        :raises ValueError: when `path` is no path, or taken.
        """
        mount = make_mount(self._application, path, app, name)
        self.url_map.add(mount.rule)
        self.view_functions[mount.rule.endpoint] = mount.view
        self.mounts = sorted([*self.mounts, mount], key=lambda mount: len(mount.path), reverse=True)

    @property
    def routes(self) -> list[BaseRoute]:
        """The rules in the form of Starlette's routes, for middleware that looks there."""
        return self.router.routes

    @setupmethod
    def add_route(
        self,
        path: str,
        route: Callable[..., Any],
        methods: Iterable[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Register a view in Starlette's form, as libraries for it do; `add_url_rule` is Flask's.

        :param path: with variables as ``/item/{number:int}``.
        :param route: a function, sync or async, of a ``starlette.requests.Request`` that returns a Starlette
            response, or a class of endpoints.
        :param methods: GET and HEAD unless given; for a class, all that it has.
        :param name: the endpoint, the name of the function unless given.
        :param include_in_schema: of no effect.
        """
        from .endpoints import add_endpoint  # few have any

        add_endpoint(self._application, path, route, methods, name)

    @setupmethod
    def add_websocket_route(self, path: str, route: Callable[..., Any], name: str | None = None) -> None:
        """Register a websocket's view in Starlette's form; `websocket` is the framework's own.

        :param path: with variables as ``/room/{name}``.
        :param route: an async function of a ``starlette.websockets.WebSocket``, or a class of endpoints.
        :param name: the endpoint, the name of the function unless given.
        """
        from .endpoints import add_websocket_endpoint  # few have any

        add_websocket_endpoint(self._application, path, route, name)

    @setupmethod
    def add_exception_handler(
        self, exc_class_or_status_code: int | type[Exception], handler: Callable[..., Any]
    ) -> None:
        """Register an error handler in Starlette's form; `register_error_handler` is Flask's.

        :param exc_class_or_status_code: what it is for.
        :param handler: a function, sync or async, of a ``starlette.requests.Request`` and the exception that
            returns a Starlette response. It is in `exception_handlers`, where libraries look.
        """
        from .endpoints import as_error_handler  # few have any

        self.register_error_handler(exc_class_or_status_code, as_error_handler(handler))
        self.exception_handlers[exc_class_or_status_code] = handler

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of an endpoint below the application, see `Router.url_path_for`."""
        return self.router.url_path_for(name, **path_params)

    # -- WSGI -----------------------------------------------------------------------------------

    def wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application as a WSGI one (PEP 3333), to be wrapped by WSGI middleware without losing the
        application: ``app.wsgi_app = Middleware(app.wsgi_app)``.

        The middleware runs in a worker thread around each request, under ASGI servers, too; websockets go
        past it. Werkzeug's `ProxyFix`, as the outermost, needs no thread and is for websockets, too.
        """
        from .wsgi.server import respond  # few have any

        return respond(self._application, cast(ASGIApp, self._call_asgi), environ, start_response)

    def _call_asgi(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        raise NotImplementedError

    def _outermost_wsgi_app(self) -> WSGIApp | None:
        """The WSGI middleware around the application, or what instrumentation has put around its ``__call__``
        for WSGI; None where there is none."""
        return cast("WSGIApp | None", outermost_wsgi_app(self, _OWN_WSGI_APP))

    def _is_own_wsgi_app(self, wsgi_app: Any) -> bool:
        """Whether that is the application itself, without middleware."""
        return getattr(wsgi_app, "__func__", None) is _OWN_WSGI_APP and wsgi_app.__self__ is self

    # -- from the server's start to its end -----------------------------------------------------

    def lifespan_context(self, app: Any = None) -> AbstractAsyncContextManager[Mapping[str, Any] | None]:
        """Everything to be done around serving; the router calls it."""
        return serving(self._application)

    @property
    def lifespan(self) -> Lifespan:
        """The lifespan, for an application that this one is mounted in:
        ``Starlette(routes=[Mount("/app", app)], lifespan=app.lifespan)``. The state that it leaves is in
        this application's requests, whatever the other one does with it."""
        return partial(lent, self._application)

    @property
    def has_lifespan(self) -> bool:
        """Whether anything is to be done when the server starts or ends."""
        return bool(
            self._lifespan or self.before_serving_funcs or self.after_serving_funcs or self.while_serving_gens
        ) or bool(self.mounts or self.config.get("CHANNELS_URL"))

    @setupmethod
    def before_serving(self, f: ServingT) -> ServingT:
        """Call `f` before the server takes requests, within an application context. What it raises stops
        the server."""
        self.before_serving_funcs.append(f)
        return f

    @setupmethod
    def after_serving(self, f: ServingT) -> ServingT:
        """Call `f` when the server takes no more requests, within an application context."""
        self.after_serving_funcs.append(f)
        return f

    @setupmethod
    def while_serving(self, f: WhileServingT) -> WhileServingT:
        """Run the generator `f`, sync or async, up to its ``yield`` before the server takes requests, and
        from there when it takes no more."""
        check_generator(f)
        self.while_serving_gens.append(f)
        return f

    def add_background_task(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call a function once the response of the current request is sent, outside of a request at once.

        It runs with an application context, a sync one in a worker thread; what it raises is logged.
        The server waits for it at its end, for ``BACKGROUND_TASK_SHUTDOWN_TIMEOUT`` seconds.

        :param func: the function, sync or async.
        :param args: for it, as are `kwargs`.
        """
        self.background_tasks.add(partial(func, *args, **kwargs))

    # -- sync and async -------------------------------------------------------------------------

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A function to be called without ``await``: `func` itself, or, for an ``async def``, one that
        waits for it, see `async_to_sync`."""
        return self.async_to_sync(func) if is_async(func) else func

    def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A function that runs a coroutine function and waits for its result.

        In a worker thread it runs on the server's loop. On the loop, which cannot
        wait, the function returns the coroutine, to be awaited by who gets it.
        """
        return async_to_sync(func, self.worker_pool)

    def sync_to_async(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A coroutine function that runs the sync `func` in a worker thread, with the caller's context."""
        return sync_to_async(func, self.worker_pool)

    def ensure_async(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A coroutine function: `func` itself, or, for a sync one, `sync_to_async` of it."""
        return func if is_async(func) else self.sync_to_async(func)

    def call_from_sync(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of the user, sync or async, from sync code such as `render_template`.

        :raises RuntimeError: on the event loop outside of a request, when the function is async and has to
            wait.
        """
        return call_from_sync(self.worker_pool, func, *args, **kwargs)

    def _call_waiting(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """A function that calls `func` with `call_from_sync`; for the async receivers of signals."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return self.call_from_sync(func, *args, **kwargs)

        return wrapper

    @lazy
    def channels(self) -> Channels:
        """What is published under a name goes to all who listen to it, see `asyncflask.channels`."""
        from .channels import Channels  # few have any

        # setdefault: all threads are to get the same.
        return cast("Channels", self.__dict__.setdefault("channels", Channels(self._application)))

    @lazy
    def worker_pool(self) -> WorkerPool:
        """The threads for sync callables: at most ``WORKER_THREADS``, joined when the server shuts down.

        ``worker_pool.queue`` says what waits for one: ``len(queue)`` jobs now, the next of them for
        ``queue.longest()`` seconds; ``queue.taken`` jobs so far have waited ``queue.seconds`` seconds, all
        together.
        """
        pool = WorkerPool(
            self.config["WORKER_THREADS"],
            f"{self.name}-worker",
            self.config["WORKER_QUEUE_LIMIT"],
            long_waits(self._application),
        )
        weakref.finalize(self, pool.stop)
        return pool


_OWN_WSGI_APP = ASGIApplication.wsgi_app
