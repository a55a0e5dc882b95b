"""Which view a URL reaches, with which arguments, and how a client is told of another URL."""

from __future__ import annotations

import pytest
from werkzeug.routing import BaseConverter, Rule, Subdomain, Submount, ValidationError

from .harness import case, delete, get, head, options, patch, post, put, raised


def arguments(fw):
    """What the matched rule gave to the view."""
    return repr((fw.request.endpoint, sorted(fw.request.view_args.items())))


# Converters


@case
def test_string_converter(fw):
    app = fw.Flask(__name__)

    @app.get("/any/<value>", endpoint="default")
    @app.get("/short/<string(maxlength=3):value>", endpoint="maxlength")
    @app.get("/long/<string(minlength=3):value>", endpoint="minlength")
    @app.get("/exact/<string(length=2):value>", endpoint="length")
    def show(value):
        return arguments(fw)

    return app, [
        "/any/x", "/any/", "/any", "/any/a b", "/any/a%20b", "/any/a+b", "/any/é☃", "/any/%C3%A9", "/any/%FF",
        "/any/a/b", "/any/a%2Fb", "/any/a%252Fb", "/any/a;b=c", "/any/.", "/any/..", "/any/%00", "/any/a%3Fb",
        "/short/abc", "/short/abcd", "/long/ab", "/long/abc", "/exact/ab", "/exact/abc", "/exact/é☃",
    ]  # fmt: skip


@case
def test_int_converter(fw):
    app = fw.Flask(__name__)

    @app.get("/int/<int:value>", endpoint="int")
    @app.get("/signed/<int(signed=True):value>", endpoint="signed")
    @app.get("/fixed/<int(fixed_digits=3):value>", endpoint="fixed")
    @app.get("/range/<int(min=2, max=12):value>", endpoint="range")
    @app.get("/both/<int(signed=True, max=7):value>", endpoint="both")
    def show(value):
        return f"{arguments(fw)} {fw.url_for(fw.request.endpoint, value=value)}"

    return app, [
        "/int/0", "/int/42", "/int/007", "/int/-1", "/int/+1", "/int/1.0", "/int/x", "/int/1x", "/int/",
        "/int/٣", "/int/" + "9" * 40, "/signed/-7", "/signed/7", "/signed/--7", "/fixed/001", "/fixed/1",
        "/fixed/0001", "/range/1", "/range/2", "/range/12", "/range/13", "/both/-2", "/both/8", "/both/5",
    ]  # fmt: skip


@case
def test_float_converter(fw):
    app = fw.Flask(__name__)

    @app.get("/float/<float:value>", endpoint="float")
    @app.get("/signed/<float(signed=True):value>", endpoint="signed")
    @app.get("/range/<float(min=0.5, max=1.5):value>", endpoint="range")
    def show(value):
        return f"{arguments(fw)} {fw.url_for(fw.request.endpoint, value=value)}"

    return app, [
        "/float/1.5", "/float/0.0", "/float/1", "/float/1.", "/float/.5", "/float/1e5", "/float/-1.5",
        "/float/nan", "/signed/-1.5", "/signed/1.25", "/range/0.4", "/range/0.5", "/range/1.5", "/range/1.6",
    ]  # fmt: skip


@case
def test_path_any_and_uuid_converters(fw):
    app = fw.Flask(__name__)

    @app.get("/path/<path:value>", endpoint="path")
    @app.get("/edit/<path:value>/edit", endpoint="path-in-the-middle")
    @app.get("/any/<any(left, right, 'top left'):value>", endpoint="any")
    @app.get("/uuid/<uuid:value>", endpoint="uuid")
    def show(value):
        return f"{arguments(fw)} {fw.url_for(fw.request.endpoint, value=value)}"

    return app, [
        "/path/a", "/path/a/b/c", "/path/a/", "/path/", "/path/a//b", "/path/é/b c", "/edit/a/b/edit",
        "/edit/edit", "/any/left", "/any/top%20left", "/any/top", "/any/LEFT",
        "/uuid/0ea8b8e3-3a2d-4f43-a2b2-7a6e1d3a4b5c", "/uuid/0EA8B8E3-3A2D-4F43-A2B2-7A6E1D3A4B5C",
        "/uuid/0ea8b8e33a2d4f43a2b27a6e1d3a4b5c", "/uuid/x",
    ]  # fmt: skip


