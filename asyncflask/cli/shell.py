"""``asyncflask shell``: a Python prompt in the context of the application."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..globals import current_app
from .app_group import with_appcontext
from .options import also_with_application_options


@also_with_application_options
@click.command("shell", short_help="Run a shell in the app context.")
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python shell in the context of the application.

    It knows the names that 'app.make_shell_context()' gives.
    """
    import code  # this command only

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
            import readline  # optional
            from rlcompleter import Completer  # optional, as above
        except ImportError:
            pass
        else:
            readline.set_completer(Completer(names).complete)
        interactive_hook()

    code.interact(banner=banner, local=names)
