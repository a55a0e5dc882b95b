"""Errors that debug mode explains better than production would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from jinja2 import BaseLoader
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import BadRequestKeyError
from werkzeug.routing import RequestRedirect

from .globals import request_context

if TYPE_CHECKING:
    from .protocols import Application, Owner, Received


class DebugFilesKeyError(KeyError, AssertionError):
    """A file was looked up in ``request.files`` that the browser sent as its name only."""

    def __init__(self, request: Received, key: str) -> None:
        names = request.form.getlist(key)
        self.msg = (
            f"There is no {key!r} in request.files: no file contents were transmitted. The form was sent as"
            f' {request.mimetype!r}, and files are only sent with enctype="multipart/form-data" on the'
            " <form> element."
        )
        if names:
            self.msg += f" This was submitted: {', '.join(map(repr, names))}."

    def __str__(self) -> str:
        return self.msg


class EnctypeErrorFiles(ImmutableMultiDict[str, Any]):
    """The empty ``request.files`` of a form that has no files because of its enctype."""

    def __init__(self, request: Received) -> None:
        super().__init__()
        self._request = request

    def __getitem__(self, key: str) -> NoReturn:
        if key in self._request.form:
            raise DebugFilesKeyError(self._request, key)
        raise BadRequestKeyError(key)


def attach_enctype_error_multidict(request: Received) -> None:
    """Have ``request.files`` of a form that has no files explain itself."""
    request.__dict__["files"] = EnctypeErrorFiles(request)


class FormDataRoutingRedirect(AssertionError):
    """A redirect to the canonical URL would lose the form that was sent with the request."""

    def __init__(self, request: Received) -> None:
        error = request.routing_exception
        assert isinstance(error, RequestRedirect)
        super().__init__(
            f"A {request.method} request was sent to {request.url!r}, and routing redirects to the canonical"
            f" URL '{error.new_url}'. The redirect there would make the browser drop the form data."
            " Send it to the canonical URL, or register the rule the way that it is used."
        )


def refuse_to_lose_form(request: Received, error: RequestRedirect) -> None:
    """Raise `FormDataRoutingRedirect` if that is what the redirect does."""
    if error.code not in {307, 308} and request.method not in {"GET", "HEAD", "OPTIONS"}:
        raise FormDataRoutingRedirect(request)


def _describe_loader(loader: BaseLoader) -> Iterator[str]:
    yield f"class: {type(loader).__module__}.{type(loader).__name__}"
    for key, value in sorted(vars(loader).items()):
        if key.startswith("_"):
            continue
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            yield f"{key}:"
            yield from (f"  - {item}" for item in value)
        elif isinstance(value, str | int | float):
            yield f"{key}: {value!r}"


def explain_template_loading_attempts(
    app: Application, template: str, attempts: list[tuple[BaseLoader, Owner, Any]]
) -> None:
    """Log where a template was looked for and where it was found (``EXPLAIN_TEMPLATE_LOADING``)."""
    lines = [f"Locating template {template!r}:"]
    found = 0
    for number, (loader, owner, result) in enumerate(attempts, 1):
        if owner is app:
            where = f"application {app.import_name!r}"
        else:
            where = f"blueprint {owner.name!r} ({owner.import_name})"
        lines.append(f"{number:5}: trying loader of {where}")
        lines.extend(f"       {line}" for line in _describe_loader(loader))
        if result is None:
            lines.append("       -> no match")
        else:
            found += 1
            lines.append(f"       -> found ({result[1] or '<string>'!r})")
    if found == 0:
        lines.append("Error: the template could not be found.")
    elif found > 1:
        lines.append("Warning: multiple loaders returned a match for the template.")
    ctx = request_context()
    blueprint = ctx.request.blueprint if ctx is not None else None
    if found != 1 and blueprint is not None:
        lines.append(
            f"  The template was looked up from an endpoint that belongs to the blueprint {blueprint!r}:"
            " is it in the right folder?"
        )
        lines.append("  See https://flask.palletsprojects.com/blueprints/#templates")
    app.logger.info("\n".join(lines))