@case
def test_several_variables_in_a_segment(fw):
    app = fw.Flask(__name__)

    @app.get("/page/<int:a>-<int:b>", endpoint="range")
    @app.get("/file/<name>.<any(png, jpg):kind>", endpoint="file")
    @app.get("/v<int:major>.<int:minor>/<path:rest>", endpoint="version")
    @app.get("/@<user>", endpoint="user")
    @app.get("/x<a>y<b>z", endpoint="letters")
    def show(**values):
        return f"{arguments(fw)} {fw.url_for(fw.request.endpoint, **values)}"

    return app, [
        "/page/1-20", "/page/1-", "/page/-1-2", "/page/1-2-3", "/file/a.png", "/file/a.b.png", "/file/a.gif",
        "/v3.11/library/os", "/v3/x", "/@ann", "/@", "/x1y2z", "/xyz", "/xaybyz",
    ]  # fmt: skip


@case
def test_own_converters(fw):
    class ListConverter(BaseConverter):
        def __init__(self, map, separator="+"):
            super().__init__(map)
            self.separator = separator

        def to_python(self, value):
            return value.split(self.separator)

        def to_url(self, values):
            return self.separator.join(super(ListConverter, self).to_url(value) for value in values)

    class RegexConverter(BaseConverter):
        def __init__(self, map, *items):
            super().__init__(map)
            self.regex = items[0]

    class EvenConverter(BaseConverter):
        regex = r"\d+"
        weight = 10

        def to_python(self, value):
            if int(value) % 2:
                raise ValidationError
            return int(value)

    class TwoConverter(BaseConverter):
        regex = "[^/]+/[^/]+"
        part_isolating = False

    app = fw.Flask(__name__)
    app.url_map.converters.update(
        list=ListConverter, regex=RegexConverter, even=EvenConverter, two=TwoConverter
    )

    @app.get("/list/<list:value>", endpoint="list")
    @app.get("/comma/<list(','):value>", endpoint="comma")
    @app.get("/regex/<regex('[a-c]{2}'):value>", endpoint="regex")
    @app.get("/number/<even:value>", endpoint="even")
    @app.get("/number/<value>", endpoint="other")
    @app.get("/two/<two:value>/end", endpoint="two")
    def show(value):
        return f"{arguments(fw)} {fw.url_for(fw.request.endpoint, value=value)}"

    return app, [
        "/list/a+b", "/list/a", "/comma/a,b%20c", "/regex/ab", "/regex/abc", "/regex/xy", "/number/4",
        "/number/5", "/number/x", "/two/a/b/end", "/two/a/end",
    ]  # fmt: skip


@case
def test_converter_sees_the_app_context(fw):
    class CurrentConverter(BaseConverter):
        def to_python(self, value):
            return f"{fw.current_app.config['PREFIX']}-{value}"

        def to_url(self, value):
            return f"{fw.current_app.config['PREFIX']}-{value}"

    app = fw.Flask(__name__)
    app.config["PREFIX"] = "p"
    app.url_map.converters["current"] = CurrentConverter

    @app.get("/<current:value>")
    def show(value):
        return f"{value} {fw.url_for('show', value='x')}"

    return app, ["/a"]


@case
def test_converter_that_fails(fw):
    """An exception other than ValidationError is a 500, with the same hooks as any other."""

    class BrokenConverter(BaseConverter):
        def to_python(self, value):
            raise RuntimeError("broken")

    app = fw.Flask(__name__)
    app.url_map.converters["broken"] = BrokenConverter
    log = []

    @app.after_request
    def after(response):
        log.append("after")
        return response

    @app.teardown_request
    def teardown(error):
        log.append(f"teardown {error!r}")

    @app.get("/<broken:value>")
    def show(value):
        return value

    return app, ["/a"], log


# Redirects to the canonical URL


