"""The application that was there first: Flask itself, on WSGI. It does not know that it is mounted.

It had a login and a start page of its own. Both have moved to the front; their rules may stay until somebody
tidies up, since no request reaches them.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, flash, g, redirect, render_template, request, session, url_for

from ..orders import add_order, orders


def create_app(secret_key: str) -> Flask:
    """Make the application.

    :param secret_key: the key that the application in front has, too: so they share the session.
    """
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY=secret_key, SESSION_COOKIE_SAMESITE="Lax")

    @app.before_request
    def load_user() -> None:
        g.user = session.get("user")

    @app.route("/")
    def index() -> str:
        return "The start page, as it was."

    @app.route("/orders", methods=["GET", "POST"])
    def list_orders() -> Any:
        if request.method == "POST":
            try:
                order = add_order(request.form["what"], by=g.user)
                flash(f"Order {order.number} is taken.")
            except ValueError as error:
                flash(str(error))
            return redirect(url_for("list_orders"))
        return render_template("orders.html", orders=reversed(orders))

    return app
