"""Jinja templates."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, cast

from jinja2 import BaseLoader, TemplateNotFound
from jinja2 import Environment as BaseEnvironment
from jinja2 import Template as BaseTemplate
from jinja2.runtime import Context as BaseContext
from jinja2.utils import internalcode
from markupsafe import escape

from .ctx import _default_template_ctx_processor as _default_template_ctx_processor
from .globals import _cv_app, current_app, g, request, session
from .helpers import get_flashed_messages, stream_with_context
from .signals import before_render_template, template_rendered

if TYPE_CHECKING:
    from .protocols import Application, Owner


try:
    from markupsafe import _escape_inner  # type: ignore[attr-defined]
except ImportError:  # it is not a public name
    _escape_inner = escape


def _escape(value: Any) -> str:
    """`escape` for what goes straight into the output, where nobody asks whether it is `Markup`."""
    return _escape_inner(value) if type(value) is str else escape(value)


TemplateName = str | BaseTemplate | list[str | BaseTemplate]


class Template(BaseTemplate):
    """A compiled template; does what Jinja's does in fewer steps."""

    @classmethod
    def _from_namespace(cls, environment: BaseEnvironment, namespace: Any, globals: Any) -> Any:
        # Compiled code uses the name for nothing but the output.
        if namespace.get("escape") is escape:
            namespace["escape"] = _escape
        return super()._from_namespace(environment, namespace, globals)

    def new_context(
        self, vars: dict[str, Any] | None = None, shared: bool = False, locals: Any = None
    ) -> BaseContext:
        if shared or locals or type(self.globals) is not ChainMap:
            return super().new_context(vars, shared, locals)
        # Of a `ChainMap` Jinja asks for each of the names in each of the maps.
        names: dict[str, Any] = {}
        for mapping in reversed(self.globals.maps):
            names.update(mapping)
        parent = {**names, **vars} if vars else names
        return self.environment.context_class(self.environment, parent, self.name, self.blocks, globals=names)


class Context(BaseContext):
    """The variables of a template while it is rendered."""

    @internalcode
    def call(self, __obj: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Jinja's own way has more questions, which are about objects that are neither.
        kind = type(__obj)
        if (kind is not FunctionType and kind is not MethodType) or hasattr(__obj, "jinja_pass_arg"):
            return super().call(__obj, *args, **kwargs)
        if kwargs:
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
        try:
            return __obj(*args, **kwargs)
        except StopIteration:
            return self.environment.undefined(f"{__obj!r} has no value: it raised StopIteration.")


class Environment(BaseEnvironment):
    """A Jinja environment that finds templates in the application and in its blueprints."""

    template_class = Template
    context_class = Context

    def __init__(self, app: Application, **options: Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app


def make_environment(app: Application) -> Environment:
    """See `Flask.create_jinja_environment`."""
    options = dict(app.jinja_options)
    options.setdefault("autoescape", app.select_jinja_autoescape)
    if "auto_reload" not in options:
        auto_reload = app.config["TEMPLATES_AUTO_RELOAD"]
        options["auto_reload"] = app.debug if auto_reload is None else auto_reload
    environment: Environment = app.jinja_environment(app, **options)
    environment.globals.update(
        url_for=app.url_for,
        get_flashed_messages=get_flashed_messages,
        config=app.config,
        # For imported templates, which do not get the context processors' variables.
        request=request,
        session=session,
        g=g,
    )
    environment.policies["json.dumps_function"] = app.json.dumps
    return environment


class DispatchingJinjaLoader(BaseLoader):
    """Looks into the application's template folder first, then into those of the blueprints."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def get_source(
        self, environment: BaseEnvironment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        attempts: list[tuple[BaseLoader, Owner, Any]] = []
        found = None
        explain = self.app.config["EXPLAIN_TEMPLATE_LOADING"]
        for owner, loader in self._loaders():
            try:
                result = loader.get_source(environment, template)
            except TemplateNotFound:
                result = None
            attempts.append((loader, owner, result))
            if result is not None and found is None:
                found = result
                if not explain:
                    break
        if explain:
            from .debughelpers import explain_template_loading_attempts  # few ask

            explain_template_loading_attempts(self.app, template, attempts)
        if found is None:
            raise TemplateNotFound(template)
        return found

    def _loaders(self) -> Iterator[tuple[Owner, BaseLoader]]:
        for owner in (self.app, *self.app.iter_blueprints()):
            loader = owner.jinja_loader
            if loader is not None:
                yield owner, loader

    def list_templates(self) -> list[str]:
        return list({name for _, loader in self._loaders() for name in loader.list_templates()})


def _application() -> Application:
    app_ctx = _cv_app.get(None)
    if app_ctx is None:
        return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]  # which raises
    return app_ctx.app


def _render(app: Application, template: BaseTemplate, context: dict[str, Any]) -> str:
    app.update_template_context(context)
    if before_render_template.receivers:
        before_render_template.send(app, _async_wrapper=app.waiting, template=template, context=context)
    text = template.render(context)
    if template_rendered.receivers:
        template_rendered.send(app, _async_wrapper=app.waiting, template=template, context=context)
    return text


def render_template(template_name_or_list: TemplateName, **context: Any) -> str:
    """Render a template by name.

    A template that is used for the first time is read from disk, on the event
    loop when the caller is there; `render_template_async` reads it in a thread.

    :param template_name_or_list: the name, or several of which the first that exists is taken.
    :param context: its variables.
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
    """`render_template` in a worker thread: reading and rendering do not hold up the event loop, and
    async context processors and URL defaults can wait.

    :param template_name_or_list: the name, or several of which the first that exists is taken.
    :param context: its variables.
    """
    return cast(str, await current_app.sync_to_async(render_template)(template_name_or_list, **context))


def _stream(app: Application, template: BaseTemplate, context: dict[str, Any]) -> Iterator[str]:
    app.update_template_context(context)
    before_render_template.send(app, _async_wrapper=app.waiting, template=template, context=context)

    def generate() -> Iterator[str]:
        yield from template.generate(context)
        template_rendered.send(app, _async_wrapper=app.waiting, template=template, context=context)

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