@case
def test_strict_slashes(fw):
    app = fw.Flask(__name__)

    @app.route("/branch/", methods=["GET", "POST", "PUT"])
    def branch():
        return fw.request.method + fw.request.url

    @app.route("/leaf")
    def leaf():
        return "leaf"

    @app.route("/either/", strict_slashes=False)
    def either():
        return fw.request.path

    @app.route("/both")
    def without():
        return "without"

    @app.route("/both/")
    def with_slash():
        return "with"

    @app.route("/user/<name>/")
    def user(name):
        return name

    return app, [
        "/branch/", "/branch", "/branch?a=1&b=%20", post("/branch", data="x"), put("/branch"),
        delete("/branch"), head("/branch"), options("/branch"), get("/branch", follow_redirects=True),
        post("/branch", data={"a": "b"}, follow_redirects=True), "/leaf", "/leaf/", "/either", "/either/",
        "/both", "/both/", "/user/é☃", "/user/a%20b?q=é",
    ]  # fmt: skip


@case
def test_strict_slashes_off_for_the_map(fw):
    app = fw.Flask(__name__)
    app.url_map.strict_slashes = False

    @app.route("/branch/")
    @app.route("/leaf")
    @app.route("/strict/", strict_slashes=True)
    def show():
        return fw.request.path

    return app, ["/branch", "/branch/", "/leaf", "/leaf/", "/strict", "/strict/"]


@case
def test_merge_slashes(fw):
    app = fw.Flask(__name__)

    @app.route("/a/b")
    @app.route("/branch/")
    def show():
        return fw.request.path

    @app.route("/as-is/x//y", merge_slashes=False)
    def as_is():
        return "as is"

    @app.route("/<path:rest>/end")
    def end(rest):
        return rest

    return app, [
        "/a/b", "/a//b", "/a///b?q=1", "http://localhost//a/b", "/branch//", "/as-is/x//y", "/as-is//x//y",
        "/x//y/end", post("/a//b", data="x"),
    ]  # fmt: skip


@case
def test_merge_slashes_off_for_the_map(fw):
    app = fw.Flask(__name__)
    app.url_map.merge_slashes = False

    @app.route("/a/b")
    @app.route("/<path:value>/end")
    def show(value=None):
        return repr(value)

    return app, ["/a/b", "/a//b", "/x//y/end"]


@case
def test_defaults(fw):
    app = fw.Flask(__name__)

    @app.route("/posts/", defaults={"page": 1})
    @app.route("/posts/page/<int:page>")
    def posts(page):
        return f"{page} {fw.url_for('posts', page=1)} {fw.url_for('posts', page=2)}"

    @app.route("/fixed", defaults={"kind": "fixed", "n": 0})
    def fixed(kind, n):
        return f"{kind} {n} {sorted(fw.request.view_args.items())}"

    return app, [
        "/posts/", "/posts", "/posts/page/1", "/posts/page/1?q=x", "/posts/page/2", post("/posts/page/1"),
        "/fixed", get("/posts/page/1", follow_redirects=True),
    ]  # fmt: skip


@case
def test_redirect_defaults_off(fw):
    app = fw.Flask(__name__)
    app.url_map.redirect_defaults = False

    @app.route("/", defaults={"page": 1})
    @app.route("/<int:page>")
    def show(page):
        return str(page)

    return app, ["/", "/1", "/2"]


@case
def test_redirect_to(fw):
    app = fw.Flask(__name__)
    app.add_url_rule("/old/<int:n>", endpoint="old", redirect_to="new/<n>")
    app.add_url_rule("/call/<name>", endpoint="call", redirect_to=lambda adapter, name: f"new/{len(name)}")
    app.add_url_rule("/away", endpoint="away", redirect_to="http://example.com/there")

    @app.get("/new/<int:n>")
    def new(n):
        return str(n)

    return app, [
        "/old/7", "/old/7?q=1", "/old/x", "/call/four", "/away", post("/old/1"),
        get("/old/3", follow_redirects=True), get("/old/7", base_url="http://localhost/app"),
    ]  # fmt: skip


@case
def test_aliases_and_build_only(fw):
    app = fw.Flask(__name__)

    @app.route("/users/", endpoint="users")
    @app.route("/people/", endpoint="users", alias=True)
    def users():
        return fw.url_for("users") + fw.url_for("cdn", name="a.js", v=1)

    app.add_url_rule("/cdn/<path:name>", endpoint="cdn", build_only=True)
    return app, ["/users/", "/people/", "/people", "/cdn/a.js"]


# Methods


