"""What is said before the server starts."""

from __future__ import annotations

import click


def show_server_banner(debug: bool, app_import_path: str | None) -> None:
    """Print what is served, and whether in debug mode; not again in the reloader's child."""
    from ..serving.reloader import is_running_from_reloader  # uvicorn, which other commands do without

    if is_running_from_reloader():
        return
    if app_import_path is not None:
        click.echo(f" * Serving Flask app '{app_import_path}'")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")


def warn_ignored_run() -> None:
    """Say that an ``app.run()`` met while the command line imports the application does nothing."""
    from ..serving.reloader import is_running_from_reloader  # uvicorn, as above

    if not is_running_from_reloader():
        click.secho(
            " * Ignoring a call to 'app.run()' that would block the current 'asyncflask' CLI command.\n"
            "   Only call 'app.run()' in an 'if __name__ == \"__main__\"' guard.",
            fg="red",
        )
