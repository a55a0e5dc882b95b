"""A blog: users, posts with pictures, a search, in an SQLite database.

``create_app`` puts the parts together; each part is a module that can be read alone:
``db`` (the database), ``auth`` (who is logged in), ``posts`` (the pages), ``api`` (JSON),
``csrf`` (forms come from our own pages), ``uploads`` (pictures), ``errors`` (error pages).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from markupsafe import Markup, escape

from asyncflask import Flask, Response

from . import api, auth, csrf, db, errors, posts

__all__ = ["create_app"]


def create_app(test_config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param test_config: configuration in place of the instance folder's ``config.py``. Tests set
        ``INSTANCE``, ``SECRET_KEY`` and ``DEMO_DATA`` here.

    Configuration:

    ``INSTANCE``
        The folder for everything that is not code: database, pictures, secret key. Default: the
        application's instance folder.
    ``DEMO_DATA``
        Whether a new database gets two users and a few posts. Default: yes.
    ``POSTS_PER_PAGE``
        Default: 5.
    ``MAX_CONTENT_LENGTH``
        The size of a form with its picture, in bytes. Default: 2 MiB.
    """
    app = Flask(__name__, instance_path=str(Path(__file__).parent / "instance"))
    app.config.from_mapping(
        INSTANCE=app.instance_path,
        DEMO_DATA=True,
        POSTS_PER_PAGE=5,
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    if test_config is None:
        app.config.from_pyfile(os.path.join(app.instance_path, "config.py"), silent=True)
    else:
        app.config.from_mapping(test_config)

    instance = Path(app.config["INSTANCE"])
    (instance / "uploads").mkdir(parents=True, exist_ok=True)
    app.config.setdefault("DATABASE", str(instance / "blog.sqlite"))
    app.config.setdefault("UPLOAD_FOLDER", str(instance / "uploads"))
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = kept_secret_key(instance / "secret_key")

    for part in (db, auth, csrf, posts, api, errors):
        part.init_app(app)

    app.template_filter("paragraphs")(paragraphs)
    app.template_filter("day")(day)
    app.after_request(add_security_headers)
    return app


def kept_secret_key(path: Path) -> str:
    """The key that signs the session cookies, made at the first start and kept for the next ones.

    It is written elsewhere and then linked into place: processes that start together see the same whole key.
    """
    if not path.exists():
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


def paragraphs(text: str) -> Markup:
    """Plain text as HTML: an empty line begins a new paragraph, a single newline is kept."""
    blocks = [block.strip() for block in text.replace("\r\n", "\n").split("\n\n")]
    return Markup("\n").join(
        Markup("<p>{}</p>").format(Markup("<br>\n").join(escape(line) for line in block.split("\n")))
        for block in blocks
        if block
    )


def day(moment: datetime) -> str:
    """A date for people: ``5 March 2026``."""
    return f"{moment.day} {moment:%B %Y}"
