"""The end of a request: what it has opened is closed, and the teardown functions are called."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from ..concurrency import current_walk, is_async
from ..concurrency.ending import Ending
from ..globals import _cv_app
from ..observed import FunctionList
from ..signals import Signal, appcontext_popped, appcontext_tearing_down, request_tearing_down
from .layer import Functions, Route

if TYPE_CHECKING:
    from ..wrappers import Response


class Teardown:
    """The teardown functions of a route.

    :param route: the route.
    :ivar is_needed: whether there is something to do at the end of every request.
    """

    def __init__(self, route: Route) -> None:
        flask = self.flask = route.flask
        self.of_request = route.outwards(
            flask.teardown_websocket_funcs if route.is_websocket else flask.teardown_request_funcs
        )
        self.of_context: Functions = tuple(
            (f, is_async(f)) for f in reversed(flask.teardown_appcontext_funcs)
        )
        if type(flask.teardown_appcontext_funcs) is not FunctionList:
            route.is_observed = False
        self.replaced = route.overridden("do_teardown_request")
        self.replaced_of_context = route.overridden("do_teardown_appcontext")
        signals = (request_tearing_down, appcontext_tearing_down, appcontext_popped)
        self.is_needed = bool(
            self.of_request
            or self.of_context
            or self.replaced
            or self.replaced_of_context
            or any(signal.has_receivers(flask) for signal in signals)
        )

    async def run(self, ctx: Any, response: Response | None, error: BaseException | None) -> None:
        """Close and tear down. Each function is called, once, whatever else happens meanwhile.

        :param response: what has been sent already, to be closed.
        :param error: the exception that nobody has handled.
        :raises BaseException: what was raised first, in the end; before others a cancellation, which ends the
            function that it meets and no other.
        """
        error = ctx._error if error is None else error
        if error is not None and self.flask.should_ignore_error(error):
            error = None
        ending = Ending(ctx._walk, isinstance(error, CancelledError))
        if ctx._walk.jobs:
            await ending.do(ctx._walk.settled)
        if response is not None:
            await ending.do(response.aclose)
        if self.replaced is not None:
            await ending.call(self.replaced, error)
        else:
            await self.tear_down_request(ending, error)
        if ctx.request.has_something_to_close():
            await ending.call(ctx.request.close)
        if ctx._shared is None:
            await self._end_context(ctx, ending, error)
        ending.raise_first()

    async def _end_context(self, ctx: Any, ending: Ending, error: BaseException | None) -> None:
        # As under Flask 3.1 the request is over by then.
        token = _cv_app.set(ctx.without_request())
        try:
            if self.replaced_of_context is not None:
                await ending.call(self.replaced_of_context, error)
            else:
                await self.tear_down_context(ending, error)
            await self._send(appcontext_popped, ending)
        finally:
            _cv_app.reset(token)

    async def _send(self, signal: Signal, ending: Ending, **values: Any) -> None:
        if signal.receivers and not signal.is_muted:
            for receiver in signal.receivers_for(self.flask):
                await ending.call(receiver, self.flask, **values)

    async def tear_down_request(self, ending: Ending, error: BaseException | None) -> None:
        """Call the `teardown_request` functions."""
        for func, _ in self.of_request:
            await ending.call(func, error)
        await self._send(request_tearing_down, ending, exc=error)

    async def tear_down_context(self, ending: Ending, error: BaseException | None) -> None:
        """Call the `teardown_appcontext` functions."""
        for func, _ in self.of_context:
            await ending.call(func, error)
        await self._send(appcontext_tearing_down, ending, exc=error)


async def do_teardown_request(route: Route, error: BaseException | None) -> None:
    """Call the `teardown_request` functions, all of them; the first exception is raised at the end."""
    ending = Ending(current_walk())
    await Teardown(route).tear_down_request(ending, error)
    ending.raise_first()


async def do_teardown_appcontext(route: Route, error: BaseException | None) -> None:
    """Call the `teardown_appcontext` functions, all of them; the first exception is raised at the end."""
    ending = Ending(current_walk())
    await Teardown(route).tear_down_context(ending, error)
    ending.raise_first()
