"""The layer that tells WSGI middleware that the response starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..concurrency import current_walk
from ..typing import Receive, Scope, Send
from .layer import SENT, Layer, Route

if TYPE_CHECKING:
    from ..wsgi.call import Call


class StartResponseMiddleware:
    """Calls ``start_response`` while the request's context is there, as Flask does: instrumentation asks for
    the rule and the request in it. The response goes on outwards."""

    def __init__(self, app: Layer) -> None:
        self.app = app

    @classmethod
    def around(cls, app: Layer, route: Route) -> Layer:
        wsgi_app = route.flask._outermost_wsgi_app()
        if wsgi_app is None or route.is_websocket:
            return app
        from .wsgi import split  # few have any

        return app if route.flask._is_own_wsgi_app(split(wsgi_app)[1]) else cls(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        response = await self.app(scope, receive, send)
        call: Call | None = scope.get("asyncflask.wsgi")
        if call is not None and response is not SENT:
            await current_walk().to_thread()
            messages = response._messages(scope)
            if messages is not None:
                call.begin_response(messages[0], messages[1]["body"])
            else:
                call.begin_response(*response.start(scope))
        return response
