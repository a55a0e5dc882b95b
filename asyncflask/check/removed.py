"""Names that Flask or what it is built on has given up (AF3)."""

from __future__ import annotations

import ast

from ..legacy import _ATTRIBUTES, _MODULE_NAMES
from .installed import BUILT_ON, describe, has_module, has_name, is_module
from .names import FLASKS
from .project import Check

#: What to use for names that asyncflask does not have. For others there is no advice but to look it up.
_INSTEAD = {
    "flask.Module": "use a Blueprint",
    "flask._compat": "Python 3 needs none of it: str, bytes, dict.items()",
    "flask.exthook": "import extensions by their own names",
    "flask.globals._app_ctx_err_msg": "catch RuntimeError without looking at its message",
    "flask.globals._request_ctx_err_msg": "catch RuntimeError without looking at its message",
    "flask.helpers.locked_cached_property": "use functools.cached_property or werkzeug.utils.cached_property",
    "flask.helpers.safe_join": "use werkzeug.utils.safe_join, which gives None for a path that leads out",
    "flask.helpers.total_seconds": "call the timedelta's total_seconds()",
    "flask.json_available": "there is always JSON",
    "flask.signals.signals_available": "there are always signals",
    "flask.testing.make_test_environ_builder": "use flask.testing.EnvironBuilder(app, ...)",
    "flask.views.MethodViewType": "derive from MethodView",
    "flask.wrappers.JSONMixin": "derive from Request or Response",
    "jinja2.Markup": "import it from markupsafe",
    "jinja2.contextfilter": "use jinja2.pass_context",
    "jinja2.contextfunction": "use jinja2.pass_context",
    "jinja2.environmentfilter": "use jinja2.pass_environment",
    "jinja2.escape": "import it from markupsafe",
    "jinja2.evalcontextfilter": "use jinja2.pass_eval_context",
    "itsdangerous.JSONWebSignatureSerializer": "use a JWT library, such as joserfc or PyJWT",
    "itsdangerous.TimedJSONWebSignatureSerializer": "use URLSafeTimedSerializer, or a JWT library",
    "werkzeug.contrib": "ProxyFix is asyncflask.middleware.proxy_fix.ProxyFix; caches are in cachelib",
    "werkzeug.security.safe_str_cmp": "use hmac.compare_digest",
    "werkzeug.urls.url_decode": "use urllib.parse.parse_qs",
    "werkzeug.urls.url_encode": "use urllib.parse.urlencode",
    "werkzeug.urls.url_join": "use urllib.parse.urljoin",
    "werkzeug.urls.url_parse": "use urllib.parse.urlsplit",
    "werkzeug.urls.url_quote": "use urllib.parse.quote",
    "werkzeug.urls.url_quote_plus": "use urllib.parse.quote_plus",
    "werkzeug.urls.url_unquote": "use urllib.parse.unquote",
    "werkzeug.wrappers.BaseRequest": "use werkzeug.wrappers.Request",
    "werkzeug.wrappers.BaseResponse": "use werkzeug.wrappers.Response",
}

#: Attributes of applications that Flask has had since 1.0, or just before.
APP_ATTRIBUTES = {
    "debug_log_format": "set a formatter on the handlers of app.logger",
    "env": "use app.debug, or a configuration key of your own",
    "error_handlers": "use app.error_handler_spec",
    "init_jinja_globals": "override create_jinja_environment()",
    "logger_name": "the logger is called as the app is: app.name",
    "make_null_session": "use app.session_interface.make_null_session(app)",
    "open_session": "use app.session_interface.open_session(app, request)",
    "preserve_context_on_exception": "tests keep the context in 'with client:'",
    "propagate_exceptions": "use app.config['PROPAGATE_EXCEPTIONS']",
    "request_globals_class": "use app.app_ctx_globals_class",
    "save_session": "use app.session_interface.save_session(app, session, response)",
    "send_file_max_age_default": "use app.config['SEND_FILE_MAX_AGE_DEFAULT']",
    "session_cookie_name": "use app.config['SESSION_COOKIE_NAME']",
    "templates_auto_reload": "use app.config['TEMPLATES_AUTO_RELOAD']",
    "try_trigger_before_first_request_functions": "do it where the application is made",
    "use_x_sendfile": "use app.config['USE_X_SENDFILE']",
}

_CONFIG = "app.json.{0} = ..., on the app's JSON provider"
#: Configuration keys that have no effect any more.
CONFIG_KEYS = {
    "JSON_AS_ASCII": _CONFIG.format("ensure_ascii"),
    "JSON_SORT_KEYS": _CONFIG.format("sort_keys"),
    "JSONIFY_MIMETYPE": _CONFIG.format("mimetype"),
    "JSONIFY_PRETTYPRINT_REGULAR": _CONFIG.format("compact"),
    "PRESERVE_CONTEXT_ON_EXCEPTION": "leave it out",
}

#: Arguments that functions have had under other names.
_ARGUMENTS = {
    "flask.Flask": {"static_path": "static_url_path"},
    "flask.send_file": {
        "add_etags": "etag",
        "attachment_filename": "download_name",
        "cache_timeout": "max_age",
    },
    "flask.send_from_directory": {
        "add_etags": "etag",
        "attachment_filename": "download_name",
        "cache_timeout": "max_age",
        "filename": "path",
    },
}


