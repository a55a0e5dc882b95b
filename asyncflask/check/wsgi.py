"""What only works with a WSGI application (AF1), gevent (AF2), and extensions bound to them (AF6)."""

from __future__ import annotations

import ast

from .findings import FileReport
from .project import APP, Check, Project
from .rule import Function, FunctionNode

_PROXY_FIX = (
    "app.asgi_app = ProxyFix(app.asgi_app, ...) with the same arguments, from asyncflask.middleware.proxy_fix"
)
_STATIC = "app.mount('/path', starlette.staticfiles.StaticFiles(directory=...)), or the app's static folder"
_ASGI = (
    "use an ASGI middleware: app.add_middleware(Middleware, ...), or app.asgi_app = Middleware(app.asgi_app)"
)

#: WSGI middleware by the name of the class, for which there is something particular to be said.
_MIDDLEWARE = {
    "ProxyFix": _PROXY_FIX,
    "DispatcherMiddleware": "app.mount('/path', other_app)",
    "SharedDataMiddleware": _STATIC,
    "WhiteNoise": _STATIC,
    "ProfilerMiddleware": "profile the server's process, with py-spy for example",
    "LintMiddleware": "leave it out",
}
_MIDDLEWARE_MODULES = ("werkzeug.middleware.", "werkzeug.contrib.", "whitenoise.", "beaker.middleware.")

_SERVE = "app.run(...) for development, 'uvicorn module:app --workers N' to serve"
_NOT_WSGI = "pass the app itself: it is an ASGI application"
_LAMBDA = "use an adapter for ASGI, such as mangum"

#: Servers and adapters that want a WSGI application.
_SERVERS = {
    "werkzeug.serving.run_simple": _SERVE,
    "werkzeug.serving.make_server": _SERVE,
    "werkzeug.run_simple": _SERVE,
    "wsgiref.simple_server.make_server": _SERVE,
    "waitress.serve": _SERVE,
    "waitress.create_server": _SERVE,
    "gevent.pywsgi.WSGIServer": _SERVE,
    "gevent.wsgi.WSGIServer": _SERVE,
    "eventlet.wsgi.server": _SERVE,
    "bjoern.run": _SERVE,
    "cheroot.wsgi.Server": _SERVE,
    "cheroot.wsgi.WSGIServer": _SERVE,
    "cherrypy.tree.graft": _SERVE,
    "tornado.wsgi.WSGIContainer": _SERVE,
    "meinheld.server.run": _SERVE,
    "wsgiref.handlers.CGIHandler": _SERVE,
    "flup.server.fcgi.WSGIServer": _SERVE,
    "asgiref.wsgi.WsgiToAsgi": _NOT_WSGI,
    "a2wsgi.WSGIMiddleware": _NOT_WSGI,
    "starlette.middleware.wsgi.WSGIMiddleware": _NOT_WSGI,
    "fastapi.middleware.wsgi.WSGIMiddleware": _NOT_WSGI,
    "uvicorn.middleware.wsgi.WSGIMiddleware": _NOT_WSGI,
    "hypercorn.middleware.AsyncioWSGIMiddleware": _NOT_WSGI,
    "hypercorn.middleware.TrioWSGIMiddleware": _NOT_WSGI,
    "serverless_wsgi.handle_request": _LAMBDA,
    "awsgi.response": _LAMBDA,
    "apig_wsgi.make_lambda_handler": _LAMBDA,
}

_WEBSOCKET = "use @app.websocket(...) and asyncflask.websocket"
#: Extensions that take over the WSGI server or its socket.
_EXTENSIONS = {
    "flask_socketio": "mount python-socketio's ASGIApp: app.mount('/socket.io', socketio.ASGIApp(...))",
    "flask_sock": _WEBSOCKET,
    "flask_sockets": _WEBSOCKET,
    "flask_threaded_sockets": _WEBSOCKET,
    "flask_uwsgi_websocket": _WEBSOCKET,
    "geventwebsocket": _WEBSOCKET,
    "flask_script": "write click commands with @app.cli.command(); Flask-Script needs Flask 1",
}

