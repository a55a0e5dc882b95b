"""Blueprints: parts of an application, recorded now and registered later."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

from .globals import current_app as current_app
from .helpers import send_from_directory as send_from_directory
from .lazy import importing
from .observed import HandlersByCode, ObservedDict
from .scaffold import LegacyAttribute, Scaffold, _endpoint_from_view_func, _sentinel, setupmethod

if TYPE_CHECKING:
    from .app import Flask

DeferredSetupFunction = Callable[["BlueprintSetupState"], None]
F = TypeVar("F", bound=Callable[..., Any])


class BlueprintSetupState:
    """One registration of a blueprint; `Blueprint.record`ed functions are called with it.

    :param blueprint: the blueprint.
    :param app: the application that it is registered on.
    :param options: the keyword arguments of ``register_blueprint``.
    :param first_registration: whether the blueprint was not registered before.
    """

    def __init__(
        self, blueprint: Blueprint, app: Flask, options: Mapping[str, Any], first_registration: bool
    ) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        subdomain = options.get("subdomain")
        #: The subdomain that the rules are for, None for the application's own.
        self.subdomain: str | None = blueprint.subdomain if subdomain is None else subdomain
        url_prefix = options.get("url_prefix")
        #: What the rules start with.
        self.url_prefix: str | None = blueprint.url_prefix if url_prefix is None else url_prefix
        self.name: str = options.get("name", blueprint.name)
        self.name_prefix: str = options.get("name_prefix", "")
        #: Values that every rule of the blueprint defaults to.
        self.url_defaults: dict[str, Any] = {
            **blueprint.url_values_defaults,
            **dict(options.get("url_defaults", ())),
        }

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        """Register a rule on the application, under the blueprint's name and prefix."""
        if self.url_prefix is not None:
            rule = f"{self.url_prefix.rstrip('/')}/{rule.lstrip('/')}" if rule else self.url_prefix
        options.setdefault("subdomain", self.subdomain)
        if endpoint is None:
            endpoint = _endpoint_from_view_func(view_func)  # type: ignore[arg-type]
        defaults = self.url_defaults
        if "defaults" in options:
            defaults = {**defaults, **options.pop("defaults")}
        self.app.add_url_rule(
            rule,
            f"{self.name_prefix}.{self.name}.{endpoint}".lstrip("."),
            view_func,
            defaults=defaults,
            **options,
        )


