"""Nothing that a client sends gives a 5xx, a dropped connection, a hang, or memory without bounds."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from werkzeug.utils import secure_filename

from asyncflask import (
    Flask,
    Response,
    flash,
    get_flashed_messages,
    jsonify,
    redirect,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    session,
    url_for,
)
from asyncflask.wrappers import Request

from .loops import eventually
from .server import APP_NAME, Client, Closed, Server, multipart, request_bytes, time_limit

SECRET = "secret"
MAX_CONTENT_LENGTH = 2_000_000
MAX_FORM_MEMORY_SIZE = 100_000
FORM = "application/x-www-form-urlencoded"

#: What reading has an effect of its own, or needs an environ that nobody has asked for yet.
NOT_VALUES = {"body", "environ", "input_stream", "stream"}
VALUES = [
    name
    for name in dir(Request)
    if not name.startswith("_") and name not in NOT_VALUES and not callable(getattr(Request, name, None))
]


def make_app(root: Path) -> Flask:
    """The views that applications usually have, and one that looks at whatever a request has."""
    app = Flask(APP_NAME, static_folder=str(root / "static"), static_url_path="/static")
    app.secret_key = SECRET
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_CONTENT_LENGTH,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_MEMORY_SIZE,
        MAX_FORM_PARTS=100,
        WORKER_THREADS=8,
    )

    def look() -> str:
        return "\n".join(f"{name}={getattr(request, name)!r}" for name in VALUES if name != "json")

    def index() -> str:
        links = [url_for("index", _external=True, q=request.args.get("q")), url_for("item", number=1)]
        return f"{look()}\n{links}\n{request.environ}"

    async def async_index() -> str:
        return index()

    app.add_url_rule("/", "index", index, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    app.add_url_rule("/async", "async_index", async_index, methods=["GET", "POST"])

    @app.get("/item/<int:number>")
    def item(number: int) -> dict[str, Any]:
        return {"number": number}

    @app.get("/signed/<int(signed=True):number>/<float(signed=True):other>")
    async def signed(number: int, other: float) -> dict[str, Any]:
        return {"number": number, "other": other}

    @app.get("/float/<float:number>")
    def float_(number: float) -> str:
        return str(number)

    @app.get("/range/<int(min=1, max=5):number>-<int(fixed_digits=3):other>")
    def range_(number: int, other: int) -> str:
        return f"{number} {other}"

    @app.get("/uuid/<uuid:value>")
    async def uuid(value: Any) -> str:
        return str(value)

    @app.get("/path/<path:value>")
    def path(value: str) -> str:
        return value

    @app.get("/slash/<path:value>/")
    async def slash(value: str) -> str:
        return value

    @app.route("/json", methods=["POST"])
    def json_() -> Response:
        return jsonify(type(request.get_json()).__name__)

    @app.route("/json-async", methods=["POST"])
    async def json_async() -> dict[str, Any]:
        return {"type": type(request.json).__name__}

    @app.route("/json-silent", methods=["POST"])
    async def json_silent() -> dict[str, Any]:
        return {"type": type(request.get_json(force=True, silent=True)).__name__}

    def form() -> dict[str, Any]:
        saved = []
        for file in request.files.values():
            name = secure_filename(file.filename or "")
            if name:
                (root / "uploads" / name[:100]).write_bytes(file.read(1000))
                saved.append(name)
        return {"form": request.form.to_dict(flat=False), "saved": saved, "mimetype": request.mimetype}

    async def async_form() -> dict[str, Any]:
        return form()

    app.add_url_rule("/form", "form", form, methods=["POST"])
    app.add_url_rule("/form-async", "async_form", async_form, methods=["POST"])

    @app.post("/data")
    def data() -> str:
        return str(len(request.get_data()))

    @app.post("/text")
    async def text() -> str:
        return request.get_data(as_text=True)[:100]

    @app.post("/upload", stream=True)
    async def upload() -> str:
        return str(sum([len(chunk) async for chunk in request.stream]))

    @app.get("/redirect")
    def redirect_() -> Any:
        return redirect(request.args["next"])

    @app.get("/header")
    def header() -> tuple[str, dict[str, str]]:
        return "x", {"X-Value": request.args["value"]}

    @app.get("/cookie")
    async def cookie() -> Response:
        response = Response("x")
        response.set_cookie("name", request.args["value"])
        return response

    @app.get("/download")
    def download() -> Response:
        return send_file(
            io.BytesIO(b"x"), "text/plain", as_attachment=True, download_name=request.args["name"]
        )

    @app.get("/files/<path:name>")
    async def files(name: str) -> Response:
        return send_from_directory(root / "files", name)

    @app.get("/session")
    def session_() -> dict[str, Any]:
        before = dict(session)
        session["visits"] = session.get("visits", 0) + 1
        return {"before": before}

    @app.get("/flash")
    async def flash_() -> str:
        flash(request.args.get("message", "x"), request.args.get("category", "message"))
        return str(get_flashed_messages(with_categories=True))

    @app.get("/template")
    def template() -> str:
        return render_template_string(
            "{% set q = request.args.get('q', '') %}{{ q }} {{ q|tojson }} {{ url_for('index', q=q) }}"
        )

    @app.get("/auth")
    def auth() -> str:
        authorization = request.authorization
        if authorization is None:
            return "none"
        return f"{authorization.type} {authorization.username!r} {authorization.password!r} {authorization!r}"

    @app.get("/negotiate")
    def negotiate() -> str:
        return repr(
            (
                request.accept_mimetypes.best_match(["text/html", "application/json"]),
                request.accept_languages.best_match(["en", "de"]),
                request.accept_charsets.best_match(["utf-8"]),
                request.accept_encodings.best_match(["gzip"]),
            )
        )

    @app.get("/cached")
    async def cached() -> Response:
        response = Response("x" * 1000)
        response.add_etag()
        response.last_modified = 1_000_000_000  # type: ignore[assignment]
        return response.make_conditional(request, accept_ranges=True, complete_length=1000)  # type: ignore[return-value]

    @app.get("/ping")
    def ping() -> str:
        return "pong"

    @app.get("/ping-async")
    async def ping_async() -> str:
        return "pong"

    return app


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    for name in ("static", "files", "uploads"):
        (root / name).mkdir()
    for name in ("static", "files"):
        (root / name / "file.txt").write_text("0123456789" * 10)
    (root / "outside.txt").write_text("outside")
    return root


@pytest.fixture(scope="module")
def running(root: Path) -> Iterator[Server]:
    with Server(make_app(root)) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    del running.errors[:]
    yield running
    assert running.errors == []


def fine(server: Server, data: bytes, *statuses: int, timeout: float = 5) -> int:
    """Send that; the answer must come, and be no 5xx. Gives its status."""
    with Client(server.port, timeout=timeout) as client:
        # Who answers early may close before all of it was sent.
        with suppress(ConnectionError):
            client.send(data)
        method = data.partition(b" ")[0].decode("latin-1", "replace")
        response = client.response(method)
    assert response.status < 500, (data[:300], response)
    if statuses:
        assert response.status in statuses, (data[:300], response)
    return response.status


# -- URLs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/%ff%fe",
        "/path/%ff%fe/%c0%af",
        "/slash/%ff%fe",
        "/path/%00",
        "/path/%0d%0aX-Injected:%201",
        "/slash/%0d%0aX-Injected:%201",
        "/path/%ed%a0%80",
        "/path/" + "a" * 30_000,
        "/path/" + "a/" * 10_000,
        "/path/" + "../" * 1000,
        "/" + "/" * 1000,
        "//evil.example/..",
        "/\\evil.example",
        "/%2f%2fevil.example",
        "/?" + "&".join("a=b" for _ in range(5000)),
        "/?q=%ff%fe&%ff=%fe",
        "/?q=%",
        "/?q=%zz",
        "/?" + "&" * 10_000,
        "/?" + "=" * 1000,
        "/?q[]=1&q[a][b]=2&__class__=x",
        "/async?q=%00%0d%0a",
        "/template?q=%ff%3Cscript%3E",
        "/template?q=%ed%a0%80",
        "/flash?message=%ff&category=%00",
        "/item/" + "1" * 5000,
        "/item/" + "1" * 20_000,
        "/item/0x10",
        "/item/-1",
        "/item/%D9%A1",
        "/item/1_000",
        "/item/%C2%B2",
        "/signed/-" + "9" * 5000 + "/-1.0",
        "/signed/1/" + "9" * 5000 + "." + "9" * 5000,
        "/float/" + "9" * 10_000 + ".0",
        "/float/1e9",
        "/float/nan",
        "/range/" + "0" * 5000 + "1-001",
        "/range/9-1234",
        "/uuid/00000000-0000-0000-0000-00000000000g",
        "/uuid/00000000-0000-0000-0000-000000000000",
        "/files/../outside.txt",
        "/files/%2e%2e/outside.txt",
        "/files/..%2foutside.txt",
        "/files/..%5coutside.txt",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/%00",
        "/files/file.txt%00.html",
        "/files/" + "a" * 5000,
        "/files/%ff",
        "/files/%ed%a0%80",
        "/files/.",
        "/files/file.txt/",
        "/static/../outside.txt",
        "/static/%2e%2e%2foutside.txt",
        "/static/%00",
        "/static/" + "a" * 5000,
        "/static/" + "a/" * 5000,
        "/static/",
        "*",
        "http://evil.example/ping",
        "http://[::1/ping",
    ],
    ids=lambda target: target[:40],
)
def test_urls(server: Server, target: str) -> None:
    data = request_bytes("GET", target)
    with server.connect() as client:
        client.send(data)
        response = client.response()
    assert response.status < 500
    assert response.body != b"outside"
    assert response.get("X-Injected") is None
    location = response.get("Location")
    if location is not None:
        assert re.match(r"^(http://localhost/|/(?![/\\]))", location), f"it leads to {location}"


@pytest.mark.parametrize(
    "method", ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "CONNECT", "FOO", "get", ""]
)
@pytest.mark.parametrize("target", ["/ping", "*", "/missing", "localhost:80", ""])
def test_methods_and_forms_of_target(server: Server, method: str, target: str) -> None:
    status = 0
    with Client(server.port, timeout=5) as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        with suppress(Closed):
            status = client.head().status
    # An answer, or, for what is no HTTP at all, an end.
    assert status < 500


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3\xa4", b"a\x00b", b"a\x7fb", b"a b", b"\xe2\x80\xae"])
@pytest.mark.parametrize("place", ["/path/%s", "/ping?q=%s", "/%s"])
def test_raw_bytes_in_the_target(server: Server, raw: bytes, place: str) -> None:
    target = place.encode().replace(b"%s", raw)
    fine(server, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


# -- headers ------------------------------------------------------------------------------------------------

ODD_VALUES = [
    "",
    " ",
    ",",
    ";",
    "=",
    '"',
    '"' * 1000,
    "\\",
    "\xff\xfe",
    "\xc3\xa4",
    "a" * 20_000,
    ";=" * 5000,
    "," * 10_000,
    "a," * 5000,
    "%00%ff",
    "[",
    "]",
    "[::1",
    "[::1]:x",
    "@",
    "a@b",
    "a b",
    "<script>",
    "{}",
    "-1",
    "0",
    "9" * 5000,
    "1e999",
    "nan",
    "inf",
    "None",
    "(){:;};",
    "=?utf-8?b?w6Q=?=",
    "*",
    "\t",
    "a\tb",
    "../../etc/passwd",
    "://",
    "http://[::1",
    "http://a:b@c:99999999/",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 01 Jan 99999 00:00:00 GMT",
    "Mon, 01 Jan 2020 00:00:00 +9999",
    "Mon, 01 Jan 2020 00:00:00 +" + "9" * 30,
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 -2359",
]

READ_HEADERS = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "Cache-Control",
    "Content-Encoding",
    "Content-MD5",
    "Content-Type",
    "Cookie",
    "Date",
    "Forwarded",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Upgrade",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Requested-With",
]


@pytest.mark.parametrize("name", READ_HEADERS)
def test_header_values(server: Server, name: str) -> None:
    for value in ODD_VALUES:
        for path in ("/", "/cached", "/files/file.txt"):
            items = [(name, value), ("Connection", "close")]
            fine(server, request_bytes("GET", path, headers=items))


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic \xff",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic =====",
        "Basic " + "a" * 10_001,
        "Digest",
        "Digest username",
        'Digest username="a',
        "Digest " + 'a="b",' * 3000,
        "Bearer",
        "Bearer \xff",
        " ",
        "a=b",
        "Basic\tabc",
        "\xe4 \xe4",
        "Digest username*=UTF-8''%ff",
        "Digest username*=x''%ff",
    ],
    ids=lambda value: value[:20],
)
def test_authorization(server: Server, value: str) -> None:
    fine(server, request_bytes("GET", "/auth", headers={"Authorization": value}), 200)


@pytest.mark.parametrize(
    "value",
    [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--1",
        "bytes=a-b",
        "bytes=0-0,2-2,4-4",
        "bytes=0-0," * 500,
        "bytes=-0",
        "bytes=-" + "9" * 5000,
        "bytes=" + "9" * 5000 + "-",
        "bytes=5-1",
        "bytes=1000-",
        "bytes= 0 - 1",
        "items=0-1",
        "bytes=\u0661-\u0662".encode().decode("latin-1"),
        "bytes=0-1\xff",
        "bytes=0x0-0x1",
        "bytes=+1-+2",
        "bytes=1_0-2_0",
    ],
    ids=lambda value: value[:20],
)
@pytest.mark.parametrize("path", ["/files/file.txt", "/static/file.txt", "/cached"])
def test_ranges(server: Server, path: str, value: str) -> None:
    fine(server, request_bytes("GET", path, headers={"Range": value}), 200, 206, 416)
    fine(server, request_bytes("HEAD", path, headers={"Range": value}), 200, 206, 416)
    for validator in ('"x"', "W/", "x", "Mon, 01 Jan 2020 00:00:00 +" + "9" * 30):
        fine(
            server, request_bytes("GET", path, headers={"Range": value, "If-Range": validator}), 200, 206, 416
        )


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a@b",
        "user:password@localhost",
        "localhost:",
        "localhost:99999",
        "localhost:-1",
        "localhost:" + "9" * 5000,
        "[",
        "[::1",
        "[::1]",
        "[::1]:80",
        "::1",
        "\xff",
        "\xc3\xa4.example",
        "xn--",
        "xn--\xe4",
        "xn--a" * 20,
        "a" * 300,
        "." * 300,
        "..",
        ".",
        "a..b",
        "%00",
        "localhost%0d%0a",
        "<script>",
        "a,b",
        "a;b",
        "_",
        "-",
    ],
    ids=lambda host: host[:20],
)
@pytest.mark.parametrize("kind", ["plain", "subdomains", "hosts", "trusted"])
@pytest.mark.filterwarnings("ignore:Current server name")
def test_hosts(hosts: dict[str, Server], kind: str, host: str) -> None:
    server = hosts[kind]
    del server.errors[:]
    for path in ("/", "/missing", "/slash", "/item/1"):
        for headers in ([("Host", host)], [("Host", "localhost"), ("Host", host)]):
            fine(server, request_bytes("GET", path, headers=headers))
            fine(server, request_bytes("POST", path, headers=headers, body=b""))
    assert server.errors == []


@pytest.fixture(scope="module")
def hosts(root: Path) -> Iterator[dict[str, Server]]:
    """Applications that look at the Host in different ways."""
    apps = {
        "plain": make_app(root),
        "subdomains": Flask(APP_NAME, static_folder=None, subdomain_matching=True),
        "hosts": Flask(APP_NAME, static_folder=None, host_matching=True),
        "trusted": Flask(APP_NAME, static_folder=None),
    }
    apps["subdomains"].config["SERVER_NAME"] = "localhost"
    apps["trusted"].config["TRUSTED_HOSTS"] = ["localhost", ".example"]

    def index(**values: Any) -> str:
        return f"{request.url} {request.host} {url_for('index', _external=True, **values)}"

    options: dict[str, dict[str, Any]] = {
        "subdomains": {"subdomain": "<name>"},
        "hosts": {"host": "<name>"},
        "trusted": {},
    }
    for kind, rule_options in options.items():
        app = apps[kind]
        app.add_url_rule("/", "index", index, methods=["GET", "POST"], **rule_options)
        app.add_url_rule("/slash/", "slash", index, **rule_options)
        app.add_url_rule("/item/<int:number>", "item", index, **rule_options)
    with Server(apps["plain"]) as plain, Server(apps["subdomains"]) as subdomains:
        with Server(apps["hosts"]) as by_host, Server(apps["trusted"]) as trusted:
            yield {"plain": plain, "subdomains": subdomains, "hosts": by_host, "trusted": trusted}


def test_no_host_at_all(server: Server) -> None:
    for version in ("1.0", "1.1"):
        fine(server, f"GET / HTTP/{version}\r\nConnection: close\r\n\r\n".encode())


def test_very_many_headers(server: Server) -> None:
    items = [(f"X-{number}", "x" * 10) for number in range(1500)]
    fine(server, request_bytes("GET", "/", headers=[*items, ("Connection", "close")]))
    fine(server, request_bytes("GET", "/", headers=[("Cookie", f"a{number}=b") for number in range(1500)]))


@pytest.mark.parametrize("path", ["/ping", "/ping-async", "/missing", "/session"])
@pytest.mark.parametrize("version", ["13", "99", ""])
def test_a_websocket_handshake_where_no_websocket_is(server: Server, path: str, version: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": version,
    }
    fine(server, request_bytes("GET", path, headers=headers))


@pytest.mark.parametrize("protocol", ["h2c", "HTTP/2.0", "x", "\xff"])
def test_other_upgrades(server: Server, protocol: str) -> None:
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": protocol,
        "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA",
    }
    fine(server, request_bytes("GET", "/ping", headers=headers))
    fine(server, request_bytes("POST", "/form", headers={**headers, "Content-Type": FORM}, body=b"a=b"))


def test_the_http2_preface(server: Server) -> None:
    fine(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 64)


# -- JSON ---------------------------------------------------------------------------------------------------

DEEP = 100_000


@pytest.mark.parametrize("path", ["/json", "/json-async", "/json-silent"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b'[{"a":' * DEEP,
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"\x00" * 100,
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b"1" * 10_000,
        b"-" * 1000,
        b"1e999999",
        b"NaN",
        b"nul",
        b"{}" * 1000,
        b'{"__proto__": 1, "": 2}',
        b"{" + b",".join(b'"a%d":1' % number for number in range(20_000)) + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_json(server: Server, path: str, body: bytes) -> None:
    statuses = (200,) if path == "/json-silent" else (200, 400)
    for content_type in ("application/json", "application/json; charset=utf-16", "application/x+json"):
        fine(
            server, request_bytes("POST", path, headers={"Content-Type": content_type}, body=body), *statuses
        )


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 950, 980, 990, 1000, 1100, 2000])
def test_json_of_any_depth_is_taken_or_refused(server: Server, depth: int) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/json", "/json-async"):
        fine(server, request_bytes("POST", path, headers=headers, body=b"[" * depth + b"]" * depth), 200, 400)


# -- forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/form", "/form-async"])
@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe=\xff",
        b"a=%ff%fe",
        b"a=%zz&%",
        b"&" * 50_000,
        b"=" * 50_000,
        b"a" * 90_000,
        b"a=b&" * 20_000,
        b"a[]=1&a[b][c]=2",
        b"\x00=\x00",
        b"a=\xed\xa0\x80",
        b"a=%ed%a0%80",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_urlencoded_forms(server: Server, path: str, body: bytes) -> None:
    for content_type in (
        FORM,
        FORM + "; charset=utf-7",
        FORM + "; charset=nonsense",
        FORM + ";;;=",
        FORM.upper(),
    ):
        fine(server, request_bytes("POST", path, headers={"Content-Type": content_type}, body=body), 200, 400)


def part(headers: bytes, content: bytes = b"x", boundary: bytes = b"b") -> bytes:
    return b"--" + boundary + b"\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


NAMED = b'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize("path", ["/form", "/form-async"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=", b"----"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b"),
        ("multipart/form-data; boundary=b", b"--b--"),
        ("multipart/form-data; boundary=b", b"nothing of the kind"),
        ("multipart/form-data; boundary=b", b"\r\n" * 50_000),
        ("multipart/form-data; boundary=b", b"\r" * 90_000),
        ("multipart/form-data; boundary=b", b"-" * 90_000),
        ("multipart/form-data; boundary=b", part(NAMED)),
        ("multipart/form-data; boundary=b", part(NAMED)[:-3] + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"Content-Disposition: form-data") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"Content-Disposition: attachment; name=a") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b'Content-Disposition: form-data; name="a') + b"--b--"),
        (
            "multipart/form-data; boundary=b",
            part(b'Content-Disposition: form-data; name="' + b'\\"' * 900 + b'"') + b"--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            part(b"Content-Disposition: form-data; name=\xff\xfe") + b"--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            part(b"Content-Disposition: form-data; name*=UTF-8''%ff") + b"--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            part(b"Content-Disposition: form-data; name*=nonsense''%ff") + b"--b--",
        ),
        (
            "multipart/form-data; boundary=b",
            part(NAMED + b"\r\nContent-Type: text/plain; charset=nonsense", b"\xff") + b"--b--",
        ),
        ("multipart/form-data; boundary=b", part(NAMED + b"\r\nContent-Type: \xff") + b"--b--"),
        (
            "multipart/form-data; boundary=b",
            part(NAMED + b"\r\nContent-Transfer-Encoding: base64", b"=") + b"--b--",
        ),
        ("multipart/form-data; boundary=b", part(NAMED + b"\r\n folded") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"no colon here") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b":") + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"X-A: b\r\n" * 3000 + NAMED) + b"--b--"),
        ("multipart/form-data; boundary=b", part(b"X-A: " + b"a" * 90_000 + b"\r\n" + NAMED) + b"--b--"),
        ("multipart/form-data; boundary=b", part(NAMED, b"\r\n--b" * 1000) + b"--b--"),
        ("multipart/form-data; boundary=b", part(NAMED) * 50 + b"--b--" + b"epilogue" * 1000),
        ("multipart/form-data; boundary=b", part(NAMED + b"; filename=")[:-2] + b"--b--"),
        ("multipart/form-data; boundary=b; boundary=c", part(NAMED) + b"--b--"),
        ("multipart/form-data; boundary=" + "b" * 5000, part(NAMED, boundary=b"b" * 5000)),
        ("multipart/form-data; boundary=\xff", part(NAMED, boundary=b"\xff") + b"--\xff--"),
        ('multipart/form-data; boundary="', part(NAMED)),
        ('multipart/form-data; boundary="\\""', part(NAMED, boundary=b'"') + b'--"--'),
        ("multipart/form-data; boundary=(((", part(NAMED, boundary=b"(((") + b"--(((--"),
        ("multipart/form-data; boundary*=utf-8''%62", part(NAMED) + b"--b--"),
        ("multipart/form-data; boundary*0=b; boundary*1=c", part(NAMED, boundary=b"bc") + b"--bc--"),
        ("multipart/mixed; boundary=b", part(NAMED) + b"--b--"),
        ("multipart/form-data, multipart/form-data; boundary=b", part(NAMED) + b"--b--"),
    ],
    ids=str,
)
def test_multipart_forms(server: Server, path: str, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    fine(server, request_bytes("POST", path, headers=headers, body=body), 200, 400, 413)
    # and the same as a large one, which is parsed while it arrives
    large = body + b"\r\n" + b"x" * 700_000
    fine(server, request_bytes("POST", path, headers=headers, body=large), 200, 400, 413)


@pytest.mark.parametrize(
    "filename",
    [
        b"../../outside.txt",
        b"..\\..\\outside.txt",
        b"/etc/passwd",
        b"C:\\windows\\system32",
        b"\x00.txt",
        b"a\x00b.txt",
        b"\xff\xfe",
        b"\xc3\xa4\xed\xa0\x80.txt",
        b"a" * 5000,
        b".",
        b"..",
        b"...",
        b"CON",
        b"nul.txt",
        b" ",
        b"\\",
        b'\\"',
        b"a;b=c",
        b"%2e%2e%2f",
        b"<script>alert(1)</script>.svg",
        b"\xe2\x80\xaetxt.exe",
    ],
    ids=repr,
)
def test_file_names(server: Server, root: Path, filename: bytes) -> None:
    body = part(NAMED + b'; filename="' + filename + b'"', b"content") + b"--b--"
    for path in ("/form", "/form-async"):
        fine(
            server,
            request_bytes(
                "POST", path, headers={"Content-Type": "multipart/form-data; boundary=b"}, body=body
            ),
            200,
            400,
        )
    assert (root / "outside.txt").read_text() == "outside"
    assert {path.name for path in root.iterdir()} == {"static", "files", "uploads", "outside.txt"}


def test_too_many_parts(server: Server) -> None:
    for size in (1, 10_000):
        headers, body = multipart([(f"a{number}", None, b"x" * size) for number in range(101)])
        fine(server, request_bytes("POST", "/form", headers=headers, body=body), 413)
        headers, body = multipart([(f"a{number}", "f.txt", b"x" * size) for number in range(101)])
        fine(server, request_bytes("POST", "/form-async", headers=headers, body=body), 413)


# -- lengths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: -1",
        b"Content-Length: 1e3",
        b"Content-Length: 0x10",
        b"Content-Length: " + b"9" * 30,
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: ",
        b"Content-Length: 3, 3",
        b"Content-Length: 3\r\nContent-Length: 5",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Content-Length: +3",
        b"Content-Length: 3 ",
        b"Content-Length: 00000003",
        b"Transfer-Encoding: nonsense",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: \xff",
        b"Transfer-Encoding:\x0bchunked",
        b"Content-Length: 3\r\nExpect: 100-continue",
        b"Content-Length: 3\r\nExpect: nonsense",
    ],
    ids=lambda head: repr(head[:50]),
)
@pytest.mark.parametrize("path", [b"/form", b"/data", b"/upload", b"/missing"])
def test_lengths_that_lie(server: Server, path: bytes, head: bytes) -> None:
    """Refused, or taken as they are; then the connection says nothing more than it was asked."""
    with Client(server.port, timeout=5) as client:
        client.send(
            b"POST "
            + path
            + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + head
            + b"\r\n\r\n3\r\na=b\r\n0\r\n\r\n"
        )
        client.socket.shutdown(socket.SHUT_WR)
        with suppress(Closed):
            assert client.response().status < 500


def test_a_body_shorter_than_announced_ends_with_its_client(server: Server) -> None:
    for path in ("/form", "/data", "/upload", "/json"):
        with server.connect() as client:
            headers = {"Content-Type": FORM, "Content-Length": "100"}
            client.send_request("POST", path, headers=headers, body=b"a=b")
    eventually(lambda: not server.tasks, "nobody waits for the rest")


def test_more_than_announced_is_not_part_of_the_body(server: Server) -> None:
    with server.connect() as client:
        longer = request_bytes(
            "POST", "/data", headers={"Content-Length": "3"}, body=b"abcGET /ping HTTP/1.1"
        )
        client.send(longer + b"\r\nHost: x\r\n\r\n")
        assert client.response().body == b"3"
        assert client.response().body == b"pong"


class Endless:
    """A body that goes on until the server has had enough."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sent = 0

    def send(self, piece: bytes, limit: int, chunked: bool) -> None:
        data = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        self.client.socket.settimeout(0.5)
        with suppress(ConnectionError, TimeoutError):
            while self.sent < limit:
                self.client.send(data)
                self.sent += len(piece)
        self.client.socket.settimeout(5)


