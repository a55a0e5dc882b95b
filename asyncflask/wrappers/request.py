"""The request: Werkzeug's, made from an ASGI scope."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from starlette.datastructures import State
from werkzeug.datastructures import (
    Authorization,
    FileStorage,
    Headers,
    IfRange,
    ImmutableMultiDict,
    MultiDict,
)
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.sansio.utils import get_host
from werkzeug.wrappers import Request as RequestBase

from .. import json
from ..body import Body, MemoryStream, MultipartForm, nothing_to_receive, parse_multipart
from ..environ import environ_from_scope, route_path, scope_from_environ
from ..globals import _cv_app, current_app
from ..helpers import _split_blueprint_path
from ..lazy import lazy
from ..typing import Receive, Scope
from .headers import RequestHeaders, is_out_of_range, valid_date

if TYPE_CHECKING:
    from werkzeug.routing import Rule

    from ..protocols import Application


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


class _Date:
    """A header with a date, which is ignored unless it is one (RFC 9110 section 13.1.3)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.__doc__ = f"The {name} header as a `datetime`, None when there is none that is valid."

    def __get__(self, request: Request | None, owner: type) -> Any:
        return self if request is None else valid_date(request.headers.get(self._name))


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
    _app: Application | None = None
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
    _body_timeout: float | None = None

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

    body_timeout: float | None = _Limit(
        "BODY_TIMEOUT",
        None,
        "The seconds that the client may send nothing of the body, None for any. Past it, reading the body"
        " raises a 408.",
    )  # type: ignore[assignment]

    def has_plain_form(self) -> bool:
        """Whether it is a multipart form of which the parts are all that anybody wants."""
        return (
            self.mimetype == "multipart/form-data"
            and not self.passes_body_on
            and self.form_data_parser_class is FormDataParser
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
        from werkzeug.wsgi import get_input_stream  # WSGI

        return get_input_stream(self.environ, max_content_length=self.max_content_length)

    @lazy
    def mimetype(self) -> str:
        """The content type without its parameters, in lower case."""
        raw = self.raw_headers.get(b"content-type")
        if raw is None:
            return ""
        if len(self.raw_headers) != len(self.scope["headers"]):
            return super().mimetype  # there may be several, and a raw header is the last of its name
        mimetype = _mimetypes.get(raw)
        if mimetype is None:
            mimetype = super().mimetype
            if len(_mimetypes) < 100 and b"boundary" not in raw:  # a client may send any, and those once
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
        if mimetype and self.form_data_parser_class is not FormDataParser:
            self._parse_with_own_parser(mimetype)
            return
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
        elif self._receive is not None and self.body.is_announced_too_large():
            raise RequestEntityTooLarge()
        self.form, self.files = multi_dict(new, form), multi_dict(new, files)
        if files:
            self._has_files = True
            return
        app = self._app
        if app is not None and app.config["DEBUG"] and mimetype != "multipart/form-data":
            from ..debughelpers import attach_enctype_error_multidict  # debug mode

            attach_enctype_error_multidict(self)

    def _parse_with_own_parser(self, mimetype: str) -> None:
        parsed: Any = self.make_form_data_parser().parse(
            self._get_stream_for_parsing(), mimetype, self.content_length, self.mimetype_params
        )
        self.stream, self.form, self.files = parsed
        self._has_files = bool(self.files)

    def _parse_multipart(self) -> MultipartForm:
        if self._receive is not None and not self._stream_is_taken:
            self.body.require(as_form=True)
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
        return _split_blueprint_path(rule.endpoint.rpartition(".")[0])


def multi_dict(cls: type[MultiDict[Any, Any]], pairs: Sequence[tuple[str, Any]]) -> Any:
    """``cls(pairs)``, without asking what else they might be."""
    if cls is not ImmutableMultiDict:
        return cls(pairs)
    made = cls.__new__(cls)
    if not pairs:
        return made
    lists: dict[str, list[Any]] = {}
    for name, value in pairs:
        if name in lists:
            lists[name].append(value)
        else:
            lists[name] = [value]
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


class _Input:
    """``wsgi.input``: opens the body when it is first read."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request.stream, name)

    def __iter__(self) -> Any:
        return iter(self._request.stream)


def _file_wrapper(file: IO[bytes], buffer_size: int = 8192) -> Any:
    from werkzeug.wsgi import FileWrapper  # WSGI

    # Every block is a change of threads: make them larger than Werkzeug's default.
    return FileWrapper(file, max(buffer_size, 256 * 1024))
