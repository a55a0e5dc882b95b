"""Where templates are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, TemplateNotFound
from jinja2 import Environment as BaseEnvironment

if TYPE_CHECKING:
    from ..protocols import Application, Owner


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
            from ..debughelpers import explain_template_loading_attempts  # few ask

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