@case
def test_methods(fw):
    app = fw.Flask(__name__)

    @app.route("/item")
    def read():
        return "read"

    @app.route("/item", methods=["POST", "put"])
    def write():
        return fw.request.method

    @app.delete("/item")
    def remove():
        return "", 204

    @app.patch("/item")
    def change():
        return "changed"

    @app.route("/post", methods=["POST"])
    def only_post():
        return "posted"

    @app.route("/other", methods=["PROPFIND", "GET"])
    def other():
        return fw.request.method

    return app, [
        "/item", post("/item"), put("/item"), delete("/item"), patch("/item"), head("/item"),
        options("/item"), options("/post"), head("/post"), "/post", put("/post"), get("/other"),
        head("/other"), options("/other"), post("/other"), options("/nowhere"), options("*"),
    ]  # fmt: skip


@case
def test_unusual_methods(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["PROPFIND", "GET"])
    def index():
        return fw.request.method

    def steps(client):
        for method in ("PROPFIND", "propfind", "BREW", "TRACE", "CONNECT", "get"):
            yield client.open("/", method=method)

    return app, steps


@case
def test_allow_across_rules(fw):
    """The methods of every rule that has the path, converters and defaults included."""
    app = fw.Flask(__name__)

    @app.get("/<int:n>")
    def number(n):
        return "number"

    @app.post("/<word>")
    def word(word):
        return "word"

    @app.put("/7")
    def seven():
        return "seven"

    @app.route("/dir/", methods=["GET"])
    def directory():
        return "dir"

    @app.route("/dir", methods=["POST"])
    def create():
        return "create"

    return app, [
        "/7", post("/7"), put("/7"), delete("/7"), options("/7"), delete("/8"), put("/x"), "/x",
        options("/x"), "/dir", post("/dir"), post("/dir/"), put("/dir"), put("/dir/"), options("/dir"),
        options("/dir/"),
    ]  # fmt: skip


@case
def test_automatic_options(fw):
    app = fw.Flask(__name__)

    def view():
        return f"view {fw.request.method}"

    app.add_url_rule("/auto", "auto", view)
    app.add_url_rule("/off", "off", view, provide_automatic_options=False)
    app.add_url_rule("/own", "own", view, methods=["GET", "OPTIONS"])
    app.add_url_rule("/forced", "forced", view, methods=["GET", "OPTIONS"], provide_automatic_options=True)

    def steps(client):
        for path in ("/auto", "/off", "/own", "/forced"):
            yield client.options(path)
            yield client.delete(path)

    return app, steps


@case
def test_automatic_options_by_config(fw):
    app = fw.Flask(__name__)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    @app.get("/")
    def index():
        return "index"

    @app.route("/on", provide_automatic_options=True)
    def on():
        return "on"

    return app, [options("/"), options("/on"), delete("/"), delete("/on")]


@case
def test_view_function_attributes(fw):
    app = fw.Flask(__name__)

    def methods():
        return fw.request.method

    methods.methods = ["POST", "PATCH"]

    def required():
        return fw.request.method

    required.required_methods = ["DELETE"]
    required.provide_automatic_options = False

    app.add_url_rule("/methods", view_func=methods)
    app.add_url_rule("/overridden", "overridden", methods, methods=["GET"])
    app.add_url_rule("/required", view_func=required)

    def steps(client):
        for path in ("/methods", "/overridden", "/required"):
            for method in ("GET", "POST", "PATCH", "DELETE", "OPTIONS"):
                yield client.open(path, method=method)

    return app, steps


@case
def test_head_has_headers_and_no_body(fw):
    app = fw.Flask(__name__)

    @app.get("/text")
    def text():
        return "12345", {"X-Method": fw.request.method}

    @app.get("/stream")
    def stream():
        return fw.Response(iter(["a", "b"]))

    @app.route("/own", methods=["HEAD"])
    def own():
        return "", 204, {"X-Own": "1"}

    return app, [head("/text"), head("/stream"), head("/own"), get("/own"), head("/missing")]


@case
def test_options_and_405_run_the_hooks(fw):
    app = fw.Flask(__name__)
    log = []

    @app.before_request
    def before():
        log.append((fw.request.endpoint, fw.request.view_args, type(fw.request.routing_exception).__name__))

    @app.after_request
    def after(response):
        response.headers["X-After"] = "1"
        return response

    @app.get("/<int:n>")
    def number(n):
        return "number"

    return app, [options("/1"), post("/1"), get("/x"), get("/1")], log


