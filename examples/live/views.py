"""The page, the events that it listens to, and buttons that make the curves move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict

from asyncflask import Blueprint, current_app, render_template, sse
from asyncflask.typing import ResponseReturnValue

from .measuring import CHANNEL, Meter

live = Blueprint("live", __name__)


def meter() -> Meter:
    """The application's."""
    found: Meter = current_app.extensions["meter"]
    return found


@live.get("/")
def index() -> ResponseReturnValue:
    return render_template("index.html")


@live.get("/recent")
async def recent() -> ResponseReturnValue:
    """The last measurements, for a page that has just been opened."""
    return [asdict(measurement) for measurement in meter().recent]


@live.get("/events")
async def events() -> ResponseReturnValue:
    """Each measurement, as it is made. The view's context stays for as long as the browser listens."""
    counted = meter()

    async def stream() -> AsyncIterator[object]:
        counted.viewers += 1
        try:
            async with current_app.channels.subscribe(CHANNEL) as messages:
                async for message in messages:
                    yield sse.ServerSentEvent(message.data, id=message.id)
        finally:
            counted.viewers -= 1  # also when the browser has gone

    return sse.EventSourceResponse(stream())


@live.post("/work/thread")
def work_in_thread() -> ResponseReturnValue:
    """Half a second of work in a worker thread: the processor is busy, the event loop hardly late."""
    _compute(0.5)
    return "", 204


@live.post("/work/waiting")
async def wait() -> ResponseReturnValue:
    """Half a second of waiting, as for a database: nothing is busy, and there may be thousands of these."""
    await asyncio.sleep(0.5)
    return "", 204


@live.post("/work/loop")
async def work_on_loop() -> ResponseReturnValue:
    """The mistake: half a second of work on the event loop. All other requests wait, which the lag shows."""
    _compute(0.5)
    return "", 204


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))
