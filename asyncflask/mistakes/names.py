"""Names of other frameworks, and what has them here."""

from __future__ import annotations

from typing import Any

_REQUEST = {
    # Starlette, FastAPI
    "query_params": "request.args",
    "path_params": "request.view_args, or the view's own arguments",
    "client": "request.remote_addr",
    "session": "'from asyncflask import session'",
    "app": "'from asyncflask import current_app'",
    "user": "what your login keeps: 'g.user', or 'current_user' of Flask-Login",
    "auth": "request.authorization",
    "url_for": "'from asyncflask import url_for'",
    "is_disconnected": "the 'finally:' of the view, which is cancelled with CANCEL_ON_DISCONNECT",
    # Django
    "GET": "request.args",
    "POST": "request.form",
    "FILES": "request.files",
    "COOKIES": "request.cookies",
    "META": "request.headers, or request.environ",
    "content_params": "request.mimetype_params",
    "get_full_path": "request.full_path",
    "build_absolute_uri": "url_for(..., _external=True), or request.url",
    "is_ajax": "request.is_xhr",
    # aiohttp, Sanic, Bottle, Express
    "query": "request.args",
    "query_args": "request.args",
    "match_info": "request.view_args",
    "params": "request.args, request.form, or both together: request.values",
    "text": "request.get_data(as_text=True)",
    "read": "request.get_data()",
    "post": "request.form",
    "forms": "request.form",
    "ip": "request.remote_addr",
    "ctx": "'from asyncflask import g'",
    "raw_path": 'request.scope["raw_path"]',
}

_WEBSOCKET = {
    "send_text": "await websocket.send(text)",
    "send_bytes": "await websocket.send(data)",
    "send_str": "await websocket.send(text)",
    "receive_text": "await websocket.receive()",
    "receive_bytes": "await websocket.receive()",
    "receive_str": "await websocket.receive()",
    "recv": "await websocket.receive()",
    "iter_text": "async for message in websocket",
    "iter_bytes": "async for message in websocket",
    "iter_json": "await websocket.receive_json() in a loop",
    "client_state": "websocket.accepted and websocket.closed",
    "application_state": "websocket.accepted and websocket.closed",
}

_APP = {
    "include_router": "app.register_blueprint(blueprint)",
    "include_blueprint": "app.register_blueprint(blueprint)",
    "blueprint": "app.register_blueprint(blueprint)",
    "on_event": "'@app.before_serving' and '@app.after_serving', or Flask(..., lifespan=...)",
    "on_startup": "'@app.before_serving', or Flask(..., lifespan=...)",
    "on_shutdown": "'@app.after_serving', or Flask(..., lifespan=...)",
    "add_event_handler": "'@app.before_serving' and '@app.after_serving', or Flask(..., lifespan=...)",
    "exception_handler": "'@app.errorhandler(error)'",
    "add_exception_handler": "app.register_error_handler(error, function)",
    "exception": "'@app.errorhandler(error)'",
    "middleware": "'@app.before_request' and '@app.after_request', or app.add_middleware(cls)",
    "api_route": "'@app.route(rule, methods=[...])'",
    "add_api_route": "app.add_url_rule(rule, view_func=function, methods=[...])",
    "add_route": "app.add_url_rule(rule, view_func=function)",
    "options": "'@app.route(rule, methods=[\"OPTIONS\"])'",
    "head": "'@app.get(rule)', which answers HEAD, too",
    "trace": "'@app.route(rule, methods=[\"TRACE\"])'",
    "websocket_route": "'@app.websocket(rule)'",
    "add_websocket_route": "app.add_websocket(rule, view_func=function)",
    "add_task": "app.add_background_task(function, ...)",
    "dependency_overrides": "what your application reads from app.config or app.extensions",
    "url_path": "'from asyncflask import url_for'",
}

_OF_CLASS = {"Websocket": _WEBSOCKET | _REQUEST, "Request": _REQUEST, "Flask": _APP, "Blueprint": _APP}


def explain(error: BaseException) -> str:
    """For an AttributeError: what a name of another framework is called here."""
    if not isinstance(error, AttributeError) or error.name is None:
        return ""
    for cls in type(error.obj).__mro__:
        names: Any = _OF_CLASS.get(cls.__name__) if cls.__module__.startswith("asyncflask.") else None
        if names is not None:
            instead = names.get(error.name)
            return f"Another framework has {error.name!r}; here it is {instead}." if instead else ""
    return ""
