"""`ProxyFix`, beside Werkzeug's on the real Flask."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

import flask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle.server import Server
from werkzeug.middleware.proxy_fix import ProxyFix as WSGIProxyFix

import asyncflask
from asyncflask.middleware.proxy_fix import ProxyFix

ALL = {"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 1, "x_prefix": 1}
NONE = dict.fromkeys(ALL, 0)


def make_app(package: Any) -> Any:
    """An application that tells what it sees of a request."""
    app = package.Flask("proxied", static_folder=None)

    @app.route("/", defaults={"path": ""}, endpoint="page")
    @app.route("/<path:path>", endpoint="page")
    def page(path: str) -> Any:
        request = package.request
        return {
            "url": request.url,
            "root_url": request.root_url,
            "path": request.path,
            "script_root": request.script_root,
            "host": request.host,
            "scheme": request.scheme,
            "is_secure": request.is_secure,
            "remote_addr": request.remote_addr,
            "access_route": list(request.access_route),
            "route": path,
            "url_for": package.url_for("page", path="other", _external=True),
            "relative": package.url_for("page", path="other"),
            "environ": [
                request.environ.get(key)
                for key in ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME")
            ],
            "orig": request.environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"],
        }

    return app


def seen_by_flask(
    counts: Mapping[str, int], headers: Iterable[tuple[str, str]], path: str, **options: Any
) -> tuple[int, Any]:
    app = make_app(flask)
    app.wsgi_app = WSGIProxyFix(app.wsgi_app, **counts)
    response = app.test_client().get(path, headers=list(headers), **options)
    return response.status_code, response.json


def seen_by_asyncflask(
    counts: Mapping[str, int], headers: Iterable[tuple[str, str]], path: str, **options: Any
) -> tuple[int, Any]:
    app = make_app(asyncflask)
    app.asgi_app = ProxyFix(app.asgi_app, **counts)
    response = app.test_client().get(path, headers=list(headers), **options)
    return response.status_code, response.json


def assert_same(
    counts: Mapping[str, int], headers: Iterable[tuple[str, str]], path: str = "/page", **options: Any
) -> Any:
    status, seen = seen_by_asyncflask(counts, headers, path, **options)
    assert (status, seen) == seen_by_flask(counts, headers, path, **options)
    assert status < 500
    return seen


FOR, PROTO, HOST, PORT, PREFIX = (
    f"X-Forwarded-{name}" for name in ("For", "Proto", "Host", "Port", "Prefix")
)


@pytest.mark.parametrize(
    ("counts", "headers", "expected"),
    [
        pytest.param({}, [], {"url": "http://localhost/page"}, id="nothing sent"),
        pytest.param(
            {},
            [(FOR, "192.0.2.1"), (PROTO, "https"), (HOST, "h"), (PORT, "1"), (PREFIX, "/p")],
            {"url": "https://localhost/page", "remote_addr": "192.0.2.1", "is_secure": True},
            id="the defaults trust two",
        ),
        pytest.param(
            NONE,
            [(FOR, "192.0.2.1"), (PROTO, "https"), (HOST, "h"), (PORT, "1"), (PREFIX, "/p")],
            {"url": "http://localhost/page", "remote_addr": "127.0.0.1"},
            id="nothing trusted",
        ),
        pytest.param(
            ALL,
            [(FOR, "192.0.2.1"), (PROTO, "https"), (HOST, "example.com"), (PORT, "8443"), (PREFIX, "/app")],
            {"url": "https://example.com:8443/app/page", "path": "/page", "script_root": "/app"},
            id="everything",
        ),
        pytest.param(
            ALL,
            [(FOR, "203.0.113.9, 198.51.100.2"), (PROTO, "http,https"), (HOST, "faked, example.com")],
            {"url": "https://example.com/page", "remote_addr": "198.51.100.2"},
            id="the last is the proxy's",
        ),
        pytest.param(
            {**ALL, "x_for": 2},
            [(FOR, "203.0.113.9, 198.51.100.2, 10.0.0.1")],
            {"remote_addr": "198.51.100.2"},
            id="two proxies",
        ),
        pytest.param(
            {**ALL, "x_for": 2}, [(FOR, "198.51.100.2")], {"remote_addr": "127.0.0.1"}, id="too few values"
        ),
        pytest.param(
            {**ALL, "x_for": 2},
            [(FOR, "203.0.113.9"), (FOR, "198.51.100.2"), (FOR, "10.0.0.1")],
            {"remote_addr": "198.51.100.2"},
            id="one header per proxy",
        ),
        pytest.param(
            {"x_host": 1},
            [(HOST, "example.com:81")],
            {"url": "http://example.com:81/page"},
            id="host with port",
        ),
        pytest.param(
            {"x_host": 1, "x_port": 1},
            [(HOST, "example.com:81"), (PORT, "82")],
            {"host": "example.com:82"},
            id="the port's header wins",
        ),
        pytest.param(
            {"x_host": 1, "x_port": 1}, [(HOST, "[::1]"), (PORT, "82")], {"host": "[::1]:82"}, id="IPv6"
        ),
        pytest.param(
            {"x_host": 1, "x_port": 1},
            [(HOST, "[::1]:81"), (PORT, "82")],
            {"host": "[::1]:82"},
            id="IPv6 with port",
        ),
        pytest.param({"x_port": 1}, [(PORT, "8080")], {"host": "localhost:8080"}, id="port alone"),
        pytest.param(
            {"x_port": 1}, [(PORT, "443"), (PROTO, "https")], {"host": "localhost"}, id="the usual port"
        ),
        pytest.param({}, [(FOR, '"[2001:db8::1]:4711"')], {"remote_addr": "[2001:db8::1]:4711"}, id="quoted"),
        pytest.param({}, [(FOR, "unknown")], {"remote_addr": "unknown"}, id="no address"),
        pytest.param({}, [(FOR, ""), (PROTO, "")], {"remote_addr": "127.0.0.1"}, id="empty"),
        pytest.param({}, [(FOR, "192.0.2.1,"), (PROTO, ",")], {"is_secure": False}, id="empty at the end"),
        pytest.param({"x_prefix": 1}, [(PREFIX, "/")], {"script_root": ""}, id="prefix of one slash"),
        pytest.param({"x_prefix": 1}, [(PREFIX, "/a/b/")], {"script_root": "/a/b"}, id="deep prefix"),
        pytest.param({"x_prefix": 1}, [(PREFIX, "/a%20b")], {"script_root": "/a%20b"}, id="quoted prefix"),
        pytest.param(
            {"x_prefix": 1},
            [(PREFIX, "/ä".encode().decode("latin-1"))],
            {"script_root": "/ä"},
            id="prefix in UTF-8",
        ),
        pytest.param(
            {"x_prefix": 1}, [(PREFIX, "/\xe4")], {"script_root": "/\ufffd"}, id="prefix in Latin-1"
        ),
        pytest.param({"x_port": 1}, [(PORT, "abc")], {"host": ""}, id="no number"),
        pytest.param({"x_port": 1}, [(PORT, "99999")], {"host": ""}, id="no port"),
        pytest.param({"x_port": 1}, [(PORT, "\xb2")], {"host": ""}, id="a digit, but no number"),
        pytest.param({"x_port": 1}, [(PORT, "9" * 5000)], {"host": ""}, id="long number"),
        pytest.param({"x_host": 1}, [(HOST, "a b")], {"host": ""}, id="no host"),
    ],
)
def test_table(counts: dict[str, int], headers: list[tuple[str, str]], expected: dict[str, Any]) -> None:
    seen = assert_same(counts, headers)
    assert {key: seen[key] for key in expected} == expected


@pytest.mark.parametrize("path", ["/", "/app", "/app/page", "/application", "/p%C3%A4ge?x=1"])
def test_prefix_is_put_before_any_path(path: str) -> None:
    seen = assert_same({"x_prefix": 1}, [(PREFIX, "/app")], path)
    assert seen["script_root"] == "/app"
    assert seen["relative"] == "/app/other"


def test_prefix_replaces_the_root_that_the_server_knows() -> None:
    seen = assert_same({"x_prefix": 1}, [(PREFIX, "/app")], "/page", base_url="http://localhost/old")
    assert seen["url"] == "http://localhost/app/page"


PLAUSIBLE = {
    FOR: ["192.0.2.1", "2001:db8::1", "unknown", "10.0.0.1:80"],
    PROTO: ["http", "https", "wss", "ftp", "HTTPS"],
    HOST: [
        "example.com",
        "example.com:80",
        "example.com:443",
        "[::1]",
        "[::1]:8080",
        "h:x",
        "::1",
        ":80",
        "ä",
    ],
    PORT: ["80", "443", "8080", "0", "65536", "-1", "x"],
    PREFIX: ["/", "/app", "/a/b", "/a b", "/%2F"],
}
# What a server lets through in a header: no control characters but the tab (RFC 9110 section 5.5).
text = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=12)


@st.composite
def forwarded(draw: st.DrawFn) -> list[tuple[str, str]]:
    """`X-Forwarded-` headers as proxies write them, each with some values or none, perhaps in two headers."""
    headers = []
    for name, values in PLAUSIBLE.items():
        for values_of_one in draw(st.lists(st.lists(st.sampled_from(values), max_size=3), max_size=2)):
            headers.append((name, draw(st.sampled_from([", ", ",", " , "])).join(values_of_one)))
    return headers


numbers = st.fixed_dictionaries(dict.fromkeys(ALL, st.integers(0, 3)))
schemes = st.sampled_from(["http", "https"])


@settings(max_examples=150, deadline=None)
@given(numbers, forwarded(), schemes)
def test_same_as_flask(counts: dict[str, int], headers: list[tuple[str, str]], scheme: str) -> None:
    assert_same(counts, headers, base_url=f"{scheme}://localhost:5000/")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([FOR, HOST, PORT]), text), max_size=6))
def test_same_as_flask_whatever_is_sent(headers: list[tuple[str, str]]) -> None:
    assert_same(ALL, headers)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([PROTO, PREFIX]), text), max_size=6))
def test_whatever_is_sent_is_answered(headers: list[tuple[str, str]]) -> None:
    status, seen = seen_by_asyncflask(ALL, headers, "/page")
    if (PROTO, "ws") in headers or (PROTO, "wss") in headers:
        assert status == 400  # no scheme of this route
        return
    assert status == 200
    assert seen["path"] == "/page"
    assert seen["relative"].startswith("/")
    assert not seen["relative"].startswith("//")


@pytest.mark.parametrize("scheme", ["java script", "https:", "//x", "1", "\xe4", "https://example.com"])
def test_no_scheme(scheme: str) -> None:
    """Werkzeug takes these, and makes URLs of them."""
    assert seen_by_asyncflask({}, [(PROTO, scheme)], "/page")[1]["url"] == "http://localhost/page"


@pytest.mark.parametrize(
    ("prefix", "root"),
    [
        (".example.com", "/.example.com"),
        ("//example.com", "/example.com"),
        ("/\\example.com", ""),
        ("/\t/example.com", ""),
        ("app", "/app"),
    ],
)
def test_prefix_that_could_be_a_host(prefix: str, root: str) -> None:
    """With Werkzeug's the links and redirects of the application then lead there."""
    fixed = fix({"x_prefix": 1}, headers=[(b"x-forwarded-prefix", prefix.encode())])
    assert fixed["root_path"] == root
    assert fixed["path"] == f"{root}/page"


