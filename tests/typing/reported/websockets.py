"""Mistakes with websockets. Each line with an ``# error`` is to be reported, and no other."""

from asyncflask import Blueprint, Flask, Response, websocket

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


@app.websocket("/sync")  # error
def sync() -> None: ...


@blueprint.websocket("/sync-text")  # error
def sync_text() -> str:
    return ""


@app.websocket("/number")  # error
async def number() -> int:
    return 1


def added() -> None: ...


app.add_websocket("/added", view_func=added)  # error


@app.after_websocket  # error
def always_a_response(response: Response) -> Response:
    return response


@app.teardown_websocket  # error
async def no_error() -> None: ...


async def no_such_method() -> None:
    await websocket.send_text("a")  # error
    await websocket.send(1)  # error
