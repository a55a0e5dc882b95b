"""Views: whatever a view may return, from ``def`` and ``async def`` alike."""

from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any, NoReturn, TypedDict

from starlette.responses import PlainTextResponse
from werkzeug.wrappers import Response as WerkzeugResponse

from asyncflask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    render_template_async,
    request,
    send_file,
    sse,
    stream_template,
    stream_with_context,
    url_for,
)
from asyncflask.typing import ResponseReturnValue
from asyncflask.views import MethodView, View

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


class Item(TypedDict):
    name: str


@app.get("/text")
def text() -> str:
    return "text"


@app.post("/bytes")
async def as_bytes() -> bytes:
    return request.get_data()


@app.route("/dict", methods=["GET", "POST"])
def as_dict() -> dict[str, int]:
    return {"a": 1}


@blueprint.put("/typed")
async def typed_dict() -> Item:
    return {"name": "a"}


@blueprint.patch("/list")
async def as_list() -> list[Item]:
    return [{"name": "a"}]


@app.delete("/nothing")
def nothing() -> tuple[str, int]:
    return "", 204


@app.get("/status")
async def status() -> tuple[dict[str, str], HTTPStatus]:
    return {"error": "gone"}, HTTPStatus.GONE


@app.get("/headers")
def headers() -> tuple[str, int, dict[str, str]]:
    return "text", 200, {"X-A": "b"}


@app.get("/list-of-headers")
async def list_of_headers() -> tuple[bytes, list[tuple[str, str]]]:
    return b"", [("X-A", "b")]


@app.get("/any")
async def any_of_them(found: bool = True) -> ResponseReturnValue:
    return "text" if found else ({"error": "not found"}, 404)


@app.get("/response")
def response() -> Response:
    made = make_response("text", 200)
    made.headers["X-A"] = "b"
    return made


@app.get("/werkzeug")
async def werkzeug_response() -> WerkzeugResponse:
    return redirect(url_for("text"))


@app.get("/json")
async def json() -> Response:
    return jsonify(a=1)


@app.get("/file")
def file() -> Response:
    return send_file("file.txt", as_attachment=True)


@app.get("/asgi")
async def asgi_application() -> PlainTextResponse:
    return PlainTextResponse("text")


@app.get("/aborts")
def aborts() -> NoReturn:
    abort(404)


@app.get("/template")
def template() -> str:
    return render_template("index.html", a=1)


@app.get("/template-async")
async def template_async() -> str:
    return await render_template_async("index.html", a=1)


@app.get("/iterator")
def iterator() -> Iterator[str]:
    return stream_template("index.html")


@app.get("/generator")
def generator() -> Iterator[bytes]:
    yield b"a"


@app.get("/async-generator")
async def async_generator() -> AsyncIterator[str]:
    yield "a"


@app.get("/with-context")
def with_context() -> Iterator[str]:
    def rows() -> Iterator[str]:
        yield request.path

    return stream_with_context(rows())


@app.get("/with-context-async")
async def with_context_async() -> AsyncIterator[bytes]:
    @stream_with_context
    async def rows(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"a"

    return rows(2)


@app.get("/events")
async def events() -> ResponseReturnValue:
    async def ticks() -> AsyncIterator[int]:
        yield 1

    return sse.EventSourceResponse(ticks())


@app.get("/a")
@blueprint.get("/b")
@app.endpoint("c")
def twice() -> str:
    return "a"


def decorator(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


@app.get("/decorated")
@decorator
def decorated() -> str:
    return "a"


async def added(id: int) -> str:
    # A decorator gives back what it was given.
    return text() + await template_async()


app.add_url_rule("/added/<int:id>", view_func=added)
app.add_url_rule("/build-only", endpoint="elsewhere", build_only=True)


class Hello(View):
    def dispatch_request(self, name: str) -> str:
        return name


class Users(MethodView):
    async def get(self, id: int) -> ResponseReturnValue:
        return {"id": id}

    def post(self) -> ResponseReturnValue:
        return {}, 201


app.add_url_rule("/hello/<name>", view_func=Hello.as_view("hello"))
blueprint.add_url_rule("/users", view_func=Users.as_view("users"))
