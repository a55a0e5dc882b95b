"""Hooks, handlers and functions for templates, from ``def`` and ``async def`` alike."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from typing import Any

from werkzeug.exceptions import HTTPException, NotFound

from asyncflask import Blueprint, Flask, Response, g
from asyncflask.typing import ResponseReturnValue


async def lifespan(app: Flask) -> AsyncIterator[dict[str, int]]:
    yield {"db": 1}


app = Flask(__name__, lifespan=lifespan)
blueprint = Blueprint("blueprint", __name__)


@app.before_request
def note() -> None:
    g.user = None


@blueprint.before_request
async def refuse() -> ResponseReturnValue | None:
    return ("no", 403) if g.user is None else None


@blueprint.before_app_request
def answer() -> str | None:
    return None


@app.after_request
def add_header(response: Response) -> Response:
    return response


@blueprint.after_request
async def add_header_async(response: Response) -> Response:
    return response


@app.teardown_request
def close(error: BaseException | None) -> None: ...


@app.teardown_appcontext
async def close_async(error: BaseException | None = None) -> None: ...


@blueprint.teardown_app_request
def close_any(*args: object) -> None: ...


@app.errorhandler(404)
def not_found(error: NotFound) -> tuple[dict[str, str], int]:
    return {"error": error.name}, 404


@app.errorhandler(HTTPException)
async def http_error(error: HTTPException) -> HTTPException | Response:
    return Response(status=error.code or 500)


@blueprint.app_errorhandler(ValueError)
@blueprint.errorhandler(KeyError)
async def error(error: Exception) -> tuple[str, int]:
    return str(error), 400


app.register_error_handler(500, lambda error: "an error")


@app.context_processor
def add_names() -> dict[str, Any]:
    return {"a": 1}


@blueprint.app_context_processor
async def add_names_async() -> dict[str, int]:
    return {"a": 1}


@app.url_value_preprocessor
def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.language = values and values.pop("language", None)


@blueprint.app_url_defaults
async def add_language(endpoint: str, values: dict[str, Any]) -> None:
    values.setdefault("language", g.language)


@app.template_filter()
def shout(text: str) -> str:
    return text.upper()


@blueprint.app_template_filter("load")
async def load(key: int) -> str:
    return str(key)


@app.template_test()
def odd(number: int) -> bool:
    return number % 2 == 1


@app.template_global("now")
async def now() -> float:
    return 0.0


@app.before_serving
async def connect() -> None: ...


@app.after_serving
def disconnect() -> None: ...


@app.while_serving
async def pool() -> AsyncGenerator[None, None]:
    yield


@app.while_serving
def file() -> Generator[None, None, None]:
    yield


@app.shell_context_processor
def shell_names() -> dict[str, Any]:
    return {"a": shout("a")}
