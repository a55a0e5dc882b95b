"""``asyncflask run``: the development server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import click

from ..debug.startup import reported
from ..helpers import get_debug_flag
from .certificates import CertParamType, _validate_key
from .info import ScriptInfo, pass_script_info
from .options import also_with_application_options

if TYPE_CHECKING:
    import ssl  # which Python may have been built without


class SeparatedPathType(click.Path):
    """Several paths, separated as in ``PATH``: by ``:``, on Windows by ``;``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        convert = super().convert
        return [convert(item, param, ctx) for item in self.split_envvar_value(value)]


@also_with_application_options
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
    from .. import (
        cli,  # where programs that want no banner set another
        serving,  # uvicorn, which the other commands do without
    )

    with reported():
        app = info.load_app()
    debug = get_debug_flag()
    cli.show_server_banner(debug, info.app_import_path)
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
