"""The functions that views call."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

import werkzeug.utils
from werkzeug.exceptions import abort as _wz_abort
from werkzeug.utils import redirect as _wz_redirect

from .globals import _cv_app, current_app, request, request_context, request_ctx, session
from .signals import message_flashed

if TYPE_CHECKING:
    from datetime import datetime

    from werkzeug.wrappers import Response as BaseResponse

    from .wrappers import Response


def get_debug_flag() -> bool:
    """Whether ``FLASK_DEBUG`` switches debug mode on."""
    return _is_on("FLASK_DEBUG")


def get_as_flask() -> bool:
    """Whether ``ASYNCFLASK_AS_FLASK`` asks for `asyncflask.as_flask`."""
    return _is_on("ASYNCFLASK_AS_FLASK")


def _is_on(variable: str) -> bool:
    value = os.environ.get(variable, "")
    return bool(value) and value.lower() not in {"0", "false", "no"}


def get_load_dotenv(default: bool = True) -> bool:
    """Whether ``.env`` files are to be read: `default`, unless ``FLASK_SKIP_DOTENV`` says otherwise."""
    value = os.environ.get("FLASK_SKIP_DOTENV")
    return default if not value else value.lower() in {"0", "false", "no"}


# -- responses ----------------------------------------------------------------------------------


def make_response(*args: Any) -> Response:
    """A response from what a view could return, to add headers to it, for example.

    :param args: the value; several arguments are taken as a tuple; none give an empty response.
    """
    if not args:
        return current_app.response_class()
    return current_app.make_response(args[0] if len(args) == 1 else args)


def redirect(location: str, code: int = 302, Response: type[BaseResponse] | None = None) -> BaseResponse:
    """A response that sends the browser to another URL.

    :param location: the URL.
    :param code: 301, 302 (default), 303, 305, 307 or 308.
    :param Response: the class of the response; the application's unless given.
    """
    if current_app and Response is None:
        return current_app.redirect(location, code=code)
    return _wz_redirect(location, code=code, Response=Response)


def abort(code: int | BaseResponse, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the HTTP exception of a status code, or answer with a response right away.

    :param code: a status code that ``app.aborter`` knows, or a response.
    :param args: for the exception, as are `kwargs`.
    """
    if current_app:
        current_app.aborter(code, *args, **kwargs)
    _wz_abort(code, *args, **kwargs)


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: Any,
) -> str:
    """The URL of an endpoint, see `Flask.url_for`."""
    app_ctx = _cv_app.get(None)
    app = current_app if app_ctx is None else app_ctx.app
    return app.url_for(
        endpoint, _anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external, **values
    )


def stream_with_context(generator_or_function: Any) -> Any:
    """Keep the current request for a generator that is the body of a response.

    :param generator_or_function: a sync or async generator or iterator, or a function that makes one (as
        a decorator).
    :raises RuntimeError: outside of a request.
    """
    if callable(generator_or_function) and not hasattr(generator_or_function, "__next__"):
        function = generator_or_function

        @wraps(function)
        def decorator(*args: Any, **kwargs: Any) -> Any:
            return stream_with_context(function(*args, **kwargs))

        return decorator
    ctx = request_context()
    if ctx is None:
        raise RuntimeError("'stream_with_context' needs an active request, such as in a view function.")
    ctx._is_streamed = True

    @contextmanager
    def active() -> Iterator[None]:
        if _cv_app.get(None) is ctx:
            yield
            return
        token = _cv_app.set(ctx)
        try:
            yield
        finally:
            _cv_app.reset(token)

    if hasattr(generator_or_function, "__aiter__"):

        async def async_stream() -> AsyncIterator[Any]:
            with active():
                try:
                    async for item in generator_or_function:
                        yield item
                finally:
                    if hasattr(generator_or_function, "aclose"):
                        await generator_or_function.aclose()

        return async_stream()

    def stream() -> Iterator[Any]:
        with active():
            try:
                yield from generator_or_function
            finally:
                if hasattr(generator_or_function, "close"):
                    generator_or_function.close()

    return stream()


