"""Adding rules to an application, with their views."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..protocols import Application


def add_rule(
    app: Application,
    rule: str,
    endpoint: str,
    view_func: Callable[..., Any] | None,
    provide_automatic_options: bool | None,
    options: dict[str, Any],
) -> None:
    """See `Flask.add_url_rule`."""
    options["endpoint"] = endpoint
    methods = options.pop("methods", None)
    if methods is None:
        methods = getattr(view_func, "methods", None) or ("GET",)
    if isinstance(methods, str):
        raise TypeError(
            'Allowed methods must be a list of strings, for example: @app.route(..., methods=["POST"])'
        )
    methods = {method.upper() for method in methods}
    required_methods = set(getattr(view_func, "required_methods", ()))
    if options.get("websocket"):
        provide_automatic_options = False
    if provide_automatic_options is None:
        provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
    if provide_automatic_options is None:
        provide_automatic_options = "OPTIONS" not in methods and app.config["PROVIDE_AUTOMATIC_OPTIONS"]
        if provide_automatic_options:
            required_methods.add("OPTIONS")
    rule_object = app.url_rule_class(rule, methods=methods | required_methods, **options)
    rule_object.provide_automatic_options = provide_automatic_options
    app.url_map.add(rule_object)
    if view_func is not None:
        registered = app.view_functions.get(endpoint)
        if registered is not None and registered != view_func:
            raise AssertionError(
                f"View function mapping is overwriting an existing endpoint function: {endpoint}"
            )
        app.view_functions[endpoint] = view_func


def add_static_rule(app: Application, static_host: str | None, host_matching: bool) -> None:
    """Serve the folder of static files."""
    if bool(static_host) != host_matching:
        raise AssertionError("'static_host' and 'host_matching' are only used together.")
    app_ref = weakref.ref(app)  # or the view would keep the application alive
    app.add_url_rule(
        f"{app.static_url_path}/<path:filename>",
        endpoint="static",
        host=static_host,
        view_func=lambda **kwargs: app_ref().send_static_file(**kwargs),  # type: ignore[union-attr]
    )
