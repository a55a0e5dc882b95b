"""An application, and WSGI middleware around it: the same for Flask and asyncflask."""

from __future__ import annotations

import contextvars
import gzip
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wsgi import ClosingIterator

WSGIApp = Callable[..., Iterable[bytes]]

tenant = contextvars.ContextVar("tenant", default="nobody")
seen = contextvars.ContextVar("seen", default="nothing")
local = threading.local()


def make_app(package: Any) -> Any:
    """An application that tells what it sees of a request."""
    app = package.Flask("lifecycle", static_folder=None)
    request = package.request

    def told() -> dict[str, Any]:
        environ = request.environ
        seen.set(request.path)
        return {
            "method": request.method,
            "url": request.url,
            "path": request.path,
            "script_root": request.script_root,
            "args": request.args,
            "remote_addr": request.remote_addr,
            "headers": sorted(item for item in request.headers if item[0] not in ("Host", "Connection")),
            "data": request.get_data(as_text=True),
            "tenant": tenant.get(),
            "note": environ.get("note"),
            "url_for": package.url_for("tell", path="other"),
        }

    @app.route("/tell/<path:path>", methods=["GET", "POST", "PUT"])
    def tell(path: str) -> Any:
        return {**told(), "local": getattr(local, "value", None)}

    @app.route("/async/<path:path>", methods=["GET", "POST"])
    async def tell_async(path: str) -> Any:
        return told()

    @app.post("/form")
    def form() -> Any:
        return request.form.to_dict()

    @app.get("/stream")
    def stream() -> Any:
        return package.Response((f"{i} " for i in range(5)), mimetype="text/plain")

    @app.get("/kept")
    def kept() -> Any:
        return package.stream_with_context(f"{request.path} " for _ in range(3))

    @app.get("/large")
    def large() -> Any:
        return b"x" * 300_000

    @app.get("/written")
    def written() -> Any:
        response = package.make_response("written")
        response.headers["x-amz-meta-Name"] = "a"
        response.headers["ETag"] = '"b"'
        response.status = "299 Very Well"
        response.set_cookie("c", "d")
        response.set_cookie("e", "f")
        return response

    @app.get("/failing")
    def failing() -> Any:
        def pieces() -> Iterator[str]:
            raise LookupError("before the first piece")
            yield ""

        return pieces()

    @app.get("/empty")
    def empty() -> Any:
        return "", 204

    @app.get("/unread")
    @app.post("/unread")
    def unread() -> Any:
        return "not read"

    @app.get("/error")
    def error() -> Any:
        raise ZeroDivisionError("of the view")

    @app.get("/async-error")
    async def async_error() -> Any:
        raise ZeroDivisionError("of the view")

    return app


class Middleware:
    def __init__(self, app: WSGIApp) -> None:
        self.app = app


class Header(Middleware):
    """Adds a header that tells of the response."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            names = ",".join(sorted(name for name, _ in headers))
            return start_response(status, [*headers, ("X-Seen", f"{status}; {names}")], exc_info)

        return self.app(environ, start)


class Lazy(Middleware):
    """Calls the application when its own generator is iterated."""

    def __call__(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        body = self.app(environ, start_response)
        try:
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()


class Known(Middleware):
    """Has the status when the call has returned, as access logs do."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        known: list[str] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            known.append(status)
            return lambda data: None

        body = self.app(environ, start)
        data = b"".join(body)
        body.close()
        text = f"{known} {len(data)} {seen.get()}".encode()
        start_response("200 OK", [("Content-Length", str(len(text)))])
        return [text]


class Guarded(Middleware):
    """Answers what the application raises."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            return self.app(environ, start_response)
        except ZeroDivisionError as error:
            start_response("503 Guarded", [("Content-Type", "text/plain")], sys.exc_info())
            return [repr(error).encode()]


class Tenant(Middleware):
    """Sets what the view sees: a context variable, a thread-local, a key of the environ."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        token = tenant.set(environ.get("HTTP_X_TENANT", "default"))
        local.value = environ.get("HTTP_X_TENANT")
        environ["note"] = "from the middleware"
        try:
            return self.app(environ, start_response)
        finally:
            tenant.reset(token)
            del local.value


