"""The application in front: puts the three together, and has what is new or has moved already."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from a2wsgi import WSGIMiddleware

from asyncflask import Blueprint, Flask, g, render_template, websocket
from asyncflask.typing import ResponseReturnValue

from . import api, legacy, login

bp = Blueprint("front", __name__)


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param config: configuration; it counts more than the environment (``FLASK_SECRET_KEY``) and the defaults.
    """
    # The legacy application has /static. Its files win there as long as this one has none, or elsewhere.
    app = Flask(__name__, static_url_path="/assets")
    app.config.from_mapping(
        SECRET_KEY=secrets.token_hex(),  # of this start: a real one is kept, or everybody is logged out
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})

    login.init_app(app)
    app.register_blueprint(bp)

    app.mount("/api", api.app)
    app.mount("/", WSGIMiddleware(legacy.create_app(app.config["SECRET_KEY"])), name="legacy")
    return app


@bp.get("/")
def index() -> ResponseReturnValue:
    """The start page. It was the legacy application's, whose view is no longer reached."""
    return render_template("index.html")


@bp.websocket("/clock")
async def clock() -> None:
    """Greets the user, and says what time it is, every second."""
    while True:
        await websocket.send(f"Hello {g.user}, it is {datetime.now():%H:%M:%S}.")
        await asyncio.sleep(1)
