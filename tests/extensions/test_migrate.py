"""Flask-Migrate's command line: a database on SQLite is migrated up and down by both frameworks."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.differential.harness import compare

from . import needs

needs.installed(flask_migrate="Flask-Migrate", flask_sqlalchemy="Flask-SQLAlchemy")

ROOT = Path(__file__).parents[2]
COMMANDS = {"flask": ["-m", "flask"], "asyncflask": ["-m", "asyncflask", "--as-flask"]}

APPLICATION = '''
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

db = SQLAlchemy()
migrate = Migrate()


class User(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
{models}

def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.sqlite"
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=True)

    @app.cli.command()
    def count():
        """Count the users."""
        print(db.session.query(User).count())

    return app
'''

SECOND = """    email: Mapped[str | None]


class Order(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(db.ForeignKey("user.id"), index=True)
"""


class Project:
    """A folder with the application, and what its command line did there."""

    def __init__(self, folder: Path, framework: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.command = [sys.executable, *COMMANDS[framework], "--app", "shop:create_app"]
        self.transcript: list[str] = []
        self.database = folder / "instance" / "shop.sqlite"

    def write(self, models: str = "") -> None:
        (self.folder / "shop.py").write_text(APPLICATION.format(models=models), encoding="utf-8")

    def run(self, *arguments: str) -> int:
        """Run a command of the application; all that it printed goes into the transcript."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        output = self.masked(done.stdout)
        schema = "\n".join(self.schema())
        self.transcript.append(f"$ {' '.join(arguments)}\n{output}exit code {done.returncode}\n{schema}")
        return done.returncode

    def masked(self, text: str) -> str:
        text = text.replace(str(self.folder.resolve()), "<folder>")
        text = re.sub(r"(Traceback) \(.*\n(?: .*\n)+", r"\1\n", text)
        text = re.sub(r"python -m (async)?flask", "<command>", text)
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "<date>", text)

    def schema(self) -> list[str]:
        """The tables and indexes of the database, and the revision that it has."""
        if not self.database.exists():
            return ["no database"]
        with sqlite3.connect(self.database) as connection:
            lines = [
                sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master ORDER BY name") if sql
            ]
            if any("alembic_version" in line for line in lines):
                lines += map(str, connection.execute("SELECT version_num FROM alembic_version"))
        connection.close()
        return lines

    def insert(self, name: str) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute("INSERT INTO user (name) VALUES (?)", [name])
        connection.close()

    def files(self) -> list[str]:
        """The names and texts of the files that were made."""
        made = sorted(path for path in (self.folder / "migrations").rglob("*") if path.is_file())
        return [
            f"{path.relative_to(self.folder)}\n{self.masked(path.read_text(encoding='utf-8'))}"
            for path in made
        ]


def migrate(project: Project) -> list[str]:
    """The life of a database: what was printed, and how the database was, after each command."""
    project.write()
    project.run("db", "upgrade")
    assert project.run("db", "init") == 0
    assert project.run("db", "migrate", "-m", "Users", "--rev-id", "0001") == 0
    assert project.run("db", "upgrade") == 0
    project.insert("ann")
    assert project.run("count") == 0
    assert project.run("db", "check") == 0
    project.write(SECOND)
    assert project.run("db", "check") == 1
    assert project.run("db", "migrate", "-m", "Orders", "--rev-id", "0002") == 0
    assert project.run("db", "upgrade", "--sql", "0001:0002") == 0
    assert project.run("db", "upgrade") == 0
    assert project.run("count") == 0
    assert project.run("db", "current", "-v") == 0
    assert project.run("db", "history") == 0
    assert project.run("db", "downgrade") == 0
    assert project.run("db", "downgrade", "base") == 0
    project.write()
    project.run("count")
    assert project.run("db", "stamp", "head") == 0
    project.run("db", "downgrade", "unknown")
    project.run("db", "init")
    assert project.run("db", "--help") == 0
    return project.transcript + project.files()


@pytest.mark.timeout(240)
def test_migrate(tmp_path):
    projects = [Project(tmp_path / framework, framework) for framework in COMMANDS]
    with ThreadPoolExecutor() as both:
        expected, actual = both.map(migrate, projects)
    compare(expected, actual, "Flask-Migrate's commands")
    assert any('"order"' in block and "email" in block for block in actual), "nothing was migrated"
