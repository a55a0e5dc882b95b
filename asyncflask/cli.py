"""The command line: ``asyncflask run``, ``routes``, ``shell``, and the commands of applications.

The names are those of ``flask.cli``, and the application is found as Flask finds it
(https://flask.palletsprojects.com/en/stable/cli/). Beyond that, commands may be
``async def``, and ``--app``, ``--env-file``, ``--as-flask`` and ``--debug`` may follow the command.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.metadata
import inspect
import os
import platform
import re
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

import click
from click.core import ParameterSource
from werkzeug.utils import import_string

from . import _own_version
from .check import check_command
from .globals import current_app
from .helpers import get_as_flask, get_debug_flag, get_load_dotenv

if TYPE_CHECKING:
    import ssl

    from .app import Flask

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class NoAppException(click.UsageError):
    """The application could not be found, or not be loaded."""


# --- Finding the application ---

_USE_ASYNCFLASK = "use '--as-flask', or change 'from flask import' to 'from asyncflask import'"


def find_best_app(module: ModuleType) -> Flask:
    """The application that a module is most likely about.

    It is ``app`` or ``application``, else the only `Flask` object there is, else
    what ``create_app()`` or ``make_app()`` returns.

    :raises NoAppException: if there is none, or more than one.
    """
    from .app import Flask

    for name in ("app", "application"):
        candidate = getattr(module, name, None)
        if isinstance(candidate, Flask):
            return candidate

    apps = [value for value in vars(module).values() if isinstance(value, Flask)]
    if len(apps) == 1:
        return apps[0]
    if apps:
        raise NoAppException(
            f"Detected multiple Flask applications in module '{module.__name__}'."
            f" Use '{module.__name__}:name' to specify the correct one."
        )

    made: list[object] = []
    for name in ("create_app", "make_app"):
        factory = getattr(module, name, None)
        if not inspect.isfunction(factory):
            continue
        try:
            candidate = factory()
        except TypeError as error:
            if not _rejected_arguments(factory, error):
                raise
            raise NoAppException(
                f"Detected factory '{name}' in module '{module.__name__}', but could not call it without"
                f" arguments. Use '{module.__name__}:{name}(args)' to specify arguments."
            ) from error
        if isinstance(candidate, Flask):
            return candidate
        made.append(candidate)

    message = (
        f"Failed to find Flask application or factory in module '{module.__name__}'."
        f" Use '{module.__name__}:name' to specify one."
    )
    if any(_is_real_flask(value) for value in (*vars(module).values(), *made)):
        message += f" There is one made with 'flask': {_USE_ASYNCFLASK}."
    raise NoAppException(message)


def _rejected_arguments(func: Callable[..., Any], error: TypeError) -> bool:
    """Whether the call itself failed, rather than something in the function."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is func.__code__:
            return False
        trace = trace.tb_next
    return True


def _is_real_flask(value: object) -> bool:
    return any(cls.__module__ == "flask.app" and cls.__name__ == "Flask" for cls in type(value).__mro__)


def find_app_by_string(module: ModuleType, app_name: str) -> Flask:
    """The application that an expression names in a module.

    :param app_name: a variable, or a factory with or without literal arguments:
        ``app``, ``create_app``, ``create_app("test", debug=True)``.
    :raises NoAppException: if it is no such expression, or gives no application.
    """
    from .app import Flask

    try:
        expression = ast.parse(app_name.strip(), mode="eval").body
    except SyntaxError:
        expression = None

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if isinstance(expression, ast.Call):
        if not isinstance(expression.func, ast.Name):
            raise NoAppException(f"Function reference must be a simple name: {app_name!r}.")
        name = expression.func.id
        try:
            args = [ast.literal_eval(arg) for arg in expression.args]
            kwargs = {kw.arg: ast.literal_eval(kw.value) for kw in expression.keywords if kw.arg is not None}
        except ValueError:
            raise NoAppException(f"Failed to parse arguments as literal values: {app_name!r}.") from None
    elif isinstance(expression, ast.Name):
        name = expression.id
    else:
        raise NoAppException(f"Failed to parse {app_name!r} as an attribute name or function call.")

    try:
        found = getattr(module, name)
    except AttributeError as error:
        raise NoAppException(f"Failed to find attribute {name!r} in {module.__name__!r}.") from error

    if inspect.isfunction(found):
        try:
            app = found(*args, **kwargs)
        except TypeError as error:
            if not _rejected_arguments(found, error):
                raise
            raise NoAppException(
                f"The factory {app_name!r} in module {module.__name__!r} could not be called with the"
                " specified arguments."
            ) from error
    else:
        app = found

    if isinstance(app, Flask):
        return app
    message = f"A valid Flask application was not obtained from '{module.__name__}:{app_name}'."
    if _is_real_flask(app):
        message += f" It is made with 'flask': {_USE_ASYNCFLASK}."
    raise NoAppException(message)


