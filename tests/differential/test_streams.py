"""Streams: when the request ends, what its generator sees, and what becomes of one that fails."""

from __future__ import annotations

from io import BytesIO

from .harness import case, raised, raising
from .wire import raw, wire_case


class Unreadable(BytesIO):
    def read(self, size=-1):
        raise OSError("the disk is gone")


class NotIterable:
    def __iter__(self):
        raise LookupError("no iterator")


GENERATORS = [
    "fails", "aborts", "late", "empty_first", "nothing", "with_context", "rows", "kept", "kept_late", "closed"
]  # fmt: skip


@wire_case(asynchronous=GENERATORS)
def test_a_failure_before_the_first_chunk(fw):
    """Nothing has been sent by then: the client gets a 500, and not a 200 that is cut off."""
    app = fw.Flask(__name__)
    app.secret_key = "k"
    app.logger.disabled = True  # Flask's server logs it elsewhere

    @app.get("/fails")
    def view_fails():
        def fails():
            raise LookupError("at once")
            yield "x"

        return fw.Response(fails(), 201, {"X-A": "1"}, mimetype="text/csv")

    @app.get("/aborts")
    def view_aborts():
        def aborts():
            fw.abort(404)
            yield "x"

        return aborts()

    @app.get("/late")
    def view_late():
        def late():
            yield "first"
            raise LookupError("late")

        return late()

    @app.get("/empty")
    def view_empty():
        def empty_first():
            yield ""
            raise LookupError("after an empty chunk")

        return empty_first()

    @app.get("/nothing")
    def view_nothing():
        def nothing():
            if fw is None:
                yield "x"

        return fw.Response(nothing(), 202)

    @app.get("/context")
    def view_context():
        def with_context():
            fw.request.args["missing"]
            yield "x"

        fw.session["a"] = 1
        return fw.stream_with_context(with_context())

    @app.get("/without")
    def view_without():
        def rows():
            yield fw.request.path

        return rows()

    @app.get("/map")
    def view_map():
        return fw.Response(map(int, ["x"]))

    @app.get("/iterable")
    def view_iterable():
        return fw.Response(NotIterable())

    @app.get("/type")
    def view_type():
        return fw.Response(iter([1, 2]))

    @app.get("/file")
    def view_file():
        return fw.send_file(Unreadable(), mimetype="a/b")

    @app.get("/template")
    def view_template():
        return fw.stream_template_string("{{ missing.attribute.of }}")

    @app.get("/template-late")
    def view_template_late():
        return fw.stream_template_string("{% for i in [1, 0] %}{{ 1 // i }}{% endfor %}")

    @app.after_request
    def after(response):
        response.headers["X-After"] = "1"
        return response

    @app.errorhandler(500)
    @app.errorhandler(404)
    @app.errorhandler(Exception)
    def handler(error):
        return "the handlers are not asked", 418

    paths = [
        "/fails", "/aborts", "/late", "/empty", "/nothing", "/context", "/without", "/map", "/iterable",
        "/type", "/file", "/template", "/template-late",
    ]  # fmt: skip
    return app, [*(raw(path) for path in paths), *(raw(path, method="HEAD") for path in paths)]


@case(asynchronous=GENERATORS)
def test_in_a_test(fw):
    """A test sees the exception itself."""
    app = fw.Flask(__name__)
    log = []

    @app.teardown_request
    def teardown(error):
        log.append(("teardown", repr(error)))

    @app.get("/fails")
    def view_fails():
        def fails():
            raise LookupError("at once")
            yield "x"

        return fails()

    @app.get("/late")
    def view_late():
        def late():
            yield "first"
            raise LookupError("late")

        return late()

    return app, [raising("/fails", message=True), raising("/late", message=True)], log


@case(asynchronous=GENERATORS)
def test_the_request_is_over_before_the_first_chunk(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def begin():
        fw.g.connection = "open"
        log.append("begin")

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.teardown_appcontext
    def ended(error):
        log.append(f"ended {error!r} {fw.g.connection}")

    @app.get("/stream")
    def stream():
        def rows():
            log.append(f"first {fw.has_request_context()} {fw.has_app_context()}")
            yield "a"
            log.append(raised(lambda: fw.request.path))
            log.append(raised(lambda: fw.g.connection))
            log.append(raised(lambda: fw.session.get("a")))
            log.append(raised(lambda: fw.current_app.name))
            log.append(raised(lambda: fw.url_for("stream")))
            yield "b"
            log.append("last")

        return fw.Response(rows())

    @app.get("/late")
    def late_view():
        def late():
            yield "a"
            raise LookupError("late")

        return late()

    @app.get("/kept")
    def kept_view():
        def kept():
            log.append(f"first {fw.request.path} {fw.g.connection}")
            yield "a"
            log.append(f"second {fw.has_request_context()} {fw.url_for('stream')}")
            yield "b"

        return fw.stream_with_context(kept())

    @app.get("/file")
    def file():
        return fw.send_file(BytesIO(b"content"), mimetype="a/b")

    def steps(client):
        for path in ("/stream", "/kept", "/file", "/static/hello.txt"):
            response = client.get(path)
            yield response.get_data()
            response.close()
            # When one that keeps the context ends depends on its client: see the tests of the life cycle.
            yield [entry for entry in log if path != "/kept" or not entry.startswith(("teardown", "ended"))]
            log.clear()
        yield raised(lambda: client.get("/late").get_data(), message=True)
        yield list(log)
        log.clear()

    return app, steps
