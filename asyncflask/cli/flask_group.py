"""The command line of an application: the default commands, those of plugins, and its own."""

from __future__ import annotations

import importlib.metadata
import os
import traceback
from collections.abc import Callable
from typing import Any

import click

from ..app import Flask
from ..globals import current_app
from .app_group import AppGroup
from .info import ScriptInfo
from .locate import NoAppException
from .options import application_options, version_option
from .routes import routes_command
from .run import run_command
from .shell import shell_command


class FlaskGroup(AppGroup):
    """The command line of an application: the default commands, plugins, and the application's own commands.

    Plugins are the entry points of the groups ``flask.commands`` and ``asyncflask.commands``.

    :param add_default_commands: add ``run``, ``routes`` and ``shell``.
    :param create_app: a function that returns the application, for a script of one application.
    :param add_version_option: add ``--version``.
    :param load_dotenv: read ``.env`` and ``.flaskenv``.
    :param set_debug_flag: set ``app.debug`` from ``FLASK_DEBUG``.
    :param extra: for `click.Group`.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: Callable[..., Flask] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: Any,
    ) -> None:
        # Options with callbacks, not a callback of the group: that one is left to the user.
        params: list[click.Parameter] = [
            *(extra.pop("params", None) or ()),
            *application_options,
        ]
        if add_version_option:
            params.append(version_option)
        extra["context_settings"] = {"auto_envvar_prefix": "FLASK"} | (extra.get("context_settings") or {})
        super().__init__(params=params, **extra)

        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        self._plugins: set[tuple[str, str]] = set()
        if add_default_commands:
            for command in (run_command, shell_command, routes_command):
                self.add_command(command)

    def _load_plugin_commands(self, name: str | None = None) -> None:
        """Add the commands of plugins: the one of this name, or all.

        A plugin imports Flask as a rule. That of another command must not have done so before '--as-flask'
        is met after the command.
        """
        for group in ("flask.commands", "asyncflask.commands"):
            for entry_point in importlib.metadata.entry_points(group=group):
                if name not in (None, entry_point.name) or (group, entry_point.name) in self._plugins:
                    continue
                self._plugins.add((group, entry_point.name))
                try:
                    command = entry_point.load()
                except ImportError as error:
                    # Written for Flask, it may need more of Flask than there is.
                    click.secho(
                        f"Warning: the command {entry_point.name!r} is left out: {entry_point.value!r}"
                        f" could not be imported ({error}).",
                        err=True,
                        fg="yellow",
                    )
                else:
                    self.add_command(command, entry_point.name)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        self._load_plugin_commands(name)
        command = super().get_command(ctx, name)
        if command is not None:
            return command

        # Only now the application, so that the other commands do without one.
        try:
            app = ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as error:
            click.secho(f"Error: {error.format_message()}\n", err=True, fg="red")
            return None
        # From here on, so that callbacks of parameters have it, too.
        if not current_app or current_app._get_current_object() is not app:  # type: ignore[attr-defined]
            ctx.with_resource(app.app_context())
        return app.cli.get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands()
        names = set(super().list_commands(ctx))
        # --help is of use without the application, too, so nothing that is wrong with that ends it.
        try:
            names.update(ctx.ensure_object(ScriptInfo).load_app().cli.list_commands(ctx))
        except NoAppException as error:
            click.secho(f"Error: {error.format_message()}\n", err=True, fg="red")
        except Exception:
            click.secho(f"{traceback.format_exc()}\n", err=True, fg="red")
        return sorted(names)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        # app.run() looks at this: called while a module is imported, it must not start a server.
        os.environ["FLASK_RUN_FROM_CLI"] = "true"
        if "obj" not in extra and "obj" not in self.context_settings:
            extra["obj"] = ScriptInfo(
                create_app=self.create_app,
                set_debug_flag=self.set_debug_flag,
                load_dotenv_defaults=self.load_dotenv,
            )
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_for_help = len(args) == 1 and args[0] in self.get_help_option_names(ctx)
        if asks_for_help or (not args and self.no_args_is_help):
            # Help comes before all options, but it lists the commands of the application.
            for option in application_options:
                if option.is_eager:
                    option.handle_parse_result(ctx, {}, [])
        try:
            return super().parse_args(ctx, args)
        except BaseException:
            # click closes the context of what it invokes. Help ends before that, with an app context pushed.
            ctx.close()
            raise
