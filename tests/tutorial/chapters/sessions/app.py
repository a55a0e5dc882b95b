"""Sessions: a login that is remembered, in a signed cookie."""

import sys
from datetime import timedelta
from functools import wraps

from flask import Flask, g, jsonify, redirect, render_template, request, session, url_for
from markupsafe import escape

app = Flask(__name__)
app.secret_key = "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT"
app.permanent_session_lifetime = timedelta(minutes=5)


def login_required(view):
    """Send to the login page whoever has not logged in."""

    @wraps(view)
    def decorated(*args, **kwargs):
        if "username" not in session:
            return redirect(url_for("login", next=request.url))
        return view(*args, **kwargs)

    return decorated


@app.before_request
def load_user():
    g.user = session.get("username")


@app.route("/")
def index():
    if "username" in session:
        return "Logged in as {}".format(escape(session["username"]))
    return "You are not logged in"


@app.route("/public")
def public():
    return "No session was needed here"


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        session["username"] = request.form["username"]
        if request.form.get("remember"):
            session.permanent = True
        return redirect(request.args.get("next") or url_for("index"))
    return render_template("login.html")


@app.route("/logout")
def logout():
    session.pop("username", None)
    return redirect(url_for("index"))


@app.route("/secret")
@login_required
def secret():
    return render_template("secret.html", number=session.get("visits", 0))


@app.route("/visits")
def visits():
    session["visits"] = session.get("visits", 0) + 1
    return "Visit number {}".format(session["visits"])


@app.route("/cart/add/<item>")
def cart_add(item):
    cart = session.setdefault("cart", [])
    cart.append(item)
    session.modified = True
    return jsonify(cart)


@app.route("/cart/forgotten/<item>")
def cart_forgotten(item):
    """A change inside a list is not seen by the session."""
    session["cart"].append(item)
    return jsonify(session["cart"])


@app.route("/cart")
def cart():
    return jsonify(session.get("cart", []))


@app.route("/state")
def state():
    return jsonify(
        new=session.new,
        modified=session.modified,
        permanent=session.permanent,
        keys=sorted(session),
        user=g.user,
    )


@app.route("/types")
def types():
    session["point"] = (1, 2)
    session["raw"] = b"\x00\xff"
    session["letters"] = "Zoë"
    session["nested"] = {"a": [1, (2, 3)]}
    return "stored"


@app.route("/types/back")
def types_back():
    names = ["point", "raw", "letters", "nested"]
    return "; ".join(f"{name}={session[name]!r}" for name in names)


@app.route("/clear")
def clear():
    session.clear()
    return "cleared"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
