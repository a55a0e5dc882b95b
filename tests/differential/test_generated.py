"""Random applications and random requests: whatever Flask answers, asyncflask answers."""

from __future__ import annotations

import functools
import re
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import ORACLE, SUBJECT, Request, compare, exception_name, framework, get, post, transcript

quick = settings(max_examples=100, deadline=None, database=None, print_blob=True)


def check(build):
    """Compare the two frameworks on a case that was made up."""
    compare(transcript(build, ORACLE), transcript(build, SUBJECT), "generated case")


# Routing: rules from a small grammar, paths from the same few letters


literals = st.sampled_from(["a", "b", "ab", "1", "a-b", "é", ""])
variables = st.sampled_from([
    "", "int:", "int(signed=True):", "int(fixed_digits=2):", "int(min=1, max=5):", "float:", "path:",
    "string(length=2):", "string(minlength=1, maxlength=3):", "any(a, b, '1'):", "uuid:", "default:",
]).map("<{}?>".format)  # fmt: skip
segments = st.one_of(
    literals,
    variables,
    st.builds("{}{}".format, literals, variables),
    st.builds("{}-{}".format, variables, variables),
    st.builds("{}.{}".format, variables, literals),
)


def named(rule):
    """Number the variables of a rule."""
    first, *rest = rule.split("?")
    return first + "".join(f"v{number}{text}" for number, text in enumerate(rest))


rules = st.builds(
    "/{}{}".format, st.lists(segments, max_size=3).map("/".join), st.sampled_from(["", "/"])
).map(named)
methods = st.sampled_from(["GET", "GET", "POST", "PUT", "HEAD", "OPTIONS"])
rule_options = st.fixed_dictionaries(
    {},
    optional={
        "methods": st.lists(methods, min_size=1, max_size=3, unique=True),
        "defaults": st.dictionaries(
            st.sampled_from(["v0", "v1"]), st.sampled_from([1, "a", 2.5]), min_size=1, max_size=2
        ),
        "strict_slashes": st.booleans(),
        "merge_slashes": st.booleans(),
        "provide_automatic_options": st.booleans(),
        "endpoint": st.sampled_from(["one", "two", "three"]),
    },
)
pieces = st.sampled_from([
    "a", "b", "ab", "1", "01", "-1", "12", "1.5", "a-b", "1-2", "a.b", "é", "%C3%A9", "%20", "", "..", ".",
    "<x>", "a%2Fb", "a/b", "0ea8b8e3-3a2d-4f43-a2b2-7a6e1d3a4b5c",
])  # fmt: skip
tails = st.sampled_from(["", "", "", "/", "?q=1", "/?q=é", "//"])
random_paths = st.builds("/{}{}".format, st.lists(pieces, max_size=4).map("/".join), tails)


@st.composite
def sites(draw):
    """Rules with their options, and requests of which most come near one of the rules."""
    table = draw(st.lists(st.tuples(rules, rule_options), min_size=1, max_size=6))
    near = st.builds(filled, st.sampled_from(table), st.lists(pieces, min_size=8, max_size=8), tails)
    paths = st.one_of(near, near, near, random_paths)
    return table, draw(st.lists(st.tuples(paths, methods), min_size=1, max_size=12))


def filled(entry, values, tail):
    """The path of a rule with these values for its variables."""
    path = re.sub("<[^>]*>", lambda _: values.pop(), entry[0])
    return path.removesuffix("/" if "/" in tail else "") + tail


@quick
@given(sites(), st.sampled_from(["http://localhost", "http://localhost/app", "https://example.com:8443"]))
def test_routing(site, base_url):
    table, requests = site

    def build(fw):
        app = fw.Flask("generated", static_folder=None)
        refused = []

        def show(**values):
            return repr(
                (fw.request.endpoint, sorted(values.items()), str(fw.request.url_rule), rebuilt(fw, values))
            )

        for number, (rule, options) in enumerate(table):
            try:
                app.add_url_rule(rule, **{"endpoint": f"rule{number}", "view_func": show, **options})
            except Exception as error:
                refused.append(exception_name(error))

        def steps(client):
            yield refused
            for path, method in requests:
                yield client.open(path, method=method, base_url=base_url)

        return app, steps

    check(build)


def rebuilt(fw, values):
    """The URL that the matched endpoint and its arguments build."""
    try:
        return fw.url_for(fw.request.endpoint, **values)
    except Exception as error:
        return exception_name(error)


# Requests: odd query strings, bodies, cookies and headers


def parser(fw):
    """An application that answers with all that it understood of a request."""
    app = fw.Flask("generated", static_folder=None)

    @app.route("/", methods=["GET", "POST"], defaults={"path": ""})
    @app.route("/<path:path>", methods=["GET", "POST"])
    def show(path):
        request = fw.request
        files = [
            (name, file.filename, file.content_type, file.read())
            for name, file in request.files.items(multi=True)
        ]
        return "\n".join([
            repr(path), repr(request.full_path), repr(request.url),
            repr(list(request.args.items(multi=True))), repr(sorted(request.cookies.items(multi=True))),
            repr(list(request.form.items(multi=True))), repr(files), repr(request.get_json(silent=True)),
            repr(request.get_data()), repr(request.mimetype), repr(sorted(request.mimetype_params.items())),
            repr(list(request.accept_mimetypes)), repr(list(request.accept_languages)),
            repr(request.range and request.range.ranges), repr(request.if_none_match),
            repr(request.cache_control), repr(request.authorization and request.authorization.type),
            repr(request.host), repr(request.if_modified_since), repr(request.content_type),
            repr(request.access_route),
        ])  # fmt: skip

    return app


