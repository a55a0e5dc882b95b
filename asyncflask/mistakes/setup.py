"""What is looked at before the first request."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..protocols import Application

_NO_ASYNCIO = (
    "asyncflask runs on asyncio, and there is no event loop of asyncio here. With hypercorn leave out"
    " '-k trio' ('--worker-class trio'); with anyio in tests choose its backend 'asyncio'."
)


def check_setup(app: Application) -> None:
    """Warn about what will not work.

    :raises RuntimeError: on an event loop that is not one of asyncio.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(_NO_ASYNCIO) from None
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
