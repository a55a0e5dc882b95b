"""What a view may return, and what becomes of it."""

from __future__ import annotations

import datetime
import json
from http import HTTPStatus

from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.exceptions import Aborter as WerkzeugAborter
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as PlainResponse

from .harness import case, get, head, post, raised, raising

# Return values


@case
def test_return_types(fw):
    app = fw.Flask(__name__)
    values = {
        "str": "text ☃", "empty": "", "bytes": b"\x00\xff", "bytearray": bytearray(b"array"),
        "dict": {"b": 1, "a": [None]}, "list": [1, "ü", {"x": True}], "empty-dict": {}, "empty-list": [],
        "response": fw.Response("r", 201), "plain": PlainResponse("plain", mimetype="text/plain"),
        "markup": None,
    }  # fmt: skip

    @app.get("/<name>")
    def show(name):
        if name == "markup":
            return fw.render_template_string("{{ '<b>' }}")
        return values[name]

    return app, [f"/{name}" for name in values]


@case
def test_tuples(fw):
    app = fw.Flask(__name__)
    values = {
        "status": ("body", 201), "status-text": ("body", "202 ACCEPTED"), "status-unknown": ("body", 299),
        "status-enum": ("body", HTTPStatus.CREATED),
        "headers-dict": ("body", {"X-A": "1", "X-B": ["2", "3"]}),
        "headers-list": ("body", [("X-A", "1"), ("X-A", "2")]),
        "headers": ("body", Headers([("X-A", "1"), ("X-A", "2")])), "all": ("body", 404, {"X-A": "1"}),
        "all-list": ("body", "404 NOT FOUND", [("X-A", "1")]),
        "type": ("<a/>", {"Content-Type": "application/xml"}),
        "type-list": ("<a/>", 200, [("Content-Type", "text/xml")]),
        "lower-type": ("x", {"content-type": "text/plain"}), "dict": ({"a": 1}, 201),
        "list": ([1], 201, {"X-A": "1"}), "bytes": (b"bytes", 200), "empty": ("", 204),
        "not-modified": ("", 304), "length": ("body", {"Content-Length": "4"}),
        "response": (fw.Response("r", 202, {"X-A": "0", "X-C": "c"}), 203, {"X-A": "1"}),
        "response-headers": (fw.Response("r", 202), {"X-A": "1"}), "plain": (PlainResponse("p"), 201),
        "int-header": ("body", {"X-Int": 5}), "empty-headers": ("body", {}),
        "list-in-list": ([["a", 1]], 200),
    }  # fmt: skip

    @app.get("/<name>")
    def show(name):
        return values[name]

    return app, [f"/{name}" for name in values]


@case
def test_status_strings(fw):
    app = fw.Flask(__name__)
    values = [
        "666 reason",
        "999 Very Odd",
        "404 Gone Fishing",
        "200 OK",
        "200",
        "418 I'M A TEAPOT",
        "404 ",
        "599 Last",
    ]

    @app.get("/<int:index>")
    def show(index):
        return "body", values[index]

    @app.get("/int/<int:code>")
    def number(code):
        return "body", code

    return app, [
        *(f"/{index}" for index in range(len(values))),
        *(f"/int/{code}" for code in (200, 226, 418, 599, 666, 999)),
    ]


@case
def test_wrong_types(fw):
    """A 500, and a TypeError in the log."""
    app = fw.Flask(__name__)
    values = {
        "none": None, "int": 1, "float": 1.5, "bool": True, "set": {1}, "object": object(), "empty-tuple": (),
        "one-tuple": ("body",), "four-tuple": ("body", 200, {}, 1), "none-tuple": (None, 200),
        "int-tuple": (1, 2), "none-in-list": [object()], "class": int, "status-none": ("body", None),
        "bytes-in-dict": {"a": b"x"},
    }  # fmt: skip

    @app.get("/<name>")
    def show(name):
        return values[name]

    return app, [f"/{name}" for name in values]


