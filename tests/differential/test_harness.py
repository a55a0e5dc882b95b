"""The comparison itself: it must see every kind of difference, and none where there is none."""

from __future__ import annotations

import inspect

import pytest

from . import harness
from .harness import compare, exception_name, framework, get, load, raising, transcript, variants


def build_with(change=None):
    """An application in which one thing may be changed."""

    def build(fw):
        app = fw.Flask("harness")
        log = []

        @app.get("/")
        def index():
            if change == "log":
                log.append("seen")
            if change == "logger":
                app.logger.warning("careful")
            if change == "exception":
                raise ValueError("other")
            response = fw.make_response("body!" if change == "body" else "body")
            response.headers.add("X-Many", "1")
            response.headers.add("X-Many", "1" if change == "repeated header" else "2")
            response.status_code = 201 if change == "status" else 200
            if change == "reason":
                response.status = "200 FINE"
            if change == "cookie":
                response.set_cookie("a", "b")
            return response

        @app.get("/raise")
        def fail():
            app.config["PROPAGATE_EXCEPTIONS"] = True
            raise (TypeError if change == "type" else ValueError)("text" if change == "message" else "other")

        def steps(client):
            yield client.get("/")
            yield {"value": change == "value"}
            if change == "more":
                yield None

        return (
            app,
            ["/", get("/"), raising("/raise", message=True)] if change in {"type", "message"} else steps,
            log,
        )

    return build


def test_equal_runs_compare_equal():
    compare(transcript(build_with(), "flask"), transcript(build_with(), "flask"), "same")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("status", "+201 CREATED"),
        ("reason", "+200 FINE"),
        ("body", "+b'body!'"),
        ("repeated header", "+x-many: 1"),
        ("cookie", "+set-cookie: a=b; Path=/"),
        ("log", "+log: 'seen'"),
        ("logger", "+logger: ('WARNING', 'careful')"),
        ("exception", "+500 INTERNAL SERVER ERROR"),
        ("value", "+{'value': True}"),
        ("more", "+[3]"),
    ],
)
def test_a_difference_is_shown(change, line):
    with pytest.raises(pytest.fail.Exception) as failure:
        compare(transcript(build_with(), "flask"), transcript(build_with(change), "flask"), "title")
    assert line in str(failure.value).splitlines()


def test_exceptions_are_compared_by_type_and_text():
    blocks = [transcript(build_with(change), "flask")[-1] for change in ("type", "message")]
    assert blocks == ["[GET /raise]\nraised TypeError: other", "[GET /raise]\nraised ValueError: text"]


def test_an_unexpected_exception_is_not_swallowed():
    def build(fw):
        app = fw.Flask("harness")
        app.testing = True

        @app.get("/")
        def index():
            raise LookupError("loud")

        return app, ["/"]

    with pytest.raises(LookupError, match="loud"):
        transcript(build, "flask")


def test_private_exception_classes_are_called_by_their_public_base():
    from flask.debughelpers import DebugFilesKeyError

    error = DebugFilesKeyError.__new__(DebugFilesKeyError)
    assert exception_name(error) == "KeyError"
    assert exception_name(LookupError()) == "LookupError"


def sample(fw):
    app = fw.Flask("sample")

    @app.before_request
    def first():
        pass

    @app.template_filter()
    def filtered():
        pass

    def by_name():
        pass

    app.add_url_rule("/", view_func=by_name)

    class Item(fw.views.MethodView):
        def get(self):
            pass

        def helper(self):
            pass

    @app.route("/later")
    def later():
        @fw.after_this_request
        def inner(response):
            return response

    def generate():
        yield 1

    return [first, filtered, by_name, Item.get, Item.helper, later, generate]


def test_registered_functions_become_async(monkeypatch):
    monkeypatch.setattr(harness, "SUBJECT", "another")
    codes = variants(sample, sync=["later"], asynchronous=["generate"])
    assert list(codes) == ["sync", "async", "mixed-even", "mixed-odd"]

    def asynchronous(variant):
        functions = load(sample, codes[variant])(framework("flask"))
        return {
            function.__name__
            for function in functions
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        }

    assert asynchronous("sync") == set()
    assert asynchronous("async") == {"first", "by_name", "get", "generate"}
    assert asynchronous("mixed-even") == {"first", "get", "generate"}
    assert asynchronous("mixed-odd") == {"by_name"}
    code = load(sample, codes["async"]).__code__
    assert code.co_filename == __file__
    assert code.co_firstlineno == sample.__code__.co_firstlineno