# -- messages -----------------------------------------------------------------------------------


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next page.

    :param message: the text.
    :param category: what kind of message it is: "message", "error", "info", "warning" or any other.
    """
    # Assigned, not appended to: the session does not see a change inside of a value.
    session["_flashes"] = [*session.get("_flashes", ()), (category, message)]
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    message_flashed.send(app, _async_wrapper=app.waiting, message=message, category=category)


def get_flashed_messages(
    with_categories: bool = False, category_filter: Any = ()
) -> list[str] | list[tuple[str, str]]:
    """Take the flashed messages out of the session. Further calls in this request give the same ones.

    :param with_categories: give ``(category, message)`` tuples.
    :param category_filter: the categories to give; all unless given.
    """
    flashes = request_ctx.flashes
    if flashes is None:
        flashes = session.pop("_flashes") if "_flashes" in session else []
        request_ctx.flashes = flashes
    if category_filter:
        flashes = [entry for entry in flashes if entry[0] in category_filter]
    return flashes if with_categories else [entry[1] for entry in flashes]


# -- templates ----------------------------------------------------------------------------------


def get_template_attribute(template_name: str, attribute: str) -> Any:
    """A macro or variable that a template exports, to use it in Python."""
    return getattr(current_app.jinja_env.get_template(template_name).module, attribute)


# -- files --------------------------------------------------------------------------------------


#: What a header may not contain (RFC 9110 section 5.5), nor a file name in one (RFC 6266 section 4.3).
CONTROLS = re.compile("[\x00-\x1f\x7f]")


def _send_file_options(options: dict[str, Any]) -> dict[str, Any]:
    app = current_app
    if (name := options.get("download_name")) is not None:
        options["download_name"] = CONTROLS.sub("_", name)
    if options.get("max_age") is None:
        options["max_age"] = app.get_send_file_max_age
    options.update(
        environ=request.environ,
        use_x_sendfile=app.config["USE_X_SENDFILE"],
        response_class=app.response_class,
        _root_path=app.root_path,
    )
    return options


def send_file(
    path_or_file: os.PathLike[Any] | str | IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
) -> Response:
    """A response with the contents of a file, read in a worker thread while it is sent.

    Never pass a path that a client gave; that is what `send_from_directory` is for.

    :param path_or_file: a path, relative to the application's root, or a binary file.
    :param mimetype: guessed from the name unless given.
    :param as_attachment: offer it to be saved.
    :param download_name: the name to save it under.
    :param conditional: answer conditional and range requests (RFC 9110 sections 13 and 14).
    :param etag: an ETag, or whether to make one.
    :param last_modified: the time of the last change; the file's own unless given.
    :param max_age: seconds that it may be cached for; `Flask.get_send_file_max_age` unless given.
    """
    return cast(
        "Response",
        werkzeug.utils.send_file(
            **_send_file_options(
                {
                    "path_or_file": path_or_file,
                    "mimetype": mimetype,
                    "as_attachment": as_attachment,
                    "download_name": download_name,
                    "conditional": conditional,
                    "etag": etag,
                    "last_modified": last_modified,
                    "max_age": max_age,
                }
            )
        ),
    )


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: Any
) -> Response:
    """`send_file` for a path that comes from a client.

    :param directory: the folder, relative to the application's root, that nothing outside of is sent.
    :param path: the path below it.
    :param kwargs: what `send_file` takes.
    :raises NotFound: when there is no such file, or the path leads out of the folder.
    """
    return cast(
        "Response",
        werkzeug.utils.send_from_directory(directory, path, **_send_file_options(kwargs)),
    )


def get_root_path(import_name: str) -> str:
    """The folder of a module, the current one for a module without a file.

    :raises RuntimeError: when it cannot be told, as for a namespace package.
    """
    module = sys.modules.get(import_name)
    if module is not None and getattr(module, "__file__", None) is not None:
        return os.path.dirname(os.path.abspath(cast(str, module.__file__)))
    try:
        spec = importlib.util.find_spec(import_name)
        loader: Any = None if spec is None else spec.loader
    except (ImportError, ValueError):
        loader = None
    if loader is None:
        return os.getcwd()
    if hasattr(loader, "get_filename"):
        filepath = loader.get_filename(import_name)
    else:
        __import__(import_name)
        filepath = getattr(sys.modules[import_name], "__file__", None)
        if filepath is None:
            raise RuntimeError(
                f"No root path can be found for the provided module {import_name!r}. This can happen because"
                " the module came from an import hook that does not provide file name information or"
                " because it's a namespace package. In this case the root path needs to be explicitly"
                " provided."
            )
    return os.path.dirname(os.path.abspath(cast(str, filepath)))


@cache
def _split_blueprint_path(name: str) -> list[str]:
    path = [name]
    while "." in name:
        name = name.rpartition(".")[0]
        path.append(name)
    return path
