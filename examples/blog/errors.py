"""Error pages that look like the site, and errors as JSON for the API."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from asyncflask import Flask, current_app, json, render_template, request
from asyncflask.typing import ResponseReturnValue


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, error_page)
    app.register_error_handler(RequestEntityTooLarge, too_large)


async def error_page(error: HTTPException) -> ResponseReturnValue:
    """Any error, in the words it brings; its headers are kept, such as ``Allow`` of a 405."""
    response = error.get_response()
    if request.path.startswith("/api/"):
        response.set_data(json.dumps({"error": error.name, "description": error.description}))
        response.content_type = "application/json"
    else:
        page = render_template("error.html", code=error.code, title=error.name, text=error.description)
        response.set_data(page)
    return response


def too_large(error: RequestEntityTooLarge) -> ResponseReturnValue:
    limit = current_app.config["MAX_CONTENT_LENGTH"] / 1024 / 1024
    text = f"A post with its picture may have {limit:g} MB. Please choose a smaller picture."
    return render_template("error.html", code=413, title="That is too large", text=text), 413
