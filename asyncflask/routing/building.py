"""From an endpoint to a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from werkzeug.routing import BuildError
from werkzeug.routing import Rule as WerkzeugRule

from ..globals import _cv_app, request_context
from .rules import Map

if TYPE_CHECKING:
    from ..protocols import Application


class UrlBuilder:
    """Builds the paths of those endpoints that have a single rule, as Werkzeug's adapter does.

    :param url_map: the rules. Rules that are added later are taken in.
    """

    def __init__(self, url_map: Map) -> None:
        self._url_map = url_map
        self._version = -1
        self._paths: dict[str, str] = {}
        self._rules: dict[str, WerkzeugRule] = {}

    def build(self, endpoint: str, values: Mapping[str, Any]) -> str | None:
        """The path below the application's root, without its leading slash; None when Werkzeug has to be
        asked."""
        if self._version != self._url_map.version:
            self._compile()
        if not values:
            path = self._paths.get(endpoint)
            if path is not None:
                return path
        rule = self._rules.get(endpoint)
        if rule is None:
            return None
        for value in values.values():
            if value is None:
                return None
        if not rule.arguments <= values.keys():
            return None
        built = rule.build(values)
        return None if built is None else built[1].lstrip("/")

    def _compile(self) -> None:
        url_map = self._url_map
        self._version = url_map.version
        url_map.update()
        self._paths = {}
        self._rules = {}
        if url_map.host_matching:
            return
        for endpoint, rules in url_map._rules_by_endpoint.items():
            rule = rules[0]
            if len(rules) > 1 or rule.websocket or rule.defaults or "<" in (rule.subdomain or ""):
                continue
            if (rule.subdomain or "") != (url_map.default_subdomain or ""):
                continue
            self._rules[endpoint] = rule
            if not rule.arguments:
                built = rule.build({})
                if built is not None:
                    self._paths[endpoint] = built[1].lstrip("/")


def build_url(
    app: Application,
    endpoint: str,
    values: dict[str, Any],
    anchor: str | None,
    method: str | None,
    scheme: str | None,
    external: bool | None,
) -> str:
    """`Flask.url_for`, in all its generality."""
    ctx = request_context()
    if ctx is not None:
        adapter = ctx.url_adapter
        if endpoint[:1] == ".":
            blueprint = ctx.request.blueprint
            endpoint = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"
        if external is None:
            external = scheme is not None
    else:
        app_ctx = _cv_app.get(None)
        adapter = app_ctx.url_adapter if app_ctx is not None else app.create_url_adapter(None)
        if adapter is None:
            raise RuntimeError(
                "Unable to build URLs outside an active request without 'SERVER_NAME' configured."
                " Also configure 'APPLICATION_ROOT' and 'PREFERRED_URL_SCHEME' as needed."
            )
        if external is None:
            external = True
    if scheme is not None and not external:
        raise ValueError("When specifying '_scheme', '_external' must be True.")
    if app.url_default_functions or not app._builds_plain_urls:
        app.inject_url_defaults(endpoint, values)
    try:
        url = adapter.build(  # type: ignore[union-attr]
            endpoint, values, method=method, url_scheme=scheme, force_external=external
        )
    except BuildError as error:
        values.update(_anchor=anchor, _method=method, _scheme=scheme, _external=external)
        return app.handle_url_build_error(error, endpoint, values)
    if anchor is not None:
        url = f"{url}#{quote(anchor, safe='%!#$&()*+,/:;=?@' + chr(39))}"
    return url


def handle_build_error(app: Application, error: BuildError, endpoint: str, values: dict[str, Any]) -> str:
    """See `Flask.handle_url_build_error`."""
    for handler in app.url_build_error_handlers:
        try:
            url = app.call_from_sync(handler, error, endpoint, values)
        except BuildError as raised:
            error = raised
        else:
            if url is not None:
                return cast(str, url)
    raise error
