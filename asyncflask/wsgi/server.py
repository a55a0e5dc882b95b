"""The application as what a WSGI server, or a WSGI middleware, calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from .. import observed
from ..concurrency.current import active_walk
from ..concurrency.loop_thread import background_loop, is_running_loop
from ..environ import scope_from_environ
from ..typing import ASGIApp, Scope
from .body import ResponseBody
from .call import Call
from .environ import EXCHANGE, Exchange, Start
from .input import StreamReader
from .startup import state_of

if TYPE_CHECKING:
    from ..protocols import Application


#: Where a request puts things of its own into its environ.
_REPLACED = ("wsgi.input", "wsgi.file_wrapper")


def respond(
    app: Application, asgi_call: ASGIApp, environ: dict[str, Any], start_response: Start
) -> Iterable[bytes]:
    """Call an application as PEP 3333 has it.

    The thread waits until the response has started. Sync functions of the application run in it, async ones
    on the loop of the server that the request came from, or, where that has none, on one in the background:
    there is one in each process.

    :param asgi_call: the application's own ``__call__``.
    """
    if is_running_loop():
        return _respond_elsewhere(app, asgi_call, environ, start_response)
    exchange: Exchange | None = environ.get(EXCHANGE)
    if exchange is not None:
        inner = exchange.app if exchange.flask is app else asgi_call
        scope = exchange.scope_of(environ)
        loop = exchange.loop
    else:
        inner = asgi_call
        scope = _scope(app, environ)
        loop = _loop()
    stream = environ.get("wsgi.input")
    if exchange is not None and stream is exchange.input:
        call = Call(loop, start_response, exchange.input.receive, None, exchange.afterwards)
    else:
        afterwards = None if exchange is None else exchange.afterwards
        call = Call(loop, start_response, None, StreamReader(environ), afterwards)
    own = {name: environ[name] for name in _REPLACED if name in environ}
    try:
        call.run(inner, scope, app.worker_pool, inner is not asgi_call or _begins_here(app))
    finally:
        environ.update(own)
    return ResponseBody(call)


def _scope(app: Application, environ: dict[str, Any]) -> Scope:
    scope = scope_from_environ(environ)
    if environ.get("HTTP_UPGRADE", "").lower() == "websocket":
        _say_that_there_are_no_websockets(app)
    state = state_of(app)
    if state is not None:
        scope["state"] = dict(state)
    return scope


def _say_that_there_are_no_websockets(app: Application) -> None:
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            app.logger.warning(
                "A client asked for a websocket, and the server speaks WSGI, which has no websockets: serve"
                " the application with an ASGI server, such as 'uvicorn module:app'."
            )
            return


def _loop() -> asyncio.AbstractEventLoop:
    outer = active_walk()
    if outer is not None and outer.loop is not None and outer.loop.is_running():
        loop: asyncio.AbstractEventLoop = outer.loop
        return loop
    return background_loop.loop


def _begins_here(app: Application) -> bool:
    """Whether nothing is around the application that wants an event loop. The first request finds that out,
    on one."""
    return app._direct_in is observed.setup and not app._middleware


def _respond_elsewhere(
    app: Application, asgi_call: ASGIApp, environ: dict[str, Any], start_response: Start
) -> Iterable[bytes]:
    """Respond from the thread of an event loop, which then stands still: the functions of the request run in
    another one, and the whole of the body is taken there."""
    context = copy_context()
    outcome: list[Any] = []

    def run() -> None:
        try:
            body = respond(app, asgi_call, environ, start_response)
            try:
                outcome[:] = [list(body), None]
            finally:
                body.close()  # type: ignore[attr-defined]
        except BaseException as error:
            outcome[:] = [(), error]

    thread = threading.Thread(target=context.run, args=(run,), name="asyncflask-wsgi")
    thread.start()
    thread.join()
    pieces, error = outcome
    if error is not None:
        try:
            raise error
        finally:
            del error, outcome
    return cast(Iterable[bytes], iter(pieces))
