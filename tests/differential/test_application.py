"""The application object: its options, its folders, its life before and after the first request."""

from __future__ import annotations

import logging
import os

from .harness import case, raised


@case
def test_options(fw):
    def describe(import_name=__name__, **options):
        app = fw.Flask(import_name, **options)
        root = app.root_path
        return (
            app.name, app.import_name, os.path.basename(root), app.static_url_path,
            app.static_folder and os.path.relpath(app.static_folder, root), app.template_folder,
            os.path.relpath(app.instance_path, root), app.subdomain_matching, app.url_map.host_matching,
            os.path.relpath(app.config.root_path, root), app.has_static_folder,
            app.jinja_loader and app.jinja_loader.searchpath,
        )  # fmt: skip

    app = fw.Flask(__name__)

    def steps(_):
        yield describe()
        yield describe(static_url_path="/s", static_folder="files", template_folder="pages")
        yield describe(static_folder=None, template_folder=None)
        yield describe(instance_relative_config=True)
        yield describe(instance_path="/tmp/own-instance", instance_relative_config=True)
        yield describe(root_path="/tmp")
        yield describe(host_matching=True, static_host="example.com")
        yield describe(subdomain_matching=True)
        yield describe("json"), describe("logging.handlers")
        yield (
            raised(fw.Flask, __name__, instance_path="relative"),
            raised(fw.Flask),
            raised(fw.Flask, __name__, unknown=1),
        )

    return app, steps


@case
def test_attributes(fw):
    app = fw.Flask(__name__)

    def steps(_):
        yield (
            app.debug,
            app.testing,
            app.secret_key,
            app.extensions,
            app.blueprints,
            sorted(app.view_functions),
            str(app),
        )
        yield (
            app.url_map.__class__.__name__,
            app.url_rule_class.__name__,
            app.session_interface.__class__.__name__,
        )
        yield (
            app.request_class is fw.Request,
            app.response_class is fw.Response,
            app.config_class is fw.Config,
        )
        registries = (
            app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs,
            app.url_value_preprocessors, app.url_default_functions, app.error_handler_spec,
        )  # fmt: skip
        yield (
            [dict(registry) for registry in registries],
            list(app.template_context_processors),
            app.teardown_appcontext_funcs,
        )
        yield (
            app.url_build_error_handlers,
            app.shell_context_processors,
            app.import_name == __name__,
            app.logger.name,
        )
        yield (
            app.cli.name,
            app.jinja_options,
            app.jinja_env.__class__.__name__,
            app.json.__class__.__name__,
            app.aborter.__class__.__name__,
        )

    return app, steps


@case
def test_hooks_are_kept_where_extensions_look(fw):
    """The registries are public: extensions read them and add to them."""
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)
    log = []

    def hook(*args):
        log.append("hook")
        return args[0] if args else None

    app.before_request_funcs.setdefault(None, []).append(hook)
    app.after_request_funcs.setdefault(None, []).append(hook)
    app.teardown_request_funcs.setdefault(None, []).append(hook)
    app.before_request_funcs.setdefault("bp", []).append(hook)
    app.teardown_appcontext_funcs.append(hook)
    bp.before_request(hook)

    @bp.get("/bp")
    @app.get("/")
    def index():
        log.append("view")
        return "index"

    app.register_blueprint(bp)

    def steps(client):
        yield client.get("/")
        yield client.get("/bp")
        yield {key: len(value) for key, value in app.before_request_funcs.items()}
        yield {key: len(value) for key, value in app.after_request_funcs.items()}

    return app, steps, log


@case
def test_setup_after_the_first_request(fw):
    """The messages differ, the type of the exception does not."""
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)
    late = fw.Blueprint("late", __name__)

    @app.get("/")
    def index():
        return "index"

    app.register_blueprint(bp)

    def function(*args):
        return None

    def attempts(scaffold):
        yield "add_url_rule", raised(scaffold.add_url_rule, "/late", "late", function)
        for name in ("route", "get", "post", "put", "patch", "delete"):
            yield name, raised(lambda name=name: getattr(scaffold, name)("/late")(function))
        for name in (
            "before_request", "after_request", "teardown_request", "context_processor",
            "url_value_preprocessor", "url_defaults",
        ):  # fmt: skip
            yield name, raised(getattr(scaffold, name), function)
        yield "errorhandler", raised(lambda: scaffold.errorhandler(404)(function))
        yield "register_error_handler", raised(scaffold.register_error_handler, 404, function)
        yield "endpoint", raised(lambda: scaffold.endpoint("late")(function))

    def steps(client):
        yield client.get("/")
        yield list(attempts(app))
        yield list(attempts(bp))
        yield raised(app.register_blueprint, late), raised(bp.register_blueprint, late)
        yield raised(app.teardown_appcontext, function), raised(app.shell_context_processor, function)
        for name in ("template_filter", "template_test", "template_global"):
            yield (
                name,
                raised(lambda name=name: getattr(app, name)()(function)),
                raised(getattr(app, f"add_{name}"), function),
            )
            yield (
                name,
                raised(lambda name=name: getattr(bp, f"app_{name}")()(function)),
                raised(getattr(bp, f"add_app_{name}"), function),
            )
        for name in (
            "before_app_request",
            "after_app_request",
            "teardown_app_request",
            "app_context_processor",
            "app_url_defaults",
        ):
            yield name, raised(getattr(bp, name), function)
        yield (
            raised(lambda: bp.app_errorhandler(404)(function)),
            raised(bp.record, function),
            raised(bp.record_once, function),
        )
        yield client.get("/late").status

    return app, steps


