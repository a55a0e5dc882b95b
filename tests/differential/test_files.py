"""Files: ``send_file``, ``send_from_directory`` and the static folders."""

from __future__ import annotations

import io
import os
from pathlib import Path

from .harness import case, get, head, post, raised

STATIC = Path(__file__).parent / "static"


@case
def test_send_file_from_a_path(fw):
    app = fw.Flask(__name__)

    @app.get("/<name>")
    def show(name):
        send = fw.send_file
        return {
            "absolute": lambda: send(STATIC / "hello.txt"), "string": lambda: send(str(STATIC / "style.css")),
            "relative": lambda: send("static/hello.txt"), "binary": lambda: send("static/sub/letters.bin"),
            "empty": lambda: send("static/empty.txt"),
            "mimetype": lambda: send("static/hello.txt", mimetype="image/x-own"),
            "attachment": lambda: send("static/hello.txt", as_attachment=True),
            "renamed": lambda: send("static/hello.txt", as_attachment=True, download_name="other.html"),
            "inline-name": lambda: send("static/hello.txt", download_name="inline.md"),
            "unicode-name": lambda: send("static/hello.txt", as_attachment=True, download_name="größe ☃.txt"),
            "odd-name": lambda: send("static/hello.txt", as_attachment=True, download_name='a"b;c\\d.txt'),
            "no-conditional": lambda: send("static/hello.txt", conditional=False),
            "no-etag": lambda: send("static/hello.txt", etag=False),
            "own-etag": lambda: send("static/hello.txt", etag="mine"),
            "last-modified": lambda: send("static/hello.txt", last_modified=1_000_000_000),
            "max-age": lambda: send("static/hello.txt", max_age=60),
            "zero-age": lambda: send("static/hello.txt", max_age=0),
            "function-age": lambda: send("static/hello.txt", max_age=lambda path: len(Path(path).name)),
            "tuple": lambda: (send("static/hello.txt"), 203, {"X-A": "1"}),
            "missing": lambda: send("static/nothing.txt"), "directory": lambda: send("static"),
        }[name]()  # fmt: skip

    names = [
        "absolute", "string", "relative", "binary", "empty", "mimetype", "attachment", "renamed",
        "inline-name", "unicode-name", "odd-name", "no-conditional", "no-etag", "own-etag", "last-modified",
        "max-age", "zero-age", "function-age", "tuple", "missing", "directory",
    ]  # fmt: skip
    return app, [*(f"/{name}" for name in names), head("/absolute"), head("/missing")]


@case
def test_send_file_from_a_stream(fw):
    app = fw.Flask(__name__)

    class Named(io.BytesIO):
        name = "named.txt"

    @app.get("/<name>")
    def show(name):
        send = fw.send_file
        return {
            "bytes": lambda: send(io.BytesIO(b"content"), mimetype="text/plain"),
            "named": lambda: send(io.BytesIO(b"content"), download_name="a.json"),
            "own-name": lambda: raised(send, Named(b"content")),
            "no-type": lambda: raised(send, io.BytesIO(b"content")),
            "attachment": lambda: send(io.BytesIO(b"content"), as_attachment=True, download_name="a.txt"),
            "nameless": lambda: raised(send, io.BytesIO(b"x"), mimetype="text/plain", as_attachment=True),
            "text": lambda: raised(send, io.StringIO("text"), mimetype="text/plain"),
            "seeked": lambda: send(seeked(), mimetype="text/plain"),
            "open": lambda: send(open(STATIC / "hello.txt", "rb"), "text/x"),
            "etag": lambda: send(io.BytesIO(b"content"), "text/plain", etag="e", last_modified=1_000_000_000),
            "large": lambda: send(io.BytesIO(b"x" * 100_000), mimetype="text/plain"),
        }[name]()  # fmt: skip

    def seeked():
        stream = io.BytesIO(b"content")
        stream.seek(3)
        return stream

    names = [
        "bytes", "named", "own-name", "no-type", "attachment", "nameless", "text", "seeked", "open", "etag",
        "large",
    ]  # fmt: skip
    return app, [
        *(f"/{name}" for name in names), get("/etag", headers={"If-None-Match": '"e"'}),
        get("/etag", headers={"Range": "bytes=1-3"}), get("/bytes", headers={"Range": "bytes=1-3"}),
    ]  # fmt: skip


