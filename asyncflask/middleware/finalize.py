"""From what answers a request to the response that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from ..concurrency import current_walk

if TYPE_CHECKING:
    from ..protocols import Application
    from ..wrappers import Response


async def make_response(flask: Application, value: Any) -> Response:
    """The response to what a view has returned."""
    if callable(value) and not isinstance(value, WerkzeugResponse | HTTPException):
        await current_walk().to_thread()  # a WSGI application
    return flask.make_response(value)  # type: ignore[no-any-return]


async def process(ctx: Any, response: Response) -> Response:
    """Let a response pass the layers that have something to add to it, from the inside out."""
    for layer in ctx._route.processors:
        response = await layer.process(ctx, response)
    return response


async def process_further(ctx: Any, response: Response) -> Response:
    """Let a response pass those layers that were not there when its request began."""
    passed = {type(layer) for layer in ctx._outdated.processors}
    for layer in ctx._route.processors:
        if type(layer) not in passed:
            response = await layer.process(ctx, response)
    return response


async def finalize_request(ctx: Any, value: Any, from_error_handler: bool = False) -> Response:
    """Make a response and let the layers add to it.

    :param from_error_handler: log what they raise instead of raising it: there is an error already.
    """
    response = await make_response(ctx.app, value)
    try:
        response = await process(ctx, response)
    except Exception:
        if not from_error_handler:
            raise
        ctx.app.logger.exception("Request finalizing failed with an error while handling an error")
    return response
