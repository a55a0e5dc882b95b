"""The application for Quart."""

from __future__ import annotations

from typing import Any

from quart import Quart, Response, abort, g, render_template, request, session

from .data import ARTICLE, GREETING, ITEMS, SECRET_KEY, pause, pause_sync


def create_app(extra_routes: int = 0) -> Quart:
    app = Quart(__name__)

    async def extra(item_id: int = 0) -> str:
        return str(item_id)

    for number in range(extra_routes):
        rule = f"/section{number}/items/<int:item_id>" if number % 2 else f"/section{number}/items"
        app.add_url_rule(rule, f"extra{number}", extra)

    @app.get("/plain")
    async def plain() -> str:
        return GREETING

    @app.get("/json")
    async def json() -> dict[str, Any]:
        return ARTICLE

    @app.get("/users/<int:user_id>")
    async def user(user_id: int) -> str:
        return f"user {user_id}"

    @app.get("/sync")
    def sync() -> str:
        return GREETING

    @app.post("/form")
    async def form() -> str:
        form = await request.form
        return f"{form['name']}, {form['city']}"

    @app.post("/articles")
    async def article() -> str:
        article = await request.get_json()
        return f"{article['title']}"

    @app.get("/wait")
    async def wait() -> str:
        await pause()
        return GREETING

    @app.get("/wait-sync")
    def wait_sync() -> str:
        pause_sync()
        return GREETING

    @app.errorhandler(404)
    async def not_found(error: Exception) -> tuple[str, int]:
        return "not found", 404

    return app


def create_hooks_app() -> Quart:
    app = Quart(__name__)

    @app.before_request
    async def note_greeting() -> None:
        g.greeting = GREETING

    @app.before_request
    async def require_greeting() -> None:
        if not g.greeting:
            abort(400)

    @app.after_request
    async def pass_on(response: Response) -> Response:
        return response

    @app.get("/")
    async def index() -> str:
        return f"{g.greeting}"

    return app


def create_hooks_sync_app() -> Quart:
    app = Quart(__name__)

    @app.before_request
    def note_greeting() -> None:
        g.greeting = GREETING

    @app.before_request
    def require_greeting() -> None:
        if not g.greeting:
            abort(400)

    @app.after_request
    def pass_on(response: Response) -> Response:
        return response

    @app.get("/")
    def index() -> str:
        return f"{g.greeting}"

    return app


def create_full_app() -> Quart:
    app = Quart(__name__)
    app.secret_key = SECRET_KEY

    @app.before_request
    async def load_user() -> None:
        g.user = session.get("user", "guest")

    @app.before_request
    async def require_agent() -> None:
        if "User-Agent" not in request.headers:
            abort(400)

    @app.after_request
    async def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/")
    async def index() -> str:
        return GREETING

    @app.get("/items/<int:item_id>")
    async def item(item_id: int) -> str:
        return f"item {item_id}"

    @app.get("/page")
    async def page() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return await render_template(
            "page.html", title="Items", user=g.user, visits=session["visits"], items=ITEMS
        )

    return app


def create_full_sync_app() -> Quart:
    """The hooks are ``def``; the view cannot be, because rendering has to be awaited."""
    app = Quart(__name__)
    app.secret_key = SECRET_KEY

    @app.before_request
    def load_user() -> None:
        g.user = session.get("user", "guest")

    @app.before_request
    def require_agent() -> None:
        if "User-Agent" not in request.headers:
            abort(400)

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/")
    def index() -> str:
        return GREETING

    @app.get("/items/<int:item_id>")
    def item(item_id: int) -> str:
        return f"item {item_id}"

    @app.get("/page")
    async def page() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return await render_template(
            "page.html", title="Items", user=g.user, visits=session["visits"], items=ITEMS
        )

    return app
