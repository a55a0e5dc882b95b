"""A JSON API of a library: validation, pagination, problem details, and its description as a page.

``create_app`` puts the parts together; each part is a module that can be read alone: ``books`` (the views),
``models`` (what may be sent), ``validation`` (from JSON to models), ``problems`` (errors, RFC 9457) and
``openapi`` (the description, and the page).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncflask import Flask

from . import books, openapi, problems

__all__ = ["app", "create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param config: configuration that counts more than the defaults.
    """
    app = Flask(__name__)
    app.config.from_mapping(MAX_CONTENT_LENGTH=64 * 1024)
    app.config.from_mapping(config or {})
    problems.init_app(app)
    app.extensions["shelf"] = books.Shelf.with_examples()
    app.register_blueprint(books.books, url_prefix="/books")
    app.register_blueprint(openapi.pages)
    return app


app = create_app()
