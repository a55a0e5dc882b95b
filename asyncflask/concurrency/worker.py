"""A thread as something that runs jobs.

A job is a callable without arguments that does not raise. Any thread can be a
`Worker`: the threads of a `WorkerPool` are, and so is a thread that waits for
a coroutine and, while it waits, runs the sync callables of that coroutine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]

#: Where a thread finds its own `Worker`.
here = threading.local()


def current_worker() -> Worker | None:
    """The `Worker` that the calling thread is, if it is one."""
    return getattr(here, "worker", None)


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

    __slots__ = ("_before", "_worker")

    def __init__(self, worker: Worker | None = None) -> None:
        self._before = current_worker()
        self._worker = worker or self._before or Worker()

    def __enter__(self) -> Worker:
        here.worker = self._worker
        return self._worker

    def __exit__(self, *exc_info: object) -> None:
        here.worker = self._before