def prepare_import(path: str) -> str:
    """Make a file importable, and return the name to import it by.

    The folder that holds the outermost package of the file (or the file itself,
    if that is in no package) is put first on ``sys.path``.

    :param path: path of a module or package, with or without ``.py``; a dotted name
        is relative to the current folder.
    """
    path = os.path.realpath(path)
    stem, extension = os.path.splitext(path)
    if extension == ".py":
        path = stem
    if os.path.basename(path) == "__init__":
        path = os.path.dirname(path)

    folder, name = os.path.split(path)
    names = [name]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        names.insert(0, name)

    if sys.path[0] != folder:
        sys.path.insert(0, folder)
    return ".".join(names)


@overload
def locate_app(module_name: str, app_name: str | None, raise_if_not_found: Literal[True] = True) -> Flask: ...


@overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: Literal[False] = ...
) -> Flask | None: ...


def locate_app(module_name: str, app_name: str | None, raise_if_not_found: bool = True) -> Flask | None:
    """Import a module and find the application in it.

    :param app_name: for `find_app_by_string`; None for `find_best_app`.
    :param raise_if_not_found: if false, None is returned for a module that does not exist.
    :raises NoAppException: also for a module that raises ImportError itself.
    """
    try:
        __import__(module_name)
    except ImportError as error:
        # An error of the import system itself has no frame below this one.
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise NoAppException(
                f"While importing {module_name!r}, an ImportError was raised:\n\n{traceback.format_exc()}"
            ) from None
        if raise_if_not_found:
            raise NoAppException(f"Could not import {module_name!r}.") from None
        return None

    module = sys.modules[module_name]
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)


class ScriptInfo:
    """What a command line knows of its application; click passes it on as ``ctx.obj``.

    :param app_import_path: where the application is: ``module:name``.
    :param create_app: instead, a function that returns the application.
    :param set_debug_flag: set ``app.debug`` from ``FLASK_DEBUG`` when the application is loaded.
    :param load_dotenv_defaults: whether ``.env`` and ``.flaskenv`` are to be read
        (``FLASK_SKIP_DOTENV`` has the last word). Nothing is read here.
    """

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: Callable[..., Flask] | None = None,
        set_debug_flag: bool = True,
        load_dotenv_defaults: bool = True,
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        #: For anything that commands want to share.
        self.data: dict[Any, Any] = {}
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self._loaded_app: Flask | None = None

    def load_app(self) -> Flask:
        """The application, loaded at the first call.

        Without an import path, the files ``wsgi.py``, ``app.py`` and ``asgi.py`` of the
        current folder are tried in this order.

        :raises NoAppException: if there is none.
        """
        if self._loaded_app is None:
            app = self._find_app()
            if self.set_debug_flag:
                app.debug = get_debug_flag()
            self._loaded_app = app
        return self._loaded_app

    def _find_app(self) -> Flask:
        if self.create_app is not None:
            app: Flask | None = self.create_app()
        elif self.app_import_path:
            # The colon of a Windows drive is followed by a slash.
            path, *name = re.split(r":(?![\\/])", self.app_import_path, maxsplit=1)
            app = locate_app(prepare_import(path), name[0] if name else None)
        else:
            for path in ("wsgi.py", "app.py", "asgi.py"):
                app = locate_app(prepare_import(path), None, raise_if_not_found=False)
                if app is not None:
                    break
        if app is None:
            raise NoAppException(
                "Could not locate a Flask application. Use the 'asyncflask --app' option, the 'FLASK_APP'"
                " environment variable, or a file 'wsgi.py', 'app.py' or 'asgi.py' in the current directory."
            )
        return app


pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)


# --- Commands of applications ---


def with_appcontext(f: F) -> F:
    """Run a command's function in the context of the application.

    Commands of ``app.cli`` and ``blueprint.cli`` need no decorator for that.
    The function may be ``async def``; it is run with ``app.ensure_sync``.
    """

    @click.pass_context
    def command(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        if not current_app:
            ctx.with_resource(ctx.ensure_object(ScriptInfo).load_app().app_context())
        return _invoke(ctx, f, *args, **kwargs)

    return cast(F, update_wrapper(command, f))


def _without_appcontext(f: F) -> F:
    """Let a function be ``async def`` without asking for an application."""

    @click.pass_context
    def command(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        return _invoke(ctx, f, *args, **kwargs)

    return cast(F, update_wrapper(command, f))


def _invoke(ctx: click.Context, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = ctx.invoke(f, *args, **kwargs)
    # Not the function is asked whether it is async: one in between (`click.pass_context`) is not.
    if not inspect.isawaitable(result):
        return result
    if current_app:
        return current_app.ensure_sync(_within)(ctx, result)
    return asyncio.run(_within(ctx, result))


async def _within(ctx: click.Context, awaitable: Awaitable[T]) -> T:
    # click keeps the current context for each thread, and this may be another one.
    with ctx.scope(cleanup=False):
        return await awaitable


class AppGroup(click.Group):
    """A group whose commands run in the context of the application, and may be ``async def``."""

    def command(self, *args: Any, **kwargs: Any) -> Any:
        """As `click.Group.command`.

        :param with_appcontext: False for a command that wants no application.
        """
        wrap = with_appcontext if kwargs.pop("with_appcontext", True) else _without_appcontext
        return self._decorate(super().command, wrap, args, kwargs)

    def group(self, *args: Any, **kwargs: Any) -> Any:
        """As `click.Group.group`, but the new group is an `AppGroup`, too."""
        kwargs.setdefault("cls", AppGroup)
        return self._decorate(super().group, _without_appcontext, args, kwargs)

    @staticmethod
    def _decorate(
        method: Callable[..., Any], wrap: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if args and callable(args[0]):  # without parentheses
            return method(**kwargs)(wrap(args[0]))
        return lambda f: method(*args, **kwargs)(wrap(f))


# --- Options ---


def get_version(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Print the versions that a bug report needs (the callback of ``--version``)."""
    if not value or ctx.resilient_parsing:
        return
    lines = [f"Python {platform.python_version()}", f"asyncflask {_own_version}"]
    for name in ("Flask", "Starlette", "uvicorn", "Werkzeug"):
        try:
            lines.append(f"{name} {importlib.metadata.version(name.lower())}")
        except importlib.metadata.PackageNotFoundError:
            continue
        if sys.modules.get(name.lower()) is sys.modules[__package__]:
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
            importlib.import_module(f"{__package__}.as_flask")
        except RuntimeError as error:
            raise click.UsageError(str(error), ctx) from error


def _load_env_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _has_dotenv():
        raise click.BadParameter("python-dotenv must be installed to load an env file.", ctx=ctx, param=param)
    if isinstance(ctx.command, FlaskGroup):
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
        import dotenv  # noqa: F401
    except ImportError:
        return False
    return True


# Eager options are processed first, and in this order: the files may set FLASK_APP, and --help lists the
# commands of the application.
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
            _env_file_option,
            _as_flask_option,
            _app_option,
            _debug_option,
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
            for option in (_env_file_option, _as_flask_option, _app_option):
                option.handle_parse_result(ctx, {}, [])
        try:
            return super().parse_args(ctx, args)
        except BaseException:
            # click closes the context of what it invokes. Help ends before that, with an app context pushed.
            ctx.close()
            raise


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
        import dotenv
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


def show_server_banner(debug: bool, app_import_path: str | None) -> None:
    """Print what is served, and whether in debug mode; not again in the reloader's child."""
    from .reloader import is_running_from_reloader

    if is_running_from_reloader():
        return
    if app_import_path is not None:
        click.echo(f" * Serving Flask app '{app_import_path}'")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")


def warn_ignored_run() -> None:
    """Say that an ``app.run()`` met while the command line imports the application does nothing."""
    from .reloader import is_running_from_reloader

    if not is_running_from_reloader():
        click.secho(
            " * Ignoring a call to 'app.run()' that would block the current 'asyncflask' CLI command.\n"
            "   Only call 'app.run()' in an 'if __name__ == \"__main__\"' guard.",
            fg="red",
        )


class CertParamType(click.ParamType):  # type: ignore[type-arg]
    """The value of ``--cert``: a file, ``adhoc``, or the import name of an `ssl.SSLContext`."""

    name = "path"

    def __init__(self) -> None:
        self.path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            import ssl
        except ImportError:
            raise click.BadParameter(
                'Using "--cert" requires Python to be compiled with SSL support.', ctx, param
            ) from None

        try:
            return self.path_type(value, param, ctx)
        except click.BadParameter:
            name = click.STRING(value, param, ctx)
            if name.lower() == "adhoc":
                try:
                    importlib.import_module("cryptography")
                except ImportError:
                    raise click.BadParameter(
                        "Using ad-hoc certificates requires the cryptography library.", ctx, param
                    ) from None
                return "adhoc"
            context = import_string(name, silent=True)
            if isinstance(context, ssl.SSLContext):
                return context
            raise


def _validate_key(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Join ``--key`` to ``--cert``, which needs one exactly if it is a file."""
    cert = ctx.params.get("cert")
    if value is None:
        if isinstance(cert, str) and cert != "adhoc":
            raise click.BadParameter('Required when using "--cert".', ctx, param)
        return None
    if not cert:
        raise click.BadParameter('"--cert" must also be specified.', ctx, param)
    if cert == "adhoc":
        raise click.BadParameter('When "--cert" is "adhoc", "--key" is not used.', ctx, param)
    if not isinstance(cert, str):
        raise click.BadParameter('When "--cert" is an SSLContext object, "--key" is not used.', ctx, param)
    ctx.params["cert"] = cert, value
    return value


class SeparatedPathType(click.Path):
    """Several paths, separated as in ``PATH``: by ``:``, on Windows by ``;``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        convert = super().convert
        return [convert(item, param, ctx) for item in self.split_envvar_value(value)]


# --- The default commands ---


@click.command("run", short_help="Run a development server.")
@click.option("--host", "-h", default="127.0.0.1", help="The interface to bind to.")
@click.option("--port", "-p", type=click.IntRange(0, 65535), default=5000, help="The port to bind to.")
@click.option(
    "--cert",
    type=CertParamType(),
    help="A certificate file, to serve HTTPS.",
    is_eager=True,
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    callback=_validate_key,
    expose_value=False,
    help="The key file that goes with the certificate.",
)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Start again when a source file changes. The default is the debug mode.",
)
@click.option(
    "--debugger/--no-debugger",
    default=None,
    help="Show unhandled errors in the browser. The default is the debug mode.",
)
@click.option(
    "--with-threads/--without-threads",
    default=True,
    help="Accepted for compatibility: sync views always run in threads.",
)
@click.option(
    "--extra-files",
    default=None,
    type=SeparatedPathType(),
    help=f"More files, or folders, whose change reloads. Paths are separated by {os.path.pathsep!r}.",
)
@click.option(
    "--exclude-patterns",
    default=None,
    type=SeparatedPathType(),
    help=f"fnmatch patterns of paths whose change does not reload, separated by {os.path.pathsep!r}.",
)
@pass_script_info
def run_command(
    info: ScriptInfo,
    host: str,
    port: int,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: ssl.SSLContext | tuple[str, str] | Literal["adhoc"] | None,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
) -> None:
    """Run a development server.

    It reloads on changes and shows errors if debug mode is on ('--debug').
    In production, use an ASGI server: 'uvicorn module:app --workers 4'.
    """
    from . import serving
    from .debug.startup import reported

    with reported():
        app = info.load_app()
    debug = get_debug_flag()
    show_server_banner(debug, info.app_import_path)
    serving.run(
        app,
        host,
        port,
        use_reloader=debug if reload is None else reload,
        use_debugger=debug if debugger is None else debugger,
        threaded=with_threads,
        ssl_context=cert,
        extra_files=extra_files,
        exclude_patterns=exclude_patterns,
    )


@click.command("shell", short_help="Run a shell in the app context.")
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python shell in the context of the application.

    It knows the names that 'app.make_shell_context()' gives.
    """
    import code

    banner = (
        f"Python {sys.version} on {sys.platform}\n"
        f"App: {current_app.import_name}\n"
        f"Instance: {current_app.instance_path}"
    )
    names: dict[str, Any] = {}

    startup = os.environ.get("PYTHONSTARTUP")
    if startup and os.path.isfile(startup):
        with open(startup) as file:
            exec(compile(file.read(), startup, "exec"), names)

    names.update(current_app.make_shell_context())

    # What Python does before its own prompt; by default it sets up readline.
    interactive_hook = getattr(sys, "__interactivehook__", None)
    if interactive_hook is not None:
        try:
            import readline
            from rlcompleter import Completer
        except ImportError:
            pass
        else:
            readline.set_completer(Completer(names).complete)
        interactive_hook()

    code.interact(banner=banner, local=names)


@click.command("routes", short_help="Show the routes for the app.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(("endpoint", "methods", "domain", "rule", "match")),
    default="endpoint",
    help="What to sort by; 'match' is the order in which rules are matched with a request.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS methods.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all registered routes with endpoints and methods."""
    url_map = current_app.url_map
    hidden = set() if all_methods else {"HEAD", "OPTIONS"}
    columns = ["endpoint", "methods", "domain", "rule"]
    rows = [
        {
            "endpoint": rule.endpoint,
            "methods": ", ".join(sorted((rule.methods or set()) - hidden)),
            "domain": (rule.host if url_map.host_matching else rule.subdomain) or "",
            "rule": rule.rule,
        }
        for rule in url_map.iter_rules()
    ]
    if not rows:
        click.echo("No routes were registered.")
        return
    if not any(row["domain"] for row in rows):
        columns.remove("domain")
    if sort in columns:
        rows.sort(key=lambda row: row[sort])

    titles = {name: name.title() for name in columns}
    if "domain" in titles:
        titles["domain"] = "Host" if url_map.host_matching else "Subdomain"
    widths = {name: max(len(row[name]) for row in (titles, *rows)) for name in columns}
    lines = {name: "-" * width for name, width in widths.items()}
    for row in (titles, lines, *rows):
        click.echo("  ".join(f"{row[name]:<{width}}" for name, width in widths.items()))


# Flask takes these before the command only (and --debug after 'run').
for _command in (run_command, shell_command, routes_command):
    _command.params[:0] = [_env_file_option, _as_flask_option, _app_option, _debug_option]

cli = FlaskGroup(
    name="asyncflask",
    help="""\
The command line of asyncflask applications.

The application is given with the '--app' option, before or after the command, with
the 'FLASK_APP' environment variable, or by a file 'wsgi.py', 'app.py' or
'asgi.py' in the current folder.
""",
)

cli.add_command(check_command)


def main() -> None:
    """Run the command line of this process."""
    cli.main()


if "ASYNCFLASK_RELOADER_PID" in os.environ:
    from .terminal import quiet_interrupt

    quiet_interrupt()
