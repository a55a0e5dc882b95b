"""The onion around each view.

`ContextMiddleware` is the outermost layer and the `Router` is inside of it. The router finds the rule of a
request and runs its stack (`Stack`): of the layers in the table below those that have something to do for
this rule, and at the bottom the view. A stack is composed when the first request for its rule comes, as
Starlette's own ``Route(middleware=...)`` has one for each route; each class says in its `around` whether it
is needed.

All of them are ASGI middleware: ``__init__(app, ...)`` and ``async __call__(scope, receive, send)``. Between
them the response travels as the return value, which ASGI leaves open. Why not as messages? Flask tears down
before the response leaves; `after_request` is given the very object that the view returned; what
`make_response` raises passes the error handlers by. Messages would need private ones for each of these, and
cost a quarter of a plain request. Around an application that answers through `send` (a mounted one, a
Starlette response) the same layers do the same work when its response starts, see `handover`.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any

from ..signals import appcontext_pushed
from .body import BodyMiddleware
from .errors import ErrorHandlerMiddleware, UnhandledErrorMiddleware
from .hooks import AfterRequestMiddleware, BeforeRequestMiddleware
from .layer import Layer, Middleware, Route, may_wait_in_sync_code
from .overridden import OverriddenDispatch
from .sessions import SessionMiddleware
from .signals import RequestFinishedMiddleware
from .teardown import Teardown
from .view import view_of
from .websocket_layers import (
    AfterWebsocketMiddleware,
    BeforeWebsocketMiddleware,
    UnhandledWebsocketErrorMiddleware,
    WebsocketErrorHandlerMiddleware,
)

#: From the outside in.
LAYERS: tuple[type[Middleware], ...] = (
    UnhandledErrorMiddleware,  # what nobody has handled becomes a 500
    OverriddenDispatch,  # the application's own `full_dispatch_request`
    RequestFinishedMiddleware,  # the signal
    SessionMiddleware,  # opened before all that is further in, saved after it
    AfterRequestMiddleware,  # the view's value becomes a response, and passes `after_request`
    ErrorHandlerMiddleware,  # exceptions go to error handlers
    BeforeRequestMiddleware,  # `request_started`, `url_value_preprocessor`, `before_request`
    BodyMiddleware,  # what is left of the body, where the view could not wait for it
)


#: The same for websockets.
WEBSOCKET_LAYERS: tuple[type[Middleware], ...] = (
    UnhandledWebsocketErrorMiddleware,  # what nobody has handled refuses or closes it
    SessionMiddleware,
    AfterWebsocketMiddleware,  # a response that refuses it, and `after_websocket`
    WebsocketErrorHandlerMiddleware,  # until it is accepted
    BeforeWebsocketMiddleware,  # `url_value_preprocessor`, `before_websocket`
)


class Stack(Route):
    """The layers for the requests of a rule.

    :param route: as for `Route`.
    :param bottom: what is called in the place of the view.
    """

    def __init__(self, *route: Any, bottom: Layer | None = None) -> None:
        super().__init__(*route)
        #: The layers that a response passes, from the inside out: those with a method `process`.
        self.processors: list[Any] = []
        view = view_of(self) if bottom is None else bottom
        #: What is inside of the hooks.
        self.dispatch = bound(BodyMiddleware.around(view, self))
        #: The stack where a body has not arrived yet.
        self.receiving = self._compose(self.dispatch)
        #: The stack of all other requests.
        self.handle = self.receiving if self.dispatch is view else self._compose(bound(view))
        self.teardown = Teardown(self)
        flask = self.flask
        #: Whether there is nothing to do before the layers but to push the context.
        self.begins_at_once = not (
            flask.config["DEBUG"] or appcontext_pushed.has_receivers(flask) or may_wait_in_sync_code(flask)
        )
        #: Whether a response that is complete can be sent without anything being torn down.
        self.ends_at_once = self.leads_on and not self.teardown.is_needed
        if not self.is_observed:
            self.made_for = None

    def _compose(self, app: Layer) -> Layer:
        layers = WEBSOCKET_LAYERS if self.is_websocket else LAYERS[:-1]
        if "before_first_request_funcs" in self.flask._legacy and not self.is_websocket:
            from ..legacy import FirstRequestMiddleware  # few have any

            layers = (layers[0], FirstRequestMiddleware, *layers[1:])
        self.processors = []
        for cls in reversed(layers):
            layer = cls.around(app, self)
            if layer is not app:
                if hasattr(layer, "process"):
                    self.processors.append(layer)
                app = bound(layer)
        return app


def bound(layer: Layer) -> Layer:
    """The method behind a callable object, which is called in two thirds of the time."""
    return layer if isinstance(layer, FunctionType | MethodType) else layer.__call__  # type: ignore[operator]