ENDLESS_HEADER = b"--b\r\nContent-Disposition: form-data; name=a\r\nX-Long: "
ENDLESS_TEXT = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "content_type", "start", "piece"),
    [
        ("/data", "text/plain", b"", b"x" * 65536),
        ("/text", "text/plain", b"", b"x" * 65536),
        ("/json", "application/json", b"", b"[" * 65536),
        ("/form", FORM, b"", b"a=b&" * 16384),
        ("/form-async", FORM, b"", b"a=b&" * 16384),
        ("/form", "multipart/form-data; boundary=b", b"", b"x" * 65536),
        ("/form", "multipart/form-data; boundary=b", b"", b"\r\n" * 32768),
        ("/form", "multipart/form-data; boundary=b", ENDLESS_HEADER, b"x" * 65536),
        ("/form", "multipart/form-data; boundary=b", ENDLESS_HEADER, b"x: y\r\n" * 10_000),
        ("/form-async", "multipart/form-data; boundary=b", ENDLESS_TEXT, b"x" * 65536),
        ("/form", "multipart/form-data; boundary=b", b"", part(NAMED) * 100),
        ("/upload", "text/plain", b"", b"x" * 65536),
        ("/missing", "text/plain", b"", b"x" * 65536),
        ("/ping", "text/plain", b"", b"x" * 65536),
    ],
    ids=str,
)
@pytest.mark.parametrize("framing", ["chunked", "announced"])
def test_an_endless_body_is_refused_early_and_takes_no_memory(
    server: Server, path: str, content_type: str, start: bytes, piece: bytes, framing: str
) -> None:
    limit = 40_000_000
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
    head += (
        "Transfer-Encoding: chunked\r\n\r\n"
        if framing == "chunked"
        else f"Content-Length: {limit + len(start)}\r\n\r\n"
    )
    tracemalloc.start()
    try:
        with Client(server.port, timeout=5) as client, time_limit(8, "the refusal"):
            client.send(head.encode())
            body = Endless(client)
            if start:
                client.send(b"%x\r\n%s\r\n" % (len(start), start) if framing == "chunked" else start)
            body.send(piece, limit, framing == "chunked")
            status = client.response().status
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == (404 if path == "/missing" else 405 if path == "/ping" else 413)
    assert peak < MAX_CONTENT_LENGTH * 4 + 4_000_000, f"{peak / 1e6:.1f} MB"


