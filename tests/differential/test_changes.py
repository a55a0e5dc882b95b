"""Setup that is changed after the first request, as extensions do it, and hooks that send it elsewhere."""

from __future__ import annotations

from collections import defaultdict

from werkzeug.exceptions import BadRequest, NotFound, Unauthorized
from werkzeug.routing import Rule

from .harness import case, raised


@case
def test_functions_put_into_the_registries(fw):
    app = fw.Flask(__name__)
    log = []
    inner = fw.Blueprint("inner", __name__)

    @app.get("/")
    def index():
        return "index"

    @inner.get("/inner")
    def of_blueprint():
        return "inner"

    app.register_blueprint(inner)

    def hook(name):
        def before():
            log.append(f"before {name}")

        return before

    def after(response):
        response.headers["X-After"] = "yes"
        return response

    def teardown(error):
        log.append("teardown")

    def steps(client):
        yield client.get("/"), client.get("/inner")
        app.before_request_funcs.setdefault(None, []).append(hook("appended"))
        yield client.get("/"), client.get("/inner")
        app.before_request_funcs[None].insert(0, hook("first"))
        app.before_request_funcs.setdefault("inner", []).append(hook("of the blueprint"))
        yield client.get("/"), client.get("/inner")
        app.after_request_funcs.setdefault(None, []).append(after)
        app.teardown_request_funcs.setdefault(None, []).extend([teardown])
        app.teardown_appcontext_funcs.append(teardown)
        yield client.get("/").headers.get("X-After"), client.get("/missing").headers.get("X-After")
        app.before_request_funcs[None].clear()
        app.after_request_funcs.pop(None)
        yield client.get("/"), client.get("/inner")
        app.url_value_preprocessors[None].append(lambda endpoint, values: log.append(endpoint))
        app.template_context_processors[None].append(lambda: {"name": "late"})
        yield client.get("/inner")

    return app, steps, log


@case
def test_lists_and_dicts_of_ones_own(fw):
    app = fw.Flask(__name__)
    log = []
    own = []

    @app.get("/")
    def index():
        return "index"

    def steps(client):
        yield client.get("/")
        app.before_request_funcs[None] = own
        yield client.get("/")
        own.append(lambda: log.append("own"))
        yield client.get("/")
        own.append(lambda: "answered")
        yield client.get("/")
        app.before_request_funcs = defaultdict(list)
        yield client.get("/")
        app.before_request_funcs[None].append(lambda: "again")
        yield client.get("/")
        app.before_request_funcs = {}
        app.before_request_funcs.setdefault(None, []).append(lambda: "once more")
        yield client.get("/")

    return app, steps, log