# Priorities


@case
def test_priorities(fw):
    app = fw.Flask(__name__)

    def show(**values):
        return arguments(fw)

    rules = [
        "/<path:p>", "/<value>", "/<int:n>", "/fixed", "/<float:f>", "/a/<b>", "/<a>/b", "/a/b", "/<a>/<b>",
        "/<path:p>/end", "/a-<b>", "/<a>-b", "/<uuid:u>", "/<any(one, two):w>", "/",
    ]  # fmt: skip
    for number, rule in enumerate(rules):
        app.add_url_rule(rule, f"rule{number}", show)

    return app, [
        "/", "/1", "/1.5", "/fixed", "/word", "/one", "/a/b", "/a/c", "/c/b", "/c/d", "/c/d/e", "/c/d/end",
        "/a-b", "/a-c", "/c-b", "/0ea8b8e3-3a2d-4f43-a2b2-7a6e1d3a4b5c", "/fixed/", "/1/2/3/",
    ]  # fmt: skip


@case
def test_several_rules_for_a_view(fw):
    app = fw.Flask(__name__)

    @app.route("/")
    @app.route("/index")
    @app.route("/<lang>/")
    @app.route("/<lang>/<int:page>")
    def index(lang="en", page=0):
        urls = [fw.url_for("index"), fw.url_for("index", lang="de"), fw.url_for("index", lang="de", page=2)]
        return f"{lang} {page} {fw.request.url_rule.rule} {urls} {fw.url_for('index', page=3)}"

    return app, ["/", "/index", "/de/", "/de", "/de/4"]


@case
def test_unicode_rules(fw):
    app = fw.Flask(__name__)

    @app.route("/straße/<size>")
    @app.route("/☃/")
    def show(size="0"):
        return f"{size} {fw.url_for('show', size='ü ß')} {fw.request.url_rule}"

    return app, ["/straße/l", "/stra%C3%9Fe/l", "/☃", "/☃/", "/%E2%98%83/"]


@case
def test_many_rules(fw):
    app = fw.Flask(__name__)

    def show(**values):
        return arguments(fw)

    for number in range(300):
        app.add_url_rule(f"/static/{number}", f"static{number}", show)
        app.add_url_rule(f"/item{number}/<int:n>", f"item{number}", show)

    return app, [
        "/static/0",
        "/static/299",
        "/static/300",
        "/item0/1",
        "/item299/2",
        "/item299/x",
        post("/item5/1"),
    ]


# Endpoints and rule objects


@case
def test_endpoint_decorator(fw):
    app = fw.Flask(__name__)
    app.add_url_rule("/a/<x>", endpoint="a")
    app.url_map.add(Rule("/b", endpoint="b"))
    app.url_map.add(Submount("/sub", [Rule("/c", endpoint="c", methods=["POST"])]))
    app.add_url_rule("/unset", endpoint="unset")

    @app.endpoint("a")
    def a(x):
        return "a" + x

    @app.endpoint("b")
    @app.endpoint("c")
    def several():
        return fw.request.endpoint

    def replaced():
        return "never"

    def replacement():
        return "replaced"

    app.add_url_rule("/replaced", view_func=replaced)
    app.view_functions["replaced"] = replacement

    return app, ["/a/1", "/b", post("/sub/c"), get("/sub/c"), options("/b"), "/unset", "/replaced"]


@case
def test_request_knows_its_rule(fw):
    app = fw.Flask(__name__)

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unmatched(error):
        request = fw.request
        return repr((
            request.endpoint, request.view_args, request.url_rule, request.blueprint, request.blueprints,
            type(request.routing_exception).__name__, request.routing_exception is error,
        )), error.code  # fmt: skip

    @app.get("/<int:n>/<name>")
    def show(n, name):
        request = fw.request
        return repr((
            request.endpoint, request.view_args, request.url_rule.rule, sorted(request.url_rule.methods),
            request.routing_exception, request.blueprint, request.blueprints,
        ))  # fmt: skip

    return app, ["/1/a", "/x", post("/1/a")]


