"""What is written for Quart (AF5)."""

from __future__ import annotations

import ast
import re

from .installed import has_module, has_name
from .project import Check

#: Names of Quart that asyncflask has under another name, or not.
_NAMES = {
    "quart.Quart": "from asyncflask import Flask",
    "quart.copy_current_app_context": "tasks and threads started with a copy of the context have it already",
    "quart.make_push_promise": "leave it out: browsers do not take pushes any more",
    "quart.ResponseReturnValue": "from asyncflask.typing import ResponseReturnValue",
    "quart.datastructures.FileStorage": "from werkzeug.datastructures import FileStorage",
    "quart.testing.connections": "client.websocket_connect(path) gives the connection",
    "quart.utils.run_sync": "asyncio.to_thread(...); a 'def' view runs in a thread by itself",
    "quart.asgi": "the app is the ASGI application, app.asgi_app what middleware wraps",
    "quart.flask_patch": "leave it out: extensions of Flask run unmodified",
    "quart_flask_patch": "import asyncflask.as_flask, as the first line of the program",
}

#: Extensions of Quart, and those of Flask that do the same.
_EXTENSIONS = {
    "quart_auth": "Flask-Login",
    "quart_babel": "Flask-Babel",
    "quart_bcrypt": "Flask-Bcrypt",
    "quart_compress": "Flask-Compress, or Starlette's GZipMiddleware",
    "quart_cors": "Flask-CORS, or Starlette's CORSMiddleware",
    "quart_jwt_extended": "Flask-JWT-Extended",
    "quart_rate_limiter": "Flask-Limiter",
    "quart_session": "Flask-Session",
    "quart_sqlalchemy": "Flask-SQLAlchemy",
    "quart_uploads": "request.files",
    "quart_wtf": "Flask-WTF",
    "quart_wtforms": "Flask-WTF",
}

_PLAIN = "leave out the await"
_CALLS = {
    *(
        f"flask.{name}()"
        for name in (
            "flash",
            "get_flashed_messages",
            "jsonify",
            "make_response",
            "redirect",
            "render_template",
            "render_template_string",
            "send_file",
            "send_from_directory",
            "stream_template",
            "stream_template_string",
            "url_for",
        )
    ),
    "flask.request.get_json()",
    "flask.request.get_data()",
}
_VALUES = {f"flask.request.{name}" for name in ("data", "files", "form", "json", "values")}
_APP_METHODS = (
    "make_response",
    "open_resource",
    "open_instance_resource",
    "send_static_file",
    "update_template_context",
)

_CLIENT = r"\.test_client\(\)"
_REQUEST = rf"{_CLIENT}\.(?:open|get|post|put|patch|delete|head|options|trace)\(\)"
_CLIENT_REQUEST = re.compile(rf".*{_REQUEST}")
_CLIENT_RESPONSE = re.compile(rf".*{_CLIENT}(?::async)?\.\w+\(\)\.(?:get_data\(\)|get_json\(\)|data|json)")
_FIXTURE_REQUEST = re.compile(r"\?(\w+)\.(?:open|get|post|put|patch|delete|head|options|trace)\(\)")
_USE_ASYNC = "async with app.test_client() as client: await client.get(...); or without await in a 'def'"


class QuartCheck(Check):
    """Imports from Quart, and what is awaited there and not in Flask."""

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        package = module.partition(".")[0]
        if package in _EXTENSIONS:
            self.error(node, "AF503", f"{package} is for Quart", f"use {_EXTENSIONS[package]}")
        elif package == "quart_flask_patch":
            self.error(node, "AF503", f"{package} is for Quart", _NAMES[package])
        elif package.startswith("quart_"):
            self.error(
                node, "AF503", f"{package} is for Quart", "look for its counterpart for Flask or Starlette"
            )
        elif package == "quart":
            self._quart(node, module, name)

    def _quart(self, node: ast.alias, module: str, name: str | None) -> None:
        full = f"{module}.{name}" if name else module
        advice = _NAMES.get(full) or _NAMES.get(module)
        ours = f"asyncflask{module[len('quart') :]}"
        if advice is None and (not has_module(ours) or (name and name != "*" and not has_name(ours, name))):
            self.error(
                node,
                "AF503",
                f"asyncflask has no counterpart of {full}",
                "see 'Migrating from Quart' in the documentation",
            )
            return
        if advice is None:
            advice = f"from {ours} import {name}" if name else f"import {ours}"
        self.error(node, "AF501", f"{full} is Quart's", advice)

    def await_(self, node: ast.Await, path: str) -> None:
        fixture = _FIXTURE_REQUEST.fullmatch(path)
        if path in _CALLS or path in _VALUES or self._is_app_method(path):
            self.error(node, "AF502", f"{self._shown(path)} cannot be awaited", _PLAIN)
        elif path == "flask.request.body":
            self.error(node, "AF502", "there is no request.body", "request.get_data()")
        elif _CLIENT_REQUEST.fullmatch(path):
            self.error(node, "AF504", "this test client cannot be awaited", _USE_ASYNC)
        elif _CLIENT_RESPONSE.fullmatch(path):
            self.error(node, "AF504", "a response's data cannot be awaited", _PLAIN)
        elif fixture:
            self.project.later.append(lambda: self._of_fixture(node, fixture[1]))

    def _of_fixture(self, node: ast.Await, name: str) -> None:
        if name in self.project.clients:
            self.error(node, "AF504", "this test client cannot be awaited", _USE_ASYNC)

    def _is_app_method(self, path: str) -> bool:
        owner, _, name = path.removesuffix("()").rpartition(".")
        return path.endswith("()") and name in _APP_METHODS and self.is_app(owner)

    @staticmethod
    def _shown(path: str) -> str:
        return path.removeprefix("flask.").lstrip("?:")

    def attribute(self, node: ast.Attribute, path: str) -> None:
        if path == "flask.request.send_push_promise":
            self.error(
                node, "AF503", "there is no request.send_push_promise", "browsers do not take pushes any more"
            )

    def iterated(self, node: ast.expr, path: str) -> None:
        if path == "flask.request.body":
            self.error(
                node,
                "AF502",
                "there is no request.body",
                "@app.post(..., stream=True), then 'async for chunk in request.stream'",
            )

    def entered(self, node: ast.expr, path: str, is_async: bool) -> None:
        if is_async and re.search(rf"{_CLIENT}\.websocket\(\)$", path):
            self.error(node, "AF504", "there is no client.websocket()", "client.websocket_connect(path)")
        elif is_async and path.endswith(".test_app()") and self.is_app(path[: -len(".test_app()")]):
            self.error(node, "AF504", "there is no app.test_app()", "async with app.test_client() as client")

    def call(self, node: ast.Call, path: str, awaited: bool) -> None:
        if re.search(rf"{_CLIENT}(?::async)?\.(?:post|put|patch|delete|open)$", path):
            for keyword in node.keywords:
                if keyword.arg in ("form", "files"):
                    self.error(
                        keyword.value,
                        "AF504",
                        f"requests of the test client have no argument {keyword.arg}",
                        "data={...}, for fields and files",
                    )

    def handed_out(self, node: ast.expr, path: str) -> None:
        function = self.place.function
        if function is None or not path.endswith(".test_client()"):
            return
        if any(decorator.removesuffix("()").endswith("fixture") for decorator in function.decorators):
            self.project.clients.add(function.name)
