"""What applications and blueprints have in common: routes, hooks, handlers, static files, templates."""

from __future__ import annotations

import importlib.util
import inspect
import os
import pathlib
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import update_wrapper
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from werkzeug.utils import cached_property

from .concurrency import is_async
from .error_handlers import class_and_code
from .globals import current_app
from .helpers import get_root_path, send_from_directory
from .observed import ErrorHandlers, ObservedDict, Registry
from .typing import AppOrBlueprintKey

if TYPE_CHECKING:
    from jinja2 import BaseLoader

    from .cli import AppGroup
    from .wrappers import Response

F = TypeVar("F", bound=Callable[..., Any])
_sentinel: Any = object()


def setupmethod(f: F) -> F:
    """Mark a method that registers something: once requests are handled it is too late for it."""
    name = f.__name__

    def wrapper(self: Scaffold, *args: Any, **kwargs: Any) -> Any:
        self._check_setup_finished(name)
        return f(self, *args, **kwargs)

    return cast(F, update_wrapper(wrapper, f))


class LegacyAttribute:
    """An attribute of old tutorials; what it does is in `asyncflask.legacy`, imported when it is used."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, owner: Scaffold | None, cls: type) -> Any:
        if owner is None:
            return self
        from .legacy import get_attribute  # old names

        return get_attribute(owner, self._name)

    def __set__(self, owner: Scaffold, value: Any) -> None:
        from .legacy import set_attribute  # old names

        set_attribute(owner, self._name, value)


class Scaffold:
    """The common part of `Flask` and `Blueprint`.

    Functions are kept by the name of the blueprint that they are for, None being
    the application. All of them may be ``def`` or ``async def``.

    :param import_name: the name of the module; resources are found next to it.
    :param static_folder: the folder of static files, relative to `root_path`.
    :param static_url_path: where they are served; ``/`` with the folder's name, unless given.
    :param template_folder: the folder of templates, relative to `root_path`.
    :param root_path: the folder of the module, where it cannot be found by itself.
    """

    name: str
    _cli: AppGroup | None = None
    _static_folder: str | None = None
    _static_url_path: str | None = None

    json_encoder = LegacyAttribute()
    json_decoder = LegacyAttribute()
    #: What has been set by old names.
    _legacy: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        root_path: str | None = None,
    ) -> None:
        #: The name of the module that this belongs to.
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        #: The folder of templates, relative to `root_path`.
        self.template_folder = template_folder
        if root_path is None:
            root_path = get_root_path(import_name)
        #: The folder of the module on disk.
        self.root_path = root_path
        #: Views by endpoint.
        self.view_functions: dict[str, Callable[..., Any]] = ObservedDict()
        #: Error handlers: ``[blueprint][code][exception class]``.
        self.error_handler_spec: dict[
            AppOrBlueprintKey, dict[int | None, dict[type[Exception], Callable[..., Any]]]
        ] = ErrorHandlers()
        self.before_request_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.after_request_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.teardown_request_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.before_websocket_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.after_websocket_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.teardown_websocket_funcs: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.template_context_processors: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.url_value_preprocessors: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()
        self.url_default_functions: dict[AppOrBlueprintKey, list[Callable[..., Any]]] = Registry()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _check_setup_finished(self, f_name: str) -> None:
        raise NotImplementedError

    def _has_legacy_codecs(self) -> bool:
        """Whether there is a `json_encoder` or `json_decoder` here or in a subclass."""
        in_class = type(self).json_encoder, type(self).json_decoder
        return bool(self._legacy) or not all(isinstance(codec, LegacyAttribute) for codec in in_class)

    # -- commands -------------------------------------------------------------------------------

    @property
    def cli(self) -> AppGroup:
        """Commands for the command line."""
        group = self._cli
        if group is None:
            # setdefault: all threads are to get the same group.
            group = self.__dict__.setdefault("_cli", self._make_cli())
        return group

    @cli.setter
    def cli(self, group: AppGroup) -> None:
        self._cli = group

    def _make_cli(self) -> AppGroup:
        from .cli import AppGroup  # click

        return AppGroup()

    # -- static files and templates -------------------------------------------------------------

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the static folder, None without one."""
        if self._static_folder is None:
            return None
        return os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: str | os.PathLike[str] | None) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip(r"\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether there is a static folder. It need not exist yet."""
        return self.static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of static files."""
        if self._static_url_path is not None:
            return self._static_url_path
        if self.static_folder is not None:
            return f"/{os.path.basename(self.static_folder)}".rstrip("/")
        return None

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """How many seconds a browser may keep a static file without asking again.

        ``SEND_FILE_MAX_AGE_DEFAULT`` (None: it asks each time, conditionally).
        Override to decide by file name.
        """
        value = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        return cast("int | None", value)

    def send_static_file(self, filename: str) -> Response:
        """The view of static files."""
        if not self.has_static_folder:
            raise RuntimeError("There is no static folder to serve from; set 'static_folder'.")
        max_age = self.get_send_file_max_age(filename)
        return send_from_directory(cast(str, self.static_folder), filename, max_age=max_age)

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        """Loads templates from the template folder. Override for another source."""
        if self.template_folder is None:
            return None
        from jinja2 import FileSystemLoader  # Jinja

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    def _has_template_folder(self) -> bool:
        return self.template_folder is not None and os.path.isdir(
            os.path.join(self.root_path, self.template_folder)
        )

    def open_resource(self, resource: str, mode: str = "rb", encoding: str | None = "utf-8") -> IO[Any]:
        """Open a file of the application for reading.

        :param resource: the path relative to `root_path`.
        :param mode: ``"rb"``, ``"r"`` or ``"rt"``.
        :param encoding: of a text file; None for that of the locale.
        :raises ValueError: for a mode that writes.
        """
        if mode not in {"r", "rt", "rb"}:
            raise ValueError(f"Resources can only be opened for reading, not with mode {mode!r}.")
        path = os.path.join(self.root_path, resource)
        return open(path, mode) if mode == "rb" else open(path, mode, encoding=encoding)

    # -- routes ---------------------------------------------------------------------------------

    def _method_route(self, method: str, rule: str, options: dict[str, Any]) -> Callable[[F], F]:
        if "methods" in options:
            raise TypeError("Use the 'route' decorator to use the 'methods' argument.")
        return self.route(rule, methods=[method], **options)

    @setupmethod
    def get(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` with ``methods=["GET"]``."""
        return self._method_route("GET", rule, options)

    @setupmethod
    def post(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` with ``methods=["POST"]``."""
        return self._method_route("POST", rule, options)

    @setupmethod
    def put(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` with ``methods=["PUT"]``."""
        return self._method_route("PUT", rule, options)

    @setupmethod
    def delete(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` with ``methods=["DELETE"]``."""
        return self._method_route("DELETE", rule, options)

    @setupmethod
    def patch(self, rule: str, **options: Any) -> Callable[[F], F]:
        """`route` with ``methods=["PATCH"]``."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def route(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Register the decorated function, sync or async, as the view for a URL rule.

        :param rule: the rule, ``/user/<int:id>``; its variables are the view's keyword arguments.
        :param options: what `add_url_rule` takes.
        """

        def decorator(f: F) -> F:
            endpoint = options.pop("endpoint", None)
            self.add_url_rule(rule, endpoint, f, **options)
            return f

        return decorator

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule, and a view for its endpoint.

        :param rule: the rule.
        :param endpoint: its name for `url_for`; the view's name unless given.
        :param view_func: the view. Without one, `endpoint` registers it elsewhere.
        :param provide_automatic_options: answer OPTIONS with the allowed methods. By default that is
            done when the view does not handle OPTIONS itself.
        :param options: ``methods`` (default ``["GET"]``), ``defaults``, ``strict_slashes``, ``subdomain``,
            ``host``, ``redirect_to``, ``alias``, ``build_only``, ``merge_slashes`` and
            ``websocket`` as in `werkzeug.routing.Rule`; ``blocking=False`` for a sync view that
            never waits, to be run on the event loop; ``stream=True`` to take the body while
            it arrives.
        """
        raise NotImplementedError

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Register the decorated function as the view of an endpoint whose rule is registered elsewhere."""

        def decorator(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return decorator

    @setupmethod
    def websocket(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Register the decorated ``async def`` function as the view for the websockets of a URL rule.

        :param rule: the rule, as for `route`.
        :param options: ``endpoint`` and what else `add_url_rule` takes.
        """

        def decorator(f: F) -> F:
            self.add_websocket(rule, options.pop("endpoint", None), f, **options)
            return f

        return decorator

    @setupmethod
    def add_websocket(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """`add_url_rule` for websockets.

        :raises TypeError: when the view cannot be ``async def``: only such a one can wait for messages.
        """
        plain = inspect.unwrap(view_func) if view_func is not None else None
        if inspect.isfunction(plain) and not is_async(plain):
            raise TypeError(
                f"The view of a websocket has to be an 'async def' function, which {plain.__name__!r} is"
                " not: it awaits 'websocket.receive()' and 'websocket.send(...)'."
            )
        self.add_url_rule(rule, endpoint, view_func, websocket=True, **options)

    # -- hooks ----------------------------------------------------------------------------------

    @setupmethod
    def before_websocket(self, f: F) -> F:
        """Call `f` before each websocket's view. What it returns, unless None, is an HTTP response that the
        handshake is refused with."""
        self.before_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_websocket(self, f: F) -> F:
        """Call `f` when a websocket's view, or the mounted application that has it, has ended, with the
        response that the handshake is refused with, or None; it returns the same or another one. The last
        registered is called first. It is not called when the client's leaving has cancelled the view."""
        self.after_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_websocket(self, f: F) -> F:
        """Call `f` at the end of each websocket, as `teardown_request` at that of a request."""
        self.teardown_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def before_request(self, f: F) -> F:
        """Call `f` before each request's view. What it returns, unless None, is the response instead."""
        self.before_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_request(self, f: F) -> F:
        """Call `f` with each response; it returns the one to send. The last registered is called first."""
        self.after_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_request(self, f: F) -> F:
        """Call `f` at the end of each request, whichever way it ends, with the exception that nobody
        handled or None. The last registered is called first; what it returns is ignored."""
        self.teardown_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def context_processor(self, f: F) -> F:
        """Add the dict that `f` returns to the variables of each template."""
        self.template_context_processors[None].append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: F) -> F:
        """Call `f` with endpoint and view arguments, which it may change, before the hooks."""
        self.url_value_preprocessors[None].append(f)
        return f

    @setupmethod
    def url_defaults(self, f: F) -> F:
        """Call `f` with endpoint and values, which it may change, whenever a URL is built."""
        self.url_default_functions[None].append(f)
        return f

    # -- error handlers -------------------------------------------------------------------------

    @setupmethod
    def errorhandler(self, code_or_exception: type[Exception] | int) -> Callable[[F], F]:
        """Register the decorated function, sync or async, to answer errors of a status code or class."""

        def decorator(f: F) -> F:
            self.register_error_handler(code_or_exception, f)
            return f

        return decorator

    @setupmethod
    def register_error_handler(self, code_or_exception: type[Exception] | int, f: Callable[..., Any]) -> None:
        """Answer errors with `f`, called with the exception.

        :param code_or_exception: a status code or an exception class; subclasses that have no handler of
            their own are included.
        :raises ValueError: for a code that HTTP does not have.
        :raises TypeError: for something that is neither, such as an instance.
        """
        exc_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][exc_class] = f

    @staticmethod
    def _get_exc_class_and_code(exc_class_or_code: Any) -> tuple[type[Exception], int | None]:
        return class_and_code(exc_class_or_code)


def _endpoint_from_view_func(view_func: Callable[..., Any]) -> str:
    assert view_func is not None, "expected view func if endpoint is not provided."
    return view_func.__name__


def find_package(import_name: str) -> tuple[str | None, str]:
    """The prefix that a package is installed under, None when it is not installed, and the folder
    that it is imported from."""
    package_path = _find_package_path(import_name)
    py_prefix = os.path.abspath(sys.prefix)
    if pathlib.PurePath(package_path).is_relative_to(py_prefix):
        return py_prefix, package_path
    site_parent, site_folder = os.path.split(package_path)
    if site_folder.lower() == "site-packages":
        parent, folder = os.path.split(site_parent)
        if folder.lower() == "lib":  # Windows: prefix/lib/site-packages
            return parent, package_path
        if os.path.basename(parent).lower() == "lib":  # elsewhere: prefix/lib/pythonX.Y/site-packages
            return os.path.dirname(parent), package_path
        return site_parent, package_path
    return None, package_path


def _find_package_path(import_name: str) -> str:
    root_mod_name, _, _ = import_name.partition(".")
    try:
        root_spec = importlib.util.find_spec(root_mod_name)
        if root_spec is None:
            raise ValueError("not found")
    except (ImportError, ValueError):
        return os.getcwd()  # an interactive session, or a script
    if root_spec.submodule_search_locations:
        if root_spec.origin is None or root_spec.origin == "namespace":
            # A namespace package is in several places: take the one that has the module.
            package_spec = importlib.util.find_spec(import_name)
            if package_spec is not None and package_spec.submodule_search_locations:
                package_location = os.path.commonpath(package_spec.submodule_search_locations)
                search = next(
                    location
                    for location in root_spec.submodule_search_locations
                    if pathlib.PurePath(package_location).is_relative_to(location)
                )
            else:
                search = root_spec.submodule_search_locations[0]
            return os.path.dirname(search)
        return os.path.dirname(os.path.dirname(root_spec.origin))
    return os.path.dirname(cast(str, root_spec.origin))
