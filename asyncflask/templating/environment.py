"""The Jinja environment: compiled templates and their variables."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment as BaseEnvironment
from jinja2 import Template as BaseTemplate
from jinja2.runtime import Context as BaseContext
from jinja2.utils import internalcode
from markupsafe import escape

from ..globals import g, request, session
from ..helpers import get_flashed_messages
from .awaiting import PLAIN, AwaitedIterator, Functions, awaited, call_on_loop, is_async_type

if TYPE_CHECKING:
    from ..protocols import Application

try:
    from markupsafe import _escape_inner  # type: ignore[attr-defined]
except ImportError:  # it is not a public name
    _escape_inner = escape


def _escape(value: Any) -> str:
    """`escape` for what goes straight into the output, where nobody asks whether it is `Markup`."""
    return _escape_inner(value) if type(value) is str else escape(value)


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


class AsyncTemplate(Template):
    """One of an environment with Jinja's ``enable_async``, whose code awaits. It is rendered on the loop of
    the request."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        text: str = call_on_loop(self.render_async, *args, **kwargs)
        return text

    def generate(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        yield from AwaitedIterator(self.generate_async(*args, **kwargs))


class Context(BaseContext):
    """The variables of a template while it is rendered."""

    @internalcode
    def call(self, __obj: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Jinja's own way has more questions, which are about objects that are neither.
        kind: Any = type(__obj)
        if (kind is not FunctionType and kind is not MethodType) or hasattr(__obj, "jinja_pass_arg"):
            value = super().call(__obj, *args, **kwargs)
        else:
            if kwargs:
                kwargs.pop("_block_vars", None)
                kwargs.pop("_loop_vars", None)
            try:
                value = __obj(*args, **kwargs)
            except StopIteration:
                return self.environment.undefined(f"{__obj!r} has no value: it raised StopIteration.")
        kind = type(value)
        if kind in PLAIN or not is_async_type(kind) or self.environment.is_async:
            return value
        return awaited(value)


class Environment(BaseEnvironment):
    """A Jinja environment that finds templates in the application and in its blueprints."""

    template_class = Template
    context_class = Context

    def __init__(self, app: Application, **options: Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app
        if self.is_async:
            self.template_class = AsyncTemplate
        self.filters = Functions(self.filters, wraps=not self.is_async)
        self.tests = Functions(self.tests, wraps=not self.is_async)
        self.globals = Functions(self.globals)

    @property
    def may_wait(self) -> bool:
        """Whether there are async functions among the filters, tests and globals."""
        return self.is_async or any(
            getattr(functions, "has_async", False) for functions in (self.filters, self.tests, self.globals)
        )


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
