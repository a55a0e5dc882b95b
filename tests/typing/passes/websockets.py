"""Websockets: the proxy is a `Websocket`, and views are ``async def``."""

from asyncflask import Blueprint, Flask, Response, Websocket, websocket
from asyncflask.typing import ResponseReturnValue

app = Flask(__name__)
blueprint = Blueprint("blueprint", __name__)


@app.websocket("/echo")
async def echo() -> None:
    await websocket.accept()
    await websocket.send(await websocket.receive())
    async for message in websocket:
        await websocket.send(message)
    await websocket.send_json({"a": await websocket.receive_json()})
    await websocket.close(1000, "bye")


@blueprint.websocket("/refused/<int:id>")
async def refused(id: int) -> ResponseReturnValue | None:
    if websocket.headers.get("Origin") is None:
        return {"error": "no origin"}, 403
    return None


async def added() -> None: ...


app.add_websocket("/added", view_func=added)


@app.before_websocket
async def refuse() -> tuple[str, int] | None:
    return None


@app.after_websocket
def after(response: Response | None) -> Response | None:
    return response


@blueprint.teardown_app_websocket
async def teardown(error: BaseException | None) -> None: ...


async def takes_one(connection: Websocket) -> None:
    await connection.accept(subprotocol=connection.requested_subprotocols[0])


async def gives_one() -> None:
    await takes_one(websocket)
