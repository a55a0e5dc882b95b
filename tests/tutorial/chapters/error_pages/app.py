"""Error pages: our own words for codes and exceptions, and the framework's where we have none."""
# ruff: noqa: UP031

import sys

from flask import Flask, abort, jsonify, make_response, render_template, request
from werkzeug.exceptions import BadRequest, Conflict, HTTPException, NotFound

app = Flask(__name__)


class InvalidUsage(Exception):
    """An error of the API with a status and data of its own."""

    status_code = 400

    def __init__(self, message, status_code=None, payload=None):
        Exception.__init__(self)
        self.message = message
        if status_code is not None:
            self.status_code = status_code
        self.payload = payload

    def to_dict(self):
        return dict(self.payload or (), message=self.message)


class PaymentError(LookupError):
    """Found by the handler of its parent class."""


class OutOfStock(HTTPException):
    """An HTTP error that the framework does not know."""

    code = 409
    description = "Nothing left of it"


@app.errorhandler(404)
def page_not_found(error):
    return render_template("404.html", path=request.path, description=error.description), 404


@app.errorhandler(500)
def internal_error(error):
    original = getattr(error, "original_exception", None)
    return render_template("500.html", kind=type(original).__name__, code=error.code), 500


@app.errorhandler(410)
def gone(error):
    return "%d %s: %s" % (error.code, error.name, error.description), 410, {"X-Gone": "yes"}


@app.errorhandler(InvalidUsage)
def handle_invalid_usage(error):
    response = jsonify(error.to_dict())
    response.status_code = error.status_code
    return response


@app.errorhandler(LookupError)
def handle_lookup(error):
    return "lookup: %s" % type(error).__name__, 400


def handle_zero(error):
    return "divided by zero", 200


app.register_error_handler(ZeroDivisionError, handle_zero)


@app.route("/page")
def page():
    abort(404, description="No such <page>")


@app.route("/found")
def found():
    return "found"


@app.route("/crash")
def crash():
    raise RuntimeError("the password is hunter2")


@app.route("/abort500")
def abort_500():
    abort(500)


@app.route("/gone")
def is_gone():
    abort(410)


@app.route("/abort/<int:code>")
def with_code(code):
    abort(code)


@app.route("/abort/unauthorized")
def unauthorized():
    abort(401, "Log in first")


@app.route("/abort/response")
def with_response():
    abort(make_response("straight from abort", 418, {"X-Tea": "pot"}))


@app.route("/raise/not-found")
def raise_not_found():
    raise NotFound("raised by hand")


@app.route("/raise/bad-request")
def raise_bad_request():
    raise BadRequest("not like this")


@app.route("/raise/conflict")
def raise_conflict():
    raise Conflict(response=make_response("own response", 409))


@app.route("/raise/stock")
def raise_stock():
    raise OutOfStock()


@app.route("/raise/usage")
def raise_usage():
    raise InvalidUsage("This view is gone", status_code=410, payload={"hint": "ask later"})


@app.route("/raise/payment")
def raise_payment():
    raise PaymentError("no money")


@app.route("/divide")
def divide():
    return str(1 / (int(request.args.get("by", "0"))))


@app.route("/form", methods=["POST"])
def form():
    return request.form["needed"]


@app.route("/nothing")
def nothing():
    return None


@app.route("/wrong-type")
def wrong_type():
    return 42


@app.route("/handler-fails")
def handler_fails():
    raise FloatingPointError("first")


@app.errorhandler(FloatingPointError)
def failing_handler(error):
    raise TypeError("second")


@app.route("/beast")
def beast():
    return "This page has a code of its own", 666


@app.route("/beast/words")
def beast_with_words():
    return "and words of its own", "666 Number Of The Beast"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
