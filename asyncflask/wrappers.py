"""The request and the response: Werkzeug's, over ASGI."""

from __future__ import annotations

import asyncio
import re
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from datetime import UTC, datetime
from inspect import isasyncgen
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from starlette.datastructures import State
from werkzeug.datastructures import (
    Authorization,
    FileStorage,
    Headers,
    IfRange,
    ImmutableMultiDict,
    MultiDict,
)
from werkzeug.datastructures.mixins import ImmutableHeadersMixin
from werkzeug.exceptions import BadRequest, BadRequestKeyError, HTTPException, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES, parse_date, remove_entity_headers
from werkzeug.sansio.utils import get_host
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase

from . import json
from .body import Body, MemoryStream, MultipartForm, nothing_to_receive, parse_multipart
from .concurrency import Walk, active_walk, current_walk, inner_walk, is_async, outside
from .environ import environ_from_scope, route_path, scope_from_environ
from .globals import _cv_app, _cv_request, current_app
from .helpers import CONTROLS
from .lazy import lazy
from .threads import shared_pool
from .typing import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from .app import Flask


class RequestHeaders(ImmutableHeadersMixin, Headers):  # type: ignore[misc]
    """The headers that the client sent; they cannot be changed.

    :param raw: as they are in the scope.
    """

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    @lazy
    def _list(self) -> list[tuple[str, str]]:
        names = _names
        return [(names.get(name) or _written(name), value.decode("latin-1")) for name, value in self._raw]

    @lazy
    def _first(self) -> dict[bytes, bytes]:
        return dict(reversed(self._raw))

    def _value_of(self, key: str) -> str | None:
        try:
            value = self._first.get(key.lower().encode("latin-1"))
        except UnicodeEncodeError:
            return None
        return None if value is None else value.decode("latin-1")

    def get(self, key: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:  # type: ignore[override]
        value = self._value_of(key)
        if value is None:
            return default
        if type is None:
            return value
        try:
            return type(value)
        except ValueError:
            return default

    def _get_key(self, key: str) -> str:
        value = self._value_of(key)
        if value is None:
            raise BadRequestKeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._value_of(key) is not None


#: Names of headers as they are usually written, by how they come in ASGI.
_names: dict[bytes, str] = {}


def _written(name: bytes) -> str:
    written = name.decode("latin-1").title()
    if len(_names) < 200:  # a client may send any
        _names[name] = written
    return written


#: Content types without their parameters, by how they were sent.
_mimetypes: dict[bytes, str] = {}


class _Limit:
    """A limit on the body: what was set on the request, else the application's configuration."""

    def __init__(self, config_name: str, default: int | None, doc: str) -> None:
        self._config_name = config_name
        self._default = default
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = f"_{name}"

    def __get__(self, request: Request | None, owner: type) -> Any:
        if request is None:
            return self
        value = getattr(request, self._attribute)
        if value is not None:
            return value
        app = request._app
        if app is None:
            app_ctx = _cv_app.get(None)
            if app_ctx is None:
                return self._default
            app = app_ctx.app
        return app.config[self._config_name]

    def __set__(self, request: Request, value: int | None) -> None:
        setattr(request, self._attribute, value)
        if request._opened_body is not None:
            request._opened_body.is_limited = True


class _Date:
    """A header with a date, which is ignored unless it is one (RFC 9110 section 13.1.3)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.__doc__ = f"The {name} header as a `datetime`, None when there is none that is valid."

    def __get__(self, request: Request | None, owner: type) -> Any:
        return self if request is None else valid_date(request.headers.get(self._name))


def valid_date(value: str | None) -> datetime | None:
    """The date in a header. With Werkzeug's own, one that is out of the calendar's range fails later on."""
    try:
        date = parse_date(value)
        if date is not None:
            date.astimezone(UTC)
        return date
    except OverflowError:
        return None


def is_out_of_range(value: str) -> bool:
    """Whether that would be a date if the calendar had it."""
    try:
        return parse_date(value) != valid_date(value)
    except OverflowError:
        return True


class Request(RequestBase):
    """A request as Werkzeug presents it, made from an ASGI scope, with Flask's additions.

    Set ``app.request_class`` to a subclass to add to it.

    :param environ: an ASGI ``http`` scope, or a WSGI environ.
    :param populate_request: as in Werkzeug: put the request into the environ that it was made from.
    :param shallow: refuse to read the body.
    :param receive: the ASGI ``receive`` to get the body with.
    """

    json_module: Any = json

    #: The application that serves the request; None when it was made by hand.
    _app: Flask | None = None
    #: The rule that matched; its ``methods`` say what is allowed.
    url_rule: Rule | None = None
    #: What the rule took from the path, None when none matched.
    view_args: dict[str, Any] | None = None
    #: What was wrong with the URL, raised when the request is dispatched: usually a NotFound.
    routing_exception: HTTPException | None = None
    #: Whether the body is for an application that is mounted, unless a hook wants it before.
    passes_body_on = False
    #: Whether the route was declared with ``stream=True``.
    streams_body = False

    shallow = False
    _cached_data: Any = None
    _has_files = False
    #: Whether `stream` has been opened, or what is in it taken.
    _stream_is_taken = False
    _opened_body: Body | None = None
    _max_content_length: int | None = None
    _max_form_memory_size: int | None = None
    _max_form_parts: int | None = None

    def __init__(
        self,
        environ: Mapping[str, Any],
        populate_request: bool = True,
        shallow: bool = False,
        receive: Receive | None = None,
    ) -> None:
        # Every other value is made from the scope when it is first wanted.
        scope = environ
        if "type" not in scope:
            scope = scope_from_environ(environ)
            self.__dict__["environ"] = environ
            if populate_request and not shallow:
                cast(dict[str, Any], environ)["werkzeug.request"] = self
        self.scope: Scope = scope  # type: ignore[assignment]
        self.method: str = scope.get("method", "GET")
        self._receive = receive
        raw_headers: dict[bytes, bytes] = dict(scope["headers"])
        #: The headers by their names in lower case, the last of each: a quick way to see what is there.
        self.raw_headers = raw_headers
        #: Whether the headers announce a body (RFC 9112 section 6.3).
        self.has_body = (
            b"content-length" in raw_headers
            or b"transfer-encoding" in raw_headers
            or (self.method != "GET" and self._needs_no_announcement())
        )
        if shallow:
            self.shallow = True

    # -- what Werkzeug's request is made of -----------------------------------------------------

    @lazy
    def headers(self) -> Headers:
        """The headers that the client sent."""
        return RequestHeaders(self.scope["headers"])

    @lazy
    def scheme(self) -> str:
        """The scheme of the URL: http, https, ws or wss."""
        scheme: str = self.scope.get("scheme", "http")
        return scheme

    @lazy
    def server(self) -> tuple[str, int | None] | None:
        """The address of the server, None when it is not known."""
        server = self.scope.get("server")
        return None if server is None else (server[0], server[1])

    @lazy
    def host(self) -> str:
        """The host that the client asked for, with the port unless it is the usual one; empty when
        what it sent is no host.

        :raises SecurityError: when it is not one of `trusted_hosts`.
        """
        host = get_host(self.scheme, self.headers.get("host"), self.server, self.trusted_hosts)
        return "" if "xn--" in host and not _is_idna(host) else host

    @lazy
    def root_path(self) -> str:
        """The prefix that the application is mounted under, without a trailing slash."""
        root_path: str = self.scope.get("root_path", "")
        return root_path.rstrip("/")

    @lazy
    def path(self) -> str:
        """The path below `root_path`, with a leading slash."""
        return "/" + route_path(self.scope).lstrip("/")

    @lazy
    def query_string(self) -> bytes:
        """What stands after the "?", as it was sent."""
        query_string: bytes = self.scope.get("query_string", b"")
        return query_string

    @lazy
    def remote_addr(self) -> str | None:
        """The address of the client."""
        client = self.scope.get("client")
        return client[0] if client else None

    @lazy
    def environ(self) -> dict[str, Any]:
        """The request as a WSGI environ (PEP 3333), made when it is first asked for."""
        environ: dict[str, Any] | None = self.scope.get("asyncflask.environ")
        if environ is None:
            environ = environ_from_scope(self.scope, None)
        # Weak, or only the garbage collector would find a request that has been asked for its environ.
        environ["werkzeug.request"] = this = weakref.proxy(self)
        environ["wsgi.input"] = _Input(this)
        environ["wsgi.file_wrapper"] = _file_wrapper
        return environ

    @lazy
    def args(self) -> MultiDict[str, str]:
        """The parameters in the query string. Bytes that are not UTF-8 stay percent-encoded."""
        query = self.query_string.decode(errors="werkzeug.url_quote")
        pairs = parse_urlencoded(query) if query else ()
        values: MultiDict[str, str] = multi_dict(self.parameter_storage_class, pairs)
        return values

    @lazy
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies that the client sent (RFC 6265 section 4.2); the first of those with the same name."""
        pairs = []
        for part in ";".join(self.headers.getlist("Cookie")).split(";"):
            name, _, value = part.partition("=")
            name, value = name.strip(" \t"), value.strip(" \t")
            if name:
                pairs.append((name, value))
            if not _is_plain_cookie(name, value):
                return super().cookies
        return self.dict_storage_class(pairs)  # type: ignore[return-value]

    @lazy
    def full_path(self) -> str:
        """`path` with the query string."""
        return f"{self.path}?{self.query_string.decode(errors='werkzeug.url_quote')}"

    @property
    def state(self) -> State:
        """What the lifespan has left for requests, as attributes or items (ASGI specification, "Lifespan
        State"); also a place for what middleware notes."""
        return State(self.scope.setdefault("state", {}))

    date: datetime | None = _Date("Date")  # type: ignore[assignment]
    if_modified_since: datetime | None = _Date("If-Modified-Since")  # type: ignore[assignment]
    if_unmodified_since: datetime | None = _Date("If-Unmodified-Since")  # type: ignore[assignment]

    @property
    def if_range(self) -> IfRange:
        """The If-Range header: an ETag or a date."""
        value = self.headers.get("If-Range", "")
        if is_out_of_range(value):
            return IfRange()
        parsed = super().if_range
        return parsed if parsed.etag is None or '"' not in parsed.etag else IfRange()

    @property
    def authorization(self) -> Authorization | None:
        """The Authorization header; None without one, or when it cannot be read."""
        try:
            return super().authorization
        except ValueError:  # bytes beyond ASCII
            return None

    @property
    def is_xhr(self) -> bool:
        """Whether a JavaScript library says that it sent this (``X-Requested-With: XMLHttpRequest``)."""
        return bool(self.headers.get("X-Requested-With", "").lower() == "xmlhttprequest")

    # -- the body -------------------------------------------------------------------------------

    max_content_length: int | None = _Limit(  # type: ignore[assignment]
        "MAX_CONTENT_LENGTH",
        None,
        "The largest body in bytes, None for any. Past it, reading the body raises a 413.",
    )
    max_form_memory_size: int | None = _Limit(  # type: ignore[assignment]
        "MAX_FORM_MEMORY_SIZE",
        500_000,
        "The largest form field that is not a file, in bytes. Past it, reading the form raises a 413.",
    )
    max_form_parts: int | None = _Limit(  # type: ignore[assignment]
        "MAX_FORM_PARTS",
        1_000,
        "The largest number of parts in a multipart form. Past it, reading the form raises a 413.",
    )

    @property
    def body(self) -> Body:
        """The body as it comes from the server; `stream`, `data` and `form` are the ways to read it."""
        return self._opened_body or self.open_body()

    def open_body(self) -> Body:
        """Make `body`."""
        receive = self._receive
        body = self._opened_body = Body(self, receive or nothing_to_receive)
        if receive is None or not self.has_body:
            body.complete = True
        return body

    def _needs_no_announcement(self) -> bool:
        # Over HTTP/2 and later a body may come without a header that says so.
        return self.method != "HEAD" and self.scope.get("http_version", "1.1")[0] not in "01"

    async def receive_body(self) -> None:
        """Receive the whole body, on a route declared with ``stream=True``; afterwards `form`,
        `files`, `data` and `json` can be read as on any other.

        :raises ClientDisconnected: when the client goes away before the end.
        """
        await self.body.receive()
        self.streams_body = False

    @lazy
    def stream(self) -> IO[bytes]:
        """The body as a file. Reading it leaves nothing for `form` and `data`, as in Flask.

        On a route declared with ``stream=True`` these are the chunks as they
        arrive: take them with ``async for chunk in request.stream``.

        :raises RequestEntityTooLarge: when the body is larger than `max_content_length`.
        """
        if self.shallow:
            raise RuntimeError(
                "This request was made with shallow=True, which is to say that its body is not read."
            )
        if self._stream_is_taken:
            return MemoryStream()  # it has been read to its end
        if self._receive is None and "environ" in self.__dict__:
            stream = self._wsgi_stream()
        else:
            stream = self.body.open(self.streams_body)
        self._stream_is_taken = True
        return stream

    def _wsgi_stream(self) -> IO[bytes]:
        from werkzeug.wsgi import get_input_stream

        return get_input_stream(self.environ, max_content_length=self.max_content_length)

    @lazy
    def mimetype(self) -> str:
        """The content type without its parameters, in lower case."""
        raw = self.raw_headers.get(b"content-type")
        if raw is None:
            return ""
        mimetype = _mimetypes.get(raw)
        if mimetype is None:
            mimetype = super().mimetype
            if len(_mimetypes) < 100:  # a client may send any
                _mimetypes[raw] = mimetype
        return mimetype

    def get_data(  # type: ignore[override]
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """The body.

        :param cache: keep it for the next call.
        :param as_text: decode it as UTF-8.
        :param parse_form_data: take a form out of it first, which leaves nothing of it.
        :raises RequestEntityTooLarge: when it is larger than `max_content_length`.
        """
        if (
            cache
            and not parse_form_data
            and not self.streams_body
            and not self.shallow
            and self._receive is not None
            and self._cached_data is None
            and not self._stream_is_taken
        ):
            content = self.body.content()
            if content is not None:
                self._cached_data = content
                self._stream_is_taken = True
                if not as_text:
                    return content
        return super().get_data(cache, as_text, parse_form_data)  # type: ignore[call-overload, no-any-return]

    @property
    def want_form_data_parsed(self) -> bool:
        return b"content-type" in self.raw_headers

    @lazy
    def form(self) -> ImmutableMultiDict[str, str]:
        """The fields of a form in the body; `parameter_storage_class` is their type.

        :raises RequestEntityTooLarge: past one of the limits.
        :raises BadRequest: when the form is malformed.
        """
        self._set_form()
        return self.form

    @lazy
    def files(self) -> ImmutableMultiDict[str, FileStorage]:
        """The files of a multipart form in the body; errors as from `form`."""
        self._load_form_data()
        return self.files

    def _load_form_data(self) -> None:
        if "form" not in self.__dict__:
            self._set_form()

    def _set_form(self) -> None:
        new = self.parameter_storage_class
        mimetype = self.mimetype if self.want_form_data_parsed else ""
        files: Sequence[tuple[str, FileStorage]] = ()
        form: Sequence[tuple[str, str]] = ()
        if mimetype == "application/x-www-form-urlencoded":
            content = self._content_for_parsing()
            try:
                form = parse_urlencoded(content.decode())
            except ValueError as error:
                raise BadRequest(f"The form is malformed: {error}") from error
        elif mimetype == "multipart/form-data":
            parts = self._parse_multipart()
            form, files = parts.form, parts.files
        elif self.want_form_data_parsed and self._receive is not None and self.body.is_announced_too_large():
            raise RequestEntityTooLarge()
        self.form, self.files = multi_dict(new, form), multi_dict(new, files)
        if files:
            self._has_files = True
            return
        app = self._app
        if app is not None and app.config["DEBUG"] and mimetype != "multipart/form-data":
            from .debughelpers import attach_enctype_error_multidict

            self.files = cast(Any, new())  # one of its own, which is changed there
            attach_enctype_error_multidict(self)

    def _parse_multipart(self) -> MultipartForm:
        if self._receive is not None and not self._stream_is_taken:
            self.body.require()
            parts = self.body.parts
            if parts is not None:  # parsed while it arrived
                self._stream_is_taken = True
                return parts
        return parse_multipart(self, self._get_stream_for_parsing())

    def _content_for_parsing(self) -> bytes:
        if self._cached_data is not None or self._stream_is_taken or self._receive is None:
            return self._get_stream_for_parsing().read()
        content = None if self.streams_body or self.shallow else self.body.content()
        if content is None:
            return self._get_stream_for_parsing().read()
        self._stream_is_taken = True
        return content

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """What `get_json` returns or raises when the body is not JSON: a 415 for another content
        type (`e` is None), a 400 for malformed JSON, with the reason in it under debug."""
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            if current_app and current_app.debug:
                raise
            raise BadRequest() from error

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body parsed as JSON.

        :param force: parse it whatever the content type says.
        :param silent: give None instead of raising.
        :param cache: keep the value for the next call.
        :raises UnsupportedMediaType: 415, when the content type is not JSON.
        :raises BadRequest: 400, when the body is not JSON, or nested too deeply.
        """
        if cache and self._cached_json[silent] is not Ellipsis:
            return self._cached_json[silent]
        if not (force or self.is_json):
            return None if silent else self.on_json_loading_failed(None)
        data = self.get_data(cache=cache)
        module = self.json_module
        if module is json and self._app is not None:
            module = self._app.json
        try:
            value = module.loads(data)
        except (ValueError, RecursionError) as error:
            if isinstance(error, RecursionError):
                error = ValueError("nested too deeply")
            value = None if silent else self.on_json_loading_failed(error)
            if cache:
                kept = self._cached_json
                self._cached_json = (kept[0], value) if silent else (value, kept[1])
            return value
        if cache:
            self._cached_json = (value, value)
        return value

    def has_something_to_close(self) -> bool:
        """Whether there are files: uploaded ones, the body on disk."""
        body = self._opened_body
        return self._has_files or (body is not None and body.is_on_disk)

    def close(self) -> None:
        """Close what the request holds: uploaded files, the body on disk."""
        if self._opened_body is not None:
            self._opened_body.close()
        if self._has_files:
            super().close()

    # -- Flask's additions ----------------------------------------------------------------------

    @property
    def endpoint(self) -> str | None:
        """The endpoint that the URL leads to, None when it leads nowhere."""
        rule = self.url_rule
        return None if rule is None else rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The name of the blueprint that the endpoint belongs to, as it was registered."""
        endpoint = self.endpoint
        if endpoint is not None and "." in endpoint:
            return endpoint.rpartition(".")[0]
        return None

    @property
    def blueprints(self) -> list[str]:
        """The names of the blueprint and of those that it is nested in, innermost first."""
        rule = self.url_rule
        if rule is None or "." not in rule.endpoint:
            return []
        return _blueprint_path(rule.endpoint.rpartition(".")[0])


_NO_VALUES: ImmutableMultiDict[Any, Any] = ImmutableMultiDict()


def multi_dict(cls: type[MultiDict[Any, Any]], pairs: Sequence[tuple[str, Any]]) -> Any:
    """``cls(pairs)``, without asking what else they might be."""
    if cls is not ImmutableMultiDict:
        return cls(pairs)
    if not pairs:
        return _NO_VALUES
    lists: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name in lists:
            lists[name].append(value)
        else:
            lists[name] = [value]
    made = cls.__new__(cls)
    dict.update(made, lists)
    return made


def parse_urlencoded(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string or form (URL Standard, "application/x-www-form-urlencoded parsing"); as
    `urllib.parse.parse_qsl` has them, with bytes that are not UTF-8 left percent-encoded."""
    pairs = []
    for pair in text.replace("+", " ").split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair:
            name = unquote(name, errors="werkzeug.url_quote")
            value = unquote(value, errors="werkzeug.url_quote")
        pairs.append((name, value))
    return pairs


_ODD_IN_COOKIE = re.compile(r'[^\x21-\x7e]|"')


def _is_plain_cookie(name: str, value: str) -> bool:
    """Whether there is nothing in it that wants a closer look."""
    return _ODD_IN_COOKIE.search(name) is None and _ODD_IN_COOKIE.search(value) is None


def _is_idna(host: str) -> bool:
    try:
        host.encode().decode("idna")
    except UnicodeDecodeError:
        return True  # Werkzeug shows such a label as it is
    except UnicodeError:
        return False
    return True


def _blueprint_path(name: str) -> list[str]:
    path = [name]
    while "." in name:
        name = name.rpartition(".")[0]
        path.append(name)
    return path


class _Input:
    """``wsgi.input``: opens the body when it is first read."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request.stream, name)

    def __iter__(self) -> Any:
        return iter(self._request.stream)


def _file_wrapper(file: IO[bytes], buffer_size: int = 8192) -> Any:
    from werkzeug.wsgi import FileWrapper

    # Every block is a change of threads: make them larger than Werkzeug's default.
    return FileWrapper(file, max(buffer_size, 256 * 1024))


class Response(ResponseBase):
    """A Werkzeug response that is also an ASGI application.

    The body may be a string, bytes, a list of them, or a sync or async iterator
    of them. Set ``app.response_class`` to a subclass to change the defaults.
    """

    default_mimetype: str | None = "text/html"
    json_module = json
    autocorrect_location_header = False

    #: Whether a subclass makes its instances in a way of its own, its headers, and its end.
    _asks_questions = False
    _has_own_headers = False
    _has_own_close = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._asks_questions = (
            cls.__init__ is not ResponseBase.__init__
            or cls.default_status != 200
            or not cls.automatically_set_content_length
        )
        cls._has_own_headers = cls.get_wsgi_headers is not ResponseBase.get_wsgi_headers
        cls._has_own_close = cls.close is not ResponseBase.close

    @property
    def status_code(self) -> int:
        """The HTTP status code as a number."""
        return self._status_code

    @status_code.setter
    def status_code(self, code: int) -> None:
        status = _statuses.get(code)
        if status is None:
            self.status = code
        else:
            self._status, self._status_code = status, code

    # What `of` leaves as it is.
    _status = "200 OK"
    _status_code = 200
    direct_passthrough = False
    _on_close: Sequence[Callable[[], Any]] = ()  # type: ignore[assignment]
    #: The content type of a response made by `of` for as long as nobody has asked for its headers.
    _only_content_type: str | None = None

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Response:
        """A response with status 200, as nearly every view wants it, without the questions of `__init__`.

        :param body: the body.
        :param content_type: the whole of the Content-Type header.
        """
        if cls._asks_questions:
            return cls(body, content_type=content_type)
        response = cls.__new__(cls)
        response.response = [body]
        response._only_content_type = content_type
        return response

    @lazy
    def headers(self) -> Headers:
        """The headers."""
        headers = Headers()
        if self._only_content_type is not None:
            body: Any = self.response
            length = len(body[0]) if len(body) == 1 and type(body[0]) is bytes else self._length()
            headers._list = [("Content-Type", self._only_content_type), ("Content-Length", str(length))]
            self._only_content_type = None
        return headers

    def _length(self) -> int:
        return sum(map(len, self.iter_encoded()))

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """``MAX_COOKIE_SIZE`` of the configuration: a larger cookie gives a warning."""
        app = current_app
        return app.config["MAX_COOKIE_SIZE"] if app else super().max_cookie_size

    @property
    def is_async_stream(self) -> bool:
        """Whether the body is an async iterator."""
        return hasattr(self.response, "__aiter__")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """Send the response (ASGI specification, "Response Start" and "Response Body").

        A sync iterator is stepped in the worker thread, an async one on the
        loop; either is closed at the end, also when the client goes away.
        """
        if type(self.response) is not list and active_walk() is None:
            # Around the application rather than inside of it: nobody else closes it.
            walk = inner_walk(shared_pool())
            walk.server_context = copy_context()
            await walk.run(self._send_and_close(walk, scope, receive, send))
            return
        status = self._status_code
        if not 200 <= status < 600:
            check_status(status, self._status)
            if status >= 600:
                _teach_uvicorn(status, self._status)
        start: dict[str, Any] = {"type": "http.response.start", "status": status}
        parts: Any = self.response
        if (
            self._only_content_type is not None
            and (status == 200 or (status >= 400 and self._status is _statuses.get(status)))
            and scope["method"] != "HEAD"
            and type(parts) is list
            and type(parts[0]) is bytes
        ):
            body = parts[0]
            start["headers"] = [
                (b"content-type", self._only_content_type.encode("latin-1")),
                (b"content-length", b"%d" % len(body)),
            ]
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        start["headers"] = self.asgi_headers(scope)
        if "asyncflask.client" in scope:
            # What does not go over the wire, for the test client: the reason and how names are written.
            start["asyncflask.status"] = self.status
            start["asyncflask.names"] = [name for name, _ in self.headers]
        without_body = scope["method"] == "HEAD" or status == 304 or status == 204 or status < 200
        if type(parts) is list or type(parts) is tuple:
            if without_body:
                body = b""
            elif len(parts) == 1 and type(parts[0]) is bytes:
                body = parts[0]
            else:
                body = b"".join(self.iter_encoded())
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        await send(start)
        if not without_body:
            if self.is_async_stream:
                await self._send_async(send)
            else:
                await self._send_sync(send)
        await send({"type": "http.response.body", "body": b""})

    async def _send_and_close(self, walk: Walk, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_outside(message: Message) -> None:
            await outside(lambda: send(message))

        try:
            await self(scope, receive, send_outside)
        finally:
            await walk.uncancelled(self.aclose())

    async def _send_async(self, send: Send) -> None:
        chunks = cast(AsyncIterator[Any], self.response)
        count = 0
        async for chunk in chunks:
            body = chunk.encode() if isinstance(chunk, str) else chunk
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            count += 1
            if count % 16 == 0:
                # Neither iterator nor server need ever wait, and then nobody else had a turn, nor were it
                # noticed that the client has gone.
                await asyncio.sleep(0)

    async def _send_sync(self, send: Send) -> None:
        walk = current_walk()
        iterator = iter(cast(Iterable[Any], self.response))
        while True:
            await walk.to_thread()
            chunk = next(iterator, None)
            await walk.to_loop()
            if chunk is None:
                return
            body = chunk.encode() if isinstance(chunk, str) else chunk
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})

    def asgi_headers(self, scope: Scope | None = None) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI wants them, with those that follow from status and body.

        :param scope: of the request; the active one's unless given.
        """
        status = self._status_code
        if not isinstance(self.headers, Headers):
            self.headers = Headers(self.headers)  # somebody has put a dict there
        items: list[tuple[str, str]] = self.headers._list
        if self._has_own_headers or self.autocorrect_location_header:
            environ = environ_from_scope(scope or _cv_request.get().request.scope, None)
            items = self.get_wsgi_headers(environ)._list
        has_length = not self.automatically_set_content_length
        if status == 304 or status < 200 or status == 204:
            headers = Headers(self.headers)
            if status == 304:
                remove_entity_headers(headers)
            else:
                headers.remove("Content-Length")
            items = headers.to_wsgi_list()
            has_length = True
        raw = []
        for name, value in items:
            raw_name = _raw_names.get(name)
            if raw_name is None:
                raw.append(_raw_header(name, value))
                raw_name = raw[-1][0]
            else:
                raw.append((raw_name, value.encode("latin-1")))
            if raw_name == b"content-length":
                has_length = True
        if not has_length and self.is_sequence:
            raw.append((b"content-length", str(sum(map(len, self.iter_encoded()))).encode()))
        return raw

    def make_conditional(
        self, request_or_environ: Any, accept_ranges: bool | str = False, complete_length: int | None = None
    ) -> Any:
        """Answer conditional and range requests; see Werkzeug's. Dates that are none are ignored."""
        environ = getattr(request_or_environ, "environ", request_or_environ)
        invalid = [name for name in _DATES if is_out_of_range(environ.get(name, ""))]
        if invalid:
            environ = {name: value for name, value in environ.items() if name not in invalid}
        return super().make_conditional(environ, accept_ranges, complete_length)

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        """Call `func`, sync or async, once the response is sent or its client is gone."""
        self._on_close = [*self._on_close, func]
        return func

    def has_something_to_close(self) -> bool:
        return bool(self._on_close) or not self.is_sequence

    async def aclose(self) -> None:
        """Close the body's iterator and call what was registered with `call_on_close`.

        Every one of them is called; the first exception is raised at the end.
        """
        walk = current_walk()
        errors: list[BaseException] = []
        closers: list[Callable[[], Any]] = []
        body: Any = self.response
        if isasyncgen(body):
            closers.append(body.aclose)
        elif hasattr(body, "close"):
            closers.append(body.close)
        elif hasattr(body, "aclose"):
            closers.append(body.aclose)
        for close in (*closers, *self._on_close):
            try:
                if close == getattr(body, "aclose", None) or is_async(close):
                    await walk.to_loop()
                    await close()
                else:
                    await walk.call(close)
            except Exception as error:
                errors.append(error)
        if self._has_own_close:
            self._on_close, self.response = (), []  # done; what is left is the subclass's own
            await walk.call(self.close)
        if errors:
            raise errors[0]


#: Status lines by their codes.
_statuses = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}

#: Where an environ has dates that a conditional response looks at.
_DATES = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")


#: Header names as ASGI wants them, by how they were written.
_raw_names: dict[str, bytes] = {}


def _raw_header(name: str, value: str) -> tuple[bytes, bytes]:
    raw = _raw_names.get(name)
    if raw is None:
        raw = name.lower().encode("latin-1")
        if not raw or any(byte <= 32 or byte in b':"(),/;<=>?@[\\]{}' or byte >= 127 for byte in raw):
            raise ValueError(f"{name!r} cannot be sent: it is no name of a header (RFC 9110 section 5.1).")
        if raw == b"location" or raw == b"content-location":
            return raw, _uri(value)
        if len(_raw_names) < 500:
            _raw_names[name] = raw
    return raw, value.encode("latin-1")


def _uri(value: str) -> bytes:
    try:
        return iri_to_uri(value).encode("latin-1")
    except ValueError:  # no URL, such as "http://["; the client may make of it what it can
        return quote(value, safe="!#$%&'()*+,-./:;=?@_~").encode("latin-1")


def check_status(code: int, status: str) -> None:
    """Raise ValueError unless that can be sent."""
    if not 100 <= code <= 999:
        raise ValueError(
            f"{status!r} cannot be sent: HTTP status codes have three digits. Set a code, or a string such as"
            " '404 Not Found'."
        )


def _teach_uvicorn(status: int, text: str) -> None:
    """Let uvicorn send a status that its tables lack: they end at 599, and it drops the connection."""
    phrase = CONTROLS.sub("", text[4:]).encode("latin-1", "replace") or b"UNKNOWN"
    httptools = sys.modules.get("uvicorn.protocols.http.httptools_impl")
    if httptools is not None:
        httptools.STATUS_LINE[status] = b"HTTP/1.1 %d %s\r\n" % (status, phrase)
    h11 = sys.modules.get("uvicorn.protocols.http.h11_impl")
    if h11 is not None:
        h11.STATUS_PHRASES[status] = phrase
