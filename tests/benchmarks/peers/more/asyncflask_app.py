"""The applications for asyncflask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asyncflask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    got_request_exception,
    message_flashed,
    redirect,
    request,
    request_finished,
    request_started,
    send_from_directory,
    stream_template,
    template_rendered,
    websocket,
)
from asyncflask.json.fast import OrjsonProvider
from asyncflask.sse import EventSourceResponse

from .data import CHUNK, CHUNKS, EVENT, EVENTS, FOLDER, GREETING, HEADERS, LARGE, ROUTES, ROWS, SECRET_KEY


def create_streams() -> Flask:
    app = Flask(__name__)

    @app.get("/generator")
    async def generator() -> Response:
        return Response(CHUNK for _ in range(CHUNKS))

    @app.get("/async-generator")
    async def async_generator() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(CHUNKS):
                yield CHUNK

        return Response(chunks())

    @app.get("/template")
    async def template() -> Iterator[str]:
        return stream_template("table.html", rows=ROWS)

    @app.get("/events")
    async def events() -> EventSourceResponse:
        async def source() -> AsyncIterator[dict[str, Any]]:
            for _ in range(EVENTS):
                yield EVENT

        return EventSourceResponse(source())

    return app


def create_uploads() -> Flask:
    app = Flask(__name__)

    @app.post("/raw")
    async def raw() -> str:
        return str(len(request.get_data()))

    @app.post("/file")
    async def file() -> str:
        return str(request.files["file"].stream.seek(0, 2))

    return app


def create_files() -> Flask:
    app = Flask(__name__)

    @app.get("/download/<name>")
    def download(name: str) -> Response:
        return send_from_directory(FOLDER / "static", name)

    return app


def create_answers() -> Flask:
    app = Flask(__name__)
    app.secret_key = SECRET_KEY
    app.json = OrjsonProvider(app)

    @app.get("/plain")
    async def plain() -> str:
        return GREETING

    @app.post("/post")
    async def post() -> str:
        return GREETING

    @app.get("/redirect")
    async def redirected() -> Any:
        return redirect("/plain")

    @app.get("/flash")
    async def flashed() -> Any:
        flash("saved")
        return redirect("/plain")

    @app.get("/abort")
    async def aborted() -> str:
        abort(403)

    @app.get("/large")
    async def large() -> Any:
        return LARGE

    @app.errorhandler(403)
    async def forbidden(error: Exception) -> tuple[str, int]:
        return "forbidden", 403

    return app


def create_headers() -> Flask:
    app = Flask(__name__)

    @app.get("/plain")
    async def plain() -> str:
        return GREETING

    @app.after_request
    async def add(response: Response) -> Response:
        for name, value in HEADERS:
            response.headers[name] = value
        return response

    return app


def create_signals() -> Flask:
    app = create_answers()

    async def receiver(sender: Flask, **values: Any) -> None:
        pass

    request_started.connect(receiver, app)
    request_finished.connect(receiver, app)
    app.extensions["receiver"] = receiver
    return app


def create_unsent_signals() -> Flask:
    app = create_answers()

    def receiver(sender: Flask, **values: Any) -> None:
        pass

    for signal in (got_request_exception, message_flashed, template_rendered):
        signal.connect(receiver, app)
    app.extensions["receiver"] = receiver
    return app


def create_other_signals() -> Flask:
    create_signals.kept = create_signals()  # type: ignore[attr-defined]
    return create_answers()


def create_websockets() -> Flask:
    app = Flask(__name__)

    @app.websocket("/echo")
    async def echo() -> None:
        while True:
            await websocket.send(await websocket.receive())

    return app


def create_factory() -> Flask:
    app = Flask(__name__)
    blueprints: dict[str, Blueprint] = {}

    def view(item_id: int) -> str:
        return GREETING

    for number, (name, rule) in enumerate(ROUTES):
        if name not in blueprints:
            blueprints[name] = Blueprint(name, __name__)
        blueprints[name].add_url_rule(rule, f"view{number}", view)
    for blueprint in blueprints.values():
        app.register_blueprint(blueprint)
    return app


def test_client_sync() -> Callable[[], object]:
    app = Flask(__name__)

    @app.get("/plain")
    def plain() -> str:
        return GREETING

    client = app.test_client()
    return lambda: client.get("/plain")


def test_client() -> Callable[[], object]:
    client = create_answers().test_client()
    return lambda: client.get("/plain")
