"""The response that an HTTP exception is in itself, where no handler answers in its place."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, ServiceUnavailable
from werkzeug.routing import RequestRedirect, RoutingException
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from .harness import case, get, head, post
from .wire import raw, wire_case


class OwnResponse(HTTPException):
    code = 418

    def get_response(self, environ, scope=None):
        return WerkzeugResponse(f"at {environ['PATH_INFO']}", 418, {"X-Method": environ["REQUEST_METHOD"]})


class OwnBody(NotFound):
    def get_body(self, environ=None, scope=None):
        return f"no {environ['PATH_INFO']} for {environ['HTTP_HOST']}"


class OwnHeaders(ServiceUnavailable):
    def get_headers(self, environ=None, scope=None):
        return [("Content-Type", "text/plain"), ("X-Query", environ["QUERY_STRING"]), ("Retry-After", "5")]


class OwnDescription(NotFound):
    def get_description(self, environ=None, scope=None):
        return f"<p>{environ['wsgi.url_scheme']}</p>"


class OwnCall(NotFound):
    def __call__(self, environ, start_response):
        start_response("499 OWN", [("X-Path", environ["PATH_INFO"])])
        return [b"called"]


class NoEnviron(NotFound):
    def get_body(self):
        return "no environ was asked for"


class WithoutInit(HTTPException):
    """Does not call the base's ``__init__``, so that it has no ``response``."""

    code = 410

    def __init__(self, what):
        self.what = what

    def get_response(self, environ=None, scope=None):
        return WerkzeugResponse(f"{self.what} is gone", 410)


class WithoutInitOrResponse(HTTPException):
    code = 410
    description = "gone"

    def __init__(self, what):
        self.what = what


class SeeOther(HTTPException, RoutingException):
    code = 303

    def __init__(self, url):
        RoutingException.__init__(self, url)
        self.url = url

    def get_response(self, environ=None, scope=None):
        return redirect(self.url, 303)


class Application(NotFound):
    """Answers with a WSGI application that is no response."""

    def get_response(self, environ=None, scope=None):
        def application(environ, start_response):
            start_response("404 NOT FOUND", [("Content-Type", "text/x"), ("X-Path", environ["PATH_INFO"])])
            return [b"a ", b"WSGI ", b"application"]

        return application


ERRORS = {
    "response": lambda: OwnResponse(),
    "body": lambda: OwnBody(),
    "headers": lambda: OwnHeaders(),
    "description": lambda: OwnDescription(),
    "call": lambda: OwnCall(),
    "environ": lambda: NoEnviron(),
    "init": lambda: WithoutInit("it"),
    "nothing": lambda: WithoutInitOrResponse("it"),
    "other": lambda: SeeOther("/elsewhere"),
    "application": lambda: Application(),
    "methods": lambda: MethodNotAllowed(["GET", "PUT"]),
    "redirect": lambda: RequestRedirect("/ü?q=ö"),
    "given": lambda: NotFound(response=WerkzeugResponse(["gi", "ven"], 299, {"X-A": "1"})),
    "stream": lambda: NotFound(response=WerkzeugResponse(iter([b"a", b"b"]), 404)),
}


@case
def test_classes_with_methods_of_their_own(fw):
    app = fw.Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    log = []

    @app.route("/raised/<kind>", methods=["GET", "POST"])
    def raised(kind):
        raise ERRORS[kind]()

    @app.route("/returned/<kind>")
    def returned(kind):
        return ERRORS[kind]()

    @app.route("/hook/<kind>")
    def hook(kind):
        return "not called"

    @app.before_request
    def early():
        if fw.request.endpoint == "hook":
            raise ERRORS[fw.request.view_args["kind"]]()

    @app.after_request
    def seen(response):
        log.append((response.status, type(response).__name__, response.headers.get("X-Query")))
        response.headers["X-Seen"] = "1"
        return response

    return app, [
        *(f"/{way}/{kind}?a=b" for way in ("raised", "returned", "hook") for kind in ERRORS),
        *(head(f"/raised/{kind}") for kind in ERRORS),
        post("/raised/response"),
        get("/raised/body", base_url="https://example.org/app"),
    ], log  # fmt: skip


@case
def test_handlers_that_return_exceptions(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(ValueError)
    def value_error(error):
        return OwnResponse()

    @app.errorhandler(NotFound)
    def not_found(error):
        return error

    @app.errorhandler(405)
    def not_allowed(error):
        return error, 400, {"X-Handler": "1"}

    @app.get("/")
    def index():
        raise ValueError

    @app.get("/body")
    def body():
        raise OwnBody

    return app, ["/", "/body", "/nowhere", post("/")]


@case
def test_a_response_that_is_raised_again_and_again(fw):
    """What hooks and session add for one client does not stay in it for the next one."""
    app = fw.Flask(__name__)
    app.secret_key = "k"
    answers = {
        "werkzeug": WerkzeugResponse("shared", 403),
        "own": fw.Response("shared", 403),
        "list": fw.Response(["sha", "red"], 403, {"X-Many": "0"}),
        "error": HTTPException(response=fw.Response("shared", 403)),
    }

    @app.get("/<kind>")
    def refuse(kind):
        fw.session["name"] = fw.request.args["name"]
        if kind == "error":
            raise answers[kind]
        fw.abort(answers[kind])

    @app.after_request
    def add(response):
        response.headers.add("X-Many", fw.request.args["name"])
        response.set_data(response.get_data() + fw.request.args["name"].encode())
        return response

    def steps(client):
        for kind in answers:
            for name in ("ann", "bob", "eve"):
                yield client.get(f"/{kind}?name={name}")
        yield [(answer.status, list(answer.headers)) for answer in list(answers.values())[:3]]

    return app, steps


@case
def test_what_is_to_be_closed(fw):
    app = fw.Flask(__name__)
    log = []

    class Own(fw.Response):
        def close(self):
            log.append("own close")
            super().close()

    def stream():
        try:
            yield b"a"
            yield b"b"
        finally:
            log.append("stream closed")

    @app.get("/<kind>")
    def index(kind):
        cls = Own if "own" in kind else fw.Response
        response = cls(stream() if "stream" in kind else "text", 418)
        if "call" in kind:
            response.call_on_close(lambda: log.append("called on close"))
        fw.abort(response)

    def steps(client):
        for kind in ("plain", "stream", "call", "own", "own stream", "call stream", "own call stream"):
            response = client.get(f"/{kind}", buffered=True)
            yield response.status, response.data
            response.close()
            yield list(log)
            log.clear()

    return app, steps


@wire_case
def test_over_the_wire(fw):
    app = fw.Flask(__name__)

    @app.route("/<kind>", methods=["GET", "POST"])
    def index(kind):
        raise ERRORS[kind]()

    @app.get("/folder/")
    def folder():
        return "folder"

    return app, [
        *(raw(f"/{kind}") for kind in ERRORS),
        *(raw(f"/{kind}", method="HEAD") for kind in ERRORS),
        raw("/folder?a=1"),
        raw("/init", method="DELETE"),
    ]


@case
def test_force_type_of_ones_own(fw):
    app = fw.Flask(__name__)
    log = []

    class Own(fw.Response):
        @classmethod
        def force_type(cls, response, environ=None):
            log.append((type(response).__name__, environ is not None and environ["PATH_INFO"]))
            return super().force_type(response, environ)

    app.response_class = Own

    @app.get("/<kind>")
    def index(kind):
        if kind == "view":
            return WerkzeugResponse("a")
        if kind == "own":
            return Own("a")
        raise ERRORS[kind]()

    return app, ["/view", "/own", "/body", "/response", "/nowhere/at/all", "/given"], log
