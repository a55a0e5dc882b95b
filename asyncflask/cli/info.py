"""What a command line knows of its application."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from ..app import Flask
from ..helpers import get_debug_flag, get_load_dotenv
from .locate import NoAppException, locate_app, prepare_import


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
