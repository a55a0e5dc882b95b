"""Running commands of an application without a terminal."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner, Result

from ..app import Flask
from ..cli import ScriptInfo


class FlaskCliRunner(CliRunner):
    """Runs an application's CLI commands.

    :param app: the application.
    :param kwargs: as for click's `CliRunner`.
    """

    def __init__(self, app: Flask, **kwargs: Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(self, cli: Any = None, args: Any = None, **kwargs: Any) -> Result:  # type: ignore[override]
        """Run a command.

        :param cli: the command; the application's `Flask.cli` group unless given.
        :param args: its arguments, a list or a string.
        :param kwargs: as for click's runner. Without ``obj`` commands find this application.
        """
        if cli is None:
            cli = self.app.cli
        if "obj" not in kwargs:
            kwargs["obj"] = ScriptInfo(create_app=lambda: self.app)
        return super().invoke(cli, args, **kwargs)