def test_a_refused_body_leaves_the_server_free(server: Server) -> None:
    """Ten that go on sending to a server that has answered."""
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        client.send(b"POST /data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.socket.settimeout(0.2)
        with suppress(OSError):
            for _ in range(60):
                client.send(b"%x\r\n%s\r\n" % (65536, b"x" * 65536))
    assert server.get("/ping").body == b"pong"
    for client in clients:
        client.close()
    eventually(lambda: not server.tasks, "the requests are over")


# -- sessions -----------------------------------------------------------------------------------------------


def signed(payload: bytes) -> str:
    """A session cookie with that payload, signed as the application does."""
    app = Flask(APP_NAME)
    app.secret_key = SECRET
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    assert isinstance(serializer, URLSafeTimedSerializer)
    return serializer.make_signer(serializer.salt).sign(payload).decode("latin-1")


def encoded(value: bytes, compress: bool = False) -> bytes:
    if compress:
        return b"." + base64.urlsafe_b64encode(zlib.compress(value, 9)).rstrip(b"=")
    return base64.urlsafe_b64encode(value).rstrip(b"=")


SESSIONS = {
    **{
        name: encoded(name.encode())
        for name in ("[]", "null", "1", "true", '"x"', "[[1,2]]", "", "{", "\x00")
    },
    "pairs": encoded(b'[["a", 1]]'),
    "invalid UTF-8": encoded(b'{"a": "\xff"}'),
    "deep": encoded(b"[" * 3000 + b"]" * 3000),
    "deep dict": encoded(b'{"a":' * 900 + b"1" + b"}" * 900),
    "very deep": encoded(b'{"a":' * 20_000, compress=True),
    "tag of a number": encoded(b'{"a": {" u": 5}}'),
    "tag of null": encoded(b'{"a": {" d": null}}'),
    "tag of nonsense": encoded(b'{"a": {" d": "x"}}'),
    "tag of bytes": encoded(b'{"a": {" b": "\\u00e4"}}'),
    "tag of a list": encoded(b'{"a": {" t": 5}}'),
    "tag of markup": encoded(b'{"a": {" m": [1]}}'),
    "tag of a tag": encoded(b'{"a": {" di": {" t__": [1]}}}'),
    "tag outside": encoded(b'{" t": [1, 2]}'),
    "not base64": b"%%%%",
    "no base64 at all": b"\xff",
    "empty": b"",
    "dot": b".",
    "not compressed": b".aaaa",
    "bomb": encoded(b'{"a": "' + b"x" * 20_000_000 + b'"', compress=True),
    "other types": encoded(b'{"visits": 0, "_permanent": "x", "_flashes": 5}'),
}


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("kind", ["signed", "not signed", "badly signed"])
def test_session_cookies(server: Server, name: str, kind: str) -> None:
    payload = SESSIONS[name]
    cookie = signed(payload)
    if kind == "not signed":
        cookie = payload.decode("latin-1")
    elif kind == "badly signed":
        cookie = cookie[:-4] + "AAAA"
    fine(server, request_bytes("GET", "/session", headers={"Cookie": f"session={cookie}"}), 200)
    with server.connect() as client:
        body = json.loads(client.request("GET", "/session", headers={"Cookie": f"session={cookie}"}).body)
    if kind != "signed":
        assert body == {"before": {}}


def test_an_unsigned_bomb_is_not_unpacked(server: Server) -> None:
    cookie = SESSIONS["bomb"].decode() + ".AAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAA"
    data = request_bytes("GET", "/session", headers={"Cookie": f"session={cookie}"})
    tracemalloc.start()
    try:
        fine(server, data, 200)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000, f"{peak / 1e6:.1f} MB"


@pytest.mark.parametrize(
    "cookie",
    [
        "session",
        "session=",
        "session=.",
        "session=..",
        "session=...",
        "session=" + "." * 5000,
        "session=a.b.c",
        "session=a.b.c.d",
        'session="',
        'session="\\377\\000"',
        "session=\xff",
        "=" * 5000,
        ";" * 5000,
        "a=b; " * 3000,
        "session=a; session=b",
        "$Version=1; session=a; $Path=/",
        "__Host-session=\xe4",
        "session=eyJ9.AAAAAAAAAAAAAAAA.x",
        "session=eyJ9." + "A" * 5000 + ".x",
        "session=eyJ9.//////////8.x",
    ],
    ids=lambda cookie: cookie[:25],
)
def test_cookies(server: Server, cookie: str) -> None:
    for path in ("/", "/session", "/flash"):
        fine(server, request_bytes("GET", path, headers={"Cookie": cookie}), 200)


def test_a_signed_time_out_of_range(server: Server) -> None:
    """The time stamp is signed, so only who has the key can make one; a restored backup might."""
    app = Flask(APP_NAME)
    app.secret_key = SECRET
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    signer = serializer.make_signer(serializer.salt)
    for stamp in (b"", b"A", b"/" * 8, b"_" * 11, b"-" * 20, b"A" * 300):
        value = encoded(b'{"a": 1}') + b"." + stamp
        cookie = value + b"." + signer.get_signature(value)
        fine(server, request_bytes("GET", "/session", headers={"Cookie": f"session={cookie.decode()}"}), 200)


# -- what comes back ----------------------------------------------------------------------------------------

SPLITTING = [
    "/x\r\nX-Injected: 1",
    "/x\nX-Injected: 1",
    "/x\rX-Injected: 1",
    "/x\r\n\r\n<script>",
    "\r\nX-Injected: 1",
    "/x\u010a\u010dX-Injected: 1",
    "/x\u560d\u560aX-Injected: 1",
    "/x\x0bX-Injected: 1\x0c",
    "/x\x85X-Injected: 1",
    "/x\u2028X-Injected: 1",
]
ODD_TEXTS = [
    "\x00",
    "/\x00",
    "\x7f",
    "\x01",
    "\ud7ff",
    "\u20ac",
    "\U0001f600",
    "/\xe4",
    "a" * 3000,
    '"',
    ";",
    ",",
    " ",
    "",
]


@pytest.mark.parametrize("value", SPLITTING, ids=ascii)
@pytest.mark.parametrize(
    "path",
    [
        "/redirect?next=",
        "/header?value=",
        "/cookie?value=",
        "/download?name=",
        "/flash?message=",
        "/template?q=",
        "/path/",
        "/slash/",
        "/files/",
        "/",
    ],
)
def test_nothing_splits_a_response(running: Server, path: str, value: str) -> None:
    with running.connect() as client:
        client.send(request_bytes("GET", path + quote(value, safe="")))
        try:
            response = client.response()
        except Closed:
            return  # the server has refused to send such a header
        finally:
            del running.errors[:]
        assert response.get("X-Injected") is None
        assert b"\nX-Injected" not in response.raw_head
        assert not re.search(rb"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n", response.raw_head)


@pytest.mark.parametrize(
    "value",
    [
        *SPLITTING,
        *ODD_TEXTS,
        "http://[",
        "//[",
        "http://[::1",
        "http://a:b",
        "http://\u2100/",
        "javascript:1",
        "\\\\x",
        "%",
        "%zz",
    ],
    ids=ascii,
)
@pytest.mark.parametrize(
    "path",
    ["/redirect?next=", "/cookie?value=", "/download?name=", "/flash?message=", "/template?q=", "/slash/"],
)
def test_values_that_views_usually_send_back(server: Server, path: str, value: str) -> None:
    """A place to go on to, a name for a download, a cookie: views take them from the query."""
    fine(server, request_bytes("GET", path + quote(value, safe="")))


# -- others are served meanwhile ----------------------------------------------------------------------------


def percentile(times: list[float], which: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * which))]


