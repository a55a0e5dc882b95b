"""Rendering templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from jinja2 import Template as BaseTemplate

from ..globals import _cv_app, current_app, request
from ..helpers import stream_with_context
from ..signals import before_render_template, template_rendered
from .awaiting import prepare

if TYPE_CHECKING:
    from ..protocols import Application

TemplateName = str | BaseTemplate | list[str | BaseTemplate]


def _application() -> Application:
    app_ctx = _cv_app.get(None)
    if app_ctx is None:
        return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]  # which raises
    return app_ctx.app


def _render(app: Application, template: BaseTemplate, context: dict[str, Any]) -> str:
    prepare(context)
    app.update_template_context(context)
    if before_render_template.receivers:
        before_render_template.send(app, _async_wrapper=app._call_waiting, template=template, context=context)
    text = template.render(context)
    if template_rendered.receivers:
        template_rendered.send(app, _async_wrapper=app._call_waiting, template=template, context=context)
    return text


def render_template(template_name_or_list: TemplateName, **context: Any) -> str:
    """Render a template by name.

    A template that is used for the first time is read from disk, on the event
    loop when the caller is there; `render_template_async` reads it in a thread.

    Async functions give their results: in sync views any, in async views those that are registered as
    filters, tests, globals or context processors.

    :param template_name_or_list: the name, or several of which the first that exists is taken.
    :param context: its variables.
    :raises RuntimeError: in an async view, for another async function that the template calls: use
        `render_template_async`.
    """
    app = _application()
    return _render(app, app.jinja_env.get_or_select_template(template_name_or_list), context)


def render_template_string(source: str, **context: Any) -> str:
    """Render a template from its source.

    :param source: the template.
    :param context: its variables.
    """
    app = _application()
    return _render(app, app.jinja_env.from_string(source), context)


async def render_template_async(template_name_or_list: TemplateName, **context: Any) -> str:
    """`render_template` in a worker thread: reading and rendering do not hold up the event loop, and all that
    is async in the template can wait.

    :param template_name_or_list: the name, or several of which the first that exists is taken.
    :param context: its variables.
    """
    return cast(str, await current_app.sync_to_async(render_template)(template_name_or_list, **context))


def _stream(app: Application, template: BaseTemplate, context: dict[str, Any]) -> Iterator[str]:
    prepare(context)
    app.update_template_context(context)
    before_render_template.send(app, _async_wrapper=app._call_waiting, template=template, context=context)

    def generate() -> Iterator[str]:
        yield from template.generate(context)
        template_rendered.send(app, _async_wrapper=app._call_waiting, template=template, context=context)

    stream = generate()
    return cast("Iterator[str]", stream_with_context(stream)) if request else stream


def stream_template(template_name_or_list: TemplateName, **context: Any) -> Iterator[str]:
    """Render a template piece by piece, as the body of a streaming response.

    :param template_name_or_list: the name, or several of which the first that exists is taken.
    :param context: its variables.
    """
    app = _application()
    return _stream(app, app.jinja_env.get_or_select_template(template_name_or_list), context)


def stream_template_string(source: str, **context: Any) -> Iterator[str]:
    """Render a template from its source piece by piece.

    :param source: the template.
    :param context: its variables.
    """
    app = _application()
    return _stream(app, app.jinja_env.from_string(source), context)
