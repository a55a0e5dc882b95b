"""Flask's API on ASGI."""

from __future__ import annotations

import os as _os
import sys as _sys
import typing as _t

from . import json as json
from .app import Flask as Flask
from .blueprints import Blueprint as Blueprint
from .config import Config as Config
from .ctx import after_this_request as after_this_request
from .ctx import copy_current_request_context as copy_current_request_context
from .ctx import copy_current_websocket_context as copy_current_websocket_context
from .ctx import has_app_context as has_app_context
from .ctx import has_request_context as has_request_context
from .ctx import has_websocket_context as has_websocket_context
from .globals import current_app as current_app
from .globals import g as g
from .globals import request as request
from .globals import session as session
from .globals import websocket as websocket
from .helpers import abort as abort
from .helpers import flash as flash
from .helpers import get_as_flask as _get_as_flask
from .helpers import get_flashed_messages as get_flashed_messages
from .helpers import get_template_attribute as get_template_attribute
from .helpers import make_response as make_response
from .helpers import redirect as redirect
from .helpers import send_file as send_file
from .helpers import send_from_directory as send_from_directory
from .helpers import stream_with_context as stream_with_context
from .helpers import url_for as url_for
from .json import jsonify as jsonify
from .lazy import importing as _importing
from .signals import appcontext_popped as appcontext_popped
from .signals import appcontext_pushed as appcontext_pushed
from .signals import appcontext_tearing_down as appcontext_tearing_down
from .signals import before_render_template as before_render_template
from .signals import got_request_exception as got_request_exception
from .signals import message_flashed as message_flashed
from .signals import request_finished as request_finished
from .signals import request_started as request_started
from .signals import request_tearing_down as request_tearing_down
from .signals import template_rendered as template_rendered
from .version import VERSION as _version
from .websocket import Websocket as Websocket
from .websocket import WebsocketDisconnect as WebsocketDisconnect
from .wrappers import Request as Request
from .wrappers import Response as Response

__version__ = _version

if _t.TYPE_CHECKING:
    from . import cli as cli
    from . import sansio as sansio
    from . import templating as templating
    from .templating import render_template as render_template
    from .templating import render_template_async as render_template_async
    from .templating import render_template_string as render_template_string
    from .templating import stream_template as stream_template
    from .templating import stream_template_string as stream_template_string

# Imported when they are asked for, which is when the application's module is imported.
_LAZY_NAMES = {
    "cli": "asyncflask.cli",
    "sansio": "asyncflask.sansio",
    "templating": "asyncflask.templating",
    "render_template": "asyncflask.templating:render_template",
    "render_template_async": "asyncflask.templating:render_template_async",
    "render_template_string": "asyncflask.templating:render_template_string",
    "stream_template": "asyncflask.templating:stream_template",
    "stream_template_string": "asyncflask.templating:stream_template_string",
}

_OLD_NAMES = {
    "Markup",
    "_app_ctx_stack",
    "_request_ctx_stack",
    "escape",
    "safe_join",
    "secure_filename",
    "signals_available",
}

if not _t.TYPE_CHECKING:  # for a type checker there are no such names
    _get_lazily = _importing(__name__, _LAZY_NAMES)

    def __getattr__(name):
        if name in _OLD_NAMES:
            from .legacy import module_name  # old names

            return module_name(__name__, name)
        return _get_lazily(name)

    def __dir__():
        return sorted({*vars(_sys.modules[__name__]), *_LAZY_NAMES})

    # For `from asyncflask import *`, which would leave out what has not been imported yet.
    __all__ = [name for name in __dir__() if not name.startswith("_")]


if _os.environ.get("ASYNCFLASK_DEBUG_STARTUP"):  # this is the reloader's child
    from .debug.startup import report_startup as _report_startup

    _report_startup()

if _get_as_flask():
    from . import as_flask as as_flask
