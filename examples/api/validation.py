"""From what a client has sent to a model, or to a problem that says what is wrong with it."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from werkzeug.exceptions import UnprocessableEntity, UnsupportedMediaType

from asyncflask import request

T = TypeVar("T")


def body(model: type[T]) -> T:
    """The JSON of the request.

    :raises UnsupportedMediaType: when it is not said to be JSON.
    :raises UnprocessableEntity: when it is not what the model says; the path to the place is in the text.
    """
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with 'Content-Type: application/json'.")
    try:
        return msgspec.json.decode(request.get_data(), type=model)
    except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is one, too
        raise UnprocessableEntity(f"{error}.") from error


def query(model: type[T]) -> T:
    """The query string of the request.

    :raises UnprocessableEntity: when it is not what the model says.
    """
    try:
        return msgspec.convert(request.args.to_dict(), model, strict=False)  # "10" is a number here
    except msgspec.ValidationError as error:
        raise UnprocessableEntity(f"{error}.") from error
