"""One login for all: this application's pages and websockets, and whatever is mounted in it."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.security import check_password_hash, generate_password_hash

from asyncflask import (
    Blueprint,
    Flask,
    abort,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
    websocket,
)
from asyncflask.typing import ResponseReturnValue

#: Names and the hashes of their passwords; a real application has them in its database.
USERS = {name: generate_password_hash("demo") for name in ("Ada", "Grace")}
NOBODY = generate_password_hash("nobody has this password")

#: Endpoints for everybody. The style sheet is the legacy application's, which is one endpoint as a whole.
PUBLIC = {"login.login", "static"}
PUBLIC_PATHS = ("/static/",)

bp = Blueprint("login", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.before_request(require_login)
    app.before_websocket(require_login_and_our_origin)


def require_login() -> ResponseReturnValue | None:
    """Guard views and mounts alike. The API says 401 where a page leads to the login."""
    g.user = session.get("user")
    if g.user or request.endpoint in PUBLIC or request.path.startswith(PUBLIC_PATHS):
        return None
    if request.path.startswith("/api/"):
        abort(401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("login.login", next=wanted))


def require_login_and_our_origin() -> None:
    """Guard websockets, also against pages of other sites: a browser lets them connect, with our cookie."""
    g.user = session.get("user")
    if not g.user:
        abort(401)
    if websocket.origin and urlsplit(websocket.origin).netloc != websocket.host:
        abort(403)


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "POST":
        name = request.form["name"].strip().title()
        # Also checked when there is no such user: the time it takes does not tell.
        if check_password_hash(USERS.get(name, NOBODY), request.form["password"]):
            session.clear()
            session["user"] = name
            return redirect(local_target(request.args.get("next")))
        flash("Wrong name or password.")
    return render_template("login.html")


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("login.login"))


def local_target(target: str | None) -> str:
    """Where to go next: `target` if it is a path on this site, else the start page."""
    is_path = target and target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if target and is_path else url_for("front.index")
