"""A real redis-server that a test may stop, kill, freeze and start again, and a wire to it that can break."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.extensions.servers import free_port, wait_until


class RedisServer:
    """Redis on a port of its own, for the length of a ``with`` block.

    :param program: the path of ``redis-server``.
    :param keeps: whether it writes all down, and so knows it after a crash.
    """

    def __init__(self, program: str, keeps: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(self._folder), "--appendonly", "yes" if keeps else "no"]
        self._command += ["--appendfsync", "always"] if keeps else []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_until(self._answers, self._process, "redis-server")

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=1) as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it; with SIGKILL it has crashed."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(10)

    def freeze(self) -> None:
        """Let it be there, and not answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Any:
        """A client for the test, which says what is going on."""
        return redis.Redis(port=self.port, decode_responses=True)

    def connections(self) -> list[dict[str, str]]:
        """The connections of others."""
        with self.client() as client:
            own = client.client_id()
            return [each for each in client.client_list() if int(each["id"]) != own]

    def cut(self, kind: str | None = None) -> int:
        """End the connections of others, ``normal`` or ``pubsub`` ones or all; how many they were."""
        with self.client() as client:
            own = str(client.client_id())
            killed = 0
            for each in client.client_list(_type=kind) if kind else client.client_list():
                if each["id"] != own:
                    killed += client.client_kill_filter(_id=each["id"])
            return killed

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


class Wire:
    """A wire to a server, through which what it answers can be held back.

    :ivar swallows: what commands with this in them are answered with gets lost, and the connection with it.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.swallows: bytes | None = None
        self.swallowed = 0
        self.port = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        is_swallowing = False

        async def ask() -> None:
            nonlocal is_swallowing
            while data := await reader.read(65536):
                if self.swallows is not None and self.swallows in data:
                    is_swallowing = True
                there_writer.write(data)

        async def answer() -> None:
            while data := await there_reader.read(65536):
                if is_swallowing:
                    self.swallowed += 1
                    return
                writer.write(data)

        tasks = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        writer.transport.abort()
        there_writer.transport.abort()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
