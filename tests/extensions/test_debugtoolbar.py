"""Flask-DebugToolbar: what its panels say, and the redirects that it stops.

It replaces ``app.dispatch_request`` with a function of its own, which calls the view.
"""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from typing import Any

from tests.differential.harness import Verbatim

from . import needs
from .differential import case

needs.installed(flask_debugtoolbar="Flask-DebugToolbar", flask_sqlalchemy="Flask-SQLAlchemy")

PAGE = "<!doctype html><title>{{ title }}</title><body>{{ body }}</body>"


class Panels(HTMLParser):
    """The texts of the toolbar's panels, by their ids; links and buttons apart."""

    VOID = {"br", "img", "link", "meta", "input", "hr", "col"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self._open: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self._open.append("" if tag in ("script", "style") else dict(attrs).get("id"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        panel = next((name for name in reversed(self._open) if name is not None), "")
        if panel.startswith("flDebug") and data.strip():
            self.texts.setdefault(panel, []).append(" ".join(data.split()))


#: Panels whose contents differ from run to run, or say which framework it is.
OWN = ("Version", "Timer", "Profiler", "ConfigVars", "ggPanel")


def described(response: Any) -> Verbatim:
    """What a response has of the toolbar, without what differs from run to run."""
    html = response.get_data(as_text=True)
    lines = [response.status, response.content_type, str(response.content_length == len(response.data))]
    for panel, texts in sorted(Panels(html).texts.items()):
        if any(name in panel for name in OWN):
            texts = texts[:1]
        lines.append(f"{panel}: {texts}")
    text = "\n".join(lines)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<uuid>", text)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = re.sub(r"'0\.\d{4}'", "<milliseconds>", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "<date>", text)
    return Verbatim(text)


# The panel of log messages shows those of the request's thread, which an async function does not run in.
@case(sync={"remember"})
def test_panels(fw):
    from flask_debugtoolbar import DebugToolbarExtension
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import text

    logging.getLogger("shop").setLevel(logging.INFO)
    app = fw.Flask(__name__)
    app.debug = True
    app.config.update(SECRET_KEY="secret", SQLALCHEMY_DATABASE_URI="sqlite://")
    DebugToolbarExtension(app)
    db = SQLAlchemy(app)

    @app.before_request
    def remember():
        fw.g.user = "ann"
        logging.getLogger("shop").info("before %s", fw.request.path)

    @app.get("/")
    def index():
        fw.session["visited"] = True
        return fw.render_template_string(PAGE, title="Home", body=fw.request.args.get("q"))

    @app.get("/query/<int:number>")
    def query(number):
        for n in range(number):
            db.session.execute(text("SELECT :n + 1"), {"n": n}).all()
        return fw.render_template_string(PAGE, title="Query", body=number)

    @app.post("/form")
    def form():
        return fw.render_template_string(PAGE, title="Form", body=fw.request.form["a"])

    @app.get("/json")
    def json():
        return {"no": "toolbar"}

    @app.get("/missing")
    def missing():
        fw.abort(404)

    @app.errorhandler(404)
    def not_found(error):
        return fw.render_template_string(PAGE, title="Not found", body=error.code), 404

    def steps(client):
        for path in ("/?q=1", "/query/0", "/query/2", "/missing", "/nowhere", "/json"):
            yield described(client.get(path, headers={"Cookie": "a=b"}))
        yield described(client.post("/form", data={"a": "1"}))
        client.set_cookie("fldt_active", "flDebugProfilerPanel")
        yield described(client.get("/"))
        yield client.options("/form")
        static = re.search(r'src="([^"]+toolbar\.js)"', client.get("/").text)[1]
        yield client.get(static)

    return app, steps


@case
def test_redirects(fw):
    from flask_debugtoolbar import DebugToolbarExtension

    app = fw.Flask(__name__)
    app.debug = True
    app.secret_key = "secret"
    DebugToolbarExtension(app)

    @app.route("/", methods=["GET", "POST"])
    def index():
        fw.flash("saved")
        return fw.redirect("/done")

    @app.get("/done/")
    def done():
        return f"<body>{fw.get_flashed_messages()}</body>"

    def steps(client):
        for method, path in (("GET", "/"), ("POST", "/"), ("GET", "/done")):
            yield described(client.open(path, method=method))
        yield described(client.get("/done/"))
        app.config["DEBUG_TB_INTERCEPT_REDIRECTS"] = False
        yield client.get("/")
        app.config["DEBUG_TB_HOSTS"] = ["10.0.0.1"]
        yield client.get("/done/")

    return app, steps
