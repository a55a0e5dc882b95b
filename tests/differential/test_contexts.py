"""The application context, the request context, and the proxies that look into them."""

from __future__ import annotations

from threading import Thread

from .harness import case, get, post, raised


@case
def test_proxies_outside_of_a_context(fw):
    app = fw.Flask(__name__)

    def steps(_):
        yield fw.has_app_context(), fw.has_request_context()
        for proxy in (fw.current_app, fw.g, fw.request, fw.session):
            yield raised(lambda proxy=proxy: proxy.anything), bool(proxy), raised(proxy._get_current_object)
        with app.app_context():
            yield fw.has_app_context(), fw.has_request_context()
            yield (
                fw.current_app._get_current_object() is app,
                fw.current_app == app,
                bool(fw.current_app),
                bool(fw.request),
            )
            yield raised(lambda: fw.request.path), raised(lambda: fw.session["a"])
        with app.test_request_context():
            yield (
                fw.has_app_context(),
                fw.has_request_context(),
                fw.request.path,
                fw.current_app.name == app.name,
            )

    return app, steps


@case
def test_g(fw):
    app = fw.Flask(__name__)

    def steps(_):
        with app.app_context():
            g = fw.g
            yield "x" in g, g.get("x"), g.get("x", "default"), raised(lambda: g.x), list(g)
            g.x = 1
            g.y = 2
            yield (
                "x" in g,
                g.x,
                sorted(g),
                g.setdefault("x", 5),
                g.setdefault("z", 6),
                g.pop("x"),
                g.pop("x", None),
            )
            yield raised(g.pop, "x"), sorted(g), raised(delattr, g, "absent")
            del g.y
            yield sorted(g), "y" in g
        with app.app_context():
            yield sorted(fw.g)

    return app, steps


