"""Mistakes of who comes from somewhere else: each says what happened, and what to write instead."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import gc
import logging
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from asyncflask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    make_response,
    render_template,
    render_template_string,
    request,
    session,
    stream_template_string,
    websocket,
)
from asyncflask.testing import WebsocketResponseError
from asyncflask.views import MethodView

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True)
def throw_away_coroutines() -> Iterator[None]:
    """Python's warning for one that was never awaited is to come now, not in another test."""
    yield
    gc.collect()


def make_app(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x", **config)
    return app


def said(error: BaseException) -> str:
    """All that an exception tells."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def message_of(view: Callable[..., Any], method: str = "GET", **options: Any) -> str:
    app = make_app()
    app.add_url_rule("/", "the_view", view, methods=["GET", "POST"])
    with pytest.raises(Exception) as raised:
        app.test_client().open("/", method=method, **options)
    return said(raised.value)


# -- await where there is nothing to wait for ---------------------------------------------------


async def form() -> Any:
    return (await request.form)["x"]


async def form_of_starlette() -> Any:
    data = await request.form()
    return data["x"]


async def files() -> Any:
    return str(
        await request.files,
    )


async def json_of_quart() -> Any:
    return await request.get_json()


async def json_of_starlette() -> Any:
    return await request.json()


async def body_of_starlette() -> Any:
    return await request.body()


async def data() -> Any:
    return await request.get_data()


async def template() -> Any:
    return await render_template_string("x")


async def response() -> Any:
    return await make_response("x")


async def json_response() -> Any:
    return await jsonify(a=1)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (form, "'request.form' needs no 'await'"),
        (form_of_starlette, "write 'request.form', without 'await'"),
        (files, "'request.files' needs no 'await'"),
        (json_of_quart, "'request.get_json' needs no 'await'"),
        (json_of_starlette, "write 'request.get_json()', without 'await'"),
        (body_of_starlette, "write 'request.get_data()', without 'await'"),
        (data, "'request.get_data' needs no 'await'"),
        (template, "'render_template_string' needs no 'await'"),
        (response, "'make_response' needs no 'await'"),
        (json_response, "'jsonify' needs no 'await'"),
    ],
)
def test_await_of_what_is_ready(view: Callable[..., Any], expected: str) -> None:
    kind: dict[str, Any] = {"json": {"x": 1}} if "json" in view.__name__ else {"data": {"x": "1"}}
    assert expected in message_of(view, "POST", **kind)


def test_await_of_something_else_is_left_to_python() -> None:
    async def view() -> Any:
        await {}.get(request.path)  # type: ignore[misc]

    assert "needs no" not in message_of(view)


def test_await_of_the_sync_client() -> None:
    app = make_app()
    app.add_url_rule("/", "v", lambda: "x")

    async def test() -> None:
        await app.test_client().get("/")  # type: ignore[misc]

    with pytest.raises(TypeError, match=r"'async with app.test_client\(\) as client:'"):
        asyncio.run(test())


def test_what_the_clients_return_is_still_a_response() -> None:
    app = make_app()
    app.add_url_rule("/", "v", lambda: "x")
    assert isinstance(app.test_client().get("/"), Response)


# -- no await where there is --------------------------------------------------------------------


async def load() -> dict[str, int]:
    return {"a": 1}


@pytest.mark.parametrize(
    "view",
    [
        lambda: {"user": load()},
        lambda: [load()],
        lambda: {"deep": [{"user": load()}]},
        lambda: jsonify(user=load()),
        lambda: jsonify(load()),
        lambda: session.update(user=load()) or "x",
    ],
)
@pytest.mark.parametrize("encoder", ["json", "msgspec", "orjson"])
def test_a_coroutine_in_json(view: Callable[..., Any], encoder: str) -> None:
    async def async_view() -> Any:
        return view()

    if encoder != "json":
        pytest.importorskip(encoder)
    for one in (view, async_view):
        message = message_of(one)
        assert "'load' is an 'async def' function that was called without 'await'" in message


@pytest.mark.parametrize("render", [render_template_string, stream_template_string])
@pytest.mark.parametrize("source", ["{{ user }}", "{{ user.name }}", "{% if user %}yes{% endif %}"])
def test_a_coroutine_in_a_template(render: Callable[..., Any], source: str) -> None:
    message = message_of(lambda: render(source, user=load()))
    assert "variable 'user' is a coroutine" in message
    assert "write 'await load(...)'" in message


def test_an_async_function_that_a_template_calls_is_awaited() -> None:
    app = make_app()
    app.add_url_rule("/", "v", lambda: render_template_string("{{ load().a }}", load=load))
    assert app.test_client().get("/").text in ("1", render_of_sync(app))


def render_of_sync(app: Flask) -> str:
    with app.test_request_context("/"):
        return render_template_string("{{ load().a }}", load=load)


def refusal_or_error(view: Callable[..., Any], **config: Any) -> str:
    app = make_app(**config)
    app.websocket("/ws")(view)
    with pytest.raises(Exception) as raised:
        with app.test_client().websocket_connect("/ws") as connection:
            connection.receive()
    return said(raised.value)


async def accept_only() -> None:
    websocket.accept()


async def accept_and_send() -> None:
    websocket.accept()
    await websocket.send("x")


async def send_only() -> None:
    await websocket.accept()
    websocket.send("x")


async def send_json() -> None:
    websocket.send_json(1)


async def receive() -> None:
    await websocket.accept()
    websocket.receive()


@pytest.mark.parametrize(
    ("view", "method"),
    [
        (accept_only, "accept"),
        (accept_and_send, "accept"),
        (send_only, "send"),
        (send_json, "send_json"),
        (receive, "receive"),
    ],
)
def test_a_websocket_without_await(view: Callable[..., Any], method: str) -> None:
    assert f"'websocket.{method}()' was called without 'await'" in refusal_or_error(view)


def test_websockets_that_are_awaited_say_nothing() -> None:
    app = make_app()

    @app.websocket("/ws")
    async def echo() -> None:
        task = asyncio.ensure_future(websocket.receive())
        await websocket.send(await task)

    with app.test_client().websocket_connect("/ws") as connection:
        connection.send("x")
        assert connection.receive() == "x"


# -- names of other frameworks ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("query_params", "request.args"),
        ("path_params", "request.view_args"),
        ("client", "request.remote_addr"),
        ("session", "from asyncflask import session"),
        ("app", "from asyncflask import current_app"),
        ("GET", "request.args"),
        ("POST", "request.form"),
        ("FILES", "request.files"),
        ("META", "request.headers"),
        ("COOKIES", "request.cookies"),
        ("query", "request.args"),
        ("match_info", "request.view_args"),
    ],
)
def test_names_of_requests(name: str, expected: str) -> None:
    assert f"Another framework has '{name}'; here it is" in message_of(lambda: getattr(request, name))
    assert expected in message_of(lambda: getattr(request, name))


def test_names_of_websockets() -> None:
    async def view() -> None:
        await websocket.send_text("x")  # type: ignore[attr-defined]

    assert "here it is await websocket.send(text)" in refusal_or_error(view)


def test_a_name_that_nobody_has_is_left_to_python() -> None:
    assert "framework" not in message_of(lambda: request.nonsense)  # type: ignore[attr-defined]
    assert "framework" not in message_of(lambda: object().query_params)  # type: ignore[attr-defined]


# -- what views return --------------------------------------------------------------------------


@dataclasses.dataclass
class Point:
    x: int = 1


class Model(pydantic.BaseModel):
    x: int = 1


class Own:
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((404, "text"), "Are they swapped?"),
        ((404, {"error": "x"}, {"X-A": "b"}), "Are they swapped?"),
        (404, "'', 204 for a status alone"),
        (1.5, "return str(value)"),
        (Point(), "return jsonify(value)"),
        ((Point(), 201), "return jsonify(value)"),
        (Model(), "return value.model_dump(mode='json')"),
        (Model, "not 'Model'"),
        ([Model()], 'model_dump(mode="json")'),
        ({1}, "return sorted(value)"),
        (datetime.date(2026, 1, 1), "return value.isoformat()"),
        (Own(), "return a dict of what a client may see of 'Own'"),
    ],
)
def test_values_that_are_no_response(value: Any, expected: str) -> None:
    assert expected in message_of(lambda: value)


# -- rules --------------------------------------------------------------------------------------


def warnings_of(app: Flask, caplog: pytest.LogCaptureFixture) -> list[str]:
    app.debug = True
    with caplog.at_level(logging.WARNING):
        app.test_client().get("/nowhere")
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("/item/{n}", "/item/<n>"),
        ("/item/{n:int}/{path:path}", "/item/<int:n>/<path:path>"),
        ("/item/{name:str}", "/item/<string:name>"),
    ],
)
def test_rules_with_braces(caplog: pytest.LogCaptureFixture, rule: str, expected: str) -> None:
    app = make_app()
    app.add_url_rule(rule, "item", form)
    (warning,) = warnings_of(app, caplog)
    assert repr(expected) in warning
    assert f"'form' (tests/test_mistakes.py:{form.__code__.co_firstlineno})" in warning


def test_a_rule_that_is_registered_twice(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    app.add_url_rule("/a/<one>", "form", form)
    app.add_url_rule("/a/<other>", "files", files)
    (warning,) = warnings_of(app, caplog)
    assert "'GET /a/<other>' is registered twice" in warning
    assert f"'form' (tests/test_mistakes.py:{form.__code__.co_firstlineno})" in warning
    assert f"'files' (tests/test_mistakes.py:{files.__code__.co_firstlineno})" in warning


def test_rules_that_are_meant_to_be_alike(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    app.add_url_rule("/a", "get", form, methods=["GET"])
    app.add_url_rule("/a", "post", files, methods=["POST"])
    app.add_url_rule("/a", "socket", load, websocket=True)
    app.add_url_rule("/a/<int:n>", "number", data)
    app.add_url_rule("/a/<name>", "name", response)
    app.add_url_rule("/page/", "pages", template, defaults={"page": 1})
    app.add_url_rule("/page/", "pages_of", json_response, defaults={"page": 2})
    blueprint = Blueprint("blueprint", __name__)
    blueprint.add_url_rule("/b", "b", form)
    app.register_blueprint(blueprint, url_prefix="/1")
    app.register_blueprint(blueprint, url_prefix="/2", name="again")
    assert warnings_of(app, caplog) == []


def test_nothing_is_said_without_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    app.add_url_rule("/item/{n}", "item", form)
    with caplog.at_level(logging.WARNING):
        app.test_client().get("/")
    assert caplog.records == []


def without_wraps(view: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def test_two_views_with_one_endpoint() -> None:
    app = make_app()
    app.get("/form")(without_wraps(form))
    with pytest.raises(AssertionError) as raised:
        app.get("/files")(without_wraps(files))
    message = str(raised.value)
    # Flask's own words, which tests look for.
    assert message.startswith("View function mapping is overwriting an existing endpoint function: wrapper")
    assert f"'form' (tests/test_mistakes.py:{form.__code__.co_firstlineno})" in message
    assert f"'files' (tests/test_mistakes.py:{files.__code__.co_firstlineno})" in message
    assert "functools.wraps" in message


def test_two_class_based_views_with_one_endpoint() -> None:
    class One(MethodView):
        def get(self) -> str:
            return ""

    class Two(MethodView):
        def get(self) -> str:
            return ""

    app = make_app()
    app.add_url_rule("/1", view_func=One.as_view("view"))
    with pytest.raises(AssertionError, match=r"'One' \(tests.*'Two' \(tests"):
        app.add_url_rule("/2", view_func=Two.as_view("view"))


# -- websockets by HTTP, lifespan, event loops --------------------------------------------------


def test_http_where_a_websocket_is_wanted() -> None:
    app = make_app()
    app.websocket("/ws/<int:n>")(load)
    response = app.test_client().get("/ws/1")
    assert response.status_code == 426
    assert response.headers["Upgrade"] == "websocket"  # RFC 9110 section 15.5.22
    assert "'ws://'" in response.get_data(as_text=True).replace("&#39;", "'")
    assert app.test_client().get("/ws/x").status_code == 404

    app = make_app()
    app.websocket("/ws")(load)
    app.register_error_handler(426, lambda error: ({"error": error.description}, error.code))
    response = app.test_client().get("/ws")
    assert (response.status_code, response.get_json()["error"][:25]) == (426, "This URL is for websocket")


@pytest.mark.parametrize("read", [lambda: request.state["db"], lambda: request.state.db])
def test_a_lifespan_that_a_test_has_not_run(read: Callable[[], Any]) -> None:
    async def lifespan(app: Flask) -> Any:
        yield {"db": "connected"}

    app = Flask(__name__, lifespan=lifespan)
    app.testing = True
    app.add_url_rule("/", "v", read)
    app.add_url_rule("/get", "get", lambda: str(request.state.get("db")))
    with pytest.raises((KeyError, AttributeError)) as raised:
        app.test_client().get("/")
    assert "'with app.test_client() as client:'" in said(raised.value)
    assert app.test_client().get("/get").text == "None"
    with app.test_client() as client:
        assert client.get("/").text == client.get("/get").text == "connected"


def test_state_that_nobody_has_left() -> None:
    assert "lifespan" not in message_of(lambda: request.state["db"])


@pytest.mark.parametrize("scope", [{"type": "lifespan"}, {"type": "http", "path": "/", "headers": []}])
def test_no_event_loop_of_asyncio(scope: dict[str, Any]) -> None:
    app = make_app()

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None: ...

    def run(coroutine: Any) -> None:
        while True:  # as an event loop of another kind does
            coroutine.send(None)

    with pytest.raises(RuntimeError, match="With hypercorn leave out '-k trio'"):
        run(app(scope, receive, send))


# -- Flask itself beside asyncflask -------------------------------------------------------------

EXTENSION = """
from flask import current_app, request

class Extension:
    def __init__(self, app):
        app.extensions["of_flask"] = self
        app.before_request(self.check)

    def check(self):
        if request.args.get("check"):
            request.args["x"]
"""

USES_EXTENSION = """
import logging
import flask_of_somebody
from asyncflask import Flask
logging.basicConfig(format="LOG %(message)s")
app = Flask(__name__)
flask_of_somebody.Extension(app)
app.testing = True
app.get("/")(lambda: "x")
try:
    app.test_client().get("/")
except RuntimeError as error:
    print("NOTE", error.__notes__)
"""

MOUNTS_FLASK = """
import logging
import flask
from a2wsgi import WSGIMiddleware
from asyncflask import Flask
logging.basicConfig(format="LOG %(message)s")
legacy = flask.Flask("legacy")
legacy.get("/")(lambda: flask.request.path)
app = Flask(__name__)
app.mount("/legacy", WSGIMiddleware(legacy))
print("ANSWER", app.test_client().get("/legacy/").text)
"""


def run_program(folder: Path, text: str) -> str:
    (folder / "flask_of_somebody.py").write_text(EXTENSION)
    (folder / "program.py").write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout + done.stderr


def test_an_extension_that_uses_flask_itself(tmp_path: Path) -> None:
    output = run_program(tmp_path, USES_EXTENSION)
    assert "LOG flask_of_somebody uses Flask itself, beside asyncflask" in output
    assert 'NOTE ["It is Flask itself that says so' in output
    assert output.count("import asyncflask.as_flask") == 2


def test_a_flask_application_that_is_mounted_is_no_mistake(tmp_path: Path) -> None:
    assert run_program(tmp_path, MOUNTS_FLASK) == "ANSWER /\n"


def test_a_refused_websocket_in_production_is_what_it_was() -> None:
    """There Python's own warning has to do: noting each call would cost every message."""
    app = make_app()
    app.testing = False
    app.websocket("/ws")(accept_only)
    with pytest.raises(WebsocketResponseError, match="403"):
        app.test_client().websocket_connect("/ws").__enter__()


def test_notes_are_on_the_debug_page() -> None:
    app = make_app(PROPAGATE_EXCEPTIONS=None)
    app.testing, app.debug = False, True
    app.add_url_rule("/", "v", lambda: render_template(request.query_params["x"]))  # type: ignore[attr-defined]
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "scheme": "http",
        "headers": [(b"accept", b"text/html")], "http_version": "1.1", "root_path": "",
        "server": ("localhost", 80),        "client": ("127.0.0.1", 1),
    }  # fmt: skip

    async def call() -> None:
        await app(scope, receive, send)

    with pytest.raises(AttributeError):
        asyncio.run(call())
    page = b"".join(message.get("body", b"") for message in messages).decode()
    assert "Another framework has &#39;query_params&#39;; here it is request.args." in page