@case
def test_url_map_lists_the_rules(fw):
    app = fw.Flask(__name__, static_folder=None)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp")

    @app.get("/")
    def index():
        return "index"

    @bp.route("/<int:n>", methods=["GET", "POST"], defaults={"x": 1}, strict_slashes=False)
    def item(n, x):
        return "item"

    app.register_blueprint(bp)

    def steps(client):
        yield [
            (str(rule), rule.endpoint, sorted(rule.methods), rule.defaults, sorted(rule.arguments))
            for rule in sorted(app.url_map.iter_rules(), key=str)
        ]
        yield sorted(app.view_functions), app.has_static_folder

    return app, steps


# Hosts


@pytest.mark.filterwarnings("ignore:Current server name:UserWarning")
@case
def test_subdomain_matching(fw):
    app = fw.Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    bp = fw.Blueprint("shop", __name__, subdomain="shop")

    @app.get("/")
    def index():
        return "main " + fw.url_for("user", user="ann") + fw.url_for("shop.index")

    @app.get("/", subdomain="api")
    def api():
        return (
            "api " + fw.url_for("index") + fw.url_for("api") + fw.url_for("user", user="ann", _external=True)
        )

    @app.get("/", subdomain="<user>")
    def user(user):
        return f"user {user} {fw.url_for('user', user=user)} {fw.url_for('index')}"

    @bp.get("/")
    def index2():
        return "shop " + fw.url_for(".index") + fw.url_for(".wide")

    bp.add_url_rule("/", "index", index2)

    @bp.get("/dir/", subdomain="wide")
    def wide():
        return "wide"

    app.register_blueprint(bp)

    return app, [
        "/", get("/", subdomain="api"), get("/", subdomain="ann"), get("/", subdomain="shop"),
        get("/dir", subdomain="wide"), get("/dir/", subdomain="wide"),
        get("/", base_url="http://api.example.com"), get("/", base_url="https://ann.example.com:443"),
        get("/", base_url="http://example.com:8080"), get("/", base_url="http://elsewhere.org"),
        get("/", base_url="http://a.b.example.com"), get("/", base_url="http://notexample.com"),
    ]  # fmt: skip


@case
def test_server_name_without_subdomain_matching(fw):
    app = fw.Flask(__name__)
    app.config["SERVER_NAME"] = "example.com:5000"

    @app.get("/")
    def index():
        return fw.request.url + " " + fw.url_for("index", _external=True)

    return app, ["/", get("/", base_url="http://other.org"), get("/", base_url="https://sub.example.com")]


@case
def test_subdomain_rules_without_subdomain_matching(fw):
    app = fw.Flask(__name__)
    app.url_map.add(Subdomain("api", [Rule("/x", endpoint="x")]))
    app.url_map.default_subdomain = ""

    @app.endpoint("x")
    def x():
        return "x"

    return app, ["/x", get("/x", base_url="http://api.localhost")]


@case
def test_host_matching(fw):
    app = fw.Flask(__name__, host_matching=True, static_host="static.example.com")

    @app.get("/", host="example.com")
    def index():
        return "index " + fw.url_for("any_host", name="x") + fw.url_for("index")

    @app.get("/", host="<name>.example.com")
    def any_host(name):
        return f"any {name} {fw.url_for('index')} {fw.url_for('static', filename='hello.txt')}"

    @app.get("/port", host="example.com:8080")
    def port():
        return "port"

    return app, [
        get("/", base_url="http://example.com"), get("/", base_url="http://a.example.com"),
        get("/", base_url="http://other.org"), get("/port", base_url="http://example.com:8080"),
        get("/port", base_url="http://example.com"),
        get("/static/hello.txt", base_url="http://static.example.com"),
        get("/static/hello.txt", base_url="http://example.com"), "/",
    ]  # fmt: skip


@case
def test_odd_hosts(fw):
    app = fw.Flask(__name__)

    @app.get("/branch/")
    def branch():
        return fw.request.host + " " + fw.request.url

    def steps(client):
        for host in (
            "",
            "a b",
            "evil.com/x",
            "[::1]",
            "[::1]:80",
            "localhost:99999",
            "münchen.de",
            "a_b",
            "a@b",
            "%zz",
        ):
            yield client.get("/branch/", headers={"Host": host})
            yield client.get("/branch", headers={"Host": host})

    return app, steps


