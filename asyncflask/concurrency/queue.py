"""What waits for a thread, and for how long."""

from __future__ import annotations

from collections import deque
from time import monotonic

from .worker import Job, Worker


class JobQueue(deque[tuple[Job, Worker | None, float]]):
    """Jobs that any thread may run, in the order in which they came: each with the thread that may be
    waiting for it, and the time that it came. Whoever changes it holds the pool's lock.

    :param limit: how many there may be before `is_full`; None for any number.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit
        #: Whether there are as many as may wait, or threads are about to take some: see
        #: `WorkerPool.is_overloaded`.
        self.is_full = False
        #: How many jobs a thread has taken so far, and the seconds that they have waited, all together.
        self.taken = 0
        self.seconds = 0.0

    def take(self) -> tuple[Job, float]:
        """The next job, and the seconds that it has waited."""
        job, _, since = self.popleft()
        waited = monotonic() - since
        self.taken += 1
        self.seconds += waited
        if self.limit is not None:
            self.look()
        return job, waited

    def take_for(self, worker: Worker) -> list[Job]:
        """Those that this thread waits for."""
        entries = [entry for entry in self if entry[1] is worker]
        for entry in entries:
            self.remove(entry)
            self.taken += 1
            self.seconds += monotonic() - entry[2]
        self.look()
        return [job for job, _, _ in entries]

    def withdraw(self, job: Job) -> bool:
        """Take a job out of it; whether it was there."""
        for entry in self:
            if entry[0] == job:
                self.remove(entry)
                self.look()
                return True
        return False

    def longest(self) -> float:
        """Seconds that the next job has waited by now; 0 when there is none."""
        try:
            return monotonic() - self[0][2]
        except IndexError:
            return 0.0

    def look(self) -> None:
        """Work out `is_full`."""
        self.is_full = self.limit is not None and len(self) >= self.limit
