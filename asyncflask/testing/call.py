"""Calling an application in the place of a server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ..app import Flask
from ..concurrency.waiting import Wait
from ..concurrency.worker import Worker
from ..typing import Receive, Scope, Send


def prepare_call(
    app: Flask, loop: asyncio.AbstractEventLoop | None, scope: Scope, receive: Receive, send: Send
) -> Wait:
    """A call that is yet to be started. The thread that serves it runs the application's sync callables.

    :param loop: where it runs; None for the loop in the background.
    """
    return Wait(cast(Any, app)(scope, receive, send), None, Worker(), loop)
