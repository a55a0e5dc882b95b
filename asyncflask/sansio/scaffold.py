"""``flask.sansio.scaffold``, which is `asyncflask.scaffold`."""

from __future__ import annotations

from ..helpers import get_root_path
from ..scaffold import Scaffold, _endpoint_from_view_func, _sentinel, find_package, setupmethod
from ..templating import _default_template_ctx_processor

__all__ = [
    "Scaffold",
    "_default_template_ctx_processor",
    "_endpoint_from_view_func",
    "_sentinel",
    "find_package",
    "get_root_path",
    "setupmethod",
]