def measure(server: Server, count: int) -> float:
    """The 99th percentile of the time that simple requests take, in seconds."""
    times = []
    with server.connect() as client:
        for number in range(count):
            start = time.perf_counter()
            assert client.request("GET", "/ping" if number % 2 else "/ping-async").status == 200
            times.append(time.perf_counter() - start)
            time.sleep(0.001)
    return percentile(times, 0.99)


def test_slow_uploads_do_not_hold_up_others(root: Path) -> None:
    """Fifty clients, each with a body that comes a little at a time, to routes of all kinds."""
    app = make_app(root)
    app.config["WORKER_THREADS"] = 4
    stop = threading.Event()
    with Server(app) as server:
        clients = []
        for number in range(50):
            client = server.connect()
            path = ("/form", "/form-async", "/data", "/data", "/upload")[number % 5]
            content_type = "multipart/form-data; boundary=b" if number % 2 else FORM
            headers = {"Content-Type": content_type, "Content-Length": "1900000"}
            client.send_request("POST", path, headers=headers)
            if number % 2:
                client.send(part(NAMED + b"; filename=f")[:-2])
            client.send(b"x" * (600_000 if number % 4 == 1 else 1000))
            clients.append(client)

        def trickle() -> None:
            while not stop.wait(0.02):
                for client in clients:
                    with suppress(OSError):
                        client.send(b"x" * 10)

        sender = threading.Thread(target=trickle)
        sender.start()
        try:
            assert measure(server, 300) < 0.25
            assert len(server.tasks) == 50
        finally:
            stop.set()
            sender.join()
            for client in clients:
                client.close()
        eventually(lambda: not server.tasks, "the requests are over")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_slow_readers_do_not_hold_up_others(kind: str) -> None:
    """Fifty clients that do not read what they asked for: a stream without an end, or much at once."""
    app = Flask(APP_NAME, static_folder=None)
    app.config["WORKER_THREADS"] = 4

    @app.get("/stream")
    def stream() -> Any:
        def pieces() -> Iterator[bytes]:
            while True:
                yield b"x" * 65536

        async def async_pieces() -> Any:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)

        return pieces() if kind == "sync" else async_pieces()

    app.add_url_rule("/ping", "ping", lambda: "pong")
    app.add_url_rule("/ping-async", "ping_async", lambda: asyncio.sleep(0, "pong"))
    with Server(app) as server:
        clients = []
        for _ in range(50):
            client = server.connect()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send_request("GET", "/stream")
            clients.append(client)
        eventually(lambda: len(server.tasks) == 50, "all are under way")
        time.sleep(0.5)  # until what can be buffered is
        assert measure(server, 200) < 0.25
        for client in clients:
            client.close()
        eventually(lambda: not server.tasks, "the requests are over")


