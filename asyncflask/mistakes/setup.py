"""What is looked at before the first request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..protocols import Application


def check_setup(app: Application) -> None:
    """Warn about what will not work."""
    flask = sys.modules.get("flask")
    if flask is not None and flask.__name__ == "flask":  # not an alias
        from .flask_beside import warning  # Flask itself

        text = warning(app)
        if text:
            app.logger.warning(text)


def check_rules(app: Application) -> None:
    """In debug mode: warn about rules that are likely not meant."""
    from .rules import warnings  # debug mode

    for text in warnings(app):
        app.logger.warning(text)
