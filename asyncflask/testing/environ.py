"""WSGI environs of requests that are made up."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import werkzeug.test

from ..app import Flask


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Werkzeug's builder of WSGI environs, with defaults from an application.

    :param app: the application.
    :param path: the path, or a whole URL.
    :param base_url: the URL that `path` is relative to; made from the configuration unless given.
    :param subdomain: put before ``SERVER_NAME``.
    :param url_scheme: ``PREFERRED_URL_SCHEME`` unless given.
    :param args: as for Werkzeug's builder, as are `kwargs`.
    """

    def __init__(
        self,
        app: Flask,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if base_url is not None and (subdomain is not None or url_scheme is not None):
            raise AssertionError(
                "'base_url' says it all: 'subdomain' and 'url_scheme' cannot be given with it."
            )
        if base_url is None:
            host = app.config.get("SERVER_NAME") or "localhost"
            if subdomain:
                host = f"{subdomain}.{host}"
            url = urlsplit(path)
            scheme = url.scheme or url_scheme or app.config["PREFERRED_URL_SCHEME"]
            base_url = f"{scheme}://{url.netloc or host}/{app.config['APPLICATION_ROOT'].lstrip('/')}"
            path = f"{url.path}?{url.query}" if url.query else url.path
        #: The application that the requests are for.
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: Any, **kwargs: Any) -> str:
        """Dump the ``json`` argument with the application's provider."""
        return self.app.json.dumps(obj, **kwargs)
