"""Who is logged in: registration, login, and the decorator for views that need a user."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from werkzeug.security import check_password_hash, generate_password_hash

from asyncflask import Blueprint, Flask, flash, g, redirect, render_template, request, session, url_for
from asyncflask.typing import ResponseReturnValue

from .db import get_db

MAX_NAME_LENGTH = 40
MIN_PASSWORD_LENGTH = 8

P = ParamSpec("P")
R = TypeVar("R")

bp = Blueprint("auth", __name__, url_prefix="/auth")

# Checked when there is no such user, so that the time it takes does not tell who exists.
NO_USER = generate_password_hash("nobody has this password")


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.before_request(load_user)


def load_user() -> None:
    """Put the user of this session into ``g.user``, or None."""
    g.user = None
    if user_id := session.get("user_id"):
        g.user = get_db().execute("select id, name from user where id = ?", (user_id,)).fetchone()


def login_required(view: Callable[P, R]) -> Callable[P, R | ResponseReturnValue]:
    """Send visitors to the login page, and back to where they wanted to go."""

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R | ResponseReturnValue:
        if g.user is None:
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("auth.login", next=wanted))
        return view(*args, **kwargs)

    return wrapped


def local_target(target: str | None) -> str:
    """Where to go next: `target` if it is a path on this site, otherwise the front page."""
    target = target or ""
    parts = urlsplit(target)
    is_path = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if is_path and not parts.scheme and not parts.netloc else url_for("posts.index")


def start_session(user_id: int) -> None:
    """Begin anew: nothing of the session before the login is kept."""
    session.clear()
    session["user_id"] = user_id


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    if request.method == "POST":
        name, password = request.form["name"].strip(), request.form["password"]
        problem = problem_with(name, password)
        if problem is None:
            db = get_db()
            try:
                cursor = db.execute(
                    "insert into user (name, password_hash) values (?, ?)",
                    (name, generate_password_hash(password)),
                )
                db.commit()
            except sqlite3.IntegrityError:
                problem = f"The name {name} is taken."
            else:
                assert cursor.lastrowid is not None
                start_session(cursor.lastrowid)
                flash(f"Welcome, {name}!", "success")
                return redirect(url_for("posts.index"))
        flash(problem, "error")
    return render_template("auth/register.html", min_password_length=MIN_PASSWORD_LENGTH)


def problem_with(name: str, password: str) -> str | None:
    """What is wrong with a registration, in words for the user; None if nothing is."""
    if not name:
        return "Please choose a name."
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        return f"A name has at most {MAX_NAME_LENGTH} letters."
    if len(password) < MIN_PASSWORD_LENGTH:
        return f"A password has at least {MIN_PASSWORD_LENGTH} characters."
    return None


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "POST":
        name, password = request.form["name"].strip(), request.form["password"]
        user = get_db().execute("select * from user where name = ?", (name,)).fetchone()
        matches = check_password_hash(user["password_hash"] if user else NO_USER, password)
        if user and matches:
            start_session(user["id"])
            flash(f"Hello, {user['name']}.", "success")
            return redirect(local_target(request.args.get("next")))
        flash("Wrong name or password.", "error")
    return render_template("auth/login.html")


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    session.clear()
    flash("You are logged out.")
    return redirect(url_for("posts.index"))