class RemovedCheck(Check):
    """Names that are gone, or that asyncflask keeps for a while."""

    def imported(self, node: ast.alias, module: str, name: str | None) -> None:
        package, _, rest = module.partition(".")
        if "ImportError" in self.place.caught or package == "quart":
            return
        if package in FLASKS:
            if rest.partition(".")[0] == "ext" or (not rest and name == "ext"):
                extension = rest.removeprefix("ext").strip(".") or name or ""
                self._extension(node, extension.partition(".")[0])
                return
            module = f"asyncflask{module[len(package) :]}"
        elif package not in BUILT_ON:
            return
        if not has_module(module):
            self._gone(node, module)
        elif name is not None and name != "*":
            self._look_up(node, module, name)

    def _extension(self, node: ast.alias, name: str) -> None:
        real = f"flask_{name}" if name and name != "ext" else "flask_name"
        self.warning(node, "AF301", "extensions are not in flask.ext any more", f"import {real}")

    def attribute(self, node: ast.Attribute, path: str) -> None:
        caught = self.place.caught
        if "AttributeError" in caught or node.attr in self.place.asked:
            return
        owner = path[: -len(node.attr) - 1]
        package = owner.partition(".")[0]
        if (
            "(" not in owner
            and (package == "flask" or package in BUILT_ON)
            and isinstance(node.ctx, ast.Load)
        ):
            module = f"asyncflask{owner[5:]}" if package == "flask" else owner
            if is_module(module) and "ImportError" not in caught:
                self._look_up(node, module, node.attr)
                return
        self._of_application(node, owner)

    def _of_application(self, node: ast.Attribute, owner: str) -> None:
        name = node.attr
        if name in _ATTRIBUTES and self.report.imports:
            # Others have JSON encoders, too; nobody else has the first request.
            if "first_request" in name or self.is_app(owner) or owner == "flask.Blueprint()":
                self.warning(node, "AF302", f"app.{name} is deprecated", _ATTRIBUTES[name])
        elif name in APP_ATTRIBUTES and self.is_app(owner):
            self.error(node, "AF304", f"there is no app.{name}", APP_ATTRIBUTES[name])
        elif name == "from_json" and owner.endswith(".config") and self.is_app(owner[: -len(".config")]):
            self.error(
                node, "AF304", "there is no config.from_json", "config.from_file(filename, load=json.load)"
            )
        elif name == "is_xhr" and owner == "flask.request":
            self.error(
                node,
                "AF304",
                "there is no request.is_xhr",
                "request.headers.get('X-Requested-With') == 'XMLHttpRequest'",
            )

    def _look_up(self, node: ast.alias | ast.Attribute, module: str, name: str) -> None:
        old = _MODULE_NAMES.get(module, {}).get(name)
        if old is not None:
            shown = module.replace("asyncflask", "flask", 1)
            self.warning(node, "AF302", f"{shown}.{name} is deprecated", old[1])
        elif not has_name(module, name):
            self._gone(node, f"{module}.{name}")

    def _gone(self, node: ast.alias | ast.Attribute, path: str) -> None:
        package = path.partition(".")[0]
        parts = path.replace("asyncflask", "flask", 1).split(".")
        known = [_INSTEAD.get(".".join(parts[:length])) for length in range(len(parts), 1, -1)]
        advice = next(filter(None, known), None)
        if package == "asyncflask":
            message = f"asyncflask has no {path.partition('.')[2]}"
            self.error(node, "AF303", message, advice or "it has the public names of Flask 3.1")
        else:
            self.error(node, "AF306", f"{describe(package)} has no {path}", advice or "see its changes")

    def call(self, node: ast.Call, path: str, awaited: bool) -> None:
        renamed = _ARGUMENTS.get(path, {})
        for keyword in node.keywords:
            if keyword.arg in renamed:
                self.error(
                    keyword.value,
                    "AF304",
                    f"{path.rpartition('.')[2]}() has no argument {keyword.arg}",
                    f"{renamed[keyword.arg]}=...",
                )
            elif keyword.arg in CONFIG_KEYS and path.endswith((".from_mapping", ".config.update")):
                self._config(keyword.value, keyword.arg)

    def assigned(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name) and target.id in CONFIG_KEYS:
            self._config(target, target.id)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            key = str(target.slice.value)
            if key in CONFIG_KEYS and self.place.path_of(target.value).endswith(".config"):
                self._config(target, key)

    def _config(self, node: ast.expr, key: str) -> None:
        self.warning(node, "AF305", f"the configuration key {key} has no effect", CONFIG_KEYS[key])

    def subscript(self, node: ast.Subscript, path: str) -> None:
        is_env = isinstance(node.slice, ast.Constant) and node.slice.value == "ENV"
        if is_env and isinstance(node.ctx, ast.Load) and path.endswith(".config") and self.is_app(path[:-7]):
            self.error(node, "AF304", "there is no app.config['ENV']", APP_ATTRIBUTES["env"])

    def class_(self, node: ast.ClassDef, bases: list[str]) -> None:
        if not {"flask.Flask", "flask.Blueprint"} & set(bases):
            return
        for statement in node.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Name) and target.id in ("json_encoder", "json_decoder"):
                    self.warning(target, "AF302", f"app.{target.id} is deprecated", _ATTRIBUTES[target.id])
