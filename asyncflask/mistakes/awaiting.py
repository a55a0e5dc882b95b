"""What needs no ``await`` here, as it does in Quart or Starlette, and what was left without one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import CoroutineType
from typing import Any

from .source import raised_by

# What Python says when something is awaited that is not to be, until 3.13 and from 3.14 on.
_NOT_AWAITABLE = re.compile(
    r"object (\S+) can't be used in 'await' expression|'(\S+)' object can't be awaited"
)
_NOT_CALLABLE = re.compile(r"'\S+' object is not callable")

_READY = re.compile(
    r"await\s+(?P<what>(request|websocket)\.\w+|(\w+\.)?(render_template(_string)?|stream_template(_string)?|make_response"
    r"|jsonify|send_file|send_from_directory|redirect|url_for|flash|get_flashed_messages|abort)\b)"
)
_VALUES = re.compile(r"request\.(?P<name>form|files|json|args|values|data|cookies|headers|body)\(")
_INSTEAD = {"json": "request.get_json()", "body": "request.get_data()"}

_AWAITED_RESPONSE = (
    "This client is a synchronous one, its methods return the response: write 'client.get(...)' without"
    " 'await'. To await them, in a test that is 'async def', write 'async with app.test_client() as client:'."
)


def explain(error: BaseException) -> str:
    """For a TypeError: what was awaited, or called, that is ready as it is."""
    if not isinstance(error, TypeError):
        return ""
    if _NOT_AWAITABLE.search(str(error)):
        found = _READY.search(raised_by(error))
        if found is None:
            return ""
        value = _VALUES.search(raised_by(error))
        what = found["what"] if value is None else _INSTEAD.get(value["name"], found["what"])
        return f"{what!r} needs no 'await' here, in 'async def' either, as it does not wait: leave that out."
    if _NOT_CALLABLE.fullmatch(str(error)):
        value = _VALUES.search(raised_by(error))
        if value is not None:
            name = value["name"]
            instead = _INSTEAD.get(name, f"request.{name}")
            return f"'request.{name}' is not a function here: write {instead!r}, without 'await'."
    return ""


def forgotten(coroutine: Any) -> str:
    """What to say of a coroutine that is where its result was meant to be."""
    name = getattr(coroutine, "__qualname__", "?").rpartition("<locals>.")[2]
    return f"{name!r} is an 'async def' function that was called without 'await': write 'await {name}(...)'."


def refuse_coroutines(context: dict[str, Any]) -> None:
    """Raise TypeError for a coroutine among the variables of a template, which would be shown as it is."""
    if CoroutineType in map(type, context.values()):
        name, coroutine = next(item for item in context.items() if type(item[1]) is CoroutineType)
        raise TypeError(
            f"The template's variable {name!r} is a coroutine, not a value. {forgotten(coroutine)}"
        )


class AwaitedByMistake:
    """Mixed into the responses of the synchronous test client."""

    def __await__(self) -> Iterable[Any]:
        raise TypeError(_AWAITED_RESPONSE)
