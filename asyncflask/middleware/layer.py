"""What a layer is, and what it is made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from .. import observed
from ..concurrency import is_async
from ..helpers import _split_blueprint_path
from ..observed import is_observed
from ..signals import before_render_template, message_flashed, template_rendered
from ..typing import Receive, Scope, Send

if TYPE_CHECKING:
    from ..protocols import Application

#: An ASGI application that returns a value: what the view returned, further out the response.
Layer = Callable[[Scope, Receive, Send], Awaitable[Any]]

#: What a layer returns when an ASGI application further in has sent the response.
SENT: Any = type("SENT", (), {"__repr__": lambda self: "SENT", "_content_type": None})()

#: Functions, each with whether it is an ``async def``.
Functions = tuple[tuple[Callable[..., Any], bool], ...]


class Middleware(Protocol):
    """A class of layers."""

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        """`app` with a layer of this class around it, or `app` itself where such a layer had nothing to
        do."""


class Route:
    """What is known of the requests of a rule before they come.

    :param flask: the application.
    :param rule: the rule, None for requests that no rule is for.
    :param leads_on: whether there is nothing wrong with the URL.
    :param is_automatic_options: whether they are answered with the methods that the path allows.
    :param is_websocket: whether they are websockets.
    :param router: finds the stack for a request that a hook has sent elsewhere.
    """

    def __init__(
        self,
        flask: Application,
        rule: Any,
        leads_on: bool = True,
        is_automatic_options: bool = False,
        is_websocket: bool = False,
        router: Any = None,
    ) -> None:
        self.flask = flask
        self.rule = rule
        self.leads_on = leads_on
        self.is_automatic_options = is_automatic_options
        self.is_websocket = is_websocket
        self.router = router
        #: The state of the setup that this is true of.
        self.made_for: object = observed.setup
        #: The rule in the form of Starlette's routes.
        self.starlette_route = getattr(rule, "route", None)
        #: Whether the view takes the body while it arrives.
        self.streams_body = leads_on and getattr(rule, "stream", False)
        #: Whether the body is for an application that is mounted.
        self.passes_body_on = leads_on and getattr(rule, "mount", None) is not None
        self.takes_body = self.streams_body or self.passes_body_on
        #: Whether a small body is received before the request begins.
        self.receives_ahead = leads_on and not self.takes_body
        endpoint = None if rule is None else rule.endpoint
        self.view = None if endpoint is None else flask.view_functions.get(endpoint)
        blueprints: list[str] = []
        if endpoint is not None and "." in endpoint:
            blueprints = _split_blueprint_path(endpoint.rpartition(".")[0])
        #: The names of its blueprints, the innermost first.
        self.blueprints = blueprints
        #: The names that functions are registered under, from the innermost blueprint to the application.
        self.names = (*blueprints, None)
        #: Whether changes of all that was asked for are noticed.
        self.is_observed = True
        self.after_functions = self.outwards(
            flask.after_websocket_funcs if is_websocket else flask.after_request_funcs
        )

    #: Whether the URL could not be matched since a converter has failed.
    has_failed = False

    def overridden(self, name: str) -> Callable[..., Any] | None:
        """The method of the application that replaces the framework's own."""
        return overridden(self.flask, name)

    def inwards(self, registry: Any) -> Functions:
        """The functions of a registry: the application's, then those of the blueprints."""
        return tuple(
            (func, is_async(func))
            for name in reversed(self.names)
            for func in self._functions(registry, name)
        )

    def outwards(self, registry: Any) -> Functions:
        """The other way round, the last registered first."""
        return tuple(
            (func, is_async(func))
            for name in self.names
            for func in reversed(self._functions(registry, name))
        )

    def _functions(self, registry: Any, name: str | None) -> Any:
        if not is_observed(registry, name):
            self.is_observed = False
        return registry.get(name, ())


def may_wait_in_sync_code(flask: Application) -> bool:
    """Whether sync functions such as `render_template` call async ones that the user has registered."""
    return any(
        is_async(func)
        for functions in (
            *flask.template_context_processors.values(),
            *flask.url_default_functions.values(),
            flask.url_build_error_handlers,
            *(
                list(signal.receivers_for(flask))
                for signal in (before_render_template, template_rendered, message_flashed)
            ),
        )
        for func in functions
    )


def overridden(app: Application, name: str) -> Callable[..., Any] | None:
    """The method of the application that replaces the framework's own, by a subclass or an assignment."""
    return app._replacement_of(name)
