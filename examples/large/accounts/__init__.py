"""Who is there: logging in and out, with Flask-Login."""

from __future__ import annotations

import click
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy import select
from werkzeug.security import check_password_hash, generate_password_hash

from asyncflask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from asyncflask.typing import ResponseReturnValue

from ..extensions import db, login
from ..models import User

accounts = Blueprint("accounts", __name__, url_prefix="/account", cli_group="users")

#: Checked where there is no user of a name, so that the answer takes as long.
_NOBODY = generate_password_hash("nobody")


def init_app(app: Flask) -> None:
    app.register_blueprint(accounts)


@login.user_loader
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


@accounts.route("/login", methods=["GET", "POST"])
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(url_for("tasks.index"))
    if request.method == "POST":
        user = db.session.scalar(select(User).filter_by(name=request.form["name"]))
        password = request.form["password"]
        if user is not None and user.has_password(password):
            login_user(user)
            return redirect(url_for("tasks.index"))
        if user is None:
            check_password_hash(_NOBODY, password)
        flash("There is no such user, or the password is another one.", "error")
        return render_template("login.html"), 422
    return render_template("login.html")


@accounts.post("/logout")
@login_required
async def log_out() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for("accounts.log_in"))


@accounts.cli.command("add")
@click.argument("name")
@click.password_option()
def add_user(name: str, password: str) -> None:
    """Add a user: ``asyncflask --app examples.large users add ada``."""
    user = User(name=name)
    user.set_password(password)
    db.session.add(user)
    db.session.commit()
    click.echo(f"{name} may log in.")
