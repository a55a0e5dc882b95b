"""URL parameters: variables in the path with every built-in converter, and the query string."""
# ruff: noqa: UP031

import sys

from flask import Flask, request
from markupsafe import escape

app = Flask(__name__)


@app.route("/user/<username>")
def show_user_profile(username):
    return "User %s" % escape(username)


@app.route("/post/<int:post_id>")
def show_post(post_id):
    return "Post %d (%s)" % (post_id, type(post_id).__name__)


@app.route("/price/<float:price>")
def show_price(price):
    return "Price %.2f" % price


@app.route("/temperature/<int(signed=True):degrees>")
def show_temperature(degrees):
    return "%d degrees" % degrees


@app.route("/year/<int(fixed_digits=4):year>")
def show_year(year):
    return "Year %d" % year


@app.route("/die/<int(min=1, max=6):pips>")
def show_die(pips):
    return "Pips: %d" % pips


@app.route("/path/<path:subpath>")
def show_subpath(subpath):
    return "Subpath %s" % escape(subpath)


@app.route("/lang/<string(length=2):code>")
def show_language(code):
    return "Language %s" % code


@app.route("/animal/<any(cat, dog, 'sea horse'):kind>")
def show_animal(kind):
    return "Animal %s" % kind


@app.route("/uuid/<uuid:value>")
def show_uuid(value):
    return "%s version %s" % (value, value.version)


@app.route("/pages/<int:first>-<int:last>")
def show_range(first, last):
    return "Pages %d to %d: %d" % (first, last, last - first + 1)


@app.route("/<user>/<repository>/blob/<branch>/<path:name>")
def show_blob(user, repository, branch, name):
    return "|".join([user, repository, branch, name])


@app.route("/blog/", defaults={"page": 1})
@app.route("/blog/page/<int:page>")
def blog(page):
    return "Blog page %d" % page


@app.route("/loose", strict_slashes=False)
def loose():
    return "With or without a slash"


@app.route("/add/<int:a>/<int:b>")
def add(a, b):
    return str(a + b)


@app.route("/search")
def search():
    word = request.args.get("q", "")
    limit = request.args.get("limit", default=10, type=int)
    tags = request.args.getlist("tag")
    return "q=%s limit=%d tags=%s" % (escape(word), limit, ",".join(tags))


@app.route("/needed")
def needed():
    return "key is %s" % request.args["key"]


@app.route("/where")
def where():
    parts = [
        request.method,
        request.path,
        request.full_path,
        request.url,
        request.base_url,
        request.url_root,
        request.host,
        request.scheme,
        request.query_string.decode(),
        request.remote_addr,
        request.endpoint,
        request.url_rule.rule,
    ]
    return "\n".join(parts), {"Content-Type": "text/plain; charset=utf-8"}


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]))
