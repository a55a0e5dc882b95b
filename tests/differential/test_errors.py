"""Errors: which handler is called, with what, and what happens without one."""

from __future__ import annotations

import sys

from markupsafe import Markup
from werkzeug.exceptions import (
    BadRequest,
    BadRequestKeyError,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
)
from werkzeug.routing import RequestRedirect

from .harness import case, get, post, raised, raising


@case
def test_handlers_by_code(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(404)
    def not_found(error):
        return f"{error.code} {error.name} {error.description[:10]}", 404

    @app.errorhandler(405)
    def method(error):
        return {"allowed": sorted(error.valid_methods)}, 405, {"X-Handler": "1"}

    @app.errorhandler(500)
    def server_error(error):
        return f"{type(error).__name__} {error.original_exception!r}", 500

    @app.errorhandler(418)
    def teapot(error):
        return fw.render_template_string("tea {{ e.code }}", e=error)

    def forbidden(error):
        return fw.redirect("/")

    app.register_error_handler(403, forbidden)

    @app.get("/<int:code>")
    def show(code):
        fw.abort(code)

    @app.get("/fail")
    def fail():
        raise ValueError("why")

    return app, ["/404", "/418", "/403", "/500", "/fail", "/nowhere", post("/404"), "/401"]


@case
def test_handlers_by_class(fw):
    class Base(Exception):
        pass

    class Child(Base):
        pass

    class Grandchild(Child, KeyError):
        pass

    app = fw.Flask(__name__)

    @app.errorhandler(Base)
    def base(error):
        return f"base {type(error).__name__} {error}"

    @app.errorhandler(Child)
    def child(error):
        return f"child {type(error).__name__}", 400

    @app.errorhandler(KeyError)
    def key(error):
        return f"key {error}"

    @app.errorhandler(OSError)
    def os_error(error):
        return f"os {type(error).__name__}"

    @app.get("/<name>")
    def show(name):
        raise {
            "base": Base("b"), "child": Child(), "grandchild": Grandchild(), "key": KeyError("k"),
            "file": FileNotFoundError(), "index": IndexError("i"), "os": OSError(),
        }[name]  # fmt: skip

    return app, ["/base", "/child", "/grandchild", "/key", "/file", "/os", "/index"]


@case
def test_code_before_class(fw):
    """A handler for the code is asked before one for the class, and the closest class before its bases."""

    class Lost(NotFound):
        pass

    class Deep(Lost):
        description = "deep"

    app = fw.Flask(__name__)

    @app.errorhandler(HTTPException)
    def http(error):
        return f"http {error.code}", error.code

    @app.errorhandler(NotFound)
    def not_found(error):
        return "not found class", 404

    @app.errorhandler(Lost)
    def lost(error):
        return "lost class", 404

    @app.errorhandler(Exception)
    def anything(error):
        return f"exception {type(error).__name__}", 500

    @app.get("/<name>")
    def show(name):
        raise {
            "notfound": NotFound(), "lost": Lost(), "deep": Deep(), "forbidden": Forbidden(),
            "value": ValueError(), "internal": InternalServerError(),
            "plain": HTTPException(response=fw.Response("own", 299)),
        }[name]  # fmt: skip

    return app, [
        "/notfound", "/lost", "/deep", "/forbidden", "/value", "/internal", "/plain", post("/lost"), "/a/b",
    ]  # fmt: skip


@case
def test_generic_exception_handler(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(Exception)
    def anything(error):
        if isinstance(error, HTTPException):
            return error
        return f"exception {type(error).__name__}", 503

    @app.get("/<name>")
    def show(name):
        if name == "redirect":
            raise RequestRedirect("http://localhost/target")
        if name == "abort":
            fw.abort(409)
        if name == "response":
            fw.abort(fw.Response("own", 202))
        raise ValueError

    @app.get("/branch/")
    def branch():
        return "branch"

    return app, ["/value", "/abort", "/response", "/redirect", "/branch", "/a/b", post("/value")]


@case
def test_json_errors_for_everything(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(HTTPException)
    def as_json(error):
        response = error.get_response()
        response.data = fw.json.dumps(
            {"code": error.code, "name": error.name, "description": error.description}
        )
        response.content_type = "application/json"
        return response

    @app.get("/<int:code>")
    def show(code):
        fw.abort(code)

    @app.get("/fail")
    def fail():
        raise ValueError

    @app.get("/key")
    def key():
        return fw.request.args["absent"]

    return app, ["/400", "/404", "/418", "/fail", "/key", "/nowhere", post("/400")]


@case
def test_blueprint_handlers(fw):
    class Own(Exception):
        pass

    app = fw.Flask(__name__)
    parent = fw.Blueprint("parent", __name__, url_prefix="/parent")
    child = fw.Blueprint("child", __name__, url_prefix="/child")

    @app.errorhandler(404)
    def app_404(error):
        return "app 404", 404

    @app.errorhandler(Own)
    def app_own(error):
        return "app own"

    @app.errorhandler(403)
    def app_403(error):
        return "app 403", 403

    @parent.errorhandler(404)
    def parent_404(error):
        return "parent 404", 404

    @parent.errorhandler(Exception)
    def parent_any(error):
        return f"parent any {type(error).__name__}"

    @child.errorhandler(Own)
    def child_own(error):
        return "child own"

    @child.errorhandler(HTTPException)
    def child_http(error):
        return f"child http {error.code}", error.code

    def show(name):
        if name == "own":
            raise Own
        if name == "value":
            raise ValueError
        fw.abort(int(name))

    for scaffold in (app, parent, child):
        scaffold.add_url_rule("/show/<name>", "show", show)
    parent.register_blueprint(child)
    app.register_blueprint(parent)

    def steps(client):
        for prefix in ("", "/parent", "/parent/child"):
            for name in ("own", "value", "404", "403", "500", "418"):
                yield client.get(f"{prefix}/show/{name}")
            yield client.get(f"{prefix}/missing")
            yield client.post(f"{prefix}/show/own")

    return app, steps


@case
def test_handlers_that_fail(fw):
    app = fw.Flask(__name__)
    log = []

    @app.errorhandler(404)
    def not_found(error):
        raise ValueError("in handler")

    @app.errorhandler(KeyError)
    def key(error):
        fw.abort(404)

    @app.errorhandler(LookupError)
    def lookup(error):
        raise error

    @app.errorhandler(403)
    def forbidden(error):
        fw.abort(401)

    @app.errorhandler(500)
    def server_error(error):
        log.append(repr(error.original_exception))
        if fw.request.args.get("again"):
            raise TypeError("in the last handler")
        return "last", 500

    @app.after_request
    def after(response):
        log.append(f"after {response.status_code}")
        return response

    @app.get("/<name>")
    def show(name):
        if name == "forbidden":
            fw.abort(403)
        raise {"key": KeyError("k"), "index": IndexError("i"), "value": ValueError("v")}[name]

    def steps(client):
        for path in ("/a/b", "/key", "/index", "/forbidden", "/value"):
            yield client.get(path)
        yield raised(client.get, "/value?again=1", message=True)

    return app, steps, log


@case
def test_original_exception(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(InternalServerError)
    def failed(error):
        original = error.original_exception
        return (
            f"{error.code} {type(original).__name__} {original} {original.__cause__!r}"
            if original
            else "aborted",
            500,
        )

    @app.get("/raise")
    def raise_():
        raise ValueError("v") from KeyError("cause")

    @app.get("/abort")
    def abort():
        fw.abort(500)

    @app.get("/own")
    def own():
        raise InternalServerError(original_exception=OSError("own"))

    return app, ["/raise", "/abort", "/own"]


@case
def test_propagation(fw):
    """Which exceptions reach the caller, by TESTING, DEBUG and PROPAGATE_EXCEPTIONS."""
    app = fw.Flask(__name__)

    @app.get("/fail")
    def fail():
        raise ValueError("view")

    @app.get("/abort")
    def abort():
        fw.abort(409)

    @app.get("/key")
    def key():
        return fw.request.args["absent"]

    def steps(client):
        for testing in (False, True):
            for debug in (False, True):
                for propagate in (None, False, True):
                    app.config.update(TESTING=testing, DEBUG=debug, PROPAGATE_EXCEPTIONS=propagate)
                    outcomes = []
                    for path in ("/fail", "/abort", "/key", "/missing"):
                        outcomes.append(raised(lambda path=path: client.get(path).status))
                    yield testing, debug, propagate, outcomes

    return app, steps


@case
def test_debug_does_not_hide_a_handler(fw):
    app = fw.Flask(__name__)
    app.debug = True
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.errorhandler(500)
    def failed(error):
        return "handled", 500

    @app.get("/")
    def index():
        raise ValueError

    return app, ["/"]


@case
def test_500_handler_is_not_called_when_testing(fw):
    app = fw.Flask(__name__)
    app.testing = True

    @app.errorhandler(500)
    def failed(error):
        return "handled", 500

    @app.errorhandler(KeyError)
    def key(error):
        return "key", 400

    @app.get("/<name>")
    def index(name):
        raise {"value": ValueError("v"), "key": KeyError("k"), "abort": InternalServerError()}[name]

    return app, [raising("/value", message=True), "/key", "/abort"]


@case
def test_trap_http_exceptions(fw):
    app = fw.Flask(__name__)
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    app.testing = True

    @app.errorhandler(NotFound)
    def not_found(error):
        return "handled", 404

    @app.get("/abort")
    def abort():
        fw.abort(409)

    @app.get("/lost")
    def lost():
        fw.abort(404)

    return app, [raising("/abort"), "/lost", "/missing", raising("/abort", "POST")]


@case
def test_trap_http_exceptions_without_testing(fw):
    app = fw.Flask(__name__)
    app.config["TRAP_HTTP_EXCEPTIONS"] = True

    @app.get("/abort")
    def abort():
        fw.abort(409)

    return app, ["/abort", "/missing"]


@case
def test_trap_bad_request_errors(fw):
    app = fw.Flask(__name__)

    @app.get("/key")
    def key():
        return fw.request.args["absent"]

    @app.get("/bad")
    def bad():
        raise BadRequest

    @app.post("/json")
    def json():
        return fw.request.get_json()

    def steps(client):
        for trap in (None, False, True):
            for debug in (False, True):
                app.config.update(TRAP_BAD_REQUEST_ERRORS=trap, DEBUG=debug, PROPAGATE_EXCEPTIONS=True)
                for path in ("/key", "/bad", "/missing"):
                    yield trap, debug, path, raised(lambda path=path: client.get(path).status)
                yield (
                    trap,
                    debug,
                    raised(lambda: client.post("/json", data="{", content_type="application/json").status),
                )

    return app, steps


@case
def test_bad_request_key_error_handlers(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(BadRequestKeyError)
    def key(error):
        return f"key {error.args[0]} {error.code}", 400

    @app.errorhandler(400)
    def bad(error):
        return f"bad {type(error).__name__}", 400

    @app.get("/args")
    def args():
        return fw.request.args["absent"]

    @app.get("/dict")
    def plain():
        return {}["absent"]

    @app.get("/bad")
    def bad_request():
        fw.abort(400)

    return app, ["/args", "/dict", "/bad"]


@case
def test_unusual_registrations(fw):
    class Teapot(HTTPException):
        code = 418

    app = fw.Flask(__name__)

    @app.errorhandler(Teapot)
    def teapot(error):
        return f"teapot {type(error).__name__}", 418

    @app.get("/<name>")
    def show(name):
        if name == "class":
            raise Teapot
        fw.abort(418)

    def handler(error):
        return "never"

    def steps(client):
        yield client.get("/class")
        yield client.get("/code")
        fresh = fw.Flask(__name__)
        for registration in (Teapot(), 999, 499, 200, "404", None, ValueError(), int, object):
            yield raised(fresh.register_error_handler, registration, handler)

    return app, steps


@case
def test_handler_for_redirects_is_not_asked(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(RequestRedirect)
    def redirected(error):
        return "never"

    @app.errorhandler(HTTPException)
    def http(error):
        return f"http {error.code}", error.code or 500

    @app.get("/dir/")
    def directory():
        return "dir"

    @app.get("/raise")
    def raise_():
        raise RequestRedirect("http://localhost/dir/")

    return app, ["/dir", "/raise", get("/dir", follow_redirects=True)]


@case
def test_handler_for_method_not_allowed(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(MethodNotAllowed)
    def handler(error):
        return fw.jsonify(allow=sorted(error.valid_methods), header=sorted(error.get_response().allow)), 405

    @app.route("/", methods=["PUT", "PATCH"])
    def index():
        return "index"

    return app, ["/", post("/")]


@case
def test_log_exception_can_be_replaced(fw):
    log = []

    class App(fw.Flask):
        def log_exception(self, exc_info):
            log.append((exc_info[0].__name__, str(exc_info[1]), exc_info[2] is not None))

    app = App(__name__)

    @app.get("/")
    def index():
        raise ValueError("logged")

    @app.get("/abort")
    def abort():
        fw.abort(500)

    return app, ["/", "/abort", "/missing"], log


@case
def test_overridden_handling(fw):
    log = []

    class App(fw.Flask):
        def handle_user_exception(self, error):
            log.append(f"user {type(error).__name__}")
            return super().handle_user_exception(error)

        def handle_http_exception(self, error):
            log.append(f"http {error.code}")
            return super().handle_http_exception(error)

        def handle_exception(self, error):
            log.append(f"exception {type(error).__name__}")
            return super().handle_exception(error)

    app = App(__name__)

    @app.get("/<name>")
    def show(name):
        if name == "abort":
            fw.abort(409)
        raise ValueError

    return app, ["/value", "/abort", "/a/b"], log


@case
def test_app_logger(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        app.logger.warning("careful with %s", fw.request.path)
        fw.current_app.logger.error("wrong")
        app.logger.info("quiet")
        try:
            raise ValueError("v")
        except ValueError:
            app.logger.exception("caught")
        return app.logger.name

    return app, ["/"]


@case
def test_exceptions_that_are_not_errors(fw):
    """BaseException is nobody's to handle."""
    app = fw.Flask(__name__)
    log = []

    class Stop(BaseException):
        pass

    @app.errorhandler(Exception)
    def anything(error):
        return "handled", 500

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.get("/")
    def index():
        raise Stop("stop")

    def steps(client):
        try:
            client.get("/")
        except Stop as error:
            yield repr(error)

    return app, steps, log


@case
def test_descriptions_of_all_kinds(fw):
    """Markup and the text that is equal to it are different descriptions."""
    app = fw.Flask(__name__)

    class WithArguments(HTTPException):
        code = 410

        def __new__(cls, first, second):
            return super().__new__(cls)

        def __init__(self, first, second):
            super().__init__(f"{first} {second}")

    errors = {
        "markup": lambda: BadRequest(Markup("<b>x</b>")),
        "text": lambda: BadRequest("<b>x</b>"),
        "dict": lambda: BadRequest({"<field>": ["missing"]}),
        "list": lambda: BadRequest(["missing"]),
        "number": lambda: BadRequest(5),
        "zero": lambda: BadRequest(0),
        "bytes": lambda: BadRequest(b"x"),
        "empty": lambda: BadRequest(""),
        "arguments": lambda: WithArguments("<a>", "b"),
    }

    @app.get("/raise/<name>")
    def raise_(name):
        raise errors[name]()

    @app.get("/return/<name>")
    def return_(name):
        return errors[name]()

    return app, [f"/{how}/{name}" for name in errors for how in ("raise", "return")]


@case
def test_what_is_being_handled(fw):
    """An exception is, while its handler runs; no longer when the response passes the hooks."""
    app = fw.Flask(__name__)
    log = []

    def note(where):
        log.append((where, sys.exc_info()[0]))

    @app.errorhandler(ValueError)
    def value_error(error):
        note("handler")
        return None if "none" in fw.request.args else "handled"

    @app.errorhandler(500)
    def server_error(error):
        note("500")
        return repr(error.original_exception.__context__), 500

    @app.after_request
    def after(response):
        note("after")
        return response

    @app.teardown_request
    def teardown(error):
        note("teardown")

    @app.get("/")
    def index():
        raise ValueError("v")

    @app.get("/other")
    def other():
        raise TypeError("t")

    return app, ["/", "/?none", "/other", "/missing"], log
