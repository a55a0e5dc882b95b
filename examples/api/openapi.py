"""The description of the API (OpenAPI 3.1), made from the rules and the models, and a page that shows it.

What a view takes and gives is said in `OPERATIONS`, beside its docstring; the rest is in the rules already.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from asyncflask import Blueprint, current_app, render_template
from asyncflask.typing import ResponseReturnValue

from .models import Book, BookChange, NewBook, Page, Paging, Problem

pages = Blueprint("openapi", __name__)

#: By endpoint: the model of the query, that of the body, the status, the model of the answer.
OPERATIONS: dict[str, tuple[type | None, type | None, int, type | None]] = {
    "books.list_books": (Paging, None, 200, Page),
    "books.add_book": (None, NewBook, 201, Book),
    "books.get_book": (None, None, 200, Book),
    "books.change_book": (None, BookChange, 200, Book),
    "books.remove_book": (None, None, 204, None),
}
_MODELS = [Book, BookChange, NewBook, Page, Paging, Problem]
_VARIABLE = re.compile(r"<(?:(\w+)(?:\([^>]*\))?:)?(\w+)>")
_TYPES = {"int": "integer", "float": "number"}


@pages.get("/openapi.json")
async def description() -> ResponseReturnValue:
    """The description, for tools."""
    return describe()


@pages.get("/")
def index() -> ResponseReturnValue:
    """The description, for people."""
    return render_template("index.html", api=describe())


def describe() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_MODELS, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for rule in current_app.url_map.iter_rules():
        if rule.endpoint in OPERATIONS:
            path = _VARIABLE.sub(r"{\2}", rule.rule)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                paths.setdefault(path, {})[method.lower()] = _operation(rule, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Library", "version": "1.0.0", "description": "Books, to be listed and changed."},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(rule: Any, components: dict[str, Any]) -> dict[str, Any]:
    query, body, status, answer = OPERATIONS[rule.endpoint]
    view = current_app.view_functions[rule.endpoint]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": _TYPES.get(kind, "string")}}
        for kind, name in _VARIABLE.findall(rule.rule)
    ]
    if query is not None:
        schema = components[query.__name__]
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": values}
            for name, values in schema["properties"].items()
        ]
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "summary": (view.__doc__ or "").strip(),
        "parameters": parameters,
        "responses": {
            str(status): {"description": "Done.", **_content(answer)},
            "default": {"description": "A problem.", **_content(Problem, "application/problem+json")},
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, **_content(body)}
    return operation


def _content(model: type | None, content_type: str = "application/json") -> dict[str, Any]:
    if model is None:
        return {}
    return {"content": {content_type: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
