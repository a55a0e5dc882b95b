"""Methods of the application that a subclass or an assignment overrides: which are called, how often."""

from __future__ import annotations

import pytest

from .harness import ORACLE, SUBJECT, compare, transcript

pytestmark = pytest.mark.skipif(SUBJECT == ORACLE, reason="compares Flask with itself, which cannot differ")

# Not `create_url_adapter`: Flask 3.1 makes one for each of its two contexts.
METHODS = [
    "full_dispatch_request", "preprocess_request", "dispatch_request", "finalize_request", "process_response",
    "make_response", "handle_user_exception", "handle_http_exception", "handle_exception", "log_exception",
    "do_teardown_request", "do_teardown_appcontext", "should_ignore_error", "trap_http_exception",
    "make_default_options_response", "raise_routing_exception", "inject_url_defaults",
    "update_template_context", "handle_url_build_error", "create_jinja_environment", "redirect",
    "make_aborter", "select_jinja_autoescape",
]  # fmt: skip

#: Overridden besides another one: those that have others of them inside.
AROUND = [None, "full_dispatch_request", "dispatch_request", "handle_user_exception", "handle_exception"]


def recording(fw, names, log):
    """A subclass of Flask that notes the calls of these methods, and passes them on."""

    def noted(name):
        def method(self, *args, **kwargs):
            log.append((name, sorted(kwargs)) if name == "finalize_request" else name)
            return getattr(super(App, self), name)(*args, **kwargs)

        return method

    App = type("App", (fw.Flask,), {name: noted(name) for name in names})
    return App(__name__)


def build_with(names, asynchronous, assigned=False):
    def build(fw):
        log = []
        if assigned:
            app = fw.Flask(__name__)
            for name in names:
                setattr(app, name, noting(name, getattr(app, name), log))
        else:
            app = recording(fw, names, log)

        def view(function):
            """The function as a view, sync or async."""
            if not asynchronous:
                return function

            async def view():
                return function()

            return view

        def aborted(code):
            return lambda: fw.abort(code)

        views = {
            "/": lambda: fw.url_for("/"), "/fails": lambda: 1 / 0, "/abort": aborted(400),
            "/key": lambda: {}["k"], "/template": lambda: fw.render_template_string("x"),
            "/build": lambda: fw.url_for("nope"), "/none": lambda: None,
            "/redirect": lambda: fw.redirect("/"),
            "/tuple": lambda: ("x", 201), "/early": lambda: "not called", "/hook": lambda: "not called",
            "/handler": aborted(409),
        }  # fmt: skip
        for path, function in views.items():
            app.add_url_rule(path, path, view(function))
        app.register_error_handler(KeyError, lambda error: ("key", 400))
        app.register_error_handler(409, lambda error: 1 / 0)

        @app.before_request
        def before():
            if fw.request.path == "/early":
                return "early"
            if fw.request.path == "/hook":
                raise KeyError

        @app.after_request
        def after(response):
            if "after" in fw.request.args:
                raise ZeroDivisionError
            return response

        def steps(client):
            for path in [*views, "/nowhere", "/?after", "/fails?after"]:
                yield client.get(path).status
                yield list(log)
                log.clear()
            for method in ("OPTIONS", "POST", "HEAD"):
                yield client.open("/", method=method).status
                yield list(log)
                log.clear()

        return app, steps

    return build


def noting(name, method, log):
    def noted(*args, **kwargs):
        log.append(name)
        return method(*args, **kwargs)

    return noted


PAIRS = [(name, around) for name in METHODS for around in AROUND if name != around]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("name", "around"), PAIRS)
def test_calls(name, around, asynchronous):
    build = build_with([name] if around is None else [around, name], asynchronous)
    compare(transcript(build, ORACLE), transcript(build, SUBJECT), f"{name}, {around}")


@pytest.mark.parametrize("assigned", [False, True], ids=["subclass", "assigned"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_all_of_them(asynchronous, assigned):
    names = METHODS
    if assigned:  # made before there is an application to assign to
        names = [name for name in METHODS if name not in ("make_aborter", "select_jinja_autoescape")]
    build = build_with(names, asynchronous, assigned)
    compare(transcript(build, ORACLE), transcript(build, SUBJECT), "all")
