"""Event loops and threads: whether one runs here, and one for where there is none."""

from __future__ import annotations

import asyncio
import threading


def is_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class LoopThread:
    """An event loop in a daemon thread of its own, started when it is first asked for.

    It serves sync code that has to run a coroutine where no server runs: the
    synchronous test client, CLI commands, a shell. There is one for the whole
    process, so that what a coroutine leaves open (a connection pool, say) is on
    the same loop at the next call.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        with self._lock:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._run, args=(self._loop,), name=self._name, daemon=True).start()
            return self._loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()


background_loop = LoopThread("asyncflask-loop")
