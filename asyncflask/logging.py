"""The application's logger, set up so that messages are seen if nobody configured logging."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

from werkzeug.local import LocalProxy

from .globals import request

if TYPE_CHECKING:
    from .protocols import Application


def _errors_stream() -> TextIO:
    if request:
        stream: TextIO | None = request.environ.get("wsgi.errors")
        if stream is not None:
            return stream
    return sys.stderr


#: Stands for the stream that errors go to at the moment: ``wsgi.errors`` of the current request if it
#: has one, otherwise `sys.stderr`. In a `logging.config.dictConfig` it is
#: ``ext://asyncflask.logging.wsgi_errors_stream``.
wsgi_errors_stream: TextIO = cast(TextIO, LocalProxy(_errors_stream))

#: Writes to `wsgi_errors_stream`. Remove it from the logger if you want other handlers only.
default_handler: logging.StreamHandler[TextIO] = logging.StreamHandler(wsgi_errors_stream)
default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))


def has_level_handler(logger: logging.Logger) -> bool:
    """Whether a handler, of this logger or of one that it propagates to, takes messages of the logger's
    effective level."""
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(app: Application) -> logging.Logger:
    """The logger that is named after the app, as ``app.logger`` gives it.

    In debug mode its level becomes ``DEBUG``, unless it has one. If none of the
    handlers there are would take its messages it gets `default_handler`.
    """
    logger = logging.getLogger(app.name)
    if app.debug and not logger.level:
        logger.setLevel(logging.DEBUG)
    if not has_level_handler(logger):
        logger.addHandler(default_handler)
    return logger
