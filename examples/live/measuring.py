"""Measuring the server from within: a task beside the requests, from the server's start to its end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass

from asyncflask import Flask, Response

CHANNEL = "measurements"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What has been in one interval."""

    at: float  # seconds since 1970
    cpu: float  # percent of one processor that this process has used
    lag: float  # milliseconds that the event loop came late: it was busy
    requests: int
    viewers: int


class Meter:
    """Counts and measures; `recent` are the last measurements, the oldest first."""

    def __init__(self, kept: int) -> None:
        self.recent: deque[Measurement] = deque(maxlen=kept)
        self.requests = 0
        self.viewers = 0

    async def measure(self, interval: float) -> AsyncIterator[Measurement]:
        """A measurement at the end of each interval."""
        while True:
            began, cpu, requests = time.perf_counter(), time.process_time(), self.requests
            await asyncio.sleep(interval)
            seconds = time.perf_counter() - began
            measurement = Measurement(
                at=round(time.time(), 3),
                cpu=round(100 * (time.process_time() - cpu) / seconds, 1),
                lag=round(1000 * max(seconds - interval, 0), 1),
                requests=self.requests - requests,
                viewers=self.viewers,
            )
            self.recent.append(measurement)
            yield measurement


def init_app(app: Flask) -> None:
    """Measure while the application is served."""
    meter = app.extensions["meter"] = Meter(app.config["KEPT"])

    async def publish() -> None:
        async for measurement in meter.measure(app.config["INTERVAL"]):
            await app.channels.publish(CHANNEL, asdict(measurement))

    @app.while_serving
    async def measuring() -> AsyncIterator[None]:
        task = asyncio.create_task(publish())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    @app.after_request
    async def count(response: Response) -> Response:
        meter.requests += 1
        return response
