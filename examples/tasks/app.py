"""The application. It puts jobs into a queue, and shows how far they are."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings

from asyncflask import Flask, current_app

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

app = Flask(__name__)
app.config["CHANNELS_URL"] = REDIS_URL


@app.while_serving
async def queue() -> AsyncIterator[None]:
    """The way to arq's workers, in the application and in the workers alike."""
    app.extensions["arq"] = await create_pool(RedisSettings.from_dsn(REDIS_URL))
    yield
    await app.extensions["arq"].aclose()


@app.post("/reports/<int:pages>")
async def begin(pages: int) -> Any:
    """Have arq make a report."""
    name = uuid.uuid4().hex
    await current_app.extensions["arq"].enqueue_job("make_report", name, pages)
    return {"report": name}, 202


@app.get("/reports/<name>/progress")
async def progress(name: str) -> Any:
    """What has happened so far and what happens now, as Server-Sent Events."""
    return app.channels.event_stream(f"report:{name}", history=100)
