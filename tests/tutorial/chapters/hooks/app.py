"""Request hooks: before, after and teardown, on the application and on a blueprint."""
# ruff: noqa: UP031

import sys

from flask import Blueprint, Flask, abort, after_this_request, current_app, g, jsonify, request

app = Flask(__name__)
app.config["TOKEN"] = "open sesame"

log = []


def note(text):
    if request.path != "/log":
        log.append("%s %s" % (text, request.path))


@app.before_request
def connect():
    g.connection = "a connection"
    g.path = request.path
    g.steps = ["connect"]
    note("before 1")


@app.before_request
def authenticate():
    g.steps.append("authenticate")
    note("before 2")
    if request.path.startswith("/admin") and request.headers.get("X-Token") != current_app.config["TOKEN"]:
        abort(401)
    if request.path == "/closed":
        return "We are closed", 503
    return None


@app.after_request
def add_header(response):
    response.headers["X-First"] = ",".join(getattr(g, "steps", []))
    response.headers["X-Status"] = str(response.status_code)
    note("after 1")
    return response


@app.after_request
def add_other_header(response):
    """Registered last, called first."""
    response.headers["X-First"] = "overwritten"
    response.headers["X-Order"] = "second"
    note("after 2")
    return response


@app.teardown_request
def disconnect(exception):
    connection = g.pop("connection", None)
    note("teardown request, %s, %s" % (connection, type(exception).__name__))


@app.teardown_appcontext
def close(exception):
    """The request is over by now: what is needed of it was put into g."""
    if g.path != "/log":
        log.append("teardown app context, %s %s" % ("connection" in g, g.path))


@app.errorhandler(401)
def unauthorized(error):
    note("handler 401")
    return "No entry", 401


@app.errorhandler(Exception)
def any_error(error):
    if hasattr(error, "code"):
        return error
    note("handler %s" % type(error).__name__)
    return "Handled %s" % type(error).__name__, 500


@app.route("/")
def index():
    note("view")
    return jsonify(steps=g.steps, connection=g.connection)


@app.route("/closed")
def closed():
    note("never called")
    return "never seen"


@app.route("/admin")
def admin():
    return "Hello, admin"


@app.route("/boom")
def boom():
    raise ValueError("boom")


@app.route("/cookie")
def cookie():
    @after_this_request
    def remember(response):
        response.set_cookie("remembered", "yes")
        response.headers["X-This"] = "only here"
        return response

    return "see the cookie"


@app.route("/replace")
def replace():
    @after_this_request
    def other(response):
        return app.make_response(("replaced", 202))

    return "never seen"


shop = Blueprint("shop", __name__, url_prefix="/shop")


@shop.before_request
def shop_before():
    g.steps.append("shop")
    note("shop before")


@shop.after_request
def shop_after(response):
    response.headers["X-Shop"] = "open"
    note("shop after")
    return response


@shop.teardown_request
def shop_teardown(exception):
    note("shop teardown")


@shop.before_app_request
def shop_before_any():
    note("shop before any")


@shop.errorhandler(KeyError)
def shop_error(error):
    return "The shop has no %s" % error, 404


@shop.route("/<item>")
def show_item(item):
    if item == "dragon":
        raise KeyError(item)
    return jsonify(item=item, steps=g.steps)


app.register_blueprint(shop)


@app.route("/log")
def show_log():
    return jsonify(log)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
