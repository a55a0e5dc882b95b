"""Testing an application without a server.

The names are those of ``flask.testing``. `client` and `async_client` make requests, which `environ` makes up;
`exchange` is one of them with its response, `websocket` and `async_websocket` are websockets, `lifespan` is
the startup and the shutdown. All of these call the application as `call` does. `contexts` keeps what a
``with`` block looks at. `runner` runs commands.
"""

from __future__ import annotations

# These are not used here, but Flask's module has them, and applications import them from there.
from click.testing import CliRunner as CliRunner
from click.testing import Result as Result
from werkzeug.test import Client as Client
from werkzeug.wrappers import Request as BaseRequest  # noqa: F401

from ..cli import ScriptInfo as ScriptInfo
from ..sessions import SessionMixin as SessionMixin
from .async_client import AsyncFlaskClient
from .async_websocket import AsyncTestWebsocket
from .client import FlaskClient
from .environ import EnvironBuilder
from .runner import FlaskCliRunner
from .websocket import TestWebsocket, WebsocketClosed, WebsocketResponseError

__all__ = [
    "AsyncFlaskClient",
    "AsyncTestWebsocket",
    "EnvironBuilder",
    "FlaskCliRunner",
    "FlaskClient",
    "TestWebsocket",
    "WebsocketClosed",
    "WebsocketResponseError",
]
