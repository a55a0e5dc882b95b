"""Other applications inside of this one, below a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Match, NoMatchFound
from starlette.routing import Mount as StarletteMount

from .concurrency import is_async
from .environ import route_path, without_routing
from .globals import _cv_app
from .routing import Rule
from .typing import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from .protocols import Application


class MountRoute(StarletteMount):
    """A mount in the form of Starlette's, with its ``app`` and that one's ``routes``. ``name:inner`` is the
    name of a route inside of it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] not in ("http", "websocket") or not covers(self.path, route_path(scope)):
            return Match.NONE, {}
        root_path: str = scope.get("root_path", "").rstrip("/")
        return Match.FULL, {
            "path_params": dict(scope.get("path_params", {})),
            "app_root_path": scope.get("app_root_path", root_path),
            "root_path": root_path + self.path,
            "endpoint": self.app,
        }


class NamesInside:
    """What builds URLs for a mounted application that asks ``scope["router"]``, as Starlette's
    ``request.url_for`` does: from its own names as if it were alone, and from those that it has for the
    application that it is mounted in, ``mount:name``.

    :param providers: who knows names, each with the path that its URLs begin with.
    """

    def __init__(self, *providers: tuple[Any, str]) -> None:
        self._providers = providers

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of a route below the outermost application.

        :raises NoMatchFound: when nobody knows it.
        """
        for provider, prefix in self._providers:
            if not hasattr(provider, "url_path_for"):
                continue
            try:
                path = provider.url_path_for(name, **path_params)
            except NoMatchFound:
                continue
            return URLPath(prefix + path, protocol=path.protocol, host=path.host)
        raise NoMatchFound(name, path_params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._providers[-1][0], name)  # the outermost router


class Mount:
    """An ASGI application below a path. It is the view of its own rule.

    :param path: the path that its URLs begin with, "" for all that no rule is for.
    :param app: the application.
    :param name: the endpoint, for `url_for` and hooks.
    """

    def __init__(self, path: str, app: ASGIApp, name: str) -> None:
        self.path = path
        self.app = app
        self.rule = Rule(f"{path}/<path:path>", endpoint=name, build_only=True)
        self.rule.mount = self
        #: It in the form of Starlette's routes.
        self.route = MountRoute(path, app, name=name)
        #: The state that its lifespan has left, None when it has none.
        self.state: dict[str, Any] | None = None

    def covers(self, path: str) -> bool:
        """Whether a path is at or below this one."""
        return covers(self.path, path)

    async def view(self, path: str = "") -> Mount:
        """The view of the rule: its response is the application's."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request or a websocket to the application, as if it were alone at this path."""
        root_path: str = scope.get("root_path", "").rstrip("/")
        child = {
            key: value for key, value in without_routing(scope).items() if not key.startswith("asyncflask.")
        }
        child["path"] = root_path + route_path(scope)
        child["root_path"] = root_path + self.path
        child["app_root_path"] = scope.get("app_root_path", root_path)
        child["router"] = self._names(scope, root_path)
        _cv_app.get().request.scope["asyncflask.mounted"] = child  # with what its router will leave there
        if self.state is not None:
            child["state"] = dict(self.state)
        else:
            child.pop("state", None)
        try:
            await self.app(child, receive, send)
        except StarletteHTTPException as error:
            # Its own answer, which without an application around it nobody would give.
            if scope["type"] != "http":
                raise
            response = PlainTextResponse(error.detail, error.status_code, dict(error.headers or {}))
            await response(child, receive, send)

    def _names(self, scope: Scope, root_path: str) -> NamesInside:
        place = root_path.removeprefix(scope.get("app_root_path", root_path).rstrip("/"))
        ctx = _cv_app.get()
        own, outermost = ctx.app.router, ctx.request.scope["router"]
        around = () if outermost is own else ((outermost, ""),)
        return NamesInside((self.app, place + self.path), (own, place), *around)


def covers(prefix: str, path: str) -> bool:
    """Whether a path is at or below another one."""
    return path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/")


def make_mount(app: Application, path: str, asgi_app: ASGIApp, name: str | None) -> Mount:
    """Check the arguments of `Flask.mount`.

    :raises ValueError: for a path that is none.
    :raises TypeError: for an application that is not an ASGI one.
    """
    path = path.rstrip("/")
    if path and not path.startswith("/"):
        raise ValueError(f"The path of a mount begins with a slash: {path!r} does not.")
    if "<" in path:
        raise ValueError(
            f"The path of a mount has no variables: mount at a path without '<' instead of {path!r}."
        )
    if any(mount.path == path for mount in app.mounts):
        raise ValueError(f"There is something mounted at {path or '/'!r} already.")
    if not is_async(asgi_app):
        raise TypeError(
            f"{asgi_app!r} is no ASGI application. A WSGI application is mounted with"
            " 'app.mount(path, a2wsgi.WSGIMiddleware(wsgi_app))'; install asyncflask[wsgi]."
        )
    if name is None:
        name = made = "mount_" + (_NO_NAME.sub("_", path.strip("/")) or "root")
        number = 1
        while name in app.view_functions:
            number += 1
            name = f"{made}_{number}"
    elif name in app.view_functions:
        raise ValueError(f"There is an endpoint {name!r} already: give the mount another name.")
    return Mount(path, asgi_app, name)


_NO_NAME = re.compile(r"\W")
