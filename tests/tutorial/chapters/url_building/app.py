"""url_for: addresses from names, in views, in a blueprint and with a language in the path."""

import sys

from flask import Blueprint, Flask, g, request, url_for
from werkzeug.routing import BuildError

app = Flask(__name__)
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/")
def index():
    return "index"


@app.route("/login", methods=["GET", "POST"])
def login():
    return "login"


@app.route("/user/<username>")
def profile(username):
    return username


@app.route("/archive/<int:year>/<int:month>/")
def archive(year, month):
    return f"{year}-{month}"


@app.route("/files/<path:name>")
def files(name):
    return name


@app.route("/urls")
def urls():
    built = [
        url_for("index"),
        url_for("login"),
        url_for("login", next="/"),
        url_for("profile", username="John Doe"),
        url_for("profile", username="żółw/?#&%"),
        url_for("archive", year=2010, month=4),
        url_for("archive", year=2010, month=4, page=2, tag=["a", "b"]),
        url_for("files", name="a/b c/d.txt"),
        url_for("static", filename="style.css"),
        url_for("index", _anchor="top of page"),
        url_for("index", _external=True),
        url_for("index", _external=True, _scheme="https"),
        url_for("profile", username="x", _external=True, _anchor="bio", tab="one two"),
        url_for("login", _method="POST"),
        url_for("index", empty=None),
        url_for("urls"),
    ]
    return "\n".join(built), TEXT


@app.route("/unknown")
def unknown():
    try:
        return url_for("no_such_endpoint", key="value")
    except BuildError as error:
        return "cannot build " + error.endpoint


@app.route("/missing-value")
def missing_value():
    try:
        return url_for("profile")
    except BuildError as error:
        return "cannot build " + error.endpoint


blog = Blueprint("blog", __name__, url_prefix="/blog")


@blog.route("/")
def posts():
    return "\n".join([url_for(".posts"), url_for(".post", slug="first"), url_for("index")]), TEXT


@blog.route("/<slug>")
def post(slug):
    return "\n".join([request.endpoint, request.blueprint, url_for("blog.posts")]), TEXT


app.register_blueprint(blog)

pages = Blueprint("pages", __name__, url_prefix="/<lang>")


@pages.url_value_preprocessor
def pull_lang(endpoint, values):
    g.lang = values.pop("lang")


@pages.url_defaults
def add_lang(endpoint, values):
    values.setdefault("lang", g.lang)


@pages.route("/home")
def home():
    return "\n".join([g.lang, url_for(".home"), url_for("pages.imprint"), url_for(".home", lang="fr")]), TEXT


@pages.route("/imprint")
def imprint():
    return g.lang


app.register_blueprint(pages)

# A tutorial shows its addresses in the shell: no server, a context made by hand.
with app.test_request_context("/shop?x=1", base_url="http://shop.example/app/"):
    MADE_BY_HAND = [url_for("index"), url_for("profile", username="Ann", _external=True), request.path]


@app.route("/by-hand")
def by_hand():
    return "\n".join(MADE_BY_HAND), TEXT


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