# -- fuzzing ------------------------------------------------------------------------------------------------

FUZZ = settings(
    max_examples=300,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

paths = st.sampled_from(
    [
        *("/", "/async", "/item/", "/signed/", "/float/", "/range/", "/uuid/", "/path/", "/slash/", "/json"),
        *("/form", "/form-async", "/data", "/text", "/upload", "/redirect", "/cookie", "/download"),
        *("/files/", "/static/", "/session", "/flash", "/template", "/auth", "/negotiate", "/cached"),
    ]
)
tails = st.one_of(
    st.just(""),
    st.text(max_size=20).map(lambda text: quote(text, safe="/", errors="replace")),
    st.binary(max_size=20).map(lambda data: quote(data, safe="/")),
    st.text("0123456789-.eE/_", max_size=20),
    st.text("/.%25ce\\:;?#&=", max_size=20),
)
queries = st.one_of(
    st.just(""),
    st.sampled_from(["?q=", "?next=", "?value=", "?name=", "?message=", "?"]).flatmap(
        lambda name: st.binary(max_size=20).map(lambda data: name + quote(data, safe="&=;%+"))
    ),
)
header_values = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
    st.text('abc01=;,:"\\/ -*.%\t', max_size=40),
)
headers = st.lists(st.tuples(st.sampled_from(READ_HEADERS), header_values), max_size=5)
content_types = st.one_of(
    st.sampled_from(
        ["application/json", FORM, "multipart/form-data; boundary=b", "multipart/form-data", "text/plain", ""]
    ),
    header_values,
)
multipart_bodies = st.lists(
    st.sampled_from(
        [
            *(
                b"--b",
                b"--b--",
                b"\r\n",
                b"\n",
                b"\r",
                b"--",
                b"Content-Disposition: form-data",
                b'; name="a"',
            ),
            *(
                b'; filename="f"',
                b"Content-Type: text/plain",
                b"; charset=x",
                b": ",
                b"\xff",
                b"x" * 100,
                b'"',
                b"=",
                b" ",
            ),
        ]
    ),
    max_size=30,
).map(b"".join)
json_bodies = st.one_of(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.text('[]{}:,"0123456789.eE+-\\u nulltrue', max_size=30).map(str.encode),
)
bodies = st.one_of(
    st.binary(max_size=50), multipart_bodies, json_bodies, st.text("a=&%+;0f", max_size=40).map(str.encode)
)


