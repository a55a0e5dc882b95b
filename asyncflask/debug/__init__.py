"""What a developer sees when an application under debug fails: see :mod:`asyncflask.debug.traceback_page`."""

from __future__ import annotations

from .traceback_page import render_plain, render_traceback

__all__ = ["render_plain", "render_traceback"]
