"""Redirects: to a view, elsewhere, with every code, and after a form was sent."""

import sys

from flask import Flask, abort, redirect, request, url_for
from markupsafe import escape

app = Flask(__name__)


@app.route("/")
def index():
    return redirect(url_for("login"))


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        if request.form["password"] != "secret":
            abort(401)
        return redirect(request.form.get("next") or url_for("welcome", name=request.form["name"]))
    return "Please log in"


@app.route("/welcome/<name>")
def welcome(name):
    return f"Welcome, {escape(name)}"


@app.route("/private")
def private():
    return redirect(url_for("login", next=request.path))


@app.route("/away")
def away():
    return redirect("https://example.com/path?a=1&b=<2>")


@app.route("/code/<int:code>")
def with_code(code):
    return redirect("/welcome/you", code=code)


@app.route("/letters")
def letters():
    return redirect("/welcome/Zoë Ångström?q=ü#füße")


@app.route("/relative")
def relative():
    return redirect("login")


@app.route("/back")
def back():
    return redirect(request.referrer or url_for("index"))


@app.route("/external")
def external():
    return redirect(url_for("login", _external=True), 303)


@app.route("/full")
def full():
    response = redirect(url_for("login"))
    response.headers["X-Why"] = "you must log in"
    response.set_cookie("seen", "yes")
    return response


@app.route("/abort")
def by_abort():
    abort(redirect("/login", 307))


@app.route("/shop/")
def shop():
    return "The shop"


@app.route("/old/<int:number>", redirect_to="/new/<number>")
def old(number):
    return "never seen"


@app.route("/new/<int:number>")
def new(number):
    return str(number)


@app.route("/ask", methods=["POST"])
def ask():
    abort(401, "Who are you?")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
