"""StopIteration, which ends coroutines, out of sync functions: ``next(...)`` that finds nothing."""

from __future__ import annotations

from .harness import case, raised, raising


def stop():
    return next(iter(()))


SYNC = [
    "view", "decorated", "index", "before", "after", "pull", "values", "context", "later", "handler",
    "after_this",
]  # fmt: skip


@case(sync=SYNC)
def test_error_handlers_are_asked(fw):
    app = fw.Flask(__name__)
    log = []

    @app.errorhandler(StopIteration)
    def stopped(error):
        return f"no such row {type(error).__name__} {error.args}", 404

    @app.before_request
    def before():
        if "before" in fw.request.args:
            stop()

    @app.url_value_preprocessor
    def pull(endpoint, values):
        if "pull" in fw.request.args:
            stop()

    @app.url_defaults
    def values(endpoint, values):
        if "values" in fw.request.args:
            stop()

    @app.context_processor
    def context():
        if "context" in fw.request.args:
            stop()
        return {}

    @app.after_request
    def after(response):
        if "after" in fw.request.args:
            raise StopIteration("after", 7)
        return response

    @app.teardown_request
    def teardown(error):
        log.append(type(error).__name__)

    @app.teardown_appcontext
    def ended(error):
        log.append(type(error).__name__)

    @app.get("/")
    def index():
        fw.url_for("view")
        return fw.render_template_string("fine")

    @app.get("/view/<int:number>")
    def row(number):
        return "there"

    @app.get("/view")
    def view():
        raise StopIteration("a", 1)

    @app.get("/decorated")
    @(lambda f: lambda: f())
    def decorated():
        return stop()

    @app.get("/abort")
    def aborting():
        fw.abort(409)

    @app.errorhandler(409)
    def handler(error):
        return stop()

    @app.get("/later")
    def later():
        @fw.after_this_request
        def after_this(response):
            return stop()

        return "x"

    return app, [
        "/view", "/decorated", "/abort", "/later",
        "/", "/?before", "/?pull", "/?values", "/?context", "/?after",
    ], log  # fmt: skip


@case(sync=["index", "handler", "before", "teardown", "ended"])
def test_without_a_handler(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        if "before" in fw.request.args:
            stop()

    @app.get("/")
    def index():
        return stop()

    @app.get("/fine")
    def fine():
        return "fine"

    @app.errorhandler(500)
    def failed(error):
        log.append(repr(error.original_exception))
        return "failed", 500

    @app.teardown_request
    def teardown(error):
        log.append(repr(error))

    @app.teardown_appcontext
    def ended(error):
        log.append(repr(error))
        if "ended" in fw.g:
            stop()

    @app.after_request
    def note(response):
        if "ended" in fw.request.args:
            fw.g.ended = True
        return response

    def steps(client):
        yield client.get("/")
        yield client.get("/fine?before")
        yield raised(client.get, "/fine?ended")
        app.testing = True
        yield raised(client.get, "/")
        yield raised(client.get, "/fine?before")
        with client:
            yield raised(client.get, "/")

    return app, steps, log


@case(sync=["view"])
def test_through_overridden_methods(fw):
    log = []

    class App(fw.Flask):
        def full_dispatch_request(self):
            try:
                return super().full_dispatch_request()
            except StopIteration as error:
                log.append(("full_dispatch_request", repr(error)))
                raise

        def dispatch_request(self):
            try:
                return super().dispatch_request()
            except StopIteration as error:
                log.append(("dispatch_request", repr(error)))
                raise

        def handle_user_exception(self, e):
            log.append(("handle_user_exception", repr(e)))
            return super().handle_user_exception(e)

        def handle_exception(self, e):
            log.append(("handle_exception", repr(e)))
            return super().handle_exception(e)

        def log_exception(self, exc_info):
            log.append(("log_exception", exc_info[0].__name__, repr(exc_info[1])))

    app = App(__name__)

    @app.get("/")
    def view():
        return stop()

    def steps(client):
        yield client.get("/")
        app.config["PROPAGATE_EXCEPTIONS"] = True
        yield raised(client.get, "/")

    return app, steps, log


@case(sync=["receiver", "teardown"])
def test_signals_and_teardown(fw):
    app = fw.Flask(__name__)
    log = []

    def receiver(sender, **values):
        if fw.request.args.get("signal") == "started":
            stop()

    fw.request_started.connect(receiver, app)

    @app.teardown_request
    def teardown(error):
        log.append(repr(error))
        if "teardown" in fw.request.args:
            stop()

    @app.get("/")
    def index():
        return "x"

    app.extensions["receiver"] = receiver
    return app, ["/?signal=started", raising("/?teardown"), "/"], log


@case(sync=["index"])
def test_out_of_what_a_view_waits_for(fw):
    """In a coroutine of the user it is a RuntimeError, in both frameworks."""
    app = fw.Flask(__name__)

    @app.errorhandler(StopIteration)
    def stopped(error):
        return "stopped", 404

    @app.errorhandler(RuntimeError)
    def failed(error):
        return str(error), 500

    async def search():
        return stop()

    @app.get("/")
    def index():
        return app.ensure_sync(search)()

    return app, ["/"]
