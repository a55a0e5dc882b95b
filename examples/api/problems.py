"""Errors as problem details: ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException

from asyncflask import Flask, Response, json


def init_app(app: Flask) -> None:
    """Answer each error with a problem, those of the framework included."""
    app.register_error_handler(HTTPException, problem)


async def problem(error: HTTPException) -> Response:
    # The exception is a response in itself: its headers (Allow, Retry-After, ...) are right already.
    response = Response(headers=[pair for pair in error.get_headers() if pair[0] != "Content-Type"])
    response.status_code = error.code or 500
    response.data = json.dumps(
        {
            "type": "about:blank",
            "title": error.name,
            "status": response.status_code,
            "detail": error.description,
        }
    )
    response.content_type = "application/problem+json"
    return response
