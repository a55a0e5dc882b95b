"""The front page of the examples, with those below it that need nothing but asyncflask (and msgspec).

Each is mounted as it is, at its name: ``/blog``, ``/chat``, ...; the front page leads to them, and says how
the others are started.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from asyncflask import Flask, Response, render_template, send_from_directory
from asyncflask.typing import ResponseReturnValue

__all__ = ["EXAMPLES", "Example", "create_app"]


class Example(NamedTuple):
    """An example, for its card on the front page."""

    name: str
    title: str
    about: str
    #: Where its application is, ``module:name``, if it is mounted here; a factory has parentheses.
    application: str = ""
    #: How it is started, if it is not.
    command: str = ""


EXAMPLES = [
    Example(
        "quickstart",
        "Quickstart",
        "A guest book in one file: templates, forms, sessions, JSON, errors.",
        "examples.quickstart.app:app",
    ),
    Example(
        "blog",
        "Blog",
        "Users, posts with pictures, a search, in SQLite: a whole small site.",
        "examples.blog:create_app()",
    ),
    Example(
        "chat",
        "Chat",
        "Rooms, names and history over websockets, on one process or many.",
        "examples.chat:create_app()",
    ),
    Example(
        "live",
        "Live",
        "A dashboard with curves, over server-sent events.",
        "examples.live:create_app()",
    ),
    Example(
        "api",
        "API",
        "JSON with validation, pages, problem details, and OpenAPI.",
        "examples.api:create_app()",
    ),
    Example(
        "mounted",
        "Mounted",
        "FastAPI and a legacy Flask behind one login: a migration, step by step.",
        command="pip install fastapi flask a2wsgi && uvicorn examples.mounted:app",
    ),
    Example(
        "large",
        "Large",
        "Blueprints, Flask-Login, Flask-SQLAlchemy, an async engine, Alembic.",
        command=(
            "pip install flask-login flask-sqlalchemy alembic aiosqlite"
            " && asyncflask --app examples.large run"
        ),
    ),
    Example(
        "tasks",
        "Tasks",
        "Reports made by arq in processes of their own, with their progress. Needs Redis.",
        command=(
            'pip install "asyncflask[redis]" arq\n'
            "arq examples.tasks.arq_worker.Worker &\n"
            "uvicorn examples.tasks.app:app"
        ),
    ),
    Example(
        "deploy",
        "Deployment",
        "Two processes behind nginx, sessions and channels in Redis, health, metrics.",
        command="less examples/deploy/README.md",
    ),
]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Make the front page, and mount the examples that can be imported.

    :param config: the configuration of the front page.
    """
    app = Flask(__name__)
    app.config.from_mapping(config or {})
    mounted = {example.name for example in EXAMPLES if example.application and mount(app, example)}

    @app.get("/")
    def index() -> ResponseReturnValue:
        return render_template("index.html", examples=EXAMPLES, mounted=mounted)

    @app.get("/favicon.ico")
    def favicon() -> Response:
        """What browsers ask for where a page has no icon of its own: JSON, for example."""
        return send_from_directory(f"{app.root_path}/static", "icon.svg", max_age=86400)

    return app


def mount(app: Flask, example: Example) -> bool:
    """Mount an example; whether it could be."""
    module, _, name = example.application.partition(":")
    try:
        found = getattr(import_module(module), name.removesuffix("()"))
    except ModuleNotFoundError:  # what it needs is not installed
        return False
    application: Flask = found() if name.endswith("()") else found
    # Each has a key of its own: the session of one is not to take the place of another's.
    application.config["SESSION_COOKIE_PATH"] = f"/{example.name}"
    app.mount(f"/{example.name}", application, example.name)
    return True
