"""Signals: which are sent, in which order, with which arguments."""

from __future__ import annotations

from .harness import case, raised, raising


@case(asynchronous=["started", "finished", "failed", "torn_down"])
def test_signals_of_a_request(fw):
    app = fw.Flask(__name__)
    log = []

    @fw.request_started.connect_via(app, weak=False)
    def started(sender, **extra):
        log.append(("started", sender is app, fw.request.path, sorted(extra)))

    @fw.request_finished.connect_via(app, weak=False)
    def finished(sender, response, **extra):
        log.append(("finished", sender is app, response.status_code, sorted(extra)))
        response.headers["X-Signal"] = "finished"

    @fw.got_request_exception.connect_via(app, weak=False)
    def failed(sender, exception, **extra):
        log.append(("exception", repr(exception), sorted(extra)))

    @fw.request_tearing_down.connect_via(app, weak=False)
    def torn_down(sender, **extra):
        log.append(("tearing down", sorted(extra), repr(extra.get("exc"))))

    @app.before_request
    def before():
        log.append("before")

    @app.after_request
    def after(response):
        log.append("after")
        return response

    @app.teardown_request
    def teardown(error):
        log.append("teardown")

    @app.teardown_appcontext
    def app_teardown(error):
        log.append("app teardown")

    @app.get("/")
    def index():
        log.append("view")
        return "index"

    @app.get("/fail")
    def fail():
        raise ValueError("view")

    @app.get("/abort")
    def abort():
        fw.abort(418)

    return app, ["/", "/missing", "/fail", "/abort"], log


@case
def test_context_signals(fw):
    app = fw.Flask(__name__)
    log = []

    @fw.appcontext_pushed.connect_via(app, weak=False)
    def pushed(sender, **extra):
        log.append(("pushed", fw.current_app.name == app.name, sorted(extra)))
        fw.g.user = "from the signal"

    @fw.appcontext_popped.connect_via(app, weak=False)
    def popped(sender, **extra):
        log.append(("popped", sorted(extra)))

    @fw.appcontext_tearing_down.connect_via(app, weak=False)
    def torn_down(sender, **extra):
        log.append(("tearing down", repr(extra.get("exc")), sorted(extra)))

    @app.teardown_appcontext
    def teardown(error):
        log.append("teardown")

    @app.get("/")
    def index():
        log.append("view")
        return fw.g.user

    def steps(client):
        yield client.get("/")
        with app.app_context():
            yield fw.g.user
        with app.test_request_context("/x"):
            yield fw.g.user

    return app, steps, log


@case
def test_template_signals(fw):
    app = fw.Flask(__name__)
    log = []

    def before(sender, template, context, **extra):
        log.append(("before", template.name, context["whiskey"], sorted(extra)))
        context["whiskey"] = "changed"

    def rendered(sender, template, context, **extra):
        log.append(
            (
                "rendered",
                template.name,
                context["whiskey"],
                "request" in context,
                "g" in context,
                sorted(extra),
            )
        )

    fw.before_render_template.connect(before, app, weak=False)
    fw.template_rendered.connect(rendered, app, weak=False)

    @app.get("/")
    def index():
        return fw.render_template("simple.html", whiskey=1)

    @app.get("/string")
    def string():
        return fw.render_template_string("{{ whiskey }}", whiskey=2)

    @app.get("/stream")
    def stream():
        return fw.stream_template("simple.html", whiskey=3)

    return app, ["/", "/string", "/stream"], log


@case
def test_message_flashed(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"
    log = []

    def flashed(sender, message, category, **extra):
        log.append((message, category, sorted(extra)))

    fw.message_flashed.connect(flashed, app, weak=False)

    @app.get("/")
    def index():
        fw.flash("one")
        fw.flash("two", "error")
        return "flashed"

    return app, ["/"], log


@case
def test_exception_signals(fw):
    app = fw.Flask(__name__)
    log = []

    def failed(sender, exception, **extra):
        log.append(repr(exception))

    fw.got_request_exception.connect(failed, app, weak=False)

    @app.errorhandler(KeyError)
    def key(error):
        return "handled"

    @app.errorhandler(404)
    def lost(error):
        raise TypeError("in the handler")

    @app.get("/<name>")
    def show(name):
        raise {"key": KeyError("k"), "value": ValueError("v")}[name]

    def steps(client):
        yield client.get("/key")
        yield client.get("/value")
        yield client.get("/a/b")
        app.testing = True
        yield raised(client.get, "/value", message=True)

    return app, steps, log


@case(asynchronous=["receiver"])
def test_a_failing_receiver(fw):
    app = fw.Flask(__name__)
    app.testing = True

    @fw.request_started.connect_via(app, weak=False)
    def receiver(sender, **extra):
        raise LookupError("receiver")

    @app.get("/")
    def index():
        return "index"

    return app, [raising("/", message=True)]


@case
def test_signals_are_for_their_sender(fw):
    one, two = fw.Flask("one"), fw.Flask("two")
    log = []

    for app in (one, two):
        app.add_url_rule("/", "index", lambda: "index")

    fw.request_started.connect(lambda sender, **extra: log.append(f"one {sender.name}"), one, weak=False)

    def steps(client):
        yield client.get("/")
        yield two.test_client().get("/")
        with fw.template_rendered.connected_to(
            lambda sender, template, context: log.append("connected"), one
        ):
            with one.app_context():
                yield fw.render_template_string("x")
        with one.app_context():
            yield fw.render_template_string("x")

    return one, steps, log


@case
def test_a_receiver_connected_by_the_view(fw):
    app = fw.Flask(__name__)
    log = []

    def finished(sender, response):
        log.append(response.status)

    @app.get("/")
    def index():
        fw.request_finished.connect(finished, app)
        return "text"

    return app, ["/", "/"], log
