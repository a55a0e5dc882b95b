"""``asyncflask run``: the development server."""

from __future__ import annotations

import os
from functools import partial
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


#: With the default and the environment variable in the help.
_option = partial(click.option, show_default=True, show_envvar=True)


@also_with_application_options
@click.command("run", short_help="Run a development server.")
@_option("--host", "-h", default="127.0.0.1", help="The interface to bind to.")
@_option("--port", "-p", type=click.IntRange(0, 65535), default=5000, help="The port to bind to.")
@_option(
    "--uds",
    type=click.Path(dir_okay=False),
    help="Listen on a unix socket instead, for a proxy such as nginx; its forwarded headers are trusted.",
)
@_option(
    "--cert",
    type=CertParamType(),
    help="A certificate file, to serve HTTPS.",
    is_eager=True,
)
@_option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    callback=_validate_key,
    expose_value=False,
    help="The key file that goes with the certificate.",
)
@_option(
    "--reload/--no-reload",
    default=None,
    help="Start again when a source file changes. The default is the debug mode.",
)
@_option(
    "--debugger/--no-debugger",
    default=None,
    help="Show unhandled errors in the browser. The default is the debug mode.",
)
@_option(
    "--with-threads/--without-threads",
    default=True,
    show_default=False,
    help="Accepted for compatibility: sync views always run in threads.",
)
@_option(
    "--extra-files",
    default=None,
    type=SeparatedPathType(),
    help=f"More files, or folders, whose change reloads. Paths are separated by {os.path.pathsep!r}.",
)
@_option(
    "--exclude-patterns",
    default=None,
    type=SeparatedPathType(),
    help=f"fnmatch patterns of paths whose change does not reload, separated by {os.path.pathsep!r}.",
)
@click.option(
    "--workers",
    "-w",
    type=click.IntRange(1),
    default=None,
    help="Serve with so many processes, for production: without reloader and debugger.",
)
@pass_script_info
def run_command(
    info: ScriptInfo,
    host: str,
    port: int,
    uds: str | None,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: ssl.SSLContext | tuple[str, str] | Literal["adhoc"] | None,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
    workers: int | None,
) -> None:
    """Run a development server, or, with '--workers', one for production.

    It reloads on changes and shows errors if debug mode is on ('--debug').
    In production there are several processes: '--workers 4'. HUP replaces
    them without losing a request.
    """
    from .. import (
        cli,  # where programs that want no banner set another
        serving,  # uvicorn, which the other commands do without
    )

    options: dict[str, Any] = {}
    if uds is not None:
        # Who may connect is what the folder's permissions say, and there is no address to trust or not.
        host, options = f"unix://{uds}", {"proxy_headers": True, "forwarded_allow_ips": "*"}
    if workers is not None:
        _run_processes(info, host, port, workers, cert, reload or debugger or get_debug_flag(), options)
        return
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
        **options,
    )


def _run_processes(
    info: ScriptInfo,
    host: str,
    port: int,
    number: int,
    cert: Any,
    wants_development: bool,
    options: dict[str, Any],
) -> None:
    """Serve with several processes, each of which imports the application."""
    if wants_development:
        raise click.UsageError(
            "'--workers' is for production, without '--debug', '--reload' and '--debugger'."
        )
    if info.create_app is not None:
        raise click.UsageError(
            "'--workers' imports the application in each process: name it with '--app' or FLASK_APP."
        )
    if cert is not None and not isinstance(cert, tuple):
        raise click.UsageError("With '--workers' a certificate is a file: '--cert cert.pem --key key.pem'.")
    from ..serving.processes import run_processes

    if info.app_import_path is not None:
        os.environ["FLASK_APP"] = info.app_import_path
    settings = options | ({} if cert is None else {"ssl_certfile": cert[0], "ssl_keyfile": cert[1]})
    run_processes("asyncflask.cli.factory:load_app", number, host, port, settings)
