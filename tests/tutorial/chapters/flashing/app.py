"""Flashing: messages for the next page, with categories."""

import sys

from flask import Flask, flash, get_flashed_messages, jsonify, redirect, render_template, request, url_for
from markupsafe import Markup

app = Flask(__name__)
app.secret_key = "some_secret"


@app.route("/")
def index():
    return render_template("index.html")


@app.route("/login", methods=["GET", "POST"])
def login():
    error = None
    if request.method == "POST":
        if request.form["username"] != "admin" or request.form["password"] != "secret":
            error = "Invalid credentials"
            flash("Wrong name or password", "error")
        else:
            flash("You were successfully logged in")
            return redirect(url_for("index"))
    return render_template("login.html", error=error)


@app.route("/several")
def several():
    flash("plain")
    flash("careful <now>", "warning")
    flash("it broke", "error")
    flash(Markup("<b>bold</b>"), "info")
    flash("again", "error")
    return redirect(url_for(request.args.get("to", "index")))


@app.route("/same-request")
def same_request():
    flash("seen at once")
    return render_template("index.html")


@app.route("/filtered")
def filtered():
    return render_template("filtered.html")


@app.route("/json")
def as_json():
    return jsonify(get_flashed_messages(with_categories=True))


@app.route("/twice")
def twice():
    """Within one request the messages stay, however often they are asked for."""
    first = get_flashed_messages()
    second = get_flashed_messages(category_filter=["error"])
    return jsonify(first=first, second=second)


@app.route("/quiet")
def quiet():
    return "looks at nothing"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
