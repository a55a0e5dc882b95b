"""Names that tutorials used and that Flask 3.1 no longer has: an application of Flask 0.8 to 2.0."""
# ruff: noqa: UP031

import os
import sqlite3
import sys

from flask import (
    Flask,
    Markup,
    _app_ctx_stack,
    _request_ctx_stack,
    escape,
    flash,
    json,
    jsonify,
    render_template,
    request,
    safe_join,
    session,
    signals_available,
)
from flask.ext.flyer import Flyer
from flask.ext.greeting import Greeting
from flask.json import JSONDecoder, JSONEncoder

app = Flask(__name__)
app.secret_key = "development key"
greeting = Greeting(app)

STACKS_AT_IMPORT = [_request_ctx_stack.top, _app_ctx_stack.top]
calls = []


class Point(object):  # noqa: UP004
    def __init__(self, x, y):
        self.x = x
        self.y = y


class PointEncoder(JSONEncoder):
    def default(self, o):
        if isinstance(o, Point):
            return {"__point__": [o.x, o.y]}
        return JSONEncoder.default(self, o)


class PointDecoder(JSONDecoder):
    def __init__(self, *args, **kwargs):
        JSONDecoder.__init__(self, *args, object_hook=self.make_point, **kwargs)

    def make_point(self, found):
        return Point(*found["__point__"]) if "__point__" in found else found


app.json_encoder = PointEncoder
app.json_decoder = PointDecoder


def get_db():
    """One connection for as long as the application context lives."""
    top = _app_ctx_stack.top
    if not hasattr(top, "sqlite_db"):
        top.sqlite_db = sqlite3.connect(":memory:", check_same_thread=False)
    return top.sqlite_db


@app.teardown_appcontext
def close_database(exception):
    top = _app_ctx_stack.top
    if hasattr(top, "sqlite_db"):
        top.sqlite_db.close()
        calls.append("closed")


@app.before_first_request
def make_ready():
    calls.append("first")


@app.before_request
def before():
    if not request.path.startswith("/calls"):
        calls.append("before")


@app.route("/calls")
def show_calls():
    return jsonify(calls)


@app.route("/calls/<name>")
def count_calls(name):
    return "%s: %d" % (name, calls.count(name))


@app.route("/escape")
def escaped():
    return Markup("<p>%s</p>") % escape(request.args["text"])


@app.route("/safe/<path:name>")
def safe(name):
    return safe_join("/srv/files", name)


@app.route("/signals")
def signals():
    return jsonify(signals_available)


@app.route("/stack")
def stack():
    flash("waiting")
    top = _request_ctx_stack.top
    top.user = "set on the context"
    return jsonify(
        at_import=STACKS_AT_IMPORT,
        path=top.request.path,
        app=top.app.name == app.name,
        endpoint=top.url_adapter.match("/stack")[0],
        session=top.session is not None and "_flashes" in top.session,
        flashes=top.flashes,
        user=_request_ctx_stack.top.user,
        g=_app_ctx_stack.top.g is top.g,
        app_of_app=_app_ctx_stack.top.app is top.app,
    )


@app.route("/database")
def database():
    get_db().execute("create table names (name text)")
    get_db().execute("insert into names values ('Ann')")
    return jsonify(get_db().execute("select * from names").fetchall())


@app.route("/point")
def point():
    return jsonify(here=Point(1, 2), dumped=json.dumps(Point(3, 4)))


@app.route("/point/template")
def point_in_template():
    return render_template("point.html", point=Point(5, 6))


@app.route("/point/read", methods=["POST"])
def read_point():
    found = request.get_json()["here"]
    return "%s at %d, %d" % (type(found).__name__, found.x, found.y)


@app.route("/htmlsafe")
def htmlsafe():
    return json.htmlsafe_dumps("</script>&'")


@app.route("/extensions")
def extensions():
    return jsonify([greeting.greet("Ann"), Flyer().fly(), Greeting.__module__, sorted(app.extensions)])


@app.route("/session")
def in_session():
    session["name"] = os.path.basename("x/y")
    return session["name"]


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
