"""An application that servers of both kinds import: ``tests.around_wsgi.served:app``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from asyncflask import Flask, request, websocket

from .applications import Header

app = Flask(__name__, static_folder=None)


@app.before_serving
async def begin() -> None:
    print(f"begun in {os.getpid()}", flush=True)


@app.after_serving
def end() -> None:
    print(f"ended in {os.getpid()}", flush=True)


@app.get("/")
def sync() -> Any:
    assert request.environ["REQUEST_METHOD"] == "GET"
    return {"pid": os.getpid(), "state": request.state._state.get("pid")}


@app.get("/async")
async def async_() -> Any:
    await asyncio.sleep(0.001)
    return {"pid": os.getpid()}


@app.post("/body")
def body() -> Any:
    return request.get_data()


@app.get("/stream")
async def stream() -> Any:
    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number} "
            await asyncio.sleep(0.001)

    return pieces()


@app.websocket("/ws")
async def ws() -> None:
    await websocket.send("hello")


if os.environ.get("WARM_UP"):
    # A loop and threads, before a server forks.
    with app.test_client() as client:
        client.get("/")
        client.get("/async")

app.wsgi_app = Header(app.wsgi_app)  # type: ignore[method-assign]

if __name__ == "__main__":
    import sys

    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "wsgiref":
        from wsgiref.simple_server import make_server
        from wsgiref.validate import validator

        make_server("127.0.0.1", port, validator(app)).serve_forever()  # type: ignore[arg-type]
    elif kind == "werkzeug":
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, app, threaded=True)  # type: ignore[arg-type]
    elif kind == "waitress":
        import waitress

        waitress.serve(app, listen=f"127.0.0.1:{port}")
    elif kind == "a2wsgi":
        import uvicorn
        from a2wsgi import WSGIMiddleware

        uvicorn.run(WSGIMiddleware(app), port=port)  # type: ignore[arg-type]