@case
def test_wrong_types_in_hooks(fw):
    app = fw.Flask(__name__)

    @app.before_request
    def before():
        return 7 if fw.request.args.get("in") == "before" else None

    @app.after_request
    def after(response):
        return None if fw.request.args.get("in") == "after" else response

    @app.errorhandler(404)
    def handler(error):
        return None if fw.request.args.get("in") == "handler" else ("handled", 404)

    @app.get("/")
    def index():
        return "index"

    return app, ["/", "/?in=before", "/x", "/x?in=handler"]


@case
def test_empty_status(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        return "body", ""

    return app, ["/"]


@case
def test_header_injection(fw):
    """Nothing that a view puts into a header can split the response."""
    app = fw.Flask(__name__)

    @app.get("/value")
    def value():
        return "body", {"X-A": fw.request.args["x"]}

    @app.get("/set")
    def set_header():
        response = fw.make_response("body")
        response.headers["X-A"] = fw.request.args["x"]
        return response

    @app.get("/redirect")
    def redirect():
        return fw.redirect(fw.request.args["x"])

    @app.get("/cookie")
    def cookie():
        response = fw.make_response("body")
        response.set_cookie("a", fw.request.args["x"])
        return response

    breaks = ["a%0d%0aX-Evil:1", "a%0aX-Evil:1", "a%0dX-Evil:1"]
    values = ["plain", "%C3%BC", "a%20b;c,d%22"]
    return app, [
        *[f"/{path}?x={value}" for path in ("value", "set", "cookie") for value in breaks],
        *[f"/{path}?x={value}" for path in ("value", "set", "redirect", "cookie") for value in values],
    ]


# Response objects


@case
def test_make_response(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        response = {
            "none": lambda: fw.make_response(), "one": lambda: fw.make_response("body"),
            "two": lambda: fw.make_response("body", 201),
            "three": lambda: fw.make_response("body", 202, {"X-A": "1"}),
            "tuple": lambda: fw.make_response(("body", 203)), "dict": lambda: fw.make_response({"a": 1}),
            "response": lambda: fw.make_response(fw.Response("r", 201)),
            "app": lambda: fw.current_app.make_response(("body", 204)),
            "error": lambda: fw.make_response(NotFound("lost")),
            "plain": lambda: fw.make_response(PlainResponse("p")),
        }[name]()  # fmt: skip
        response.headers["X-Class"] = str(isinstance(response, fw.Response))
        return response

    names = ["none", "one", "two", "three", "tuple", "dict", "response", "app", "error", "plain"]
    return app, [f"/{name}" for name in names]


@case
def test_response_attributes(fw):
    app = fw.Flask(__name__)
    moment = datetime.datetime(2040, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    @app.get("/")
    def show():
        response = fw.Response("body", mimetype="text/plain")
        response.status_code = 203
        response.cache_control.max_age = 60
        response.cache_control.public = True
        response.vary.add("Accept")
        response.vary.add("Accept-Encoding")
        response.expires = moment
        response.last_modified = moment
        response.age = 5
        response.retry_after = 120
        response.location = "/somewhere"
        response.content_language.add("de")
        response.content_location = "/x"
        response.content_security_policy.default_src = "'self'"
        response.allow.update(["GET", "PUT"])
        response.set_etag("tag", weak=True)
        response.accept_ranges = "bytes"
        response.access_control_allow_origin = "*"
        response.www_authenticate = WWWAuthenticate("basic", {"realm": "r"})
        return response

    @app.get("/data")
    def data():
        response = fw.Response()
        response.data = b"first"
        response.set_data("second ☃")
        response.headers["X-Length"] = str(response.content_length)
        response.headers["X-Text"] = str(response.get_data(as_text=True) == "second ☃")
        response.headers.extend({"X-Many": ["a", "b"]})
        response.headers.add("X-Param", "v", filename="a b")
        del response.headers["X-Text"]
        return response

    @app.get("/json")
    def response_json():
        response = fw.jsonify(a=1)
        return repr(
            (
                response.json,
                response.is_json,
                response.get_json(),
                response.mimetype,
                response.status,
                response,
            )
        )

    @app.get("/mimetypes")
    def mimetypes():
        rows = []
        for mimetype in (
            "text/plain",
            "application/json",
            "image/png",
            "text/html; charset=latin-1",
            "application/xml",
        ):
            rows.append(fw.Response("x", mimetype=mimetype).content_type)
            rows.append(fw.Response("x", content_type=mimetype).content_type)
        return fw.jsonify(rows)

    return app, ["/", "/data", "/json", "/mimetypes", head("/")]


@case
def test_own_response_class(fw):
    class Response(fw.Response):
        default_mimetype = "text/x-own"

        @classmethod
        def force_type(cls, response, environ=None):
            response = super().force_type(response, environ)
            response.headers["X-Forced"] = "1"
            return response

    app = fw.Flask(__name__)
    app.response_class = Response

    @app.get("/<name>")
    def show(name):
        return {"text": "text", "dict": {"a": 1}, "plain": PlainResponse("plain"), "error": NotFound()}[name]

    return app, ["/text", "/dict", "/plain", "/error", "/missing/page"]


@case
def test_own_make_response(fw):
    class App(fw.Flask):
        def make_response(self, rv):
            if rv is None:
                rv = ("", 204)
            return super().make_response(rv)

    app = App(__name__)

    @app.get("/<name>")
    def show(name):
        return {"none": None, "text": "text"}[name]

    return app, ["/none", "/text"]


@case
def test_wsgi_callables(fw):
    app = fw.Flask(__name__)

    def wsgi(environ, start_response):
        start_response(
            "203 NON AUTHORITATIVE INFORMATION",
            [("Content-Type", "text/x-wsgi"), ("X-Path", environ["PATH_INFO"])],
        )
        return [b"wsgi ", environ["REQUEST_METHOD"].encode()]

    @app.route("/wsgi/<path:rest>", methods=["GET", "POST"])
    def call(rest):
        return wsgi

    @app.get("/exception")
    def exception():
        return NotFound("as a value")

    @app.get("/tuple")
    def pair():
        return wsgi, 299, {"X-A": "1"}

    return app, ["/wsgi/a/b", post("/wsgi/x", data="body"), "/exception", "/tuple", head("/wsgi/a")]


# Cookies


@case
def test_set_cookie(fw):
    app = fw.Flask(__name__)
    moment = datetime.datetime(2040, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    @app.get("/")
    def show():
        response = fw.make_response("cookies")
        response.set_cookie("plain", "value")
        response.set_cookie("odd", 'a b;c,"d"\\ü')
        response.set_cookie("age", "1", max_age=60)
        response.set_cookie("delta", "1", max_age=datetime.timedelta(hours=1))
        response.set_cookie("expires", "1", expires=moment)
        response.set_cookie(
            "flags", "1", secure=True, httponly=True, samesite="Strict", path="/p", domain="localhost"
        )
        response.set_cookie("chips", "1", secure=True, partitioned=True)
        response.set_cookie("nopath", "1", path=None)
        response.set_cookie("empty")
        response.delete_cookie("gone", path="/p")
        return response

    @app.get("/read")
    def read():
        return repr(sorted(fw.request.cookies.items()))

    @app.get("/large")
    def large():
        response = fw.make_response("large")
        response.headers["X-Max"] = str(response.max_cookie_size)
        response.set_cookie("small", "x" * 10)
        return response

    app.config["MAX_COOKIE_SIZE"] = 1000
    return app, ["/", "/read", "/large", "/read"]


# redirect, abort, jsonify


@case
def test_redirect(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        return {
            "plain": lambda: fw.redirect("/target"), "code": lambda: fw.redirect("/target", 301),
            "keyword": lambda: fw.redirect("/target", code=303), "307": lambda: fw.redirect("/target", 307),
            "relative": lambda: fw.redirect("target"),
            "external": lambda: fw.redirect("https://example.com/a?b=ü&c=d e"),
            "unicode": lambda: fw.redirect("/zïel ☃"), "escaped": lambda: fw.redirect("/a?x=<script>&y='\""),
            "headers": lambda: (fw.redirect("/target"), {"X-A": "1"}),
            "own-class": lambda: fw.redirect("/target", Response=type("Own", (fw.Response,), {})),
            "app": lambda: fw.current_app.redirect("/target", 308),
            "bad-code": lambda: fw.redirect("/target", 200),
        }[name]()  # fmt: skip

    names = [
        "plain", "code", "keyword", "307", "relative", "external", "unicode", "escaped", "headers",
        "own-class", "app", "bad-code",
    ]  # fmt: skip
    return app, [*(f"/{name}" for name in names), get("/plain", base_url="http://localhost/app")]


@case
def test_abort(fw):
    app = fw.Flask(__name__)

    @app.get("/<int:code>")
    def show(code):
        fw.abort(code)

    @app.get("/<name>")
    def special(name):
        if name == "description":
            fw.abort(403, "not <you>")
        if name == "keyword":
            fw.abort(404, description="lost")
        if name == "response":
            fw.abort(fw.Response("own", 499))
        if name == "made":
            fw.abort(fw.make_response({"error": 1}, 422))
        if name == "methods":
            fw.abort(405, valid_methods=["PUT"])
        if name == "authenticate":
            fw.abort(401, www_authenticate=WWWAuthenticate("basic", {"realm": "r"}))
        if name == "retry":
            fw.abort(429, retry_after=30)
        if name == "app":
            fw.current_app.aborter(418)
        if name == "string":
            fw.abort("404")
        return "not reached"

    codes = [
        400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423,
        424, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 200, 302, 999,
    ]  # fmt: skip
    names = [
        "description",
        "keyword",
        "response",
        "made",
        "methods",
        "authenticate",
        "retry",
        "app",
        "string",
    ]
    return app, [*(f"/{code}" for code in codes), *(f"/{name}" for name in names)]


@case
def test_own_aborter(fw):
    class Aborter(WerkzeugAborter):
        def __init__(self):
            super().__init__(extra={"lost": NotFound})

        def __call__(self, code, *args, **kwargs):
            return super().__call__("lost" if code == 1 else code, *args, **kwargs)

    class App(fw.Flask):
        aborter_class = Aborter

    app = App(__name__)

    class Teapot(HTTPException):
        code = 418
        description = "short and stout"

    app.aborter.mapping[7] = Teapot

    @app.get("/<int:code>")
    def show(code):
        fw.abort(code)

    return app, ["/1", "/7", "/404", "/8"]


@case
def test_http_exceptions(fw):
    class Teapot(HTTPException):
        code = 418
        description = "short & stout"

        def get_headers(self, environ=None, scope=None):
            return [*super().get_headers(environ, scope), ("X-Tea", "1")]

    class Empty(HTTPException):
        code = 499

    class NoCode(HTTPException):
        pass

    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        raise {
            "teapot": lambda: Teapot(), "empty": lambda: Empty(), "nocode": lambda: NoCode(),
            "response": lambda: NotFound(response=fw.Response("inside", 299)),
            "description": lambda: NotFound("<b>why</b>"),
        }[name]()  # fmt: skip

    return app, ["/teapot", "/empty", "/nocode", "/response", "/description"]


@case
def test_jsonify(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        return {
            "none": lambda: fw.jsonify(), "one": lambda: fw.jsonify("ü"),
            "many": lambda: fw.jsonify(1, 2, None), "keywords": lambda: fw.jsonify(b=1, a="<x>"),
            "both": lambda: raised(fw.jsonify, 1, a=1), "list": lambda: fw.jsonify([1, [2]]),
            "status": lambda: (fw.jsonify(error=1), 422), "null": lambda: fw.jsonify(None),
        }[name]()  # fmt: skip

    return app, [f"/{name}" for name in ("none", "one", "many", "keywords", "both", "list", "status", "null")]


# Streams


@case(asynchronous=["generate"])
def test_generators(fw):
    app = fw.Flask(__name__)
    log = []

    def generate(*chunks):
        try:
            for chunk in chunks:
                yield chunk or ""
        finally:
            log.append("closed")

    @app.get("/view")
    def view():
        return generate("a", "b", "☃")

    @app.get("/bytes")
    def chunks():
        return generate(b"a", b"\xff")

    @app.get("/tuple")
    def pair():
        return generate("a", "b"), 201, {"Content-Type": "text/plain", "X-A": "1"}

    @app.get("/response")
    def response():
        return fw.Response(generate("<a>", "</a>"), mimetype="application/xml")

    @app.get("/empty")
    def empty():
        return generate()

    @app.get("/large")
    def large():
        return generate(*["x" * 1000] * 300)

    return app, ["/view", "/bytes", "/tuple", "/response", "/empty", "/large"], log


@case
def test_iterators(fw):
    app = fw.Flask(__name__)

    class Closing:
        def __init__(self):
            self.items = iter(["a", "b"])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.items)

        def close(self):
            log.append("closed")

    log = []

    @app.get("/<name>")
    def show(name):
        return {
            "iter": lambda: iter(["a", "b"]), "map": lambda: map(str, range(3)),
            "list": lambda: fw.Response(["a", "b"]), "tuple": lambda: fw.Response(("a", "b")),
            "closing": lambda: Closing(), "response": lambda: fw.Response(Closing()),
            "generator": lambda: (str(n) for n in range(3)),
        }[name]()  # fmt: skip

    return (
        app,
        [f"/{name}" for name in ("iter", "map", "list", "tuple", "closing", "response", "generator")],
        log,
    )


@case
def test_stream_that_fails(fw):
    """An exception after the start of a response reaches the server: the status is already on its way."""
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        def generate():
            yield "started"
            raise LookupError("in the middle")

        return generate()

    return app, [raising("/", message=True)]


@case(asynchronous=["generate", "decorated"])
def test_stream_with_context(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.before_request
    def before():
        fw.g.value = fw.request.args.get("v", "none")

    @app.get("/function")
    def function():
        def generate():
            yield "Hello "
            yield fw.request.args["name"]
            yield f" {fw.g.value} {fw.url_for('function')} {fw.current_app.name == app.name}"

        return fw.Response(fw.stream_with_context(generate()))

    @app.get("/decorator")
    def decorator():
        @fw.stream_with_context
        def decorated(greeting):
            yield greeting
            yield fw.request.args["name"]

        return decorated("Hi ")

    @app.get("/session")
    def session():
        fw.session["seen"] = 1

        def generate():
            yield str(fw.session.get("seen"))

        return fw.stream_with_context(generate())

    return app, ["/function?name=ann&v=1", "/decorator?name=bob", "/session"]


@case
def test_stream_without_context(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        arguments = fw.request.args

        def generate():
            yield arguments["a"]

        return generate()

    def steps(client):
        yield client.get("/?a=1")
        yield raised(fw.stream_with_context, iter("ab"))

    return app, steps


# Callbacks


@case
def test_after_this_request(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        @fw.after_this_request
        def first(response):
            log.append("first")
            response.headers["X-First"] = fw.request.path
            return response

    @app.after_request
    def after(response):
        log.append("after")
        return response

    @app.get("/")
    def index():
        @fw.after_this_request
        def second(response):
            log.append("second")
            response.set_data(response.get_data() + b" changed")
            return response

        return "index"

    @app.get("/replace")
    def replace():
        @fw.after_this_request
        def replaced(response):
            return fw.Response("replaced", 203)

        return "index"

    @app.get("/fail")
    def fail():
        raise ValueError

    def steps(client):
        for path in ("/", "/", "/replace", "/missing", "/fail"):
            yield client.get(path)
        yield raised(fw.after_this_request, lambda response: response)

    return app, steps, log


@case
def test_call_on_close(fw):
    app = fw.Flask(__name__)
    log = []

    @app.get("/")
    def index():
        response = fw.make_response("index")

        @response.call_on_close
        def closed():
            log.append("closed")

        response.call_on_close(lambda: log.append("closed too"))
        return response

    @app.get("/stream")
    def stream():
        response = fw.Response(iter(["a", "b"]))
        response.call_on_close(lambda: log.append("stream closed"))
        return response

    @app.get("/fail")
    def fail():
        response = fw.make_response("index")
        response.call_on_close(lambda: log.append("never sent"))
        raise ValueError

    return app, ["/", "/stream", head("/"), "/fail"], log


@case
def test_conditional_responses(fw):
    app = fw.Flask(__name__)

    @app.get("/etag")
    def etag():
        response = fw.make_response("content")
        response.add_etag()
        return response.make_conditional(fw.request)

    @app.get("/range")
    def ranged():
        response = fw.make_response("0123456789")
        response.set_etag("v1")
        return response.make_conditional(fw.request, accept_ranges=True, complete_length=10)

    @app.get("/modified")
    def modified():
        response = fw.make_response("content")
        response.last_modified = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        return response.make_conditional(fw.request)

    date = "Wed, 01 Jan 2020 00:00:00 GMT"
    return app, [
        "/etag", get("/etag", headers={"If-None-Match": '"040f06fd774092478d450774f5ba30c5da78acc8"'}),
        get("/etag", headers={"If-None-Match": "*"}), get("/etag", headers={"If-Match": '"other"'}), "/range",
        get("/range", headers={"Range": "bytes=2-4"}), get("/range", headers={"Range": "bytes=20-"}),
        get("/range", headers={"Range": "bytes=-3"}),
        get("/range", headers={"Range": "bytes=2-4", "If-Range": '"v2"'}),
        get("/modified", headers={"If-Modified-Since": date}),
        get("/modified", headers={"If-Unmodified-Since": date}),
        get("/modified", headers={"If-Modified-Since": "Tue, 31 Dec 2019 00:00:00 GMT"}),
    ]  # fmt: skip


@case
def test_body_of_bodyless_statuses(fw):
    app = fw.Flask(__name__)

    @app.route("/<int:code>", methods=["GET", "POST"])
    def show(code):
        return "ignored", code

    @app.get("/stream/<int:code>")
    def stream(code):
        return iter(["ignored"]), code

    return app, ["/204", "/304", "/205", head("/200"), "/stream/204", "/stream/304"]


@case
def test_freezing_and_reusing_a_response(fw):
    app = fw.Flask(__name__)
    shared = fw.Response("shared", headers={"X-Shared": "1"})

    @app.get("/")
    def show():
        return shared

    @app.get("/frozen")
    def frozen():
        response = fw.Response(iter(["a", "b"]))
        response.freeze()
        return response

    @app.get("/sequence")
    def sequence():
        response = fw.Response(iter(["a", "b"]))
        response.make_sequence()
        return json.dumps([chunk.decode() for chunk in response.response])

    return app, ["/", "/", "/frozen", "/sequence"]


@case
def test_hooks_replace_parts_of_a_response(fw):
    app = fw.Flask(__name__)
    bodies = {"two": [b"a", b"b"], "none": [], "text": ["\xe4", "b"]}

    @app.after_request
    def after(response):
        if "body" in fw.request.args:
            response.response = bodies[fw.request.args["body"]]
        if "headers" in fw.request.args:
            response.headers = Headers({"X-New": "1"})
        return response

    @app.get("/text")
    def text():
        return "some text"

    @app.get("/json")
    def json_():
        return {"a": 1}

    def steps(client):
        for path in ("/text", "/json"):
            for body in bodies:
                yield client.get(f"{path}?body={body}").data
            response = client.get(f"{path}?headers")
            yield response.headers.get("X-New"), response.headers.get("Content-Type"), response.data

    return app, steps


@case
def test_a_class_makes_headers_from_the_request(fw):
    app = fw.Flask(__name__)

    class Response(fw.Response):
        def get_wsgi_headers(self, environ):
            headers = super().get_wsgi_headers(environ)
            headers["X-Path"] = f"{environ['PATH_INFO']} {fw.request.path} {fw.current_app.name}"
            return headers

    app.response_class = Response

    @app.get("/text")
    def text():
        return "some text"

    @app.get("/json")
    def json_():
        return {"a": 1}

    @app.get("/stream")
    def stream():
        return iter(["a", "b"])

    return app, ["/text", "/json", "/stream", head("/json")]


@case
def test_default_mimetype_of_all_responses(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return "text"

    @app.get("/tuple")
    def tuple_():
        return "text", 201

    @app.get("/bytes")
    def bytes_():
        return b"bytes"

    def steps(client):
        yield client.get("/")
        fw.Response.default_mimetype = "text/plain"
        try:
            for path in ("/", "/tuple", "/bytes", "/missing"):
                yield client.get(path)
        finally:
            fw.Response.default_mimetype = "text/html"

    return app, steps
