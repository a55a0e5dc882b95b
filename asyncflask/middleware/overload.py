"""Requests that come while too many wait for a thread already."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from werkzeug.exceptions import ServiceUnavailable

from ..concurrency import is_async
from ..concurrency.pool import WorkerPool
from ..wrappers import Response


def is_refused(route: Any, pool: WorkerPool) -> bool:
    """Whether a request is to be refused: ``WORKER_QUEUE_LIMIT`` jobs wait for a thread, and this would be
    one more. What runs on the event loop alone is not held up by them.

    :param route: the `Stack` of the request, None where it has not been found yet.
    """
    return route is not None and any(_sync_parts(route)) and pool.is_overloaded()


def _sync_parts(route: Any) -> Iterator[bool]:
    flask = route.flask
    yield route.view is not None and not is_async(route.view) and getattr(route.rule, "blocking", True)
    before = flask.before_websocket_funcs if route.is_websocket else flask.before_request_funcs
    for functions in (
        route.inwards(flask.url_value_preprocessors),
        route.inwards(before),
        route.after_functions,
        route.teardown.of_request,
        route.teardown.of_context,
    ):
        for _, is_on_loop in functions:
            yield not is_on_loop


def refusal(pool: WorkerPool) -> Response:
    """The answer: 503, with a time after which to try again (RFC 9110 section 10.2.3) - as long as the next
    in line has waited."""
    seconds = max(1, ceil(pool.queue.longest()))
    return Response(ServiceUnavailable().get_body(), 503, {"Retry-After": str(seconds)})