@case
def test_trusted_hosts(fw):
    app = fw.Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["localhost", ".example.com"]

    @app.get("/")
    def index():
        return fw.request.host

    return app, [
        "/", get("/", base_url="http://example.com"), get("/", base_url="http://a.example.com:8080"),
        get("/", base_url="http://example.org"), get("/missing", base_url="http://example.org"),
    ]  # fmt: skip


# Building


@case
def test_url_for_options(fw):
    app = fw.Flask(__name__)

    @app.route("/item/<int:n>", methods=["GET"])
    def item(n):
        return "item"

    app.add_url_rule("/item/<int:n>/save", "item", item, methods=["POST"])

    @app.get("/")
    def index():
        url_for = fw.url_for
        return "\n".join([
            url_for("item", n=1), url_for("item", n=1, _method="POST"), url_for("item", n=1, _method="GET"),
            url_for("item", n=1, _anchor="top"), url_for("item", n=1, _anchor="a b/ü&?"),
            url_for("item", n=1, _external=True), url_for("item", n=1, _external=False),
            url_for("item", n=1, _scheme="https"), url_for("item", n=1, _scheme="https", _external=True),
            url_for("item", n=1, _scheme="", _external=True), url_for("item", n=1, q="a b", r="ü&=?/#"),
            url_for("item", n=1, many=["a", "b"], none=None, zero=0, empty="", true=True, flt=1.5),
            url_for("item", n=1, _anchor="x", _external=True, q=1),
            url_for("index", **{"from": "x", "_x": "1"}), url_for("static", filename="a b/ü.css"),
            url_for("index"), app.url_for("item", n=2),
        ])  # fmt: skip

    @app.get("/errors")
    def errors():
        return "\n".join([
            raised(fw.url_for, "nowhere"), raised(fw.url_for, "item"), raised(fw.url_for, "item", n="x"),
            raised(fw.url_for, "item", n=1, _method="DELETE"),
            raised(fw.url_for, "item", n=1, _scheme="https", _external=False),
            raised(fw.url_for, "itme", n=1),
        ])  # fmt: skip

    return app, [
        "/", "/errors", get("/", base_url="https://example.com:8443/app"),
        get("/", base_url="http://localhost:80"),
    ]  # fmt: skip


