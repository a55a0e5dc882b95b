"""What matches and builds the URLs of a request: Werkzeug's adapter for its host and path."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

from werkzeug.routing import MapAdapter

from ..environ import route_path

if TYPE_CHECKING:
    from ..protocols import Application, Received


def create_url_adapter(app: Application, request: Received | None) -> MapAdapter | None:
    """See `Flask.create_url_adapter`."""
    if request is None:
        if app.config["SERVER_NAME"] is None:
            return None
        return cast(
            MapAdapter,
            app.url_map.bind(
                app.config["SERVER_NAME"],
                script_name=app.config["APPLICATION_ROOT"],
                url_scheme=app.config["PREFERRED_URL_SCHEME"],
            ),
        )
    trusted_hosts = app.config["TRUSTED_HOSTS"]
    if trusted_hosts is not None:
        request.trusted_hosts = trusted_hosts
        request.__dict__.pop("host", None)  # or one that nobody has checked would do
    host = request.host
    server_name = app.config["SERVER_NAME"]
    if server_name is None and not app.url_map.host_matching and not app.subdomain_matching:
        # As `bind_to_environ` below, for which an environ would have to be made.
        return cast(
            MapAdapter,
            app.url_map.bind(
                host,
                request.root_path,
                app.url_map.default_subdomain or "",
                request.scheme,
                request.method,
                route_path(request.scope),
                request.query_string.decode("utf-8", "replace"),
            ),
        )
    subdomain = None
    if app.url_map.host_matching:
        server_name = None
    elif not app.subdomain_matching:
        subdomain = app.url_map.default_subdomain or ""
    elif server_name is not None and not _is_below(host, server_name):
        subdomain = "<invalid>"
        # With the module and the first words that the filters of applications have for it.
        warnings.warn_explicit(
            f"Current server name doesn't match configured server name {server_name!r}: no rule matches.",
            UserWarning,
            __file__,
            0,
            module="flask.app",
            registry=_warned,
        )
    environ = {
        "REQUEST_METHOD": request.method,
        "wsgi.url_scheme": request.scheme,
        "HTTP_HOST": host,
        "SERVER_NAME": host,
        "SERVER_PORT": "",
        "SCRIPT_NAME": request.root_path.encode().decode("latin-1"),
        "PATH_INFO": route_path(request.scope).encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": request.query_string.decode("latin-1"),
    }
    return cast(
        MapAdapter, app.url_map.bind_to_environ(environ, server_name=server_name, subdomain=subdomain)
    )


def _is_below(host: str, server_name: str) -> bool:
    host, server_name = host.lower(), server_name.lower()
    for port in (":80", ":443"):
        server_name = server_name.removesuffix(port)
    return host == server_name or host.endswith(f".{server_name}")


#: Which of them have been given, as `warnings` keeps it for each module.
_warned: dict[Any, Any] = {}
