"""What tests of applications use."""

from asyncflask import Flask, session
from asyncflask.testing import AsyncFlaskClient, FlaskClient, FlaskCliRunner

app = Flask(__name__)


def test_sync() -> None:
    with app.test_client() as client:
        response = client.get("/", query_string={"a": "b"})
        assert response.status_code == 200
        assert response.text == "a"
        assert session["user"] == 1
        with client.session_transaction() as transaction:
            transaction["user"] = 2
        with client.websocket_connect("/echo") as websocket:
            websocket.send("a")
            assert websocket.receive() == "a"


async def test_async() -> None:
    async with app.test_client() as client:
        response = await client.post("/", json={"a": 1})
        assert response.status_code == 201
        async with client.websocket_connect("/echo") as websocket:
            await websocket.send_json({"a": 1})


def client(app: Flask) -> FlaskClient:
    return app.test_client()


def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


async def async_client(client: AsyncFlaskClient) -> int:
    return (await client.get("/")).status_code