#: Instrumentation that replaces what WSGI servers call.
_INSTRUMENTATION = {
    "opentelemetry.instrumentation.flask": (
        "app.add_middleware(OpenTelemetryMiddleware), from opentelemetry.instrumentation.asgi"
    ),
}
_SENTRY = (
    "sentry_sdk.init(disabled_integrations=[FlaskIntegration()], ...),"
    " app.add_middleware(SentryAsgiMiddleware)"
)

_UNPATCH = "remove it: sync views run in threads, waiting in 'async def' holds none"
_SPAWN = ("gevent.spawn", "gevent.spawn_later", "eventlet.spawn", "eventlet.spawn_n", "eventlet.spawn_after")
_TASK = "app.add_background_task(func, ...), or asyncio.create_task(...) in async code"

#: Keys that the servers of WSGI put into the environ.
_SERVER_KEYS = (
    "SERVER_SOFTWARE",
    "werkzeug.socket",
    "gunicorn.",
    "uwsgi.",
    "mod_wsgi.",
    "wsgi.file_wrapper",
    "wsgi.websocket",
)


class WSGICheck(Check):
    """WSGI middleware and servers, and extensions that are bound to them."""

    def __init__(self, report: FileReport, project: Project) -> None:
        super().__init__(report, project)
        #: Nodes about which something has been said with the whole statement.
        self._said: set[ast.AST] = set()

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        package = module.partition(".")[0]
        if package in _EXTENSIONS:
            self.error(node, "AF601", f"{package} is bound to a WSGI server", _EXTENSIONS[package])
        if module in _INSTRUMENTATION:
            self.error(node, "AF602", f"{module} is for WSGI", _INSTRUMENTATION[module])
        if package in ("grequests", "psycogreen"):
            self.error(node, "AF201", f"{package} is for gevent", _UNPATCH)

    def assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        if not isinstance(target, ast.Attribute) or target.attr != "wsgi_app" or self._is_own(target):
            return
        self._said.add(target)
        if not isinstance(value, ast.Call):
            self.error(target, "AF101", "app.wsgi_app is replaced, but never called", _ASGI)
            return
        self._said.update(ast.walk(value))
        name = self.place.path_of(value.func).rpartition(".")[2].lstrip("?")
        self.error(
            target,
            "AF101",
            f"the WSGI middleware{f' {name}' if name else ''} is never called",
            _MIDDLEWARE.get(name, _ASGI),
        )

    def attribute(self, node: ast.Attribute, path: str) -> None:
        if node.attr == "wsgi_app" and node not in self._said and not self._is_own(node):
            self.error(
                node,
                "AF102",
                "there is no app.wsgi_app",
                "app.asgi_app, called with (scope, receive, send); in tests app.test_client()",
            )

    def _is_own(self, node: ast.Attribute) -> bool:
        """Whether it is what a middleware calls what it wraps: ``self.wsgi_app``."""
        return self.place.path_of(node.value) in ("?self", "?cls") and "flask.Flask" not in self._bases()

    def _bases(self) -> list[str]:
        return self.place.function.bases if self.place.function else []

    def call(self, node: ast.Call, path: str, awaited: bool) -> None:
        if node in self._said:
            return
        if path in _SERVERS and _SERVERS[path] != _NOT_WSGI:
            self.error(node, "AF104", f"{path}() wants a WSGI application", _SERVERS[path])
        elif path in _SERVERS:
            adapted = self.place.path_of(node.args[0]) if node.args else ""
            if adapted == "flask.Flask()" or APP.search(adapted):
                self.project.later.append(lambda: self._adapted(node, path))
        elif path.startswith(_MIDDLEWARE_MODULES) and path.rpartition(".")[2][:1].isupper():
            name = path.rpartition(".")[2]
            self.error(node, "AF101", f"the WSGI middleware {name} wants one", _MIDDLEWARE.get(name, _ASGI))
        elif path.startswith("gevent.monkey.patch_") or path in (
            "eventlet.monkey_patch",
            "eventlet.patcher.monkey_patch",
        ):
            self.error(node, "AF201", f"{path}() replaces what event loops and threads are made of", _UNPATCH)
        elif path in _SPAWN:
            self.warning(node, "AF202", f"{path}() uses another loop than the server's", _TASK)
        elif len(node.args) == 2 and self._calls_app(path, node.args[1]):
            self.error(
                node,
                "AF102",
                "the app is called as a WSGI application",
                "await app(scope, receive, send); in tests app.test_client()",
            )
        elif path == "werkzeug.test.Client" and node.args and self.is_app(self.place.path_of(node.args[0])):
            self.error(node, "AF102", "werkzeug.test.Client wants a WSGI application", "app.test_client()")
        elif path == "flask.request.environ.get" and node.args:
            self._server_key(node, node.args[0])
        elif path == "sentry_sdk.init":
            self._sentry(node)

    def _calls_app(self, path: str, second: ast.expr) -> bool:
        """Whether it is ``app(environ, start_response)``, with an app that is not a middleware's own."""
        name = second.id if isinstance(second, ast.Name) else ""
        is_wsgi = isinstance(second, ast.Lambda) or name == "start_response"
        return not path.startswith("?") and (path == "flask.Flask()" or (is_wsgi and path.endswith(".app")))

    def _adapted(self, node: ast.Call, path: str) -> None:
        if self.project.uses_asyncflask and self.project.uses_flask and not self.project.uses_as_flask:
            return  # one that is still Flask's, mounted
        self.error(node, "AF104", f"{path}() wants a WSGI application", _NOT_WSGI)

    def _sentry(self, node: ast.Call) -> None:
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if "FlaskIntegration" in arguments.get("disabled_integrations", ""):
            return
        if "FlaskIntegration" in arguments.get("integrations", ""):
            self.error(node, "AF602", "Sentry's FlaskIntegration is for WSGI", _SENTRY)
        elif arguments.get("auto_enabling_integrations") != "False":
            self.project.later.append(lambda: self._sentry_by_itself(node))

    def _sentry_by_itself(self, node: ast.Call) -> None:
        # It looks for Flask, which asyncflask is under its own name not.
        if self.project.uses_as_flask or not self.project.uses_asyncflask:
            message = "Sentry adds its FlaskIntegration by itself, which is for WSGI"
            self.warning(node, "AF602", message, _SENTRY)

    def subscript(self, node: ast.Subscript, path: str) -> None:
        if path == "flask.request.environ":
            self._server_key(node, node.slice)

    def _server_key(self, node: ast.expr, key: ast.expr) -> None:
        value = key.value if isinstance(key, ast.Constant) else None
        if value == "werkzeug.server.shutdown":
            self.error(
                node,
                "AF105",
                f"there is no environ[{value!r}]",
                "send the process SIGTERM; Werkzeug 2.1 removed it",
            )
        elif isinstance(value, str) and value.startswith(_SERVER_KEYS):
            self.warning(
                node,
                "AF105",
                f"environ[{value!r}] is set by WSGI servers only",
                "see request.scope for what the server tells",
            )

    def defined(self, node: FunctionNode, function: Function) -> None:
        names = [argument.arg for argument in node.args.args]
        is_flask = "flask.Flask" in function.bases
        if is_flask and (node.name == "wsgi_app" or (node.name == "__call__" and len(names) == 3)):
            self.error(
                node,
                "AF102",
                f"{node.name}() of a Flask class is never called",
                "async def asgi_app(self, scope, receive, send)",
            )
        elif node.name == "__call__" and names[-1:] == ["start_response"]:
            self.note(
                node,
                "AF103",
                "a WSGI application or middleware",
                "a view may return a WSGI application; as middleware write it for ASGI:"
                " async def __call__(self, scope, receive, send)",
            )
