"""The test client itself."""

from __future__ import annotations

from io import BytesIO

from .harness import case, delete, get, head, options, patch, post, put, raised


@case
def test_methods(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def index():
        return f"{fw.request.method} {fw.request.get_data(as_text=True)} {fw.request.form.to_dict()}"

    def steps(client):
        for name in ("get", "post", "put", "patch", "delete", "options", "head", "trace"):
            yield getattr(client, name)("/")
        yield client.open("/", method="PUT", data="body")
        yield client.open(path="/?q=1", method="POST", data={"a": "b"})

    return app, steps


@case
def test_request_options(fw):
    app = fw.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def index():
        request = fw.request
        return repr((
            request.method, request.url, request.content_type and request.content_type.partition(";")[0],
            request.args.to_dict(flat=False), request.form.to_dict(flat=False), sorted(request.files),
            request.get_data() if not request.form else None,
            sorted(item for item in request.headers.items() if not item[0].startswith("Content-")),
        ))  # fmt: skip

    return app, [
        get("/", query_string={"a": 1, "b": ["x", "y"]}), get("/", query_string="a=1"),
        get("/?a=1", headers=[("X-A", "1"), ("X-A", "2")]), post("/", data={"a": 1, "b": [1, 2], "c": 1.5}),
        post("/", data="text"), post("/", data=b"bytes"),
        post("/", input_stream=BytesIO(b"stream"), content_length=6), post("/", data={"f": BytesIO(b"file")}),
        post("/", data={"f": (BytesIO(b"file"), "name.txt"), "a": "b"}),
        post("/", data={"a": "b"}, content_type="multipart/form-data"), post("/", json={"a": [1]}),
        get("/", auth=("user", "pass")), get("/", base_url="https://example.com/root"),
        get("/", mimetype="text/x-own"), get("/", content_type="a/b", data="x"),
        get("/", environ_base={"HTTP_X_BASE": "base"}), get("/", environ_overrides={"HTTP_X_OVER": "over"}),
        get("/", subdomain="sub"),
    ]  # fmt: skip


@case
def test_environ_base(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return repr((fw.request.remote_addr, fw.request.user_agent.string, fw.request.headers.get("X-Base")))

    def steps(client):
        yield client.environ_base
        yield client.get("/")
        client.environ_base["REMOTE_ADDR"] = "1.2.3.4"
        client.environ_base["HTTP_X_BASE"] = "base"
        yield client.get("/")
        yield client.get("/", headers={"X-Base": "header"})
        yield client.get("/", environ_base={"REMOTE_ADDR": "5.6.7.8"})

    return app, steps


@case
def test_redirects(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.route("/<int:code>", methods=["GET", "POST", "PUT"])
    def redirect(code):
        return fw.redirect(fw.url_for("target", via=code), code)

    @app.route("/target", methods=["GET", "POST", "PUT"])
    def target():
        request = fw.request
        return repr(
            (request.method, request.url, request.form, request.headers.get("X-A"), fw.session.get("n"))
        )

    @app.get("/chain/<int:n>")
    def chain(n):
        fw.session["n"] = n
        return fw.redirect(fw.url_for("chain", n=n - 1) if n else fw.url_for("target"))

    @app.get("/loop")
    def loop():
        return fw.redirect("/loop")

    @app.get("/relative/x")
    def relative():
        return fw.redirect("../target")

    @app.get("/external")
    def external():
        return fw.redirect("http://example.org/target")

    @app.get("/cookie")
    def cookie():
        response = fw.redirect("/show")
        response.set_cookie("a", "1")
        return response

    @app.get("/show")
    def show():
        return repr(fw.request.cookies.to_dict())

    def steps(client):
        for code in (301, 302, 303, 305, 307, 308):
            yield client.get(f"/{code}", follow_redirects=True)
            yield client.post(f"/{code}", data={"a": "b"}, headers={"X-A": "1"}, follow_redirects=True)
            yield client.put(f"/{code}", data={"a": "b"}, follow_redirects=True)
            yield client.get(f"/{code}").location
        response = client.get("/chain/3", follow_redirects=True)
        yield response
        yield (
            [(item.status_code, item.request.path, item.location) for item in response.history],
            response.request.path,
        )
        yield raised(client.get, "/loop", follow_redirects=True)
        yield client.get("/relative/x", follow_redirects=True)
        yield raised(client.get, "/external", follow_redirects=True)
        yield client.get("/cookie", follow_redirects=True)
        yield client.get("/302", base_url="http://localhost/app", follow_redirects=True)

    return app, steps


@case
def test_cookies(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    @app.get("/sub/page")
    def show():
        return repr(sorted(fw.request.cookies.items()))

    @app.get("/set")
    def set_cookie():
        response = fw.make_response("set")
        response.set_cookie("plain", "1")
        response.set_cookie("sub", "2", path="/sub")
        response.set_cookie("other", "3", domain="example.com")
        response.set_cookie("secure", "4", secure=True)
        return response

    @app.get("/delete")
    def delete_cookie():
        response = fw.make_response("deleted")
        response.delete_cookie("plain")
        return response

    def describe(cookie):
        return cookie and (
            cookie.key,
            cookie.value,
            cookie.decoded_value,
            cookie.domain,
            cookie.path,
            cookie.secure,
            cookie.http_only,
        )

    def steps(client):
        yield client.get("/")
        yield client.get("/set")
        yield client.get("/")
        yield client.get("/sub/page")
        yield client.get("/", base_url="http://example.com"), client.get("/", base_url="https://localhost")
        yield (
            describe(client.get_cookie("plain")),
            describe(client.get_cookie("sub")),
            describe(client.get_cookie("sub", path="/sub")),
        )
        yield client.get("/delete")
        yield describe(client.get_cookie("plain"))
        client.set_cookie("mine", 'ü "x"; y')
        client.set_cookie("elsewhere", "1", domain="example.com")
        client.set_cookie("deep", "1", path="/sub")
        yield (
            describe(client.get_cookie("mine")),
            client.get("/"),
            client.get("/sub/page"),
            client.get("/", base_url="http://example.com"),
        )
        client.delete_cookie("mine")
        yield client.get("/")
        without = app.test_client(use_cookies=False)
        yield raised(without.get_cookie, "a"), raised(without.set_cookie, "a", "b")
        yield without.get("/set")
        yield without.get("/")

    def flat(client):
        for value in steps(client):
            if isinstance(value, tuple):
                yield from value
            else:
                yield value

    return app, flat


@case
def test_responses(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return "text ü", 201, {"X-A": "1", "Content-Language": "de"}

    @app.get("/stream")
    def stream():
        return iter(["a", "b"])

    def steps(client):
        response = client.get("/")
        yield (
            response.status_code,
            response.status,
            response.is_streamed,
            response.data,
            response.text,
            response.get_data(as_text=True),
            response.headers["X-A"],
        )
        yield (
            response.mimetype,
            response.content_type,
            response.content_length,
            response.is_json,
            response.location,
            response.is_streamed,
        )
        yield (
            response.request.path,
            response.request.method,
            response.history,
            list(response.content_language),
            isinstance(response, fw.Response),
        )
        response = client.get("/stream")
        yield response.is_streamed, list(response.iter_encoded()), response.content_length
        response.close()
        for path in ("/", "/stream"):
            for method in ("GET", "HEAD"):
                for buffered in (False, True):
                    response = client.open(path, method=method, buffered=buffered)
                    yield response.is_streamed, response.is_sequence, response.data

    return app, steps


@case
def test_own_client_classes(fw):
    class Client(fw.testing.FlaskClient):
        def __init__(self, *args, **kwargs):
            self.token = kwargs.pop("token", "none")
            super().__init__(*args, **kwargs)

        def open(self, *args, **kwargs):
            kwargs.setdefault("headers", {})["X-Token"] = self.token
            return super().open(*args, **kwargs)

    app = fw.Flask(__name__)
    app.test_client_class = Client

    @app.get("/")
    def index():
        return fw.request.headers["X-Token"]

    def steps(client):
        yield client.get("/")
        yield app.test_client(token="given").get("/")
        yield isinstance(client, Client), client.application is app

    return app, steps


@case
def test_environ_builder(fw):
    app = fw.Flask(__name__)
    app.config.update(SERVER_NAME="example.com:5000", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https")

    @app.post("/x")
    def x():
        return f"{fw.request.url} {fw.request.form.to_dict()} {fw.request.headers.get('X-A')}"

    def steps(client):
        builder = fw.testing.EnvironBuilder(
            app, "/x?q=1", method="POST", data={"a": "1"}, headers={"X-A": "1"}
        )
        yield (
            builder.path,
            builder.host,
            builder.url_scheme,
            builder.script_root,
            builder.query_string,
            builder.server_name,
        )
        yield client.open(builder)
        environ = builder.get_environ()
        yield environ["PATH_INFO"], environ["HTTP_HOST"], environ["wsgi.url_scheme"], environ["SCRIPT_NAME"]
        builder.close()
        builder = fw.testing.EnvironBuilder(app, "/x", method="POST", json={"a": 1})
        yield builder.content_type, builder.get_environ()["CONTENT_LENGTH"]
        builder.close()
        yield raised(fw.testing.EnvironBuilder, app, base_url="http://a", subdomain="b")
        builder = fw.testing.EnvironBuilder(app, "/", subdomain="s", url_scheme="http")
        yield builder.base_url
        builder.close()

    return app, steps


@case
def test_urls_of_the_client(fw):
    app = fw.Flask(__name__)
    app.config.update(SERVER_NAME="example.com", PREFERRED_URL_SCHEME="https")

    @app.route("/", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    @app.route("/x")
    def show():
        return fw.request.url

    return app, [
        "/", "/x?a=1#f", "x", get("", base_url="http://localhost/app"), get("/", subdomain="sub"), get("/", base_url="http://other.org"),
        get("https://other.org/x?q=1"), get("//other.org/x"), put("/"), delete("/"), patch("/"), head("/"),
        options("/"), get("/", url_scheme="http"),
    ]  # fmt: skip


@case
def test_sessions_and_clients_are_separate(fw):
    app = fw.Flask(__name__)
    app.secret_key = "k"

    @app.get("/<name>")
    def show(name):
        before = fw.session.get("name")
        fw.session["name"] = name
        return repr(before)

    def steps(client):
        other = app.test_client()
        yield client.get("/one")
        yield other.get("/two")
        yield client.get("/three")
        yield other.get("/four")

    return app, steps


@case
def test_cli_runner(fw):
    app = fw.Flask(__name__)
    app.config["OWN"] = "own"

    @app.cli.command("show")
    def show():
        print(f"{fw.current_app.config['OWN']} {fw.has_app_context()} {fw.has_request_context()}")

    @app.cli.command("named-like-this")
    @fw.cli.with_appcontext
    def other():
        print(fw.current_app.name == app.name)

    @app.cli.group()
    def users():
        pass

    @users.command()
    def create():
        print(f"created in {fw.current_app.config['OWN']}")

    @app.cli.command("fail")
    def fail():
        raise ValueError("in a command")

    @app.cli.command("bare", with_appcontext=False)
    def bare():
        print(fw.has_app_context())

    def steps(_):
        runner = app.test_cli_runner()
        for arguments in (["show"], ["named-like-this"], ["users", "create"], ["bare"]):
            result = runner.invoke(args=arguments)
            yield result.output, result.exit_code, result.exception
        yield repr(runner.invoke(args=["fail"]).exception)
        yield (
            runner.invoke(show).output,
            runner.invoke(create).output,
            runner.invoke(args=["absent"]).exit_code,
        )
        yield isinstance(runner, fw.testing.FlaskCliRunner), fw.has_app_context()

    return app, steps
