"""Answers that only a real connection brings to light: repeated headers, odd hosts."""

from __future__ import annotations

from .wire import raw, wire_case

FORWARDED = "X-Forwarded-For: 6.6.6.6"  # what the client says; the proxy adds a line of its own


@wire_case
def test_repeated_headers_are_one_list(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        request = fw.request
        name = request.args["name"]
        headers = request.headers
        return "\n".join(
            repr(value)
            for value in (
                headers.get(name), headers[name], headers.getlist(name), headers.get_all(name),
                [value for key, value in headers if key == name.title()],
                list(headers.keys()).count(name.title()), name in headers,
                request.environ["HTTP_" + name.upper().replace("-", "_")],
            )
        )  # fmt: skip

    @app.get("/parsed")
    def parsed():
        request = fw.request
        return "\n".join(
            repr(value)
            for value in (
                request.access_route, request.accept_mimetypes.best_match(["application/json", "text/html"]),
                request.accept_languages.best_match(["en", "fr"]), list(request.accept_encodings),
                list(request.accept_charsets), request.cache_control.no_cache, request.cache_control.max_age,
                request.if_none_match.contains("b"), request.if_match.contains("b"), request.pragma,
                request.access_control_request_headers, request.authorization,
            )
        )  # fmt: skip

    @app.get("/etag")
    def etag():
        response = fw.make_response("body")
        response.set_etag("b")
        return response.make_conditional(fw.request)

    return app, [
        raw("/?name=x-list", "X-List: 1", "X-List: 2", "x-list: 3"),
        raw("/?name=X-LIST", "X-List: 1, 2", "X-Other: x", "X-List:", "X-List: a b"),
        raw("/?name=x-list", "X-List: 1"),
        raw("/?name=X-Forwarded-For", FORWARDED, "X-Forwarded-For: 1.2.3.4"),
        raw("/parsed", FORWARDED, "X-Forwarded-For: 1.2.3.4"),
        raw("/parsed", "Accept: image/png", "Accept: text/html;q=0.5"),
        raw("/parsed", "Accept-Language: de", "Accept-Language: fr"),
        raw("/parsed", "Accept-Encoding: gzip", "Accept-Encoding: br;q=0.1"),
        raw("/parsed", "Accept-Charset: utf-8", "Accept-Charset: *;q=0.1"),
        raw("/parsed", "Cache-Control: max-age=0", "Cache-Control: no-cache", "Pragma: a", "Pragma: b"),
        raw("/parsed", 'If-None-Match: "a"', 'If-None-Match: "b"', 'If-Match: "c"', 'If-Match: "b"'),
        raw("/parsed", "Access-Control-Request-Headers: X-A", "Access-Control-Request-Headers: X-B"),
        raw("/parsed", "Authorization: Basic YTpi", "Authorization: Basic Yzpk"),
        raw("/parsed", "Authorization: Bearer abc", "Authorization: Bearer def"),
        raw("/etag", 'If-None-Match: "a"', 'If-None-Match: "b"'),
    ]  # fmt: skip


@wire_case
def test_a_repeated_content_type(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        return f"{fw.request.content_type} {fw.request.mimetype} {fw.request.headers['Content-Type']}"

    return app, [raw("/", "Content-Type: text/plain", "Content-Type: application/json; charset=utf-8")]


@wire_case
def test_underscores_in_names_of_headers(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        headers = fw.request.headers
        names = "X-Real-Ip", "X_Real_Ip", "x_real-ip", "HTTP_X_REAL_IP", "Content_Type"
        return "\n".join([
            *(f"{name} {headers.get(name)!r} {name in headers}" for name in names),
            repr(sorted(key for key, _ in headers)), repr(fw.request.environ.get("HTTP_X_REAL_IP")),
        ])  # fmt: skip

    return app, [
        raw("/", "X-Real-Ip: 1.2.3.4"),
        raw("/", "X_Real_Ip: 6.6.6.6"),
        raw("/", "X_Real_Ip: 6.6.6.6", "X-Real-Ip: 1.2.3.4"),
        raw("/", "Content-Type: text/plain"),
    ]


@wire_case
def test_hosts_that_are_none(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def index():
        return f"{fw.request.host!r} {fw.request.url!r}"

    @app.before_request
    def mark():
        fw.g.seen = fw.request.url_rule is not None

    @app.after_request
    def say(response):
        response.headers["X-Seen"] = str(fw.g.seen)
        return response

    @app.errorhandler(400)
    def refused(error):
        return f"refused: {type(error).__name__}", 400

    hosts = [
        ".example", "h..example", f"{'a' * 64}.example", f"{'a' * 63}.example", "example.", "EXAMPLE",
        f"www.{'b' * 64}", f"{'a' * 60}:80", f"{'a' * 60}:8000", "..", ".", "[::1]",
        "example:80", "127.0.0.1:5000", "-a-.example",
    ]  # fmt: skip
    return app, [
        *(raw("/", host=host) for host in hosts),
        *(raw("/missing", host=host) for host in hosts[:3]),
        *(raw("/", host=host, method=method) for host in hosts[:2] for method in ("POST", "PUT", "OPTIONS")),
    ]


@wire_case
def test_odd_hosts_where_the_server_name_is_configured(fw):
    app = fw.Flask(__name__)
    app.config["SERVER_NAME"] = "example.org"

    @app.get("/")
    def index():
        return f"{fw.request.host!r} {fw.url_for('index', _external=True)}"

    return app, [raw("/", host=host) for host in (".example", "h..example", "a" * 64, "example.org")]