@case
def test_views_rules_and_methods(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return "index"

    def other():
        return {"other": True}

    def make_response(value):
        response = made(value)
        response.headers["X-Made"] = "yes"
        return response

    made = app.make_response

    def steps(client):
        yield client.get("/"), client.get("/late")
        app.view_functions["index"] = other
        yield client.get("/")
        app.url_map.add(Rule("/late", endpoint="index", methods=["GET"]))
        yield client.get("/late"), client.post("/late").status
        app.make_response = make_response
        yield client.get("/"), client.get("/").headers.get("X-Made")
        del app.make_response
        yield client.get("/").headers.get("X-Made")
        app.dispatch_request = lambda: "dispatched"
        yield client.get("/"), client.get("/late")
        del app.dispatch_request
        app.preprocess_request = lambda: "preprocessed"
        yield client.get("/")
        del app.preprocess_request
        app.process_response = lambda response: made("processed")
        yield client.get("/")
        del app.process_response
        app.handle_user_exception = lambda error: ("handled", 418)
        yield client.get("/missing")

    return app, steps


@case
def test_error_handlers(fw):
    app = fw.Flask(__name__)
    inner = fw.Blueprint("inner", __name__)

    class Failed(Exception):
        pass

    class Worse(Failed):
        pass

    @app.get("/failed")
    def failed():
        raise Failed

    @app.get("/worse")
    def worse():
        raise Worse

    @inner.get("/inner")
    def of_blueprint():
        raise Failed

    @app.get("/key")
    def key():
        return fw.request.args["key"]

    @app.errorhandler(404)
    def not_found(error):
        return "none", 404

    @app.errorhandler(Failed)
    def handle(error):
        return type(error).__name__, 500

    app.register_blueprint(inner)

    def answer(text):
        def handler(error):
            return text, 500

        return handler

    paths = ("/missing", "/failed", "/worse", "/inner", "/key")

    def all_paths(client):
        return [(response.status, response.data) for response in map(client.get, paths)]

    def steps(client):
        yield all_paths(client), all_paths(client)
        app.error_handler_spec[None][None][Worse] = answer("worse")
        yield all_paths(client)
        app.error_handler_spec["inner"][None][Failed] = answer("inner")
        app.error_handler_spec[None][404][NotFound] = answer("other")
        app.error_handler_spec[None][400][BadRequest] = answer("bad")
        yield all_paths(client)
        app.error_handler_spec[None][None] = {Failed: answer("replaced")}
        yield all_paths(client)
        app.error_handler_spec[None][None][Worse] = answer("put into a dict of its own")
        yield all_paths(client)
        app.config["TRAP_BAD_REQUEST_ERRORS"] = True
        app.error_handler_spec[None][None][KeyError] = answer("key")
        yield all_paths(client)
        app.config["TRAP_BAD_REQUEST_ERRORS"] = False
        app.config["TRAP_HTTP_EXCEPTIONS"] = True
        app.error_handler_spec[None][None][NotFound] = answer("trapped")
        yield all_paths(client)
        app.config["TRAP_HTTP_EXCEPTIONS"] = False
        app.handle_http_exception = lambda error: ("replaced", 418)
        yield all_paths(client)
        del app.handle_http_exception
        app.error_handler_spec.clear()
        yield client.get("/missing").status

    return app, steps


@case
def test_classes_and_interfaces(fw):
    app = fw.Flask(__name__)
    log = []

    @app.get("/")
    def index():
        fw.session["seen"] = fw.session.get("seen", 0) + 1
        return {"seen": fw.session["seen"]}

    class Interface(fw.sessions.SessionInterface):
        def open_session(self, app, request):
            log.append("open")
            return fw.sessions.SecureCookieSession({"seen": 10})

        def save_session(self, app, session, response):
            log.append(f"save {dict(session)}")

    class Provider(fw.json.provider.DefaultJSONProvider):
        def response(self, *args, **kwargs):
            return self._app.response_class("own JSON")

    class Response(fw.Response):
        default_mimetype = "text/plain"

    def steps(client):
        yield raised(lambda: client.get("/"))
        app.secret_key = "secret"
        yield client.get("/"), client.get("/")
        app.session_interface = Interface()
        yield client.get("/")
        app.session_interface = fw.sessions.SecureCookieSessionInterface()
        yield client.get("/")
        app.json = Provider(app)
        yield client.get("/")
        app.response_class = Response
        yield client.get("/")

    return app, steps, log


@case
def test_receivers_of_signals(fw):
    app = fw.Flask(__name__)
    log = []

    @app.get("/")
    def index():
        return "index"

    def started(sender, **extra):
        log.append("started")

    def finished(sender, response, **extra):
        log.append(f"finished {response.status_code}")

    def torn_down(sender, exc, **extra):
        log.append(f"torn down {exc!r}")

    def steps(client):
        yield client.get("/")
        with fw.request_started.connected_to(started, app), fw.request_finished.connected_to(finished, app):
            yield client.get("/"), client.get("/missing")
        yield client.get("/")
        fw.request_tearing_down.connect(torn_down, app)
        yield client.get("/")
        fw.request_tearing_down.disconnect(torn_down, app)
        yield client.get("/")

    return app, steps, log


@case
def test_the_request_changes_the_setup_that_it_goes_through(fw):
    app = fw.Flask(__name__)
    log = []

    @app.get("/after")
    def registers_after():
        app.after_request_funcs.setdefault(None, []).append(noted)
        return "after"

    @app.get("/teardown")
    def registers_teardown():
        app.teardown_request_funcs.setdefault(None, []).append(lambda error: log.append("teardown"))
        return "teardown"

    def noted(response):
        log.append("after")
        return response

    def steps(client):
        yield client.get("/teardown")
        yield client.get("/after")
        yield client.get("/after")

    return app, steps, log


@case
def test_hooks_that_send_the_request_elsewhere(fw):
    app = fw.Flask(__name__)
    log = []
    inside = fw.Blueprint("inside", __name__)

    @app.get("/")
    def index():
        return "index"

    @app.get("/user/<int:n>")
    def user(n):
        return f"user {n}"

    @inside.get("/inside")
    def within():
        return "inside"

    @inside.after_request
    def after(response):
        log.append("after inside")
        return response

    @inside.teardown_request
    def teardown(error):
        log.append("teardown inside")

    @inside.errorhandler(Unauthorized)
    def unauthorized(error):
        return "inside only", 401

    app.register_blueprint(inside)

    @app.before_request
    def before():
        where = fw.request.args.get("to")
        rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
        if where == "user":
            fw.request.url_rule, fw.request.view_args = rules["user"], {"n": 5}
        elif where == "inside":
            fw.request.url_rule, fw.request.view_args = rules["inside.within"], {}
        elif where == "values":
            fw.request.view_args["n"] = 7
        elif where == "error":
            fw.request.routing_exception = NotFound("by a hook")
        elif where == "found":
            fw.request.routing_exception = None
            fw.request.url_rule, fw.request.view_args = rules["index"], {}
        elif where == "refused":
            fw.request.url_rule = rules["inside.within"]
            raise Unauthorized("no")

    return (
        app,
        [
            "/?to=user",
            "/?to=inside",
            "/inside?to=user",
            "/user/1?to=values",
            "/?to=error",
            "/missing?to=found",
            "/missing?to=inside",
            "/missing",
            "/?to=refused",
        ],
        log,
    )