@case
def test_setup_in_a_view(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return raised(app.add_url_rule, "/late", "late", lambda: "late") + raised(
            app.before_request, lambda: None
        )

    return app, ["/", "/late"]


@case
def test_wrong_registrations(fw):
    app = fw.Flask(__name__)

    def one():
        return "one"

    def two():
        return "two"

    app.add_url_rule("/one", "same", one)

    def steps(client):
        yield raised(app.add_url_rule, "/two", "same", two)
        app.add_url_rule("/again", "same", one)
        yield raised(app.add_url_rule, "no-slash", "no-slash", one)
        yield raised(app.add_url_rule, "/x", "methods", one, methods="GET")
        yield raised(app.add_url_rule, "/<unknown:x>", "converter", one)
        yield raised(app.add_url_rule, "/<x>/<x>", "twice", one)
        yield raised(app.add_url_rule, "/<broken", "broken", one)
        yield raised(app.add_url_rule, "/nothing")
        yield raised(app.get, "/x", methods=["POST"]), raised(app.route)
        yield raised(app.test_client, unknown=1)
        yield client.get("/one")
        yield client.get("/again")

    return app, steps


@case
def test_instance_folder(fw):
    app = fw.Flask(
        __name__,
        instance_path=os.path.join(os.path.dirname(__file__), "config_files"),
        instance_relative_config=True,
    )

    def steps(_):
        yield app.config.from_pyfile("config.cfg"), app.config["TEST_KEY"]
        with app.open_instance_resource("config.json") as file:
            yield file.mode, len(file.read())
        with app.open_instance_resource("config.json", "r") as file:
            yield file.mode, file.encoding, file.read()[:2]
        yield os.path.basename(app.instance_path), app.auto_find_instance_path() == app.instance_path

    return app, steps


@case
def test_logger(fw):
    def describe(name, debug=False, level=logging.NOTSET):
        app = fw.Flask(name)
        app.debug = debug
        logging.getLogger(name).setLevel(level)
        logger = app.logger
        return logger.name, logger.level, logger is app.logger, logger is logging.getLogger(app.name)

    app = fw.Flask(__name__)

    def steps(_):
        yield describe("json"), describe("csv", debug=True), describe("wave", level=logging.ERROR)
        for name in ("json", "csv", "wave"):
            logging.getLogger(name).setLevel(logging.NOTSET)

    return app, steps


@case
def test_shell_context(fw):
    app = fw.Flask(__name__)

    @app.shell_context_processor
    def more():
        return {"more": 1}

    def steps(_):
        context = app.make_shell_context()
        yield sorted(context), context["app"] is app, context["more"]

    return app, steps


@case
def test_methods_to_call(fw):
    app = fw.Flask(__name__)

    def plain(value):
        return value + 1

    def steps(_):
        with app.test_request_context():
            yield (
                app.ensure_sync(plain)(1),
                app.make_response("x").status,
                app.url_for("static", filename="x"),
            )
            yield (
                app.redirect("/x").status,
                app.handle_url_build_error is not None,
                app.should_ignore_error(ValueError()),
            )
            yield app.inject_url_defaults("static", {}), app.create_url_adapter(fw.request) is not None

    return app, steps


@case
def test_url_adapters(fw):
    app = fw.Flask(__name__)

    @app.url_defaults
    def defaults(endpoint, values):
        values["seen"] = endpoint

    def steps(_):
        with app.app_context():
            values = {}
            app.inject_url_defaults("any", values)
            yield values, app.create_url_adapter(None)
        app.config["SERVER_NAME"] = "example.com"
        with app.app_context():
            adapter = app.create_url_adapter(None)
            yield adapter.server_name, adapter.url_scheme, adapter.script_name
        context = {}
        with app.test_request_context():
            app.update_template_context(context)
        yield "request" in context, "g" in context

    return app, steps