@case
def test_g_lives_as_long_as_the_request(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        log.append(sorted(fw.g))
        fw.g.before = True

    @app.get("/")
    def index():
        fw.g.view = True
        return repr(sorted(fw.g))

    @app.teardown_appcontext
    def teardown(error):
        log.append(sorted(fw.g))

    return app, ["/", "/missing", "/"], log


@case
def test_app_context(fw):
    app = fw.Flask(__name__)
    log = []

    @app.teardown_appcontext
    def teardown(error):
        log.append(repr(error))

    def failing():
        with app.app_context():
            raise ValueError("inside")

    def steps(_):
        with app.app_context() as context:
            fw.g.a = 1
            yield context.app is app, context.g.a
        yield raised(failing, message=True)
        context = app.app_context()
        context.push()
        yield fw.has_app_context()
        context.pop()
        yield fw.has_app_context()
        context.push()
        context.pop(KeyError("given"))
        yield "popped"

    return app, steps, log


@case(sync=["teardown_one", "teardown_two"])
def test_nested_apps(fw):
    one, two = fw.Flask("one"), fw.Flask("two")
    log = []

    @one.teardown_appcontext
    def teardown_one(error):
        log.append(f"one {fw.current_app.name}")

    @two.teardown_appcontext
    def teardown_two(error):
        log.append(f"two {fw.current_app.name}")

    @one.get("/")
    def index():
        fw.g.a = "one"
        with two.app_context():
            inside = (fw.current_app.name, "a" in fw.g, fw.request.path)
        with two.test_request_context("/inner?x=1"):
            nested = (fw.current_app.name, fw.request.path, fw.request.args["x"])
        return repr((inside, nested, fw.current_app.name, fw.request.path, fw.g.a))

    def steps(client):
        yield client.get("/")
        with one.app_context(), two.app_context():
            yield fw.current_app.name
        yield fw.has_app_context()

    return one, steps, log


@case
def test_test_request_context(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.route("/item/<int:n>", methods=["GET", "POST"])
    def item(n):
        return "item"

    def describe():
        request = fw.request
        return (
            request.method, request.url, request.endpoint, request.view_args, request.args.to_dict(),
            request.form.to_dict(), request.get_json(silent=True), request.get_data(), request.content_type,
            sorted(request.headers.keys()), type(request.routing_exception).__name__,
        )  # fmt: skip

    def steps(_):
        for path, options in [
            ("/", {}), ("/item/5", {}), ("/item/5", {"method": "POST", "data": {"a": "ü"}}),
            ("/item/5?q=1", {"method": "DELETE"}), ("/item/5", {"json": {"a": [1]}, "method": "POST"}),
            ("/x", {"query_string": {"a": "b c"}}), ("/x", {"headers": {"X-A": "1"}}),
            ("/x", {"base_url": "https://example.com:8443/root"}),
            ("/x", {"data": b"raw", "content_type": "text/plain"}),
            ("/item/5", {"environ_overrides": {"REMOTE_ADDR": "1.2.3.4"}}),
            ("http://other.org/item/1?x=y", {}),
        ]:  # fmt: skip
            with app.test_request_context(path, **options):
                yield describe()
        with app.test_request_context("/item/1"):
            fw.session["a"] = 1
            fw.g.b = 2
            yield fw.session["a"], fw.g.b, fw.url_for("item", n=2), fw.url_for("item", n=2, _external=True)
        yield raised(app.test_request_context, "/", base_url="http://x", subdomain="y")
        yield raised(app.test_request_context, "/", data={"a": "b"}, json={})

    return app, steps


@case
def test_request_contexts_by_hand(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"
    log = []

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.before_request
    def before():
        log.append(f"before {fw.request.endpoint}")

    @app.after_request
    def after(response):
        log.append("after")
        response.headers["X-After"] = "1"
        return response

    @app.get("/<name>")
    def hello(name):
        fw.session["name"] = name
        return f"Hello {name}"

    def steps(_):
        with app.test_request_context("/World") as context:
            yield (
                context.request.path,
                context.app is app,
                context.session is fw.session._get_current_object(),
            )
            yield app.preprocess_request()
            response = app.process_response(fw.make_response("made"))
            yield response.status, response.headers.get("X-After"), "Set-Cookie" in response.headers
        with app.test_request_context("/World"):
            yield app.full_dispatch_request().get_data()
            yield app.dispatch_request()
        context = app.test_request_context("/pushed")
        context.push()
        yield fw.request.path
        context.pop()
        yield fw.has_request_context()
        with app.test_request_context("/outer"):
            with app.test_request_context("/inner"):
                yield fw.request.path
            yield fw.request.path

    return app, steps, log


@case
def test_request_context_from_an_environ(fw):
    app = fw.Flask(__name__)

    @app.get("/x")
    def x():
        return "x"

    def steps(_):
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": "/x", "QUERY_STRING": "a=1", "SERVER_NAME": "localhost",
            "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SCRIPT_NAME": "", "HTTP_X_OWN": "own",
        }  # fmt: skip
        with app.request_context(environ):
            yield (
                fw.request.path,
                fw.request.args["a"],
                fw.request.headers["X-Own"],
                fw.request.endpoint,
                fw.request.environ["PATH_INFO"],
            )

    return app, steps


@case
def test_copy_current_request_context(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.get("/")
    def index():
        results = []
        fw.session["a"] = "session"

        @fw.copy_current_request_context
        def work(value):
            results.append(
                (
                    value,
                    fw.request.path,
                    fw.current_app.name == app.name,
                    fw.session["a"],
                    fw.url_for("index"),
                )
            )
            return "returned"

        thread = Thread(target=work, args=(1,))
        thread.start()
        thread.join()
        results.append(work(2))
        return repr(results)

    def steps(client):
        yield client.get("/?q=1")
        yield raised(fw.copy_current_request_context, lambda: None)

    return app, steps


@case
def test_the_client_keeps_the_context(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.get("/<name>")
    def show(name):
        fw.g.name = name
        fw.session["name"] = name
        return name

    @app.get("/go")
    def go():
        return fw.redirect("/target")

    def steps(client):
        with client:
            yield client.get("/one?q=1")
            yield (
                fw.request.path,
                fw.request.args["q"],
                fw.g.name,
                fw.session["name"],
                fw.current_app.name == app.name,
            )
            yield client.get("/two")
            yield fw.request.path, fw.g.name, fw.has_request_context()
            yield client.get("/go", follow_redirects=True)
            yield fw.request.path
            yield client.get("/a/b")
            yield fw.request.path, fw.request.endpoint
        yield fw.has_request_context()
        with app.test_client() as another:
            yield another.post("/one")
            yield fw.request.method
        yield raised(nested, app)

    def nested(app):
        with app.test_client() as client, client:
            pass

    return app, steps


@case
def test_the_client_keeps_the_context_of_a_failure(fw):
    app = fw.Flask(__name__)
    app.testing = True
    log = []

    @app.teardown_request
    def teardown(error):
        log.append(repr(error))

    @app.get("/")
    def index():
        fw.g.seen = 1
        raise ValueError("view")

    def steps(client):
        with client:
            yield raised(client.get, "/", message=True)
            yield fw.has_request_context()
        yield fw.has_request_context()

    return app, steps, log


@case
def test_state_does_not_leak_between_requests(fw):
    app = fw.Flask(__name__)

    @app.get("/<value>")
    def show(value):
        previous = fw.g.get("value"), getattr(fw.request, "own", None)
        fw.g.value = value
        fw.request.own = value
        return repr(previous)

    return app, [*(f"/{n}" for n in range(5)), post("/1"), get("/6")]


@case(sync=["index"])
def test_app_context_inside_a_request(fw):
    app = fw.Flask(__name__)
    log = []

    @app.teardown_appcontext
    def teardown(error):
        log.append(fw.g.get("where"))

    @app.get("/")
    def index():
        fw.g.where = "request"
        with app.app_context():
            fw.g.where = "inner"
            inner = fw.g.where, fw.request.path
        return repr((inner, fw.g.where))

    return app, ["/"], log


@case
def test_own_globals_class(fw):
    class Globals:
        default = "from the class"

    app = fw.Flask(__name__)
    app.app_ctx_globals_class = Globals

    @app.get("/")
    def index():
        fw.g.own = 1
        return f"{fw.g.default} {fw.g.own}"

    return app, ["/"]


@case
def test_an_attribute_that_is_missing_is_asked_for_once(fw):
    app = fw.Flask(__name__)
    log = []

    class Request(fw.Request):
        @property
        def broken(self):
            log.append("broken")
            raise AttributeError("inside")

        @property
        def _private(self):
            log.append("_private")
            raise AttributeError("inside of it")

    class Globals(fw.ctx._AppCtxGlobals):
        def __getattr__(self, name):
            log.append(name)
            raise AttributeError(name)

    app.request_class = Request
    app.app_ctx_globals_class = Globals

    def steps(_):
        with app.test_request_context():
            yield raised(lambda: fw.request.broken, message=True)
            yield raised(lambda: fw.request._private, message=True)
            yield hasattr(fw.g, "missing"), getattr(fw.g, "other", 1), hasattr(fw.g, "_private")
            fw.g.other = 2
            yield getattr(fw.g, "other", 1)
            yield raised(lambda: iter(fw.request)), fw.current_app.__doc__ == app.__doc__

    return app, steps, log
