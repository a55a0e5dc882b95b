"""What ``request`` says about the bytes a client sent."""

from __future__ import annotations

from copy import copy
from io import BytesIO

from werkzeug.datastructures import Headers
from werkzeug.utils import secure_filename

from .harness import case, delete, get, head, patch, post, put, raised


def attributes(request, *names):
    return "\n".join(f"{name}={getattr(request, name)!r}" for name in names)


def multipart(*parts):
    """The options of a request with a multipart body, byte for byte from ``(headers, content)`` pairs."""
    body = b"".join(b"--xyz\r\n" + headers + b"\r\n\r\n" + content + b"\r\n" for headers, content in parts)
    return {"data": body + b"--xyz--\r\n", "content_type": "multipart/form-data; boundary=xyz"}


FIELD = b'Content-Disposition: form-data; name="a"'
FILE = b'Content-Disposition: form-data; name="f"; filename="f.txt"'
FORM = "application/x-www-form-urlencoded"


# The request line


@case
def test_url_attributes(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    @app.route("/<path:rest>", methods=["GET", "POST"])
    def show(rest=None):
        return attributes(
            fw.request, "method", "path", "full_path", "url", "base_url", "url_root", "root_url", "host",
            "host_url", "scheme", "is_secure", "script_root", "root_path", "query_string", "remote_addr",
            "access_route", "remote_user", "endpoint",
        )  # fmt: skip

    return app, [
        "/", "/a/b?x=1&y=2", "/é/ü ß?q=ä ö&%20", "/a%2Fb%3Fc", "/?", "/??a", "/a?b?c#fragment", "/%41%7E~",
        "/x;y=1", post("/form?x=1", data={"a": "b"}), get("/", base_url="https://example.com:8443/app/"),
        get("/", base_url="https://example.com:443"), get("/x", base_url="http://example.com:80"),
        get("/", base_url="http://[::1]:5000"), get("/", base_url="http://EXAMPLE.com"),
        get("/", environ_base={"REMOTE_ADDR": "10.0.0.7"}),
        get("/", environ_overrides={"REMOTE_ADDR": "::1"}), get("/", environ_base={"REMOTE_USER": "ann"}),
        get("/", headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.8"}),
        get("/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}),
        get("/", query_string={"a": ["1", "2"], "b": "c d", "ü": "ß"}), get("/", query_string="raw=%zz&&=&a"),
        get("/", url_scheme="https"), get("http://other.org/abs?x=1"),
    ]  # fmt: skip


@case
def test_server(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        return repr(fw.request.server)

    return app, [
        "/",
        get("/", base_url="https://example.com"),
        get("/", base_url="http://example.com:8080/app"),
    ]


@case
def test_args(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        args = fw.request.args
        return "\n".join([
            repr(args), repr(args.get("n", type=int)), repr(args.get("n", 7, type=int)),
            repr(args.getlist("a")), repr(args.getlist("n", type=int)), repr(args.to_dict()),
            repr(args.to_dict(flat=False)), repr(sorted(args.items(multi=True))), repr("a" in args),
            repr(len(args)), repr(type(args).__name__),
        ])  # fmt: skip

    return app, [
        "/", "/?a=1&a=2&b=", "/?n=5", "/?n=x&n=3", "/?a", "/?=x", "/?a=1;b=2", "/?a=%E2%98%83&%C3%BC=1",
        "/?a=%FF%FEx", "/?a=%zz%2", "/?a+b=c+d", "/?a%3Db=c%26d", "/?a[]=1&a[]=2",
        "/?" + "&".join(f"k{i}={i}" for i in range(50)), "/?a=%00", "/?a=\u2603", "/?n=%D9%A3",
    ]  # fmt: skip


@case
def test_values_and_precedence(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST", "PUT", "DELETE"])
    def show():
        values = fw.request.values
        return f"{values.getlist('a')} {values.get('b')} {sorted(values.to_dict(flat=False).items())}"

    return app, [
        get("/?a=1&b=2"), post("/?a=1", data={"a": "2", "b": "3"}), put("/?a=1", data={"a": "2"}),
        get("/?a=1", data={"a": "2"}), delete("/?a=1", data={"b": "2"}),
    ]  # fmt: skip


@case
def test_missing_key(fw):
    app = fw.Flask(__name__)

    @app.route("/<kind>", methods=["GET", "POST"])
    def show(kind):
        return getattr(fw.request, kind)["absent"]

    @app.route("/caught")
    def caught():
        return raised(lambda: fw.request.args["absent"])

    @app.errorhandler(KeyError)
    def key_error(error):
        return f"KeyError {error.code} {error.args}", 400

    return app, [
        "/args",
        "/form",
        post("/form"),
        post("/files"),
        "/values",
        "/cookies",
        "/caught",
    ]


@case
def test_missing_key_without_handler(fw):
    app = fw.Flask(__name__)

    @app.route("/<kind>", methods=["GET", "POST"])
    def show(kind):
        return getattr(fw.request, kind)["absent"]

    @app.get("/own")
    def own():
        return {}["absent"]

    return app, ["/args", post("/form", data={"a": "1"}), post("/files"), "/cookies", "/own"]


@case
def test_missing_key_is_named_under_debug(fw):
    app = fw.Flask(__name__)
    app.debug = True
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False

    @app.route("/<kind>", methods=["GET", "POST"])
    def show(kind):
        return getattr(fw.request, kind)["absent <key>"]

    return app, ["/args", post("/form", data={"a": "1"}), "/cookies"]


@case
def test_files_without_multipart_under_debug(fw):
    """Debug mode says that the form lacks its enctype."""
    app = fw.Flask(__name__)
    app.debug = True

    @app.post("/get")
    def missing():
        return raised(lambda: fw.request.files["photo"])

    @app.post("/index")
    def get_():
        return repr(fw.request.files.get("photo"))

    return app, [
        post("/get", data={"photo": "p.jpg"}), post("/get", data={"other": "x"}), post("/index"),
        post("/index", data={"photo": "p.jpg"}),
    ]  # fmt: skip


# Headers


@case
def test_headers(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def show():
        headers = fw.request.headers
        return "\n".join([
            repr(sorted(headers.items())), repr(headers.get("x-one")), repr(headers.get("X-ONE")),
            repr(headers.getlist("X-Many")), repr("x-one" in headers),
            repr(headers.get("X-Number", type=int)), repr(headers.get("Absent", "default")),
            repr(headers.get("Host")),
        ])  # fmt: skip

    return app, [
        get("/"), get("/", headers={"X-One": "1", "x-number": "42"}),
        get("/", headers=[("X-Many", "a"), ("X-Many", "b")]), get("/", headers={"X-Latin": "caf\xe9"}),
        get("/", headers={"X-Empty": "", "X_Under_Score": "1"}),
        get("/", headers=Headers([("X-Number", "x"), ("X-Long", "v" * 5000)])),
        post("/", data="x", content_type="a/b"), post("/", data=b""), post("/", json={}),
    ]  # fmt: skip


@case
def test_header_properties(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def show():
        return attributes(
            fw.request, "referrer", "origin", "date", "pragma", "max_forwards", "content_encoding",
            "content_md5", "mimetype", "mimetype_params", "content_type", "content_length", "is_json",
            "access_control_request_headers", "access_control_request_method",
        )  # fmt: skip

    return app, [
        "/",
        get("/", headers={
            "Referer": "http://a/b?ü", "Origin": "http://o", "Date": "Tue, 15 Nov 1994 08:12:31 GMT",
            "Pragma": "no-cache, x=1",
            "Max-Forwards": "3", "Content-Encoding": "gzip", "Content-MD5": "abc",
            "Access-Control-Request-Headers": "a, b", "Access-Control-Request-Method": "PUT",
        }),
        get("/", headers={"Date": "nonsense", "Max-Forwards": "x"}),
        post("/", data="{}", content_type="application/json; charset=utf-8"),
        post("/", data="{}", content_type="APPLICATION/VND.API+JSON"),
        post("/", data="x", content_type="text/json"),
        post("/", data="x", content_type="text/html; charset=latin-1; q=\"a;b\""),
        post("/", data="x", content_type="nonsense"), get("/", headers={"Content-Length": "x"}),
        get("/", headers={"Content-Length": "-5"}),
    ]  # fmt: skip


@case
def test_user_agent(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        agent = fw.request.user_agent
        return repr((str(agent), agent.string, agent.platform, agent.browser, agent.version, bool(agent)))

    return app, [
        "/",
        get("/", headers={"User-Agent": "Mozilla/5.0 (X11; Linux)"}),
        get("/", headers={"User-Agent": ""}),
    ]


@case
def test_authorization(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        auth = fw.request.authorization
        if auth is None:
            return "None"
        return repr((auth.type, auth.username, auth.password, auth.token, sorted(auth.parameters.items())))

    return app, [
        "/", get("/", auth=("ann", "s3cret")), get("/", auth=("ü", "p:w")),
        *(get("/", headers={"Authorization": value}) for value in (
            "Basic YW5uOnM=", "basic YW5uOg==", "Basic !!!", "Basic YW5u", "Basic", "", "Bearer abc.def==",
            "Bearer",
            "Token token=1",
            'Digest username="u", realm="r", nonce="n", uri="/", response="x", qop=auth, nc=00000001',
            "Basic " + "/w==", "Negotiate", "=", "Basic YW5uOnM= extra", "X a=b, c",
        )),
    ]  # fmt: skip


@case
def test_accept_headers(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        request = fw.request
        types = request.accept_mimetypes
        return "\n".join([
            repr(list(types)), repr(types.best), repr(types.best_match(["text/html", "application/json"])),
            repr(types["text/html"]), repr(types.accept_json), repr(types.accept_html), repr(str(types)),
            repr(list(request.accept_languages)),
            repr(request.accept_languages.best_match(["en", "de-AT", "fr"])),
            repr(list(request.accept_charsets)), repr(list(request.accept_encodings)),
            repr("gzip" in request.accept_encodings), repr(request.accept_encodings.best),
        ])  # fmt: skip

    return app, [
        "/",
        get("/", headers={
            "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
            "Accept-Language": "de-AT,de;q=0.8,en;q=0.5",
            "Accept-Charset": "utf-8, latin-1;q=0.5", "Accept-Encoding": "gzip, br;q=0.9, *;q=0",
        }),
        get("/", headers={"Accept": "application/json;q=0.5, text/*", "Accept-Language": "*"}),
        get("/", headers={"Accept": ";;;,q=,x", "Accept-Language": "de;q=x", "Accept-Encoding": ","}),
        get("/", headers={"Accept": "text/html;q=2, a/b;q=-1"}),
    ]  # fmt: skip


@case
def test_conditional_and_cache_headers(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        request = fw.request
        return "\n".join([
            repr(request.if_match), repr(request.if_none_match), repr(request.if_modified_since),
            repr(request.if_unmodified_since), repr(request.if_range.etag), repr(request.if_range.date),
            repr(request.range and (request.range.units, request.range.ranges)),
            repr(request.range and request.range.range_for_length(100)), repr(request.cache_control.max_age),
            repr(request.cache_control.no_cache), repr(request.cache_control.to_header()),
            repr(request.if_none_match.contains("a")),
        ])  # fmt: skip

    date = "Tue, 15 Nov 1994 08:12:31 GMT"
    return app, [
        "/",
        get("/", headers={
            "If-Match": '"a", W/"b"', "If-None-Match": "*", "If-Modified-Since": date,
            "If-Unmodified-Since": date,
            "If-Range": '"a"', "Range": "bytes=0-9,20-",
            "Cache-Control": "max-age=5, no-cache, only-if-cached",
        }),
        get("/", headers={"If-None-Match": 'W/"a"', "If-Range": date, "Range": "bytes=-5"}),
        get("/", headers={"If-Match": "x", "If-Modified-Since": "x", "If-Range": "x", "Range": "x"}),
        get("/", headers={"Cache-Control": "=,,"}),
        get("/", headers={"Range": "bytes=5-2"}), get("/", headers={"Range": "bytes=0-99999999999999999999"}),
        get("/", headers={"Cache-Control": "max-age=x, max-stale"}),
    ]  # fmt: skip


@case
def test_cookies(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        return f"{sorted(fw.request.cookies.items(multi=True))} {fw.request.cookies.get('a')!r}"

    def steps(_):
        client = app.test_client(use_cookies=False)
        for value in (
            "a=1", "a=1; b=2", "a=1;b=2;", "a=1; a=2", "a=", "a", "=x", 'a="q;\\"uoted"', "a=b=c", "a=1, b=2",
            "; ;", 'a="\\303\\274"', "a=\xc3\xbc", "a=\xff", "a= x ; b", "a=%20", "x" * 5000,
            "a=1; $Version=1", "ü=1",
        ):  # fmt: skip
            yield client.get("/", headers={"Cookie": value.encode().decode("latin-1")})

    return app, steps


# Bodies


@case
def test_form(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def show():
        form = fw.request.form
        return repr(
            (form, form.get("n", type=int), form.getlist("a"), form.get("absent", "x"), fw.request.files)
        )

    return app, [
        post("/"), post("/", data={"a": ["1", "2"], "n": "5"}), put("/", data={"a": "ü☃"}),
        patch("/", data={"n": "x"}),
        get("/", data={"a": "1"}), delete("/", data={"a": "1"}),
        *(post("/", data=body, content_type=FORM) for body in (
            b"a=1&a=2", b"a=%FF", b"a=\xc3\xbc", b"a", b"=", b"&&", b"a+b=c+d", b"a=1;b=2",
            b"a=%zz", b"\x00",
            b"a=1\n", b"?a=1",
        )),
        post("/", data=b"a=1", content_type="application/x-www-form-urlencoded; charset=latin-1"),
        post("/", data=b"a=1", content_type="Application/X-WWW-Form-URLEncoded"),
        post("/", data=b"a=1", content_type="text/plain"), post("/", data=b"a=1", content_type=None),
        post("/", data=b"a=1", content_type="application/x-url-encoded"),
    ]  # fmt: skip


@case
def test_body_consumption(fw):
    """The order in which the body is asked for decides what is left of it."""
    app = fw.Flask(__name__)

    def reader(*names):
        request = fw.request
        found = []
        for name in names:
            if name == "stream":
                found.append(request.stream.read())
            elif name == "get_data":
                found.append(request.get_data())
            elif name == "get_data_no_cache":
                found.append(request.get_data(cache=False))
            elif name == "get_data_parse":
                found.append(request.get_data(parse_form_data=True))
            elif name == "text":
                found.append(request.get_data(as_text=True))
            elif name == "form":
                found.append(sorted(request.form.items()))
            elif name == "files":
                found.append(sorted(request.files))
            elif name == "data":
                found.append(request.data)
            elif name == "json":
                found.append(request.get_json(silent=True))
            elif name == "values":
                found.append(sorted(request.values.items()))
        return repr(found)

    @app.post("/<path:names>")
    def show(names):
        return reader(*names.split("/"))

    form = {"data": b"a=1&b=2", "content_type": FORM}
    json = {"data": b'{"a": 1}', "content_type": "application/json"}
    plain = {"data": b"plain text", "content_type": "text/plain"}
    orders = [
        "stream", "stream/form", "form/stream", "data", "data/form", "form/data", "get_data", "get_data/form",
        "form/get_data", "get_data_no_cache/form", "get_data_no_cache/get_data", "get_data/stream",
        "stream/get_data", "get_data_parse", "get_data_parse/form", "text", "json/data", "data/json",
        "stream/json", "json/stream", "files/form/files", "stream/stream", "values/get_data",
        "get_data/get_data", "json/json",
    ]  # fmt: skip

    def steps(client):
        for order in orders:
            for options in (form, json, plain):
                yield order, client.post(f"/{order}", **options).get_data()
        for order in orders:
            if "data" not in order and "stream" not in order and "text" not in order:
                yield (
                    order,
                    client.post(f"/{order}", data={"a": "1", "f": (BytesIO(b"content"), "f.txt")}).get_data(),
                )

    return app, steps


@case
def test_stream_reading(fw):
    app = fw.Flask(__name__)

    @app.post("/sizes")
    def sizes():
        stream = fw.request.stream
        return repr([stream.read(3), stream.read(4), stream.read(), stream.read(), stream.read(1)])

    @app.post("/lines")
    def lines():
        return repr(list(fw.request.stream))

    @app.post("/readline")
    def readline():
        stream = fw.request.stream
        return repr([stream.readline(), stream.readline(2), stream.readlines()])

    @app.post("/partly")
    def partly():
        return repr(fw.request.stream.read(2))

    @app.post("/unread")
    def unread():
        return "unread"

    def steps(client):
        for body in (b"", b"hello world", b"a\nbc\r\nd\n\ne", b"x" * 70_000):
            for path in ("/sizes", "/lines", "/readline", "/partly", "/unread"):
                yield path, client.post(path, data=body, content_type="text/plain").status, len(body)
                yield client.post(path, data=body[:100], content_type="application/octet-stream")

    return app, steps


@case
def test_json(fw):
    app = fw.Flask(__name__)

    @app.post("/json")
    def json():
        return repr(fw.request.json)

    @app.post("/get")
    def get_json():
        return repr(fw.request.get_json())

    @app.post("/silent")
    def silent():
        return repr((fw.request.get_json(silent=True), fw.request.is_json))

    @app.post("/force")
    def force():
        return repr(fw.request.get_json(force=True))

    @app.post("/force-silent")
    def force_silent():
        return repr(fw.request.get_json(force=True, silent=True))

    bodies = [
        b"{}", b"[1, 2.5, null, true, \"\\u2603\"]", b"\"text\"", b"0", b"null", b"", b" ", b"{",
        b"{\"a\": }", b"nonsense", b"\xff", b"\"\xc3\xbc\"", b"\"\xfc\"", b"\xef\xbb\xbf{}",
        "{\"a\": \"\u00fc\"}".encode("utf-16"), b"{\"a\":1,\"a\":2}", b"NaN", b"[1,]", b"{}x", b"1e999",
        b"{\"\\ud800\": 1}", b"[" * 50 + b"]" * 50,
    ]  # fmt: skip

    def steps(client):
        for path in ("/json", "/get", "/silent", "/force", "/force-silent"):
            for kind in ("application/json", "application/vnd.api+json; charset=x", "text/plain"):
                for body in bodies if path != "/get" else bodies[:8]:
                    yield client.post(path, data=body, content_type=kind)
            yield client.post(path)

    return app, steps


@case
def test_json_under_debug(fw):
    app = fw.Flask(__name__)
    app.debug = True

    @app.post("/")
    def show():
        return repr(fw.request.json)

    return app, [
        post("/", data=b"{", content_type="application/json"),
        post("/", data=b"x", content_type="text/plain"), post("/"), post("/", json={"a": [1, None]}),
    ]  # fmt: skip


@case
def test_on_json_loading_failed(fw):
    class Request(fw.Request):
        def on_json_loading_failed(self, error):
            return {"failed": type(error).__name__}

    app = fw.Flask(__name__)
    app.request_class = Request

    @app.post("/")
    def show():
        return fw.request.get_json()

    return app, [
        post("/", data=b"{", content_type="application/json"),
        post("/", data=b"x", content_type="text/plain"), post("/", json={"ok": 1}),
    ]  # fmt: skip


# Uploads


@case
def test_uploads(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def show():
        lines = [repr(fw.request.form)]
        for name, file in fw.request.files.items(multi=True):
            lines.append(repr((
                name, file.filename, file.name, file.mimetype, file.content_type,
                sorted(file.mimetype_params.items()), sorted(file.headers.items()), file.read(), bool(file),
                file.content_length,
            )))  # fmt: skip
        return "\n".join(lines)

    def steps(client):
        yield client.post("/", data={"f": (BytesIO(b"content"), "f.txt")})
        yield client.post(
            "/", data={"f": (BytesIO(b"content"), "f.txt", "image/png; a=b"), "a": ["1", "2"], "ü": "☃"}
        )
        yield client.post(
            "/", data={"f": [(BytesIO(b"one"), "1"), (BytesIO(b"two"), "2")], "g": (BytesIO(b""), "g")}
        )
        yield client.post("/", data={"f": (BytesIO(b"x"), "dir/ü ß.txt")})
        yield client.post("/", data={"f": (BytesIO(b"\x00\xff\r\n--\r\n"), "../../etc/passwd")})
        yield client.post("/", data={"f": (BytesIO(b"no name"), "")})
        yield client.post("/", data={"big": (BytesIO(bytes(range(256)) * 40), "big.bin")})
        yield client.put("/", data={"f": (BytesIO(b"x"), "f")})

    return app, steps


@case
def test_multipart_bytes(fw):
    """Bodies as real and as odd clients write them."""
    app = fw.Flask(__name__)

    @app.post("/")
    def show():
        files = [
            (name, file.filename, file.content_type, file.read())
            for name, file in fw.request.files.items(multi=True)
        ]
        return repr((sorted(fw.request.form.items(multi=True)), files))

    parts = [
        [(FIELD, b"1")], [(FIELD, b"1"), (FIELD, b"2")], [(FIELD, b"")], [(FIELD, b"\r\n")],
        [(FIELD, b"a\r\n--xy")], [(b'content-disposition: form-data; name="a"', b"lower")],
        [(b"Content-Disposition: form-data; name=a", b"bare")],
        [(FIELD + b"\r\nContent-Type: text/plain; charset=utf-8", b"\xc3\xbc")],
        [(FIELD + b"\r\nContent-Type: text/plain; charset=latin-1", b"\xfc")], [(FIELD, b"\xff\xfe")],
        [(FIELD + b"\r\nX-Custom: 1", b"custom")], [(b'Content-Disposition: form-data; name=""', b"no name")],
        [(b'Content-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/x', b"file")],
        [(b'Content-Disposition: form-data; name="f"; filename="a.txt"', b"untyped")],
        [(b'Content-Disposition: form-data; name="f"; filename=""\r\nContent-Type: text/plain', b"")],
        [(b'Content-Disposition: form-data; name="f"; filename="\xc3\xbc.txt"', b"utf-8 name")],
        [(b"Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''%C3%BC.txt", b"extended name")],
        [(b'Content-Disposition: form-data; name="f"; filename="a\\"b;c.txt"', b"quoted name")],
        [(b'Content-Disposition: form-data; name="f"; filename="C:\\dir\\x.txt"', b"backslashes")],
        [(b'Content-Disposition: form-data; name="f"; filename="/etc/passwd"', b"path")], [],
    ]  # fmt: skip

    def steps(client):
        for items in parts:
            yield client.post("/", **multipart(*items))
        body = multipart((FIELD, b"1"))["data"]
        yield client.post("/", data=body, content_type='multipart/form-data; boundary="xyz"')
        yield client.post("/", data=body, content_type="Multipart/Form-Data; Boundary=xyz")
        yield client.post("/", data=b"preamble\r\n" + body, content_type="multipart/form-data; boundary=xyz")
        yield client.post("/", data=body + b"epilogue", content_type="multipart/form-data; boundary=xyz")
        yield client.post("/", data=body, content_type="multipart/mixed; boundary=xyz")

    return app, steps


@case
def test_saving_an_upload(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def save():
        file = fw.request.files["f"]
        target = BytesIO()
        file.save(target, buffer_size=7)
        file.seek(0)
        again = BytesIO()
        file.save(again)
        return repr(
            (target.getvalue() == again.getvalue(), len(target.getvalue()), file.tell(), file.stream.closed)
        )

    def steps(client):
        yield client.post("/", data={"f": (BytesIO(b"small"), "f")})
        yield client.post("/", **multipart((FILE, b"large" * 200_000)))
        yield client.post("/", data={"g": "not a file"})

    return app, steps


# Limits


@case
def test_max_content_length(fw):
    app = fw.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10

    @app.post("/<how>")
    def show(how):
        request = fw.request
        if how == "nothing":
            return f"unread {request.max_content_length} {request.content_length}"
        if how == "json":
            return repr(request.get_json(silent=True, force=True))
        if how == "stream":
            return repr(request.stream.read())
        if how == "lowered":
            request.max_content_length = 2
        if how == "unlimited":
            request.max_content_length = None
        return repr(request.form.to_dict() or request.get_data())

    def steps(client):
        for how in ("form", "nothing", "json", "stream", "lowered", "unlimited"):
            for size in (0, 1, 8, 9, 30):
                yield client.post(f"/{how}", data=b"a=" + b"x" * size, content_type=FORM)
        yield client.post("/missing/page", data=b"x" * 100)
        yield client.get("/form", data=b"x" * 100)
        yield client.post("/form", data={"f": (BytesIO(b"x"), "f")})

    return app, steps


@case(sync={"show"})
def test_raised_max_content_length(fw):
    """Only sync code can read on: what is past the limit has not been received, and has to be waited for."""
    app = fw.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10

    @app.post("/")
    def show():
        fw.request.max_content_length = 20
        return repr(fw.request.form.to_dict() or fw.request.get_data())

    def steps(client):
        for size in (0, 8, 9, 30):
            yield client.post("/", data=b"a=" + b"x" * size, content_type=FORM)

    return app, steps


@case
def test_413_can_be_handled(fw):
    app = fw.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 5
    log = []

    @app.errorhandler(413)
    def too_large(error):
        return f"too large {error.code}", 413

    @app.before_request
    def before():
        log.append("before")

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.post("/")
    def show():
        try:
            return fw.request.form.get("a", "")
        finally:
            log.append("view")

    return app, [post("/", data={"a": "1"}), post("/", data={"a": "1" * 10})], log


@case
def test_max_form_memory_size(fw):
    """The limit is for each field that is not a file, in multipart bodies."""
    app = fw.Flask(__name__)
    app.config["MAX_FORM_MEMORY_SIZE"] = 200_000

    @app.post("/")
    def show():
        form = {name: len(value) for name, value in fw.request.form.items()}
        return repr((form, len(fw.request.files), fw.request.max_form_memory_size))

    @app.post("/raised")
    def raise_limit():
        fw.request.max_form_memory_size = 400_000
        return repr(len(fw.request.form["a"]))

    def steps(client):
        for path in ("/", "/raised"):
            for size in (0, 10, 199_000, 201_000, 450_000):
                yield client.post(path, data={"a": "x" * size})
                yield client.post(path, **multipart((FIELD, b"x" * size)))
                yield client.post(path, **multipart((FIELD, b""), (FILE, b"x" * size), (FIELD, b"")))
            yield client.post(
                path, **multipart((FIELD, b"x" * 150_000), (FILE, b"f" * 150_000), (FIELD, b"y" * 150_000))
            )

    return app, steps


@case
def test_max_form_parts(fw):
    app = fw.Flask(__name__)
    app.config["MAX_FORM_PARTS"] = 3

    @app.post("/")
    def show():
        return repr((len(fw.request.form), len(fw.request.files), fw.request.max_form_parts))

    @app.post("/raised")
    def raise_limit():
        fw.request.max_form_parts = 5
        return repr(len(fw.request.form))

    def steps(client):
        for path in ("/", "/raised"):
            for number in range(1, 7):
                fields = {f"k{index}": "v" for index in range(number - 1)}
                yield client.post(path, data={**fields, "f": (BytesIO(b"x"), "f")})
                yield client.post(path, data={**fields, "last": "v"})

    return app, steps


@case
def test_default_limits(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def show():
        request = fw.request
        return repr((
            request.max_content_length, request.max_form_memory_size, request.max_form_parts,
            len(request.form.get("a", "")),
        ))  # fmt: skip

    @app.post("/json")
    def json():
        return str(len(fw.request.json))

    def steps(client):
        for size in (499_990, 500_001):
            yield client.post("/", data={"a": "x" * size})
            yield client.post("/", **multipart((FIELD, b"x" * size), (FILE, b"")))
        yield client.post("/json", json=["x" * 600_000])
        yield client.post("/", data={**{f"k{index}": "v" for index in range(1000)}, "f": (BytesIO(b""), "f")})

    return app, steps


# The environ, and the request object


@case
def test_environ(fw):
    app = fw.Flask(__name__)

    @app.route("/<path:rest>", methods=["GET", "POST"])
    def show(rest):
        environ = fw.request.environ
        names = {
            "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
            "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "REMOTE_ADDR", "wsgi.url_scheme", "REMOTE_USER",
            "custom.key",
        }  # fmt: skip
        found = {name: environ[name] for name in names if name in environ}
        found |= {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        return repr(sorted(found.items()))

    return app, [
        "/a", "/é%20b?x=ü", post("/a", data="body", content_type="text/plain"),
        get("/a", headers={"X-One": "1"}), get("/a", base_url="https://example.com:8443/root"),
        get("/a", environ_overrides={"custom.key": "value"}),
        get("/a", environ_base={"custom.key": "base", "REMOTE_USER": "ann"}),
    ]  # fmt: skip


@case
def test_own_request_class(fw):
    class Request(fw.Request):
        parameter_storage_class = dict

        @property
        def tenant(self):
            return self.headers.get("X-Tenant", "nobody")

    class App(fw.Flask):
        request_class = Request

    app = App(__name__)

    @app.route("/", methods=["GET", "POST"])
    def show():
        request = fw.request
        return repr(
            (request.tenant, type(request.args).__name__, request.args, isinstance(request, fw.Request))
        )

    return app, ["/?a=1", get("/", headers={"X-Tenant": "t"}), post("/", data={"a": "1"})]


@case
def test_request_proxy(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        request = fw.request
        real = request._get_current_object()
        request.custom = "attribute"
        return repr((
            isinstance(request, fw.Request), isinstance(real, fw.Request), real.custom, bool(request),
            str(request), repr(request), request == real, raised(lambda: request.nothing),
        ))  # fmt: skip

    return app, ["/", "/?a=ü", get("/", base_url="https://example.com/app")]


@case
def test_request_repr_and_equality_in_hooks(fw):
    app = fw.Flask(__name__)
    seen = []

    @app.before_request
    def before():
        seen.append(fw.request._get_current_object())
        fw.request.marked = True

    @app.route("/", methods=["GET", "HEAD", "POST"])
    def show():
        return repr((fw.request._get_current_object() is seen[-1], fw.request.marked, repr(fw.request)))

    return app, ["/", post("/", data="x"), head("/")]


@case
def test_is_json_and_want_form_data_parsed(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def show():
        return repr((fw.request.is_json, fw.request.want_form_data_parsed, fw.request.mimetype))

    return app, [
        "/", post("/", data={"a": "1"}), post("/", json=1), post("/", data="x", content_type="text/plain"),
        post("/", data={"f": (BytesIO(b""), "f")}),
    ]  # fmt: skip


@case
def test_secure_filename(fw):
    app = fw.Flask(__name__)

    @app.post("/")
    def show():
        return secure_filename(fw.request.files["f"].filename) or "empty"

    def steps(client):
        for name in ("a.txt", "../../etc/passwd", "ü ß.txt", "..", "a/b\\c.txt", "CON", ".hidden", "a  b"):
            yield client.post("/", data={"f": (BytesIO(b""), name)})

    return app, steps


@case
def test_headers_cannot_be_changed_or_copied(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        headers = fw.request.headers
        refused = [
            raised(lambda: headers.set("A", "1")),
            raised(lambda: headers.pop("X-A")),
            raised(lambda: headers.update(A="1")),
            raised(headers.copy),
            raised(lambda: copy(headers)),
            raised(lambda: headers | {"A": "1"}),
            raised(headers.clear),
        ]
        kept = [sorted(headers), headers["x-a"], "X-A" in headers, len(headers), Headers(headers).get("X-A")]
        odd = [headers.get(1), headers.get(None), headers.get(b"X-A"), 1 in headers, headers.get("\u2603")]
        return repr([refused, kept, odd])

    return app, [get("/", headers={"X-A": "v"})]


@case
def test_values_are_of_one_request_only(fw):
    """Also those that are empty."""
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def index():
        noted = []
        for values in (fw.request.args, fw.request.form, fw.request.files):
            noted.append(getattr(values, "noted", None))
            values.noted = 1
        return repr(noted)

    return app, ["/", post("/"), "/?a=1"]
