"""``asyncflask shell``: a Python prompt in the context of the application."""

from __future__ import annotations

import ast
import code
import importlib.util
import inspect
import os
import sys
import types
from typing import Any

import click

from ..globals import current_app
from .app_group import with_appcontext
from .options import also_with_application_options


@also_with_application_options
@click.command("shell", short_help="Run a shell in the app context.")
@click.option(
    "--plain",
    is_flag=True,
    help="Use Python's own prompt, also where IPython is installed.",
    show_envvar=True,
)
@with_appcontext
def shell_command(plain: bool) -> None:
    """Run an interactive Python shell in the context of the application.

    It knows the names that 'app.make_shell_context()' gives. 'await' works at the
    prompt, in the event loop that 'async def' commands run in. Where IPython is
    installed, it is the prompt on a terminal.
    """
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
    if not plain and sys.stdin.isatty() and importlib.util.find_spec("IPython") is not None:
        _ipython(banner, names)
        return

    # What Python does before its own prompt; by default it sets up readline.
    interactive_hook = getattr(sys, "__interactivehook__", None)
    if interactive_hook is not None:
        try:
            import readline  # optional
            from rlcompleter import Completer  # optional, as above
        except ImportError:
            pass
        else:
            readline.set_completer(Completer(names).complete)
        interactive_hook()

    AwaitingConsole(names).interact(banner, exitmsg="")


class AwaitingConsole(code.InteractiveConsole):
    """Python's prompt, where a line may have an ``await``: it is run in the context of the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: types.CodeType) -> None:
        """Run code; what it raises is printed."""
        if not code.co_flags & inspect.CO_COROUTINE:
            super().runcode(code)
            return
        function = types.FunctionType(code, self.locals)
        try:
            current_app.ensure_sync(_run)(function)
        except SystemExit:
            raise
        except BaseException as error:
            self._show(error)

    def _show(self, error: BaseException) -> None:
        """Print a traceback that begins with what was typed."""
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != self.filename:
            frames = frames.tb_next
        try:
            raise error.with_traceback(frames)
        except BaseException:
            self.showtraceback()


async def _run(function: Any) -> None:
    await function()


def _ipython(banner: str, names: dict[str, Any]) -> None:
    import IPython  # optional
    from IPython.terminal.ipapp import load_default_config  # optional, as above

    def run(coroutine: Any) -> Any:
        return current_app.ensure_sync(_value_of)(coroutine)

    config = load_default_config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    config.TerminalInteractiveShell.loop_runner = run
    IPython.start_ipython(argv=[], user_ns=names, config=config)


async def _value_of(coroutine: Any) -> Any:
    return await coroutine
