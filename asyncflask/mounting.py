"""Other applications inside of this one, below a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import PlainTextResponse

from .concurrency import is_async
from .environ import route_path, without_routing
from .routing import Rule
from .typing import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from .protocols import Application


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
        #: The state that its lifespan has left, None when it has none.
        self.state: dict[str, Any] | None = None

    def covers(self, path: str) -> bool:
        """Whether a path is at or below this one."""
        return path.startswith(self.path) and (len(path) == len(self.path) or path[len(self.path)] == "/")

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
        child.pop("app_root_path", None)  # of a router around this application: the path has it now
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
