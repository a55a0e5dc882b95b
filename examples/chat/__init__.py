"""A chat: rooms, names, history, who is there, over websockets; on one process or on many.

``create_app`` puts the parts together; each part is a module that can be read alone:
``views`` (the pages and the websocket), ``messages`` (what may be said, and how fast). What is said goes
through ``app.channels``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from asyncflask import Flask, Response

from . import views

__all__ = ["app", "create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param config: configuration that counts more than the environment and the defaults.

    Configuration; each may also come from the environment, as ``FLASK_SECRET_KEY`` for example:

    ``CHANNELS_URL``
        The server through which the processes talk to each other, such as ``redis://127.0.0.1:6379/0``.
        Default: the environment's ``REDIS_URL``. Without one everything stays in this process's memory.
    ``SECRET_KEY``
        Signs the session, which holds the visitor's name; the same for all processes. Default: one that is
        made at the first start and kept in the instance folder.
    ``MESSAGES_PER_SECOND``, ``BURST``
        How fast one may write in the long run, and how many messages at once. Default: 2, and 20.
    """
    app = Flask(__name__, instance_path=str(Path(__file__).parent / "instance"))
    app.config.from_mapping(
        CHANNELS_URL=os.environ.get("REDIS_URL"),
        CHANNELS_PREFIX="chat",
        CHANNELS_HISTORY_SECONDS=30 * 24 * 60 * 60,
        SESSION_COOKIE_SAMESITE="Lax",
        MESSAGES_PER_SECOND=2,
        BURST=20,
    )
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = kept_secret_key(Path(app.instance_path) / "secret_key")

    views.init_app(app)
    app.after_request(add_security_headers)
    return app


def kept_secret_key(path: Path) -> str:
    """The key that signs the sessions, made at the first start and kept: names outlive a restart.

    It is written elsewhere and then linked into place: processes that start together see the same whole key.
    """
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent) as file:  # readable by its owner only
            file.write(secrets.token_hex())
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()


def add_security_headers(response: Response) -> Response:
    """What a browser may do with our pages: nothing from elsewhere, and no guessing of types."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    return response


app = create_app()
