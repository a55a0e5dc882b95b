"""The greenlets of `bridge`, apart from it so that they are imported when they are first needed."""

from __future__ import annotations

from greenlet import getcurrent as getcurrent
from greenlet import greenlet


class Bridged(greenlet):
    """A greenlet that steps a coroutine."""