class Blueprint(Scaffold):
    """A collection of routes, hooks and handlers to register on an application.

    :param name: prefixes the endpoints; without a dot.
    :param import_name: the name of the module; resources are found next to it.
    :param static_folder: a folder of static files of its own.
    :param static_url_path: where they are served, below `url_prefix`.
    :param template_folder: a folder of templates; the application's own come first.
    :param url_prefix: prefixes the rules.
    :param subdomain: the subdomain that the rules are for.
    :param url_defaults: values that the rules default to.
    :param root_path: the folder of the module, where it cannot be found by itself.
    :param cli_group: the group of its commands: its name unless given; None puts them at the top.
    """

    before_app_first_request = LegacyAttribute()

    _got_registered_once = False

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _sentinel,
    ) -> None:
        super().__init__(
            import_name=import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        if not name:
            raise ValueError("'name' may not be empty.")
        if "." in name:
            raise ValueError("'name' may not contain a dot '.' character.")
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.deferred_functions: list[DeferredSetupFunction] = []
        self.url_values_defaults: dict[str, Any] = {} if url_defaults is None else url_defaults
        self.cli_group = cli_group
        self._blueprints: list[tuple[Blueprint, dict[str, Any]]] = []

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_registered_once:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the blueprint '{self.name}'. It has"
                " already been registered at least once, any changes will not be applied consistently.\n"
                "Make sure all imports, decorators, functions, etc. needed to set up the blueprint are done"
                " before registering it."
            )

    # -- recording ------------------------------------------------------------------------------

    @setupmethod
    def record(self, func: DeferredSetupFunction) -> None:
        """Call `func` with the `BlueprintSetupState` of each registration."""
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: DeferredSetupFunction) -> None:
        """Call `func` with the `BlueprintSetupState` of the first registration only."""

        def wrapper(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(update_wrapper(wrapper, func))

    def make_setup_state(
        self, app: Flask, options: dict[str, Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """The state of a registration. Override to use a subclass."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Nest another blueprint in this one.

        :param options: ``name``, ``url_prefix``, ``subdomain``, ``url_defaults`` and ``cli_group`` for
            this registration.
        """
        if blueprint is self:
            raise ValueError("Cannot register a blueprint on itself")
        self._blueprints.append((blueprint, options))

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule, see `Scaffold.add_url_rule`. Endpoints are without dots here."""
        if endpoint and "." in endpoint:
            raise ValueError("'endpoint' may not contain a dot '.' character.")
        if view_func and hasattr(view_func, "__name__") and "." in view_func.__name__:
            raise ValueError("'view_func' name may not contain a dot '.' character.")
        self.record(
            lambda state: state.add_url_rule(
                rule, endpoint, view_func, provide_automatic_options=provide_automatic_options, **options
            )
        )

    # -- registration ---------------------------------------------------------------------------

    def register(self, app: Flask, options: dict[str, Any]) -> None:
        """Apply what was recorded to an application; ``app.register_blueprint`` calls this.

        :raises ValueError: when the name is taken.
        """
        own_name = options.get("name", self.name)
        name = f"{options.get('name_prefix', '')}.{own_name}".lstrip(".")
        if name in app.blueprints:
            whose = "this" if app.blueprints[name] is self else "a different"
            where = f" '{name}'" if own_name != name else ""
            raise ValueError(
                f"The name '{own_name}' is already registered for {whose} blueprint{where}."
                " Use 'name=' to provide a unique name."
            )
        first_registration = all(registered is not self for registered in app.blueprints.values())
        app.blueprints[name] = self
        self._got_registered_once = True
        state = self.make_setup_state(app, options, first_registration)
        if self.has_static_folder:
            state.add_url_rule(
                f"{self.static_url_path}/<path:filename>", "static", view_func=self.send_static_file
            )
        self._merge_blueprint_funcs(app, name)
        if self._has_legacy_codecs():
            from .legacy import adopt_codecs  # old names

            adopt_codecs(self, app)
        for deferred in self.deferred_functions:
            deferred(state)
        self._add_commands(app, name, options.get("cli_group", self.cli_group))
        for blueprint, nested_options in self._blueprints:
            blueprint.register(app, self._nested_options(state, name, blueprint, nested_options))

    def _merge_blueprint_funcs(self, app: Flask, name: str) -> None:
        def key_in_app(key: str | None) -> str:
            return name if key is None else f"{name}.{key}"

        for key, handlers in self.error_handler_spec.items():
            copied = {code: ObservedDict(by_class) for code, by_class in handlers.items()}
            app.error_handler_spec[key_in_app(key)] = HandlersByCode(copied)
        app.view_functions.update(self.view_functions)
        for own, apps in (
            (self.before_request_funcs, app.before_request_funcs),
            (self.after_request_funcs, app.after_request_funcs),
            (self.teardown_request_funcs, app.teardown_request_funcs),
            (self.before_websocket_funcs, app.before_websocket_funcs),
            (self.after_websocket_funcs, app.after_websocket_funcs),
            (self.teardown_websocket_funcs, app.teardown_websocket_funcs),
            (self.url_default_functions, app.url_default_functions),
            (self.url_value_preprocessors, app.url_value_preprocessors),
            (self.template_context_processors, app.template_context_processors),
        ):
            for key, functions in own.items():
                apps[key_in_app(key)].extend(functions)

    def _add_commands(self, app: Flask, name: str, group: Any) -> None:
        if self._cli is None or not self._cli.commands:
            return
        if group is None:
            app.cli.commands.update(self.cli.commands)
            return
        self.cli.name = name if group is _sentinel else group
        app.cli.add_command(self.cli)

    @staticmethod
    def _nested_options(
        state: BlueprintSetupState, name: str, blueprint: Blueprint, options: dict[str, Any]
    ) -> dict[str, Any]:
        """A nested blueprint's options, put below those of the one around it."""
        nested = dict(options)
        subdomain = nested.get("subdomain")
        if subdomain is None:
            subdomain = blueprint.subdomain
        subdomains = [part for part in (subdomain, state.subdomain) if part is not None]
        if subdomains:
            nested["subdomain"] = ".".join(subdomains)
        url_prefix = nested.get("url_prefix")
        if url_prefix is None:
            url_prefix = blueprint.url_prefix
        if state.url_prefix is not None:
            if url_prefix is None:
                url_prefix = state.url_prefix
            else:
                url_prefix = f"{state.url_prefix.rstrip('/')}/{url_prefix.lstrip('/')}"
        if url_prefix is not None:
            nested["url_prefix"] = url_prefix
        nested["name_prefix"] = name
        return nested

    # -- registering on the whole application ---------------------------------------------------

    def _on_app(self, registry: str, f: Callable[..., Any]) -> None:
        def register(state: BlueprintSetupState) -> None:
            getattr(state.app, registry).setdefault(None, []).append(f)

        self.record_once(register)

    @setupmethod
    def before_app_request(self, f: F) -> F:
        """`Flask.before_request`, for every request of the application."""
        self._on_app("before_request_funcs", f)
        return f

    @setupmethod
    def after_app_request(self, f: F) -> F:
        """`Flask.after_request`, for every request of the application."""
        self._on_app("after_request_funcs", f)
        return f

    @setupmethod
    def teardown_app_request(self, f: F) -> F:
        """`Flask.teardown_request`, for every request of the application."""
        self._on_app("teardown_request_funcs", f)
        return f

    @setupmethod
    def before_app_websocket(self, f: F) -> F:
        """`Flask.before_websocket`, for every websocket of the application."""
        self._on_app("before_websocket_funcs", f)
        return f

    @setupmethod
    def after_app_websocket(self, f: F) -> F:
        """`Flask.after_websocket`, for every websocket of the application."""
        self._on_app("after_websocket_funcs", f)
        return f

    @setupmethod
    def teardown_app_websocket(self, f: F) -> F:
        """`Flask.teardown_websocket`, for every websocket of the application."""
        self._on_app("teardown_websocket_funcs", f)
        return f

    @setupmethod
    def app_context_processor(self, f: F) -> F:
        """`Flask.context_processor`, for every template of the application."""
        self._on_app("template_context_processors", f)
        return f

    @setupmethod
    def app_url_value_preprocessor(self, f: F) -> F:
        """`Flask.url_value_preprocessor`, for every request of the application."""
        self._on_app("url_value_preprocessors", f)
        return f

    @setupmethod
    def app_url_defaults(self, f: F) -> F:
        """`Flask.url_defaults`, for every URL of the application."""
        self._on_app("url_default_functions", f)
        return f

    @setupmethod
    def app_errorhandler(self, code: type[Exception] | int) -> Callable[[F], F]:
        """`Flask.errorhandler`, for every request of the application."""

        def decorator(f: F) -> F:
            def register(state: BlueprintSetupState) -> None:
                state.app.errorhandler(code)(f)

            self.record_once(register)
            return f

        return decorator

    @setupmethod
    def app_template_filter(self, name: str | None = None) -> Callable[[F], F]:
        """`Flask.template_filter`."""
        return self._template_decorator("add_template_filter", name)

    @setupmethod
    def add_app_template_filter(self, f: Callable[..., Any], name: str | None = None) -> None:
        """`Flask.add_template_filter`."""
        self._template_decorator("add_template_filter", name)(f)

    @setupmethod
    def app_template_test(self, name: str | None = None) -> Callable[[F], F]:
        """`Flask.template_test`."""
        return self._template_decorator("add_template_test", name)

    @setupmethod
    def add_app_template_test(self, f: Callable[..., Any], name: str | None = None) -> None:
        """`Flask.add_template_test`."""
        self._template_decorator("add_template_test", name)(f)

    @setupmethod
    def app_template_global(self, name: str | None = None) -> Callable[[F], F]:
        """`Flask.template_global`."""
        return self._template_decorator("add_template_global", name)

    @setupmethod
    def add_app_template_global(self, f: Callable[..., Any], name: str | None = None) -> None:
        """`Flask.add_template_global`."""
        self._template_decorator("add_template_global", name)(f)

    def _template_decorator(self, method: str, name: str | None) -> Callable[[F], F]:
        def decorator(f: F) -> F:
            self.record_once(lambda state: getattr(state.app, method)(f, name=name))
            return f

        return decorator


#: The name of what Flask keeps apart in ``flask.sansio``.
SansioBlueprint = Blueprint


if not TYPE_CHECKING:
    __getattr__ = importing(__name__, {"AppGroup": "asyncflask.cli:AppGroup"})
