"""A larger application: a factory, blueprints, configuration, Flask's extensions, migrations and tests.

It is a list of tasks. ``config`` (what differs from place to place), ``extensions`` (one object of each),
``models`` (the tables), ``database`` (an engine for ``async def`` beside that of Flask-SQLAlchemy),
``migrate`` (Alembic), and a package for each part of the site: ``accounts``, ``tasks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncflask.as_flask  # noqa: F401  # first of all: the extensions import Flask
from asyncflask import Flask

from . import accounts, database, migrate, tasks
from .config import NAMED
from .extensions import db, login

__all__ = ["create_app"]


def create_app(name: str = "development", config: Mapping[str, Any] | None = None) -> Flask:
    """Make the application.

    :param name: which configuration: "development", "production" or "testing".
    :param config: what counts more than that, and than the environment's ``FLASK_...``.
    """
    app = Flask(__name__, lifespan=database.lifespan, instance_path=str(Path(__file__).parent / "instance"))
    app.config.from_object(NAMED[name])
    app.config.from_prefixed_env()
    app.config.from_mapping(config or {})
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.setdefault("SQLALCHEMY_DATABASE_URI", f"sqlite:///{Path(app.instance_path) / 'tasks.sqlite'}")

    db.init_app(app)
    login.init_app(app)
    for part in (migrate, accounts, tasks):
        part.init_app(app)
    return app
