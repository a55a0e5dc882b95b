"""Environment variables from files."""

from __future__ import annotations

import os

import click

# What load_dotenv() has set. It is remembered because a file that is named later, after the command, wins
# over the default files but not over the environment.
_set_by_default_files: dict[str, str] = {}


def load_dotenv(path: str | os.PathLike[str] | None = None, load_defaults: bool = True) -> bool:
    """Set environment variables from files, with python-dotenv.

    A variable that is set already stays as it is. Where files disagree, `path` wins over
    ``.env``, and that over ``.flaskenv``; these two are looked for from the current
    folder upwards. Files are UTF-8. Without python-dotenv nothing is read, and a tip is printed if
    there are such files.

    :param path: a file to read; ignored if it does not exist.
    :param load_defaults: read ``.env`` and ``.flaskenv``.
    :return: whether the files had variables.
    """
    try:
        import dotenv  # optional
    except ImportError:
        if path or os.path.isfile(".env") or os.path.isfile(".flaskenv"):
            click.secho(
                " * Tip: There are .env files present. Install python-dotenv to use them.",
                fg="yellow",
                err=True,
            )
        return False

    def read(file: str | os.PathLike[str]) -> dict[str, str]:
        values = dotenv.dotenv_values(file, encoding="utf-8")
        return {name: value for name, value in values.items() if value is not None}

    defaults: dict[str, str] = {}
    if load_defaults:
        for name in (".flaskenv", ".env"):
            file = dotenv.find_dotenv(name, usecwd=True)
            if file:
                defaults |= read(file)
    named = read(path) if path is not None and os.path.isfile(path) else {}

    for name, value in named.items():
        if name not in os.environ or os.environ[name] == _set_by_default_files.get(name):
            os.environ[name] = value
    for name, value in defaults.items():
        if name not in os.environ:
            os.environ[name] = _set_by_default_files[name] = value
    return bool(defaults or named)
