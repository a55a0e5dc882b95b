"""Migrations with Alembic: ``asyncflask --app examples.large db upgrade``, and ``db revision -m "..."``."""

from __future__ import annotations

from pathlib import Path

import click
from alembic import command
from alembic.config import Config
from sqlalchemy import select

from asyncflask import Flask, current_app
from asyncflask.cli import AppGroup

from .extensions import db
from .models import Task, User

group = AppGroup("db", help="The database.")


def init_app(app: Flask) -> None:
    app.cli.add_command(group)
    if app.config["SET_UP"]:
        with app.app_context():
            command.upgrade(alembic_config(), "head")
            add_first_user()


def alembic_config() -> Config:
    """Alembic's configuration: where the migrations are. The connection comes from the application."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def add_first_user() -> None:
    """A user to try it with, ``demo`` with the password ``demo``, if there is nobody."""
    if db.session.scalar(select(User).limit(1)) is None:
        user = User(name="demo", tasks=[Task(text="Read examples/large"), Task(text="Copy it", done=False)])
        user.set_password("demo")
        db.session.add(user)
        db.session.commit()


@group.command()
def upgrade() -> None:
    """Bring the database up to date."""
    command.upgrade(alembic_config(), "head")
    click.echo(f"{current_app.config['SQLALCHEMY_DATABASE_URI']} is up to date.")


@group.command()
@click.option("--message", "-m", required=True, help="What changes.")
def revision(message: str) -> None:
    """Write a migration for what has changed in the models."""
    command.revision(alembic_config(), message, autogenerate=True)