@case
def test_conditional_requests(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def show():
        return fw.send_file(STATIC / "sub" / "letters.bin", etag="v1", last_modified=1_577_836_800)

    @app.get("/off")
    def off():
        return fw.send_file(STATIC / "sub" / "letters.bin", etag="v1", conditional=False)

    same, before, after = (
        f"{day} 00:00:00 GMT" for day in ("Wed, 01 Jan 2020", "Tue, 31 Dec 2019", "Thu, 02 Jan 2020")
    )
    headers = [
        {"If-None-Match": '"v1"'}, {"If-None-Match": 'W/"v1"'}, {"If-None-Match": '"v2"'},
        {"If-None-Match": "*"}, {"If-None-Match": '"v0", "v1"'}, {"If-Match": '"v1"'}, {"If-Match": '"v2"'},
        {"If-Match": "*"}, {"If-Modified-Since": same}, {"If-Modified-Since": before},
        {"If-Modified-Since": after}, {"If-Unmodified-Since": before}, {"If-Unmodified-Since": same},
        {"If-Modified-Since": "nonsense"}, {"If-None-Match": '"v2"', "If-Modified-Since": same},
        {"Range": "bytes=0-4"}, {"Range": "bytes=30-"}, {"Range": "bytes=-6"}, {"Range": "bytes=36-"},
        {"Range": "bytes=35-35"}, {"Range": "bytes=5-2"}, {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=0-999"}, {"Range": "lines=0-4"}, {"Range": "bytes="}, {"Range": "bytes=-"},
        {"Range": "bytes=a-b"}, {"Range": "bytes=0-4", "If-Range": '"v1"'},
        {"Range": "bytes=0-4", "If-Range": '"v2"'}, {"Range": "bytes=0-4", "If-Range": same},
        {"Range": "bytes=0-4", "If-Range": before}, {"Range": "bytes=0-4", "If-None-Match": '"v1"'},
    ]  # fmt: skip

    def steps(client):
        for items in headers:
            yield client.get("/", headers=items)
        yield client.head("/", headers={"Range": "bytes=0-4"})
        yield client.head("/", headers={"If-None-Match": '"v1"'})
        yield client.get("/off", headers={"Range": "bytes=0-4", "If-None-Match": '"v1"'})

    return app, steps


@case
def test_send_from_directory(fw):
    app = fw.Flask(__name__)

    @app.get("/absolute/<path:name>")
    def absolute(name):
        return fw.send_from_directory(STATIC, name)

    @app.get("/relative/<path:name>")
    def relative(name):
        return fw.send_from_directory("static/sub", name, as_attachment=True, max_age=10)

    @app.get("/nowhere/<path:name>")
    def nowhere(name):
        return fw.send_from_directory("nowhere", name)

    names = [
        "hello.txt", "sub/letters.bin", "sub", "sub/", "missing.txt", "../harness.py", "..%2Fharness.py",
        "sub/../hello.txt", "%2Fetc/passwd", "/etc/passwd", "..", ".", "sub/größe & more.txt",
        "sub\\letters.bin", "hello.txt%00", "C:/x", "./hello.txt", "x" * 300,
    ]  # fmt: skip
    return app, [
        *(f"/absolute/{name}" for name in names), "/relative/letters.bin", "/relative/größe & more.txt",
        "/relative/../hello.txt", "/nowhere/hello.txt", post("/absolute/hello.txt"),
    ]  # fmt: skip


@case
def test_max_age_default(fw):
    class App(fw.Flask):
        def get_send_file_max_age(self, name):
            return 7 if name and name.endswith(".css") else super().get_send_file_max_age(name)

    app = App(__name__)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600

    @app.get("/file")
    def file():
        return fw.send_file(STATIC / "style.css")

    @app.get("/stream")
    def stream():
        return fw.send_file(io.BytesIO(b"x"), mimetype="text/plain")

    return app, ["/static/hello.txt", "/static/style.css", "/file", "/stream"]


@case
def test_use_x_sendfile(fw):
    app = fw.Flask(__name__)
    app.config["USE_X_SENDFILE"] = True

    @app.get("/")
    def show():
        return fw.send_file("static/hello.txt")

    return app, ["/"]


# Static folders


@case
def test_static_folder(fw):
    app = fw.Flask(__name__)

    @app.get("/")
    def index():
        return "\n".join([
            fw.url_for("static", filename="hello.txt"), fw.url_for("static", filename="a b.css", v=2),
            str(app.has_static_folder), app.static_url_path, os.path.basename(app.static_folder),
        ])  # fmt: skip

    return app, [
        "/", "/static/hello.txt", "/static/style.css", "/static/sub/letters.bin", "/static/empty.txt",
        "/static/", "/static", "/static/missing", "/static/../harness.py", "/static/%2e%2e/harness.py",
        "/static/sub/größe & more.txt", head("/static/hello.txt"), post("/static/hello.txt"),
        get("/static/hello.txt", headers={"Range": "bytes=0-4"}),
        get("/static/hello.txt", headers={"Range": "bytes=99-"}),
        get("/static/hello.txt", base_url="http://localhost/app"), get("/", base_url="http://localhost/app"),
        "/static//hello.txt",
    ]  # fmt: skip


@case
def test_static_url_path(fw):
    app = fw.Flask(__name__, static_url_path="/assets", static_folder="static/sub")

    @app.get("/")
    def index():
        return fw.url_for("static", filename="letters.bin")

    return app, ["/", "/assets/letters.bin", "/static/hello.txt"]


@case
def test_static_at_the_root(fw):
    app = fw.Flask(__name__, static_url_path="")

    @app.get("/page")
    def page():
        return "page " + fw.url_for("static", filename="hello.txt")

    return app, ["/page", "/hello.txt", "/sub/letters.bin", "/missing", "/"]


@case
def test_static_variations(fw):
    def describe(**options):
        app = fw.Flask(__name__, **options)
        rules = sorted(rule.rule for rule in app.url_map.iter_rules())
        return (
            rules,
            app.static_url_path,
            app.static_folder and os.path.relpath(app.static_folder, app.root_path),
        )

    app = fw.Flask(__name__, static_folder=None)

    def steps(client):
        yield client.get("/static/hello.txt")
        yield raised(app.send_static_file, "hello.txt")
        yield describe(static_folder=None)
        yield describe(static_folder="other/folder/")
        yield describe(static_folder=STATIC)
        yield describe(static_url_path="/x/", static_folder="static")
        yield describe(static_url_path="/only-url")
        yield describe(static_folder=None, static_url_path="/x")
        yield raised(describe, static_host="example.com")
        yield raised(describe, host_matching=True)

    return app, steps


@case
def test_blueprint_static_folders(fw):
    app = fw.Flask(__name__, static_folder=None)
    prefixed = fw.Blueprint("prefixed", __name__, static_folder="static", url_prefix="/p")
    named = fw.Blueprint("named", __name__, static_folder="static/sub", static_url_path="/files")

    @prefixed.get("/")
    def index():
        return fw.url_for(".static", filename="a.txt") + " " + fw.url_for("named.static", filename="b.txt")

    app.register_blueprint(prefixed)
    app.register_blueprint(named)
    app.register_blueprint(prefixed, name="again", url_prefix="/again")

    return app, [
        "/p/",
        "/p/static/hello.txt",
        "/files/letters.bin",
        "/again/static/style.css",
        "/static/hello.txt",
        "/again/",
    ]


@case
def test_open_resource(fw):
    app = fw.Flask(__name__)
    bp = fw.Blueprint("bp", __name__)

    @app.get("/")
    def show():
        with (
            app.open_resource("static/hello.txt") as binary,
            app.open_resource("static/hello.txt", "r") as text,
        ):
            with bp.open_resource("static/hello.txt", "rt", encoding="latin-1") as encoded:
                return repr([binary.read(), text.read(), encoded.read(), encoded.encoding])

    def steps(client):
        yield client.get("/")
        yield raised(app.open_resource, "static/hello.txt", "w")
        yield raised(app.open_resource, "nothing.txt")
        yield raised(app.open_instance_resource, "nothing.txt", "r")

    return app, steps