@case
def test_url_for_outside_of_a_request(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        return name

    def steps(client):
        yield raised(fw.url_for, "show", name="a")
        with app.app_context():
            yield raised(fw.url_for, "show", name="a")
        app.config.update(SERVER_NAME="example.com", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https")
        with app.app_context():
            yield fw.url_for("show", name="a")
            yield fw.url_for("show", name="a", _external=False)
            yield fw.url_for("show", name="a", _scheme="http", _anchor="x", q="1")
            yield app.url_for("show", name="a", _scheme="ws")
        with app.test_request_context("/x", base_url="http://other.org/sub"):
            yield fw.url_for("show", name="a"), fw.url_for("show", name="a", _external=True)

    return app, steps


@case
def test_relative_endpoints(fw):
    app = fw.Flask(__name__)
    parent = fw.Blueprint("parent", __name__, url_prefix="/parent")
    child = fw.Blueprint("child", __name__, url_prefix="/child")

    @app.get("/")
    def index():
        return (
            f"{fw.url_for('parent.index')} {fw.url_for('parent.child.index')} {raised(fw.url_for, '.other')}"
        )

    @parent.get("/")
    def parent_index():
        return f"{fw.url_for('.parent_index')} {fw.url_for('.child.index')} {fw.url_for('index')}"

    parent.add_url_rule("/index", "index", parent_index)

    @child.get("/")
    def child_index():
        return f"{fw.url_for('.index')} {fw.url_for('parent.index')} {fw.request.blueprints}"

    child.add_url_rule("/index", "index", child_index)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    return app, ["/", "/parent/", "/parent/index", "/parent/child/", "/parent/child/index", "/parent/child"]


@case
def test_url_processors(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__, url_prefix="/bp")
    log = []

    @app.url_value_preprocessor
    def pull_lang(endpoint, values):
        log.append(("app", endpoint, dict(values) if values is not None else None))
        fw.g.lang = (values or {}).pop("lang", None)

    @bp.url_value_preprocessor
    def pull_site(endpoint, values):
        log.append(("bp", endpoint, dict(values)))
        fw.g.site = values.pop("site", None)

    @bp.app_url_value_preprocessor
    def pull_all(endpoint, values):
        log.append(("bp for app", endpoint))

    @app.url_defaults
    def put_lang(endpoint, values):
        if "lang" not in values and app.url_map.is_endpoint_expecting(endpoint, "lang"):
            values["lang"] = fw.g.lang

    @bp.url_defaults
    def put_site(endpoint, values):
        values.setdefault("site", fw.g.get("site"))

    @bp.app_url_defaults
    def put_seen(endpoint, values):
        values["seen"] = "1"

    @app.before_request
    def before():
        log.append(("before", fw.g.lang))

    @app.get("/<lang>/")
    def index():
        urls = fw.url_for("about"), fw.url_for("about", lang="fr"), fw.url_for("bp.page", site="s")
        return f"{fw.g.lang} {urls}"

    @app.get("/<lang>/about")
    def about():
        return fw.g.lang

    @bp.get("/<lang>/<site>")
    def page():
        return f"{fw.g.lang} {fw.g.site} {fw.url_for('.page')} {fw.url_for('index')}"

    app.register_blueprint(bp)
    return app, ["/en/", "/de/about", "/bp/en/home", "/missing", post("/en/")], log


@case(asynchronous=["put_lang"], sync=["index"])
def test_url_defaults_in_a_sync_view(fw):
    app = fw.Flask(__name__)

    @app.url_defaults
    def put_lang(endpoint, values):
        values.setdefault("lang", fw.g.lang)

    @app.get("/<lang>/")
    def index(lang):
        fw.g.lang = lang
        return fw.url_for("index") + fw.url_for("index", lang="x")

    return app, ["/en/"]


@case
def test_build_error_handlers(fw):
    app = fw.Flask(__name__)
    log = []

    def first(error, endpoint, values):
        log.append((type(error).__name__, endpoint, sorted(values.items())))
        return None

    def second(error, endpoint, values):
        if endpoint == "raise":
            raise error
        return f"/handled/{endpoint}/{len(values)}" if endpoint == "plugin" else None

    app.url_build_error_handlers.append(first)
    app.url_build_error_handlers.append(second)

    @app.get("/<endpoint>")
    def build(endpoint):
        return (
            raised(fw.url_for, endpoint, a=1)
            if endpoint != "plugin"
            else fw.url_for(endpoint, a=1, _anchor="x")
        )

    @app.get("/fail")
    def fail():
        return fw.url_for("unknown")

    return app, ["/plugin", "/raise", "/nothing", "/fail"], log


@case
def test_script_root(fw):
    app = fw.Flask(__name__)

    @app.get("/item/")
    def item():
        request = fw.request
        return "\n".join([
            request.script_root, request.root_path, request.path, request.full_path, request.url,
            request.base_url, request.url_root, request.root_url, request.host_url, fw.url_for("item"),
            fw.url_for("item", _external=True), request.environ["SCRIPT_NAME"], request.environ["PATH_INFO"],
        ])  # fmt: skip

    @app.get("/go")
    def go():
        return fw.redirect(fw.url_for("item"))

    return app, [
        "/item/", get("/item/?q=1", base_url="http://localhost/app"),
        get("/item", base_url="https://localhost/app/v1/"),
        get("/go", base_url="http://localhost/app", follow_redirects=True),
        get("/item/", environ_overrides={"SCRIPT_NAME": "/mounted"}),
        get("/item", environ_overrides={"SCRIPT_NAME": "/mounted"}),
        get("/missing", base_url="http://localhost/app"), get("/item/", base_url="http://localhost/ü x"),
    ]  # fmt: skip


@case
def test_application_root(fw):
    app = fw.Flask(__name__)
    app.config.update(APPLICATION_ROOT="/root", SECRET_KEY="k")

    @app.get("/")
    def index():
        fw.session["a"] = 1
        return fw.url_for("index") + fw.request.script_root

    def steps(client):
        yield client.get("/")
        yield client.get("/", base_url="http://localhost")

    return app, steps
