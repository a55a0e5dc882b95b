"""The options of the command line: which application, how it is run, and what the environment is."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from typing import Any, TypeVar

import click
from click.core import ParameterSource

import asyncflask

from ..helpers import get_as_flask, get_debug_flag
from ..version import VERSION
from .dotenv import load_dotenv
from .info import ScriptInfo

C = TypeVar("C", bound=click.Command)


def get_version(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Print the versions that a bug report needs (the callback of ``--version``)."""
    if not value or ctx.resilient_parsing:
        return
    lines = [f"Python {platform.python_version()}", f"asyncflask {VERSION}"]
    for name in ("Flask", "Starlette", "uvicorn", "Werkzeug"):
        try:
            lines.append(f"{name} {importlib.metadata.version(name.lower())}")
        except importlib.metadata.PackageNotFoundError:
            continue
        if sys.modules.get(name.lower()) is asyncflask:
            lines[-1] += ": that of the API, as 'import flask' gives asyncflask"
    click.echo("\n".join(lines), color=ctx.color)
    ctx.exit()


version_option = click.Option(
    ["--version"],
    help="Show the version of asyncflask and of what it is built on.",
    expose_value=False,
    callback=get_version,
    is_flag=True,
    is_eager=True,
)


def _set_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool) -> bool | None:
    source = ctx.get_parameter_source(param.name or "")
    if source in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
        return None
    if source != ParameterSource.ENVIRONMENT or value != get_debug_flag():
        # In the environment, so that a factory can already see it.
        os.environ["FLASK_DEBUG"] = "1" if value else "0"
    return value


def _set_as_flask(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    # The variable may come from a file, so it is asked for again.
    if value or get_as_flask():
        try:
            importlib.import_module("asyncflask.as_flask")
        except RuntimeError as error:
            raise click.UsageError(str(error), ctx) from error


def _load_env_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _has_dotenv():
        raise click.BadParameter("python-dotenv must be installed to load an env file.", ctx=ctx, param=param)
    if isinstance(ctx.command, click.Group):
        load_defaults = ctx.ensure_object(ScriptInfo).load_dotenv_defaults
        if value is not None or load_defaults:
            load_dotenv(value, load_defaults)
    elif value is not None:
        # After the command: what the group has read from the default files gives way.
        before = os.environ.get("FLASK_APP")
        load_dotenv(value, load_defaults=False)
        info = ctx.ensure_object(ScriptInfo)
        if os.environ.get("FLASK_APP") != before and info.app_import_path == before:
            info.app_import_path = os.environ["FLASK_APP"]
    return value


def _has_dotenv() -> bool:
    try:
        import dotenv  # noqa: F401  # optional
    except ImportError:
        return False
    return True


_env_file_option = click.Option(
    ["-e", "--env-file"],
    type=click.Path(exists=True, dir_okay=False),
    help=(
        "Set environment variables from this file, before those of '.env' and '.flaskenv'. A variable that"
        " is in the environment already stays as it is. Needs python-dotenv."
    ),
    is_eager=True,
    expose_value=False,
    callback=_load_env_file,
)
_app_option = click.Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help=(
        "The application or its factory, as 'module:name'. The module is a dotted name or a file. The name"
        " can be left out if it is 'app', 'application', 'create_app' or 'make_app', and can have arguments:"
        " 'name(args)'."
    ),
    is_eager=True,
    expose_value=False,
    callback=_set_app,
)
_as_flask_option = click.Option(
    ["--as-flask"],
    is_flag=True,
    help=(
        "Run an application that is written for Flask, and its extensions, unmodified: 'import flask' gives"
        " asyncflask. 'ASYNCFLASK_AS_FLASK=1' in the environment does the same."
    ),
    is_eager=True,
    expose_value=False,
    callback=_set_as_flask,
)
_debug_option = click.Option(
    ["--debug/--no-debug"],
    help="Set debug mode.",
    expose_value=False,
    callback=_set_debug,
)

#: Eager options are processed first, and in this order: the files may set FLASK_APP, and --help lists the
#: commands of the application.
application_options = [_env_file_option, _as_flask_option, _app_option, _debug_option]


def also_with_application_options(command: C) -> C:
    """Let these options follow the command, too. Flask takes them before it only, and --debug after 'run'."""
    command.params[:0] = application_options
    return command
