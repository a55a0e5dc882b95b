"""What a developer sees when an application under debug fails.

`Report` writes an exception as a page (`traceback_page`) or text (`traceback_text`), with what `raised`,
`values`, `request` and `hints` have collected. `console` is what can be typed into the page, `access` and
`pin` say by whom. `watchdog` looks out for what holds the event loop up, `startup` reports why an application
did not start, and `folding` keeps the framework's frames off the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .report import Report


def render_traceback(error: BaseException, scope: Mapping[str, Any]) -> str:
    """Write an exception as a self-contained HTML page.

    The page has the exception with everything it came from (``__cause__``, ``__context__``, notes, the
    members of exception groups), newest first; for each the frames with their source and, if they are the
    application's, their local variables; the traceback as text to copy; and the request.  It can be read
    without its script, needs no other file, and follows the reader's choice of a light or dark colour scheme.

    :param error: the exception, with its traceback.
    :param scope: the ASGI HTTP connection scope of the request that failed; keys it does not have are left
        out of the page.  Values that carry secrets (passwords, tokens, keys, cookies) are not shown.
    :return: the page, bounded in size, always encodable as UTF-8.  Never raises an :exc:`Exception`: what
        cannot be shown is replaced by a text that says so.
    """
    return Report(error, scope).html()


def render_plain(error: BaseException) -> str:
    """Write an exception as plain text, for a client that does not ask for HTML.

    The text has the form of Python's own traceback, oldest exception first.  It is bounded in size, and
    control characters are written as escapes, because a terminal would obey them.

    :param error: the exception, with its traceback.
    :return: the text, ending in a newline, always encodable as UTF-8.  Never raises an :exc:`Exception`.
    """
    return Report(error, {}).plain()


__all__ = ["Report", "render_plain", "render_traceback"]
