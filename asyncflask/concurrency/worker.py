"""A thread as something that runs jobs.

A job is a callable without arguments that does not raise. Any thread can be a
`Worker`: the threads of a `WorkerPool` are, and so is a thread that waits for
a coroutine and, while it waits, runs the sync callables of that coroutine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import SimpleNamespace

from anyio.from_thread import threadlocals as seen_by_anyio  # type: ignore[attr-defined]

Job = Callable[[], None]

#: Where a thread finds its own `Worker`.
here = threading.local()

#: What anyio takes for the token of an event loop, in threads that run sync callables; see `from_thread`.
anyio_token = SimpleNamespace(backend_class=None, native_token=None)


def current_worker() -> Worker | None:
    """The `Worker` that the calling thread is, if it is one."""
    return getattr(here, "worker", None)


def become(worker: Worker) -> dict[str, object]:
    """Make the calling thread that worker.

    :returns: what anyio took the thread for until now.
    """
    before = seen_by_anyio.__dict__.copy()
    here.worker = worker
    seen_by_anyio.current_token = anyio_token
    seen_by_anyio.current_async_backend = anyio_token.backend_class  # where anyio before 4.12 looks
    return before


class Worker:
    """A thread as something that runs jobs, one at a time and in order."""

    __slots__ = ("jobs",)

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Job] = SimpleQueue()

    def submit(self, job: Job) -> None:
        """Let this very thread run the job. Callable from any thread."""
        self.jobs.put(job)

    def claim(self) -> None:
        """A request that is under way will come back to this thread."""

    def release(self) -> None:
        """That request has ended."""

    def begin_waiting(self) -> None:
        """The thread now waits for something, and runs the jobs that come meanwhile."""

    def end_waiting(self) -> None:
        """The thread goes on with what it did."""


class borrowed:
    """Make the calling thread a `Worker` for as long as it waits for something.

    ::

        with borrowed() as worker:
            start_something_that_submits_to(worker)
            while not done:
                worker.jobs.get()()

    :param worker: the worker to be; unless given, the one that the thread is already, or a new one.
    """

    __slots__ = ("_before", "_seen_by_anyio", "_worker")

    def __init__(self, worker: Worker | None = None) -> None:
        self._before = current_worker()
        self._worker = worker or self._before or Worker()

    def __enter__(self) -> Worker:
        self._seen_by_anyio = become(self._worker)
        return self._worker

    def __exit__(self, *exc_info: object) -> None:
        here.worker = self._before
        seen_by_anyio.__dict__.clear()
        seen_by_anyio.__dict__.update(self._seen_by_anyio)