def answers(server: Server, data: bytes) -> None:
    """Every answer to that is one, and none is a 5xx."""
    del server.errors[:]
    with Client(server.port, timeout=5) as client:
        with suppress(ConnectionError):
            client.send(data)
            client.socket.shutdown(socket.SHUT_WR)
        received = client.rest()
    assert not re.match(rb"HTTP/1.1 5", received), received[:500]
    assert server.errors == [], server.errors


@FUZZ
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"]),
    path=paths,
    tail=tails,
    query=queries,
    headers=headers,
    content_type=content_types,
    body=st.none() | bodies,
)
def test_any_request(
    running: Server,
    method: str,
    path: str,
    tail: str,
    query: str,
    headers: list[tuple[str, str]],
    content_type: str,
    body: bytes | None,
) -> None:
    items = [*headers, ("Connection", "close")]
    if body is not None:
        items.append(("Content-Type", content_type))
    data = request_bytes(method, path + tail + query, headers=items, body=body)
    del running.errors[:]
    with Client(running.port, timeout=5) as client:
        client.send(data)
        try:
            response = client.response(method)
        except Closed as error:
            pytest.fail(f"no answer to {data!r}: {error}")
    assert response.status < 500, data
    assert running.errors == []


@FUZZ
@given(
    lines=st.lists(
        st.sampled_from(
            [
                *(
                    b"GET / HTTP/1.1",
                    b"POST /form HTTP/1.1",
                    b"POST /json HTTP/1.1",
                    b"GET /session HTTP/1.0",
                    b"",
                ),
                *(
                    b"Host: x",
                    b"Host:",
                    b"Content-Length: 5",
                    b"Content-Length: 0",
                    b"Transfer-Encoding: chunked",
                ),
                *(
                    b"Connection: keep-alive",
                    b"Connection: close",
                    b"Expect: 100-continue",
                    b"Upgrade: websocket",
                ),
                *(b"Connection: Upgrade", b"5", b"hello", b"0", b"\xff", b": ", b"a=b&c=d", b"{}", b" x"),
                b"Content-Type: application/x-www-form-urlencoded",
                b"Content-Type: application/json",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                b"Sec-WebSocket-Version: 13",
            ]
        ),
        max_size=14,
    ),
    ending=st.sampled_from([b"\r\n", b"\n"]),
    noise=st.binary(max_size=10),
)
def test_anything_at_all(running: Server, lines: list[bytes], ending: bytes, noise: bytes) -> None:
    answers(running, ending.join([b"GET /ping HTTP/1.1", *lines]) + ending * 2 + noise)


