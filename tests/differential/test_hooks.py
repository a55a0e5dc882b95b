"""The order of a request's hooks, on the application and on blueprints."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from functools import wraps

from .harness import case, get, post, raised, raising


@case
def test_order_of_all_hooks(fw):
    app = fw.Flask(__name__)
    log = []

    @app.url_value_preprocessor
    def preprocess(endpoint, values):
        log.append(f"preprocess {endpoint} {values}")

    @app.before_request
    def before_one():
        log.append("before 1")

    @app.before_request
    def before_two():
        log.append("before 2")

    @app.after_request
    def after_one(response):
        log.append(f"after 1 {response.status_code}")
        return response

    @app.after_request
    def after_two(response):
        log.append(f"after 2 {response.status_code}")
        return response

    @app.teardown_request
    def teardown_one(error):
        log.append(f"teardown 1 {error!r}")

    @app.teardown_request
    def teardown_two(error):
        log.append(f"teardown 2 {error!r}")

    @app.teardown_appcontext
    def app_teardown_one(error):
        log.append(f"app teardown 1 {error!r}")

    @app.teardown_appcontext
    def app_teardown_two(error):
        log.append(f"app teardown 2 {error!r}")

    @app.route("/<int:n>", methods=["GET", "POST"])
    def view(n):
        log.append("view")
        return "view"

    @app.get("/fail")
    def fail():
        log.append("fail")
        raise ValueError("view")

    @app.get("/abort")
    def abort():
        log.append("abort")
        fw.abort(418)

    return app, ["/1", post("/1"), "/fail", "/abort", "/missing", "/1"], log


@case
def test_before_request_ends_the_chain(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def first():
        log.append("first")
        if "answer" in fw.request.args:
            return "from first", 202, {"X-First": "1"}
        if "empty" in fw.request.args:
            return ""
        if "abort" in fw.request.args:
            fw.abort(403)
        if "fail" in fw.request.args:
            raise ValueError

    @app.before_request
    def second():
        log.append("second")
        return {"second": True} if "second" in fw.request.args else None

    @app.after_request
    def after(response):
        log.append(f"after {response.status_code}")
        return response

    @app.get("/")
    def index():
        log.append("view")
        return "view"

    paths = ["/", "/?answer", "/?empty", "/?second", "/?abort", "/?fail", "/missing", "/missing?answer"]
    return app, paths, log


@case
def test_after_request_replaces_the_response(fw):
    app = fw.Flask(__name__)
    log = []

    @app.after_request
    def outer(response):
        log.append(f"outer {response.status_code}")
        response.headers["X-Outer"] = "1"
        return response

    @app.after_request
    def inner(response):
        log.append(f"inner {response.status_code}")
        return fw.make_response(b"replaced: " + response.get_data(), 203)

    @app.get("/")
    def index():
        return "index"

    return app, ["/", "/missing"], log


@case
def test_failing_after_request(fw):
    app = fw.Flask(__name__)
    log = []

    @app.after_request
    def outer(response):
        log.append(f"outer {response.status_code}")
        return response

    @app.after_request
    def inner(response):
        log.append(f"inner {response.status_code}")
        if fw.request.args.get("raise") == "http":
            fw.abort(409)
        if fw.request.args.get("raise") == "error":
            raise ValueError("inner")
        return response

    @app.errorhandler(409)
    def conflict(error):
        log.append("handler 409")
        return "conflict handled", 409

    @app.errorhandler(500)
    def failed(error):
        log.append(f"handler 500 {type(error.original_exception).__name__}")
        return "failed handled", 500

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.get("/")
    def index():
        return "index"

    return app, ["/", "/?raise=http", "/?raise=error", "/missing?raise=error"], log


@case
def test_failing_teardown(fw):
    app = fw.Flask(__name__)
    log = []

    @app.teardown_request
    def teardown(error):
        log.append(f"request {error!r}")
        if "teardown" in fw.request.args:
            raise LookupError("teardown")

    @app.teardown_appcontext
    def app_teardown(error):
        log.append(f"app {error!r}")

    @app.get("/")
    def index():
        if "view" in fw.request.args:
            raise ValueError("view")
        return "index"

    def steps(client):
        yield client.get("/")
        yield client.get("/?view")
        yield raised(client.get, "/?teardown", message=True)
        yield raised(client.get, "/?view&teardown", message=True)
        yield client.get("/")

    return app, steps, log


@case
def test_teardown_gets_the_unhandled_exception_only(fw):
    app = fw.Flask(__name__)
    log = []

    @app.errorhandler(KeyError)
    def handled(error):
        return "handled", 200

    @app.errorhandler(LookupError)
    def failing(error):
        raise TypeError("handler")

    @app.teardown_request
    def teardown(error):
        log.append(f"request {error!r}")

    @app.teardown_appcontext
    def app_teardown(error):
        log.append(f"app {error!r}")

    @app.get("/<name>")
    def view(name):
        raise {"key": KeyError("k"), "index": IndexError("i"), "value": ValueError("v")}[name]

    return app, ["/key", "/index", "/value", "/x/y"], log


@case
def test_teardown_when_exceptions_propagate(fw):
    app = fw.Flask(__name__)
    app.testing = True
    log = []

    @app.after_request
    def after(response):
        log.append("after")
        return response

    @app.teardown_request
    def teardown(error):
        log.append(f"request {error!r}")

    @app.teardown_appcontext
    def app_teardown(error):
        log.append(f"app {error!r}")

    @app.get("/")
    def view():
        raise ValueError("view")

    @app.before_request
    def before():
        if "before" in fw.request.args:
            raise KeyError("before")

    return app, [raising("/", message=True), raising("/?before", message=True), "/missing"], log


@case
def test_teardown_still_has_the_context(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        fw.g.items = ["before"]

    @app.teardown_request
    def teardown(error):
        log.append((fw.request.path, fw.g.items, fw.current_app.name == app.name, fw.has_request_context()))

    @app.teardown_appcontext
    def app_teardown(error):
        log.append((fw.g.pop("items"), fw.has_app_context()))

    @app.get("/")
    def index():
        fw.g.items.append("view")
        return "index"

    return app, ["/", "/missing"], log


# Blueprints


def with_hooks(scaffold, name, log):
    """Register a hook of every kind that writes down its name."""
    scaffold.before_request(lambda: log.append(f"{name} before"))
    scaffold.after_request(lambda response: log.append(f"{name} after") or response)
    scaffold.teardown_request(lambda error: log.append(f"{name} teardown"))
    scaffold.url_value_preprocessor(lambda endpoint, values: log.append(f"{name} preprocess"))
    scaffold.context_processor(lambda: log.append(f"{name} context") or {name: name})
    scaffold.url_defaults(lambda endpoint, values: log.append(f"{name} defaults"))


@case
def test_order_with_nested_blueprints(fw):
    app = fw.Flask(__name__)
    parent = fw.Blueprint("parent", __name__, url_prefix="/parent")
    child = fw.Blueprint("child", __name__, url_prefix="/child")
    grandchild = fw.Blueprint("grandchild", __name__)
    other = fw.Blueprint("other", __name__)
    log = []

    for scaffold, name in [
        (child, "child"),
        (app, "app"),
        (grandchild, "grandchild"),
        (parent, "parent"),
        (other, "other"),
    ]:
        with_hooks(scaffold, name, log)

    def view():
        log.append("view")
        return fw.render_template_string("{{ app }} {{ parent }} {{ child }} {{ grandchild }}") + fw.url_for(
            fw.request.endpoint
        )

    app.add_url_rule("/", "index", view)
    parent.add_url_rule("/", "index", view)
    child.add_url_rule("/", "index", view)
    grandchild.add_url_rule("/grand", "index", view)
    child.register_blueprint(grandchild)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    app.register_blueprint(other)

    return (
        app,
        ["/", "/parent/", "/parent/child/", "/parent/child/grand", "/parent/missing", "/parent/child"],
        log,
    )


@case
def test_app_wide_hooks_of_a_blueprint(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp")
    log = []

    @bp.before_app_request
    def before_app():
        log.append(f"before app {fw.request.blueprint}")

    @app.before_request
    def before():
        log.append("before")

    @bp.before_request
    def before_bp():
        log.append("before bp")

    @bp.after_app_request
    def after_app(response):
        log.append("after app")
        return response

    @bp.after_request
    def after_bp(response):
        log.append("after bp")
        return response

    @bp.teardown_app_request
    def teardown_app(error):
        log.append(f"teardown app {error!r}")

    @bp.teardown_request
    def teardown_bp(error):
        log.append(f"teardown bp {error!r}")

    @bp.app_url_value_preprocessor
    def preprocess(endpoint, values):
        log.append(f"preprocess {endpoint}")

    @bp.app_errorhandler(404)
    def lost(error):
        log.append("lost")
        return "lost", 404

    @bp.errorhandler(404)
    def lost_bp(error):
        log.append("lost bp")
        return "lost in bp", 404

    @bp.app_errorhandler(ValueError)
    def value(error):
        return "value", 400

    @app.get("/")
    def index():
        return "index"

    @app.get("/fail")
    def fail():
        raise ValueError

    @bp.get("/")
    def bp_index():
        return "bp"

    @bp.get("/lost")
    def bp_lost():
        fw.abort(404)

    app.register_blueprint(bp)
    return app, ["/", "/bp/", "/missing", "/bp/missing", "/bp/lost", "/fail"], log


@case
def test_blueprint_before_request_answers(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)
    log = []

    @app.before_request
    def app_before():
        log.append("app before")

    @bp.before_request
    def bp_before():
        log.append("bp before")
        return "stopped"

    @bp.after_request
    def bp_after(response):
        log.append("bp after")
        return response

    @app.after_request
    def app_after(response):
        log.append("app after")
        return response

    @bp.get("/bp")
    def view():
        log.append("view")
        return "view"

    @app.get("/")
    def index():
        return "index"

    app.register_blueprint(bp)
    return app, ["/bp", "/"], log


@case
def test_a_blueprint_registered_twice(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)
    log = []

    @bp.before_request
    def before():
        log.append(f"before {fw.request.blueprint} {fw.request.blueprints}")

    @bp.get("/")
    def index():
        return f"{fw.request.endpoint} {fw.url_for('.index')} {fw.url_for('bp.index')}"

    @bp.errorhandler(418)
    def teapot(error):
        return f"teapot {fw.request.blueprint}", 418

    @bp.get("/teapot")
    def brew():
        fw.abort(418)

    app.register_blueprint(bp, url_prefix="/one")
    app.register_blueprint(bp, url_prefix="/two", name="second")
    return app, ["/one/", "/two/", "/one/teapot", "/two/teapot"], log


# Hooks and the modern parts of Python


@case
def test_context_variables_reach_from_hook_to_hook(fw):
    variable = ContextVar("variable", default="unset")
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        variable.set(fw.request.args.get("v", "set"))

    @app.get("/")
    def index():
        value = variable.get()
        variable.set("view")
        return value

    @app.after_request
    def after(response):
        response.headers["X-Variable"] = variable.get()
        return response

    @app.teardown_request
    def teardown(error):
        log.append(variable.get())

    return app, ["/?v=1", "/missing"], log


@case
def test_hooks_registered_as_plain_calls(fw):
    app = fw.Flask(__name__)
    log = []

    def before():
        log.append("before")

    def after(response):
        log.append("after")
        return response

    class Callable:
        def __call__(self, *args):
            log.append(f"callable {len(args)}")
            return args[0] if args else None

    def index():
        return "index"

    class View:
        def __call__(self, n):
            return f"called {n}"

    app.before_request(before)
    app.after_request(after)
    app.before_request(Callable())
    app.after_request(Callable())
    app.teardown_request(Callable())
    app.add_url_rule("/", "index", index)
    app.add_url_rule("/<int:n>", "called", View())
    return app, ["/", "/1"], log


@case
def test_decorated_views(fw):
    """Decorators that know nothing of coroutines: the ordinary wrapper of every tutorial."""
    app = fw.Flask(__name__)
    app.secret_key = "k"
    log = []

    def login_required(view):
        @wraps(view)
        def wrapper(*args, **kwargs):
            log.append("wrapper")
            if "user" not in fw.request.args:
                return fw.redirect(fw.url_for("login", next=fw.request.path))
            fw.g.user = fw.request.args["user"]
            return view(*args, **kwargs)

        return wrapper

    @app.get("/login")
    def login():
        return "login " + fw.request.args.get("next", "")

    @app.get("/<int:n>")
    @login_required
    def secret(n):
        log.append("view")
        return f"{fw.g.user} {n}"

    @app.get("/fail")
    @login_required
    def fail():
        raise ValueError("inside")

    @app.errorhandler(ValueError)
    @login_required
    def value_error(error):
        return "handled", 400

    return app, ["/1", "/1?user=ann", get("/1", follow_redirects=True), "/fail?user=ann", "/fail"], log


@case(sync=["preprocess", "before", "view", "fail", "handler", "after", "teardown", "app_teardown"])
def test_a_sync_request_runs_on_one_thread(fw):
    """So that ``threading.local`` and database connections work as they do under Flask."""
    app = fw.Flask(__name__)
    threads = []

    def seen(*args):
        threads.append(threading.get_ident())
        return args[0] if args else None

    @app.url_value_preprocessor
    def preprocess(endpoint, values):
        seen()

    @app.before_request
    def before():
        seen()

    @app.get("/")
    def view():
        seen()
        return "view"

    @app.get("/fail")
    def fail():
        seen()
        raise ValueError

    @app.errorhandler(ValueError)
    def handler(error):
        seen()
        return "handled"

    @app.after_request
    def after(response):
        return seen(response)

    @app.teardown_request
    def teardown(error):
        seen()

    @app.teardown_appcontext
    def app_teardown(error):
        seen()

    def steps(client):
        for path in ("/", "/fail"):
            threads.clear()
            yield client.get(path)
            yield len(threads), len(set(threads))

    return app, steps
