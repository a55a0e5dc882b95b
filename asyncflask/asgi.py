"""What an application has because it is an ASGI one: middleware, mounts, the lifespan, tasks, threads."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from inspect import isasyncgenfunction
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from starlette.datastructures import URLPath

from .asgi_only import NO_WSGI_APP
from .background import BackgroundTasks
from .concurrency import is_async
from .concurrency.in_worker import sync_to_async
from .concurrency.pool import WorkerPool
from .concurrency.waiting import async_to_sync, call_from_sync
from .lazy import lazy
from .lifespan import check_generator, lent, serving
from .middleware.router import Router
from .mounting import Mount, make_mount
from .observed import changed
from .scaffold import Scaffold, setupmethod
from .typing import ASGIApp

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from .channels import Channels
    from .config import Config
    from .protocols import Application

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
        self.background_tasks = BackgroundTasks(self._application)
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

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of an endpoint below the application, see `Router.url_path_for`."""
        return self.router.url_path_for(name, **path_params)

    @property
    def wsgi_app(self) -> NoReturn:
        """Not there: the application is an ASGI one.

        :raises AttributeError: which says what to use.
        """
        raise AttributeError(NO_WSGI_APP)

    @wsgi_app.setter
    def wsgi_app(self, app: Any) -> NoReturn:
        raise AttributeError(NO_WSGI_APP)

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
    def before_serving(self, f: F) -> F:
        """Call `f` before the server takes requests, within an application context. What it raises stops
        the server."""
        self.before_serving_funcs.append(f)
        return f

    @setupmethod
    def after_serving(self, f: F) -> F:
        """Call `f` when the server takes no more requests, within an application context."""
        self.after_serving_funcs.append(f)
        return f

    @setupmethod
    def while_serving(self, f: F) -> F:
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

    def waiting(self, func: Callable[..., Any]) -> Callable[..., Any]:
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
        """The threads for sync callables: at most ``WORKER_THREADS``, joined when the server shuts down."""
        pool = WorkerPool(self.config["WORKER_THREADS"], f"{self.name}-worker")
        weakref.finalize(self, pool.stop)
        return pool