class Prefix(Middleware):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith("/prefix"):
            environ["SCRIPT_NAME"] += "/prefix"
            environ["PATH_INFO"] = path[len("/prefix") :]
            return self.app(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"no"]


class MethodOverride(Middleware):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ = dict(environ)
        environ["REQUEST_METHOD"] = environ.pop("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
        environ["QUERY_STRING"] = "by=middleware"
        environ["REMOTE_ADDR"] = "192.0.2.1"
        return self.app(environ, start_response)


class Compress(Middleware):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        started: list[Any] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            started[:] = [status, headers, exc_info]
            return started.append

        body = self.app(environ, start)
        try:
            data = gzip.compress(b"".join(body), mtime=0)
        finally:
            body.close()
        headers = [item for item in started[1] if item[0].lower() != "content-length"]
        start_response(started[0], [*headers, ("Content-Encoding", "gzip"), ("X-Length", str(len(data)))])
        return [data]


class Upper(Middleware):
    """Changes the body piece by piece."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        body = self.app(environ, start_response)
        return ClosingIterator((piece.upper() for piece in body), [body.close])


class Decoded(Middleware):
    """Replaces ``wsgi.input``."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        data = b"decoded " + data
        environ["wsgi.input"] = io.BytesIO(data)
        environ["CONTENT_LENGTH"] = str(len(data))
        return self.app(environ, start_response)


class Peek(Middleware):
    """Reads a part, a line and the rest of the body, and gives it on."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        stream = environ["wsgi.input"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        first = stream.read(min(3, length))
        line = stream.readline(length - len(first))
        rest = stream.read(length - len(first) - len(line))
        environ["wsgi.input"] = io.BytesIO(b"|".join((first, line, rest)))
        environ["CONTENT_LENGTH"] = str(length + 2)
        return self.app(environ, start_response)


class Refuse(Middleware):
    """Answers itself, without having asked for the body."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return (b"n", b"o")


class Write(Middleware):
    """An old one, that uses ``write()``."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        body = self.app(environ, lambda *args: None)
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written,")
        write(b"")
        write(b"twice;")
        try:
            return [b"".join(body)]
        finally:
            body.close()


class Late(Middleware):
    """Raises after it has begun the response, and begins it anew."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise LookupError("late")
        except LookupError:
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"anew"]


class Again(Middleware):
    """Asks once more when it does not like the answer."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        statuses: list[str] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            statuses.append(status)
            return start_response(status, headers, exc_info) if len(statuses) > 1 else None

        self.app({**environ, "PATH_INFO": "/nowhere"}, start).close()
        return self.app(environ, start)


class OwnProxyFix(ProxyFix):
    """A subclass that changes nothing."""


def plain(app: WSGIApp) -> WSGIApp:
    return lambda environ, start_response: app(environ, start_response)


def other(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"other"]


ALL = {"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 1, "x_prefix": 1}

#: WSGI middleware by name: called with the application that it goes around.
MIDDLEWARE: dict[str, Callable[[Any], Any]] = {
    "plain": plain,
    "header": Header,
    "lazy": Lazy,
    "known": Known,
    "guarded": Guarded,
    "tenant": Tenant,
    "prefix": Prefix,
    "method override": MethodOverride,
    "compress": Compress,
    "upper": Upper,
    "decoded": Decoded,
    "peek": Peek,
    "refuse": Refuse,
    "write": Write,
    "late": Late,
    "again": Again,
    "dispatcher": lambda app: DispatcherMiddleware(app, {"/other": other}),
    "shared data": lambda app: SharedDataMiddleware(app, {"/shared": ("tests.around_wsgi", ".")}),
    "proxy fix": lambda app: ProxyFix(app, **ALL),
    "two proxy fixes": lambda app: ProxyFix(ProxyFix(app, x_for=0, x_proto=0, x_prefix=1), x_for=2),
    "own proxy fix": lambda app: OwnProxyFix(app, **ALL),
    "proxy fix around": lambda app: ProxyFix(Header(app), **ALL),
    "proxy fix inside": lambda app: Header(ProxyFix(app, **ALL)),
    "partial": lambda app: partial(app),
    "several": lambda app: Header(Tenant(Upper(Prefix(app)))),
}
