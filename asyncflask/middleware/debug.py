"""The outermost layer in debug mode: exceptions that nothing in the application has answered."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from functools import partial
from logging import getLogger
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..ctx import AppContext
from ..debug.access import may_use_console
from ..debug.aside import TimeIsUp, in_thread
from ..debug.endpoint import PATH, ConsoleEndpoint
from ..debug.folding import LOGGERS, FoldingFilter, remember
from ..debug.kept import KeptTraceback, KeptTracebacks
from ..debug.negotiation import HTML, PLAIN, form_for, send_document
from ..debug.pin import Pin, process_pin
from ..debug.report import Report
from ..debug.startup import report as report_startup_failure
from ..debug.watching import watched
from ..serving.terminal import say

if TYPE_CHECKING:
    from ..protocols import Application

#: Where the innermost layers leave the contexts of a request for this one.
CONTEXTS = "asyncflask.debug_contexts"

SECONDS = 10.0  # that writing a page may take, all of it


class DebugMiddleware:
    """Answer an unhandled exception with its traceback, then raise it on.

    The answer, with status 500, is the page of `asyncflask.debug.Report` for a client that asks for HTML, an
    object of JSON for one that asks for that, and plain text for any other. The exception is raised again in
    any case, so that the server logs it and a test client sees it. If the response had already started,
    nothing is sent: what the client has cannot be taken back.

    In the frames of the page code can be run, by a browser on this machine that knows the PIN, see
    `asyncflask.debug.access`. Beside that the event loop is watched (``DEBUG_SLOW_CALLBACK``), and
    tracebacks that a server logs are written without the frames of the framework.

    The page shows the source of the application: for development only.

    :param app: the ASGI application to watch.
    :param flask: the application that it belongs to; None for any, which then has neither consoles nor
        watchdog.
    """

    def __init__(self, app: ASGIApp, flask: Application | None = None) -> None:
        self.app = app
        self.flask = flask
        self.kept = KeptTracebacks()
        self.endpoint = ConsoleEndpoint(self.kept)
        self._folding = FoldingFilter()
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if self.endpoint.is_meant(scope) and self._has_consoles(scope):
            await self.endpoint(scope, receive, send)
            return

        response_started = False

        async def watched_send(message: Message) -> None:
            nonlocal response_started
            if message["type"] == "http.response.start":
                response_started = True
            await send(message)

        is_http = scope["type"] == "http"
        contexts: list[AppContext] = []
        scope[CONTEXTS] = contexts
        try:
            with watched(self.flask, scope):
                await self.app(scope, receive, watched_send if is_http else send)
        except Exception as error:
            report = Report(error, scope, self.flask, contexts[0] if contexts else None)
            try:
                await fold(report)
                if is_http and not response_started and self._has_page():
                    # The client may be gone (OSError since ASGI HTTP 2.4); the exception matters more.
                    with suppress(OSError):
                        await self._answer(report, scope, send)
            finally:
                del report  # whose exception refers to this frame
            raise
        finally:
            contexts.clear()  # they refer to the scope

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """From the server's start to its end."""
        is_served = "asyncflask.client" not in scope

        async def watched_send(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete" and is_served:
                self._announce()

        loggers = [getLogger(name) for name in LOGGERS]
        if self.flask is not None:
            loggers.append(self.flask.logger)
        for logger in loggers:
            logger.addFilter(self._folding)
        try:
            with watched(self.flask, scope):
                await self.app(scope, receive, watched_send)
        except Exception as error:
            report_startup_failure(error)
            raise
        finally:
            self.kept.clear()
            if self._timer is not None:
                self._timer.cancel()
            for logger in loggers:
                logger.removeFilter(self._folding)

    def _announce(self) -> None:
        """Tell the PIN, if there is something to unlock with it."""
        pin = self._pin()
        if pin is not None:
            say(f" * Debugger PIN: {pin.text}")

    def _has_page(self) -> bool:
        return self.flask is None or bool(self.flask.config["DEBUG_PAGE"])

    def _pin(self) -> Pin | None:
        """What unlocks consoles, None if the application is to have none."""
        if self.flask is None or not self._has_page() or not self.flask.config["DEBUG_CONSOLE"]:
            return None
        return process_pin()

    def _has_consoles(self, scope: Scope) -> bool:
        """Whether who sent a request may use consoles."""
        return "asyncflask.client" not in scope and may_use_console(scope) and self._pin() is not None

    async def _answer(self, report: Report, scope: Scope, send: Send) -> None:
        form = form_for(scope["headers"])
        nonce = secrets.token_urlsafe(16)
        options: dict[str, Any] = {"nonce": nonce} if form is HTML else {}
        kept = None
        if form is HTML and self._has_consoles(scope):
            kept = KeptTraceback(report.context)
            url = scope.get("root_path", "").rstrip("/") + PATH
            options.update(console_url=url, secret=kept.secret, namespaces=kept.namespaces)
        try:
            text = await in_thread(partial(getattr(report, form.name), **options), SECONDS)
        except (TimeIsUp, RuntimeError):  # or the system gives no more threads
            text, form = "The traceback took too long to write.\n", PLAIN
        else:
            if kept is not None:
                self.kept.add(kept)
                self._expire()
        await send_document(scope, send, form, text, nonce)

    def _expire(self) -> None:
        """Forget what is too old, now and when it will be."""
        seconds = self.kept.expire()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds + 1, self._expire)


def debug_layer(flask: Application, layers: ASGIApp) -> DebugMiddleware:
    """The layer around those of an application: always the same one, as it keeps tracebacks."""
    layer: DebugMiddleware | None = flask._debug_layer
    if layer is None or layer.app is not layers:
        layer = flask._debug_layer = DebugMiddleware(layers, flask)
    return layer


async def fold(report: Report) -> None:
    """Have the exception written with a short traceback by whoever logs it."""
    with suppress(TimeIsUp, RuntimeError):
        remember(report.error, await in_thread(report.terminal, SECONDS))
