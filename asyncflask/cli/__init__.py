"""The command line: ``asyncflask run``, ``routes``, ``shell``, and the commands of applications.

The names are those of ``flask.cli`` (https://flask.palletsprojects.com/en/stable/cli/). Beyond what Flask
has, commands may be ``async def``, and ``--app``, ``--env-file``, ``--as-flask`` and ``--debug`` may follow
the command.

`locate` finds the application, and `info` carries it through a command line. `app_group` makes commands that
run in its context. `flask_group` puts together the default commands (`run`, `shell`, `routes`), those of
plugins, and the application's own; `options` are what they have in common, and `dotenv` reads the files that
one of these names.
"""

from __future__ import annotations

import os

# These are not used here, but Flask's module has them, and applications import them from there.
import click as click
from click.core import ParameterSource as ParameterSource
from werkzeug.utils import import_string as import_string

from ..check import check_command
from ..globals import current_app as current_app
from ..helpers import get_debug_flag as get_debug_flag
from ..helpers import get_load_dotenv as get_load_dotenv
from .app_group import AppGroup as AppGroup
from .app_group import F as F
from .app_group import with_appcontext as with_appcontext
from .banner import show_server_banner as show_server_banner
from .banner import warn_ignored_run as warn_ignored_run
from .certificates import CertParamType as CertParamType
from .certificates import _validate_key as _validate_key
from .dotenv import load_dotenv as load_dotenv
from .flask_group import FlaskGroup as FlaskGroup
from .info import ScriptInfo as ScriptInfo
from .info import pass_script_info as pass_script_info
from .locate import NoAppException as NoAppException
from .locate import find_app_by_string as find_app_by_string
from .locate import find_best_app as find_best_app
from .locate import locate_app as locate_app
from .locate import prepare_import as prepare_import
from .options import _app_option as _app_option
from .options import _debug_option as _debug_option
from .options import _env_file_option as _env_file_option
from .options import _set_app as _set_app
from .options import _set_debug as _set_debug
from .options import get_version as get_version
from .options import version_option as version_option
from .routes import routes_command as routes_command
from .run import SeparatedPathType as SeparatedPathType
from .run import run_command as run_command
from .shell import shell_command as shell_command

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
    from ..serving.terminal import quiet_interrupt

    quiet_interrupt()
