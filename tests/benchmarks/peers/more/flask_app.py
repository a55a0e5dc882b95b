"""The applications for Flask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from flask import (
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
)

from .data import CHUNK, CHUNKS, EVENT, EVENTS, FOLDER, GREETING, HEADERS, LARGE, ROUTES, ROWS, SECRET_KEY


def create_streams() -> Flask:
    app = Flask(__name__)

    @app.get("/generator")
    def generator() -> Response:
        return Response(CHUNK for _ in range(CHUNKS))

    @app.get("/async-generator")
    def async_generator() -> Response:
        return Response(CHUNK for _ in range(CHUNKS))

    @app.get("/template")
    def template() -> Iterator[str]:
        return stream_template("table.html", rows=ROWS)

    @app.get("/events")
    def events() -> Response:
        def lines() -> Iterator[str]:
            for _ in range(EVENTS):
                yield f"data: {json.dumps(EVENT)}\n\n"

        return Response(lines(), content_type="text/event-stream; charset=utf-8")

    return app


def create_uploads() -> Flask:
    app = Flask(__name__)

    @app.post("/raw")
    def raw() -> str:
        return str(len(request.get_data()))

    @app.post("/file")
    def file() -> str:
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

    @app.get("/plain")
    def plain() -> str:
        return GREETING

    @app.post("/post")
    def post() -> str:
        return GREETING

    @app.get("/redirect")
    def redirected() -> Any:
        return redirect("/plain")

    @app.get("/flash")
    def flashed() -> Any:
        flash("saved")
        return redirect("/plain")

    @app.get("/abort")
    def aborted() -> str:
        abort(403)

    @app.get("/large")
    def large() -> Any:
        return LARGE

    @app.errorhandler(403)
    def forbidden(error: Exception) -> tuple[str, int]:
        return "forbidden", 403

    return app


def create_headers() -> Flask:
    app = Flask(__name__)

    @app.get("/plain")
    def plain() -> str:
        return GREETING

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in HEADERS:
            response.headers[name] = value
        return response

    return app


def create_signals() -> Flask:
    app = create_answers()

    def receiver(sender: Flask, **values: Any) -> None:
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
    client = create_answers().test_client()
    return lambda: client.get("/plain")