@FUZZ
@given(content_type=content_types, body=multipart_bodies)
def test_any_form(running: Server, content_type: str, body: bytes) -> None:
    for path in ("/form", "/form-async"):
        data = request_bytes(
            "POST", path, headers={"Content-Type": content_type, "Connection": "close"}, body=body
        )
        fine(running, data)
    assert running.errors == []


def test_two_content_types_are_not_mixed_up(server: Server) -> None:
    """What the first request says of its body is nothing to those after it."""
    kind = "application/x-two+json"
    with server.connect() as client:
        for headers, status in (
            ([("Content-Type", "text/plain"), ("Content-Type", kind)], 415),
            ([("Content-Type", kind)], 200),
            ([("Content-Type", "text/plain"), ("Content-Type", kind)], 415),
        ):
            assert client.request("POST", "/json", headers=headers, body=b"{}").status == status


@pytest.mark.parametrize("limit", [3, 600_000], ids=["memory", "disk"])
@pytest.mark.parametrize("hooks", [False, True], ids=["no_hooks", "hooks"])
def test_the_rest_of_a_chunked_body_comes_when_its_limit_is_raised(limit: int, hooks: bool) -> None:
    app = Flask(APP_NAME)
    app.config["MAX_CONTENT_LENGTH"] = limit
    if hooks:
        app.before_request(lambda: None)

    @app.post("/sync")
    def sync() -> Any:
        request.max_content_length = 10_000_000
        return request.get_data()

    @app.post("/async")
    async def async_() -> Any:
        request.max_content_length = 10_000_000
        return request.get_data()

    @app.post("/receive")
    async def receive() -> Any:
        request.max_content_length = 10_000_000
        await request.receive_body()
        return request.get_data()

    @app.post("/refused")
    def refused() -> Any:
        return request.get_data()

    parts = [bytes([65 + number]) * (limit // 2 + 1) for number in range(5)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with Server(app) as server:
        for path in ("/sync", "/async", "/receive"):
            answer = server.request("POST", path, headers={"Transfer-Encoding": "chunked"}, body=body)
            assert answer.status == 200
            assert answer.body == b"".join(parts)
        answer = server.request("POST", "/refused", headers={"Transfer-Encoding": "chunked"}, body=body)
        assert answer.status == 413
