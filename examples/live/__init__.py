"""A live dashboard: the server measures itself once a second, and every browser sees it at once.

``create_app`` puts the parts together; each part is a module that can be read alone: ``views`` (the page, the
stream of events, work to be done), ``measuring`` (what is measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncflask import Flask

from . import measuring, views

__all__ = ["app", "create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param config: configuration that counts more than the defaults.

    Configuration:

    ``INTERVAL``
        Seconds from one measurement to the next. Default: 1.
    ``KEPT``
        How many measurements a browser that comes later is shown. Default: 120.
    """
    app = Flask(__name__)
    app.config.from_mapping(INTERVAL=1.0, KEPT=120)
    app.config.from_mapping(config or {})
    measuring.init_app(app)
    app.register_blueprint(views.live)
    return app


app = create_app()