# -- scopes --------------------------------------------------------------------------------------------------


def make_scope(kind: str = "http", **values: Any) -> dict[str, Any]:
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": {"http": "http", "websocket": "ws"}[kind],
        "path": "/page",
        "raw_path": b"/page",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"inner:8000"), (b"accept", b"*/*")],
        "client": ("10.0.0.1", 1234),
        "server": ("10.0.0.2", 8000),
        "state": {},
        **({"method": "GET"} if kind == "http" else {"subprotocols": []}),
    }
    scope.update(values)
    return scope


def call(counts: Mapping[str, int], scope: dict[str, Any]) -> Any:
    """The scope that the application gets."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Any: ...
    async def send(message: Any) -> None: ...

    asyncio.run(ProxyFix(app, **counts)(scope, receive, send))
    assert seen[0][1:] == (receive, send)
    return seen[0][0]


def fix(counts: Mapping[str, int], kind: str = "http", **values: Any) -> Any:
    return call(counts, make_scope(kind, **values))


SENT = [
    (b"x-forwarded-for", b"192.0.2.1"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"example.com"),
    (b"x-forwarded-port", b"8443"),
    (b"x-forwarded-prefix", b"/app"),
]


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_scope(kind: str, scheme: str) -> None:
    fixed = fix(ALL, kind, headers=[(b"host", b"inner"), (b"accept", b"*/*"), *SENT])
    assert fixed["client"] == ("192.0.2.1", 0)
    assert fixed["scheme"] == scheme
    assert fixed["server"] == ("example.com", 8443)
    assert fixed["root_path"] == "/app"
    assert fixed["path"] == "/app/page"
    assert fixed["raw_path"] == b"/page"
    assert fixed["headers"] == [(b"host", b"example.com:8443"), (b"accept", b"*/*"), *SENT]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_scope_is_not_changed(kind: str) -> None:
    scope = make_scope(kind, headers=[(b"host", b"inner"), *SENT])
    before = copy.deepcopy(scope)
    fixed = call(ALL, scope)
    assert scope == before
    assert fixed["asyncflask.proxy_fix.orig"] is scope
    assert fixed["state"] is scope["state"]


def test_lifespan_passes_through() -> None:
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    assert call(ALL, scope) is scope


@pytest.mark.parametrize(
    ("sent", "scheme"),
    [(b"https", "wss"), (b"http", "ws"), (b"wss", "wss"), (b"ws", "ws"), (b"", "ws"), (b"\xff", "ws")],
)
def test_websocket_scheme(sent: bytes, scheme: str) -> None:
    assert fix({}, "websocket", headers=[(b"x-forwarded-proto", sent)])["scheme"] == scheme


def test_websocket_scope_without_a_scheme() -> None:
    scope = make_scope("websocket", headers=[(b"x-forwarded-for", b"192.0.2.1")])
    del scope["scheme"]
    fixed = call({}, scope)
    assert fixed["client"] == ("192.0.2.1", 0)
    assert "scheme" not in fixed


@pytest.mark.parametrize(
    ("path", "root_path"), [("/page", ""), ("/old/page", "/old"), ("/page", "/old"), ("/page", "/old/")]
)
def test_root_path_of_the_server_in_both_ways(path: str, root_path: str) -> None:
    """Servers include the root path in the path, as the specification says, or they do not."""
    fixed = fix({"x_prefix": 1}, path=path, root_path=root_path, headers=SENT)
    assert (fixed["root_path"], fixed["path"]) == ("/app", "/app/page")


@pytest.mark.parametrize(
    ("path", "expected"), [("/app/page", "/app/app/page"), ("", "/app"), ("/", "/app/"), ("*", "/app/*")]
)
def test_path_below_the_prefix(path: str, expected: str) -> None:
    fixed = fix({"x_prefix": 1}, path=path, headers=SENT)
    assert (fixed["root_path"], fixed["path"]) == ("/app", expected)


@pytest.mark.parametrize(
    ("server", "headers", "expected"),
    [
        (("10.0.0.2", 8000), [(b"x-forwarded-host", b"h")], ("h", 8000)),
        (("10.0.0.2", 8000), [(b"x-forwarded-host", b"h:81")], ("h", 81)),
        (("10.0.0.2", 8000), [(b"x-forwarded-host", b"h:x")], ("h", None)),
        (("10.0.0.2", 8000), [(b"x-forwarded-port", b"81")], ("10.0.0.2", 81)),
        (("10.0.0.2", 8000), [(b"x-forwarded-port", b"\xb2")], ("10.0.0.2", None)),
        (("/run/app.sock", None), [(b"x-forwarded-host", b"h")], ("h", None)),
        (None, [(b"x-forwarded-host", b"h")], ("h", None)),
        (None, [(b"x-forwarded-port", b"81")], None),
    ],
)
def test_server(
    server: tuple[str, int | None] | None,
    headers: list[tuple[bytes, bytes]],
    expected: tuple[str, int | None] | None,
) -> None:
    assert fix(ALL, server=server, headers=headers)["server"] == expected


def test_only_one_host_header_is_left() -> None:
    headers = [(b"host", b"a"), (b"host", b"b"), (b"x-forwarded-host", b"c")]
    assert fix(ALL, headers=headers)["headers"] == [(b"host", b"c"), (b"x-forwarded-host", b"c")]


def test_each_proxy_may_send_a_header_of_its_own() -> None:
    headers = [(b"x-forwarded-for", value) for value in (b"203.0.113.9", b"198.51.100.2", b"10.0.0.1")]
    assert fix({"x_for": 2}, headers=headers)["client"] == ("198.51.100.2", 0)


def test_underscores_are_not_dashes() -> None:
    assert fix(ALL, headers=[(b"x_forwarded_for", b"192.0.2.1")])["client"] == ("10.0.0.1", 1234)


@settings(max_examples=300)
@given(
    numbers,
    st.sampled_from(["http", "websocket"]),
    st.lists(st.tuples(st.sampled_from([name for name, _ in SENT]), st.binary(max_size=20)), max_size=8),
)
def test_any_bytes(counts: dict[str, int], kind: str, headers: list[tuple[bytes, bytes]]) -> None:
    scope = make_scope(kind, headers=[(b"host", b"inner"), *headers])
    before = copy.deepcopy(scope)
    fixed = ProxyFix(lambda *_: None, **counts).fix(scope)  # type: ignore[arg-type, return-value]
    assert scope == before
    assert fixed["path"].startswith(fixed["root_path"])
    assert not fixed["root_path"].startswith("//")
    assert [type(value) for value in fixed["client"]] == [str, int]


def test_over_a_server() -> None:
    app = make_app(asyncflask)
    app.add_url_rule("/from", "redirect", lambda: asyncflask.redirect(asyncflask.url_for("page", path="to")))
    app.add_url_rule("/client", "client", lambda: [asyncflask.request.url, asyncflask.request.remote_addr])
    app.asgi_app = ProxyFix(app.asgi_app, **ALL)
    headers = [(name.decode(), value.decode()) for name, value in SENT]
    with Server(app) as server:
        response = server.get("/client", headers=headers)
        assert json.loads(response.body) == ["https://example.com:8443/app/client", "192.0.2.1"]
        assert server.get("/from", headers=headers).get("location") == "/app/to"


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="pass 0"):
        ProxyFix(make_app(asyncflask), x_for=-1)
