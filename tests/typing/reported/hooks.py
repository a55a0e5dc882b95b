"""Mistakes with hooks and handlers. Each line with an ``# error`` is to be reported, and no other."""

from asyncflask import Blueprint, Flask, Response

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


@app.before_request  # error
def number() -> int:
    return 1


@blueprint.before_request  # error
async def number_async() -> int:
    return 1


@app.before_request  # error
def argument(response: Response) -> None: ...


@app.after_request  # error
def no_argument() -> Response:
    return Response()


@app.after_request  # error
def no_response(response: Response) -> None: ...


@blueprint.after_app_request  # error
async def no_response_async(response: Response) -> str:
    return ""


@app.teardown_request  # error
def no_error() -> None: ...


@app.teardown_appcontext  # error
async def no_error_async() -> None: ...


@blueprint.teardown_app_request  # error
def not_none(error: BaseException) -> None: ...


@app.errorhandler(404)  # error
def no_exception() -> str:
    return ""


@blueprint.app_errorhandler(ValueError)  # error
async def returns_nothing(error: ValueError) -> None: ...


@app.errorhandler(KeyError)  # error
def two_arguments(error: KeyError, more: int) -> str:
    return ""


@app.errorhandler("404")  # error
def no_code(error: Exception) -> str:
    return ""


@app.context_processor  # error
def no_dict() -> list[str]:
    return []


@app.url_value_preprocessor  # error
def one_argument(endpoint: str | None) -> None: ...


@blueprint.url_defaults  # error
def no_values() -> None: ...


@app.template_test()  # error
def no_bool(value: str) -> str:
    return value


@app.before_serving  # error
async def with_app(app: Flask) -> None: ...


@app.while_serving  # error
async def no_generator() -> None: ...


@app.shell_context_processor  # error
def no_names() -> None: ...
