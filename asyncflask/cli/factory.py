"""The application of the command line, in each process of several."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click
from uvicorn.config import STARTUP_FAILURE

from .info import ScriptInfo


def load_app() -> Any:
    """The application that ``FLASK_APP`` names; without one the process ends."""
    try:
        return ScriptInfo(os.environ.get("FLASK_APP")).load_app()
    except Exception as error:
        if isinstance(error, click.ClickException):
            error.show()
        else:
            traceback.print_exc()
        sys.exit(STARTUP_FAILURE)  # another process would fail as well
