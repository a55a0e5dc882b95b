"""Cookies: set, read back, with attributes, and deleted."""

import sys
from datetime import datetime, timedelta, timezone

from flask import Flask, jsonify, make_response, redirect, render_template, request, url_for

app = Flask(__name__)


@app.route("/")
def index():
    username = request.cookies.get("username")
    return render_template("index.html", username=username)


@app.route("/set/<name>")
def set_name(name):
    resp = make_response(render_template("index.html", username=name))
    resp.set_cookie("username", name)
    return resp


@app.route("/all")
def all_cookies():
    return jsonify(request.cookies.to_dict())


@app.route("/two")
def two():
    resp = make_response("two of them")
    resp.set_cookie("first", "1")
    resp.set_cookie("second", "2", path="/two")
    return resp


@app.route("/attributes")
def attributes():
    resp = make_response("with attributes", 201)
    resp.set_cookie("age", "x", max_age=60 * 60)
    resp.set_cookie("delta", "x", max_age=timedelta(days=30))
    resp.set_cookie("until", "x", expires=datetime(2037, 1, 2, 3, 4, 5, tzinfo=timezone.utc))  # noqa: UP017
    resp.set_cookie("safe", "x", httponly=True, secure=True, samesite="Strict")
    resp.set_cookie("lax", "x", samesite="Lax", path="/attributes")
    resp.set_cookie("domain", "x", domain="example.com")
    return resp


@app.route("/letters")
def letters():
    resp = make_response("letters")
    resp.set_cookie("words", 'two words; "quoted", é')
    resp.set_cookie("empty", "")
    return resp


@app.route("/by-hand")
def by_hand():
    return "by hand", 200, [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")]


@app.route("/count")
def count():
    number = int(request.cookies.get("count", 0)) + 1
    resp = make_response(f"Seen {number} times")
    resp.set_cookie("count", str(number))
    return resp


@app.route("/needed")
def needed():
    return request.cookies["needed"]


@app.route("/delete")
def delete():
    resp = redirect(url_for("index"))
    resp.delete_cookie("username")
    resp.set_cookie("first", "", expires=0)
    return resp


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