@functools.cache
def parsing_app(name):
    return parser(framework(name))


def check_parsing(request: Request) -> None:
    """Compare how one request is understood; the applications are made once."""

    def build(fw):
        def steps(_):
            client = app.test_client(use_cookies=False)
            yield client.open(request.path, method=request.method, **request.options)

        app = parsing_app(fw.__name__)
        return app, steps

    check(build)


encoded = st.text(st.sampled_from("ab1 =&+;%?/#é☃\x00\"'<>[]."), max_size=12)
percent = st.builds("%{:02X}".format, st.integers(0, 255))
query = st.lists(
    st.one_of(encoded.map(lambda text: quote(text, safe="=&+;%/?")), percent, st.sampled_from("=&+;%")),
    max_size=8,
).map("".join)
token = st.text(st.sampled_from("abz019!#$%&'*+-.^_`|~"), min_size=1, max_size=8)
value = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20
).map(str.strip)


@quick
# A second slash at the start makes the client read a host name.
@given(query, st.lists(pieces, max_size=3).map("/".join).filter(lambda path: not path.startswith("/")))
def test_query_strings_and_paths(query, path):
    check_parsing(get(f"/{path}", query_string=query))


@quick
@given(
    st.one_of(query, encoded).map(str.encode),
    st.sampled_from(["", "; charset=utf-8", "; charset=x"]),
)
def test_urlencoded_bodies(body, parameters):
    check_parsing(post("/", data=body, content_type="application/x-www-form-urlencoded" + parameters))


@quick
@given(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"{}", b"[1]", b'"x"', b"nul", b'{"a":', b"1e5", b"\xef\xbb\xbf1"]),
    )
)
def test_json_bodies(body):
    check_parsing(post("/", data=body, content_type="application/json"))


@quick
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("ab é☃[]."), min_size=1, max_size=5),
            st.one_of(st.none(), st.text(st.sampled_from("ab é☃. ()"), min_size=1, max_size=5)),
            st.sampled_from(
                ["", "\r\nContent-Type: text/plain", "\r\nContent-Type: image/png; a=b", "\r\nX-Other: 1"]
            ),
            st.binary(max_size=20).filter(lambda content: b"--xyz" not in content),
        ),
        max_size=4,
    )
)
def test_multipart_bodies(parts):
    body = b""
    for name, filename, headers, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += f"--xyz\r\nContent-Disposition: {disposition}{headers}\r\n\r\n".encode() + content + b"\r\n"
    check_parsing(post("/", data=body + b"--xyz--\r\n", content_type="multipart/form-data; boundary=xyz"))


cookie = st.one_of(
    st.builds("{}={}".format, token, value),
    st.builds('{}="{}"'.format, token, value),
    token,
    st.sampled_from(["", "=", "a=\\303\\274"]),
)


@quick
@given(st.lists(cookie, max_size=4), st.sampled_from([";", "; ", " ;", ","]))
def test_cookies(cookies, separator):
    check_parsing(get("/", headers={"Cookie": separator.join(cookies)}))


header = st.one_of(
    st.tuples(st.sampled_from(["Accept", "Accept-Language", "Cache-Control"]), value),
    st.tuples(st.just("Content-Type"), value.filter(bool)),
    st.tuples(
        st.sampled_from(["Accept", "Accept-Language"]),
        st.lists(
            st.sampled_from(
                ["text/html", "*/*", "en", "de-AT", "a/b;q=0.5", "x;q=1.5", "text/html;level=1", ";q=", "*"]
            ),
            max_size=4,
        ).map(", ".join),
    ),
    st.tuples(
        st.just("Range"),
        st.one_of(
            value, st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}(,[0-9]{0,2}-[0-9]{0,2})?", fullmatch=True)
        ),
    ),
    st.tuples(st.just("If-None-Match"), st.one_of(value, st.sampled_from(['"a"', 'W/"a", "b"', "*", '"a']))),
    st.tuples(
        st.just("Authorization"),
        st.one_of(value, st.builds("Basic {}".format, token), st.builds("Bearer {}".format, token)),
    ),
    st.tuples(st.just("If-Modified-Since"), st.one_of(value, st.just("Tue, 15 Nov 1994 08:12:31 GMT"))),
    st.tuples(st.just("X-Forwarded-For"), value),
    st.tuples(
        st.just("Host"), st.one_of(value, st.sampled_from(["example.com", "a.b:80", "[::1]", "x:y", "é"]))
    ),
)


def has_idna_host(header: tuple[str, str]) -> bool:
    """Flask answers a host that is no IDNA name with 400, asyncflask when the host is used."""
    try:
        if header[0] == "Host":
            header[1].partition(":")[0].encode("idna")
    except UnicodeError:
        return False
    return True


@quick
@given(st.lists(header.filter(has_idna_host), max_size=4, unique_by=lambda item: item[0]))
def test_headers(headers):
    check_parsing(get("/", headers=headers))
