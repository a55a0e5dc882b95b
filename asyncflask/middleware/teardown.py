"""The end of a request: what it has opened is closed, and the teardown functions are called."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

from ..concurrency import Walk, current_walk, is_async
from ..globals import _cv_app
from ..observed import FunctionList
from ..signals import appcontext_popped, appcontext_tearing_down, request_tearing_down
from .layer import Functions, Route
from .signals import emit

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
        self.of_context: Functions = tuple((f, is_async(f)) for f in reversed(flask.teardown_appcontext_funcs))
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
        error = ctx.error if error is None else error
        if error is not None and self.flask.should_ignore_error(error):
            error = None
        ending = _Ending(ctx.walk, error)
        await ending.do(ending.walk.settled)
        if response is not None:
            await ending.do(response.aclose)
        if self.replaced is not None:
            await ending.do(ending.walk.call, self.replaced, error)
        else:
            await self.tear_down_request(ending, error)
        if ctx.request.has_something_to_close():
            await ending.do(ending.walk.call, ctx.request.close)
        if ctx._shared is None:
            await self._end_context(ctx, ending, error)
        ending.raise_first()

    async def _end_context(self, ctx: Any, ending: _Ending, error: BaseException | None) -> None:
        # As under Flask 3.1 the request is over by then.
        token = _cv_app.set(ctx.without_request())
        try:
            if self.replaced_of_context is not None:
                await ending.do(ending.walk.call, self.replaced_of_context, error)
            else:
                await self.tear_down_context(ending, error)
            await ending.do(emit, appcontext_popped, self.flask)
        finally:
            _cv_app.reset(token)

    async def tear_down_request(self, ending: _Ending, error: BaseException | None) -> None:
        """Call the `teardown_request` functions."""
        for func, _ in self.of_request:
            await ending.do(ending.walk.call, func, error)
        await ending.do(emit, request_tearing_down, self.flask, exc=error)

    async def tear_down_context(self, ending: _Ending, error: BaseException | None) -> None:
        """Call the `teardown_appcontext` functions."""
        for func, _ in self.of_context:
            await ending.do(ending.walk.call, func, error)
        await ending.do(emit, appcontext_tearing_down, self.flask, exc=error)


class _Ending:
    """Goes on after a failure: what comes later is to be released all the same.

    :param error: what has ended the request.
    """

    def __init__(self, walk: Walk, error: BaseException | None) -> None:
        self.walk = walk
        self.failures: list[BaseException] = []
        self.is_cancelled = isinstance(error, CancelledError)

    async def do(self, func: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> None:
        """Await ``func(...)``. What it raises is kept for `raise_first`."""
        try:
            if self.is_cancelled and await self._is_cancelled_on():
                with anyio.CancelScope(shield=True):
                    await func(*args, **kwargs)
                    await self.walk.to_loop()
            else:
                await func(*args, **kwargs)
        except CancelledError as cancelled:
            self._note(cancelled)
        except Exception as failure:
            self.failures.append(failure)

    async def _is_cancelled_on(self) -> bool:
        """Whether a scope of anyio's has cancelled the task, which it does at every `await` from then on."""
        try:
            await self.walk.to_loop()
        except CancelledError as cancelled:
            self._note(cancelled)
        return anyio.current_effective_deadline() == float("-inf")

    def _note(self, cancelled: CancelledError) -> None:
        self.is_cancelled = True
        self.failures.insert(0, cancelled)

    def raise_first(self) -> None:
        """Raise what was raised first."""
        if self.failures:
            try:
                raise self.failures[0]
            finally:
                self.failures.clear()  # whose tracebacks refer to this frame


async def do_teardown_request(route: Route, error: BaseException | None) -> None:
    """Call the `teardown_request` functions, all of them; the first exception is raised at the end."""
    ending = _Ending(current_walk(), error)
    await Teardown(route).tear_down_request(ending, error)
    ending.raise_first()


async def do_teardown_appcontext(route: Route, error: BaseException | None) -> None:
    """Call the `teardown_appcontext` functions, all of them; the first exception is raised at the end."""
    ending = _Ending(current_walk(), error)
    await Teardown(route).tear_down_context(ending, error)
    ending.raise_first()
