"""``flask.sansio.app``, which is `asyncflask.app`."""

from __future__ import annotations

from ..app import App
from ..config import Config, ConfigAttribute
from ..ctx import _AppCtxGlobals
from ..helpers import get_debug_flag
from ..json.provider import DefaultJSONProvider, JSONProvider
from ..logging import create_logger
from ..scaffold import Scaffold, _endpoint_from_view_func, find_package, setupmethod
from ..templating import DispatchingJinjaLoader, Environment

__all__ = [
    "App",
    "Config",
    "ConfigAttribute",
    "DefaultJSONProvider",
    "DispatchingJinjaLoader",
    "Environment",
    "JSONProvider",
    "Scaffold",
    "_AppCtxGlobals",
    "_endpoint_from_view_func",
    "create_logger",
    "find_package",
    "get_debug_flag",
    "setupmethod",
]
