"""The threads that run sync callables."""

from __future__ import annotations

import threading
from collections import deque
from functools import cache

from .worker import Job, Worker, here

#: How many threads of a pool may rest for their requests. Each takes some 20 KiB.
RESTING = 2000


def _nothing() -> None:
    """The job that only wakes a worker up."""


class _PoolWorker(Worker):
    """A thread of a pool: runs what is meant for it first, then what any thread may run."""

    __slots__ = ("claims", "ended", "idle", "pool", "stopping", "thread", "woken")

    def __init__(self, pool: WorkerPool, name: str) -> None:
        super().__init__()
        self.pool = pool
        self.claims = 0
        self.idle = False
        self.stopping = False
        self.ended = False
        self.woken = True
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def submit(self, job: Job) -> None:
        with self.pool._lock:
            if self.ended:  # the pool was stopped: any other thread will do
                self.pool._shared.append((job, None))
                self.pool._wake_one()
                return
            self.idle = False
            self.jobs.put(job)

    def begin_waiting(self) -> None:
        with self.pool._lock:
            self.pool._waiting.append(self)
            self.pool._hand_over(self)
            self.pool._wake_one()  # another may run instead

    def end_waiting(self) -> None:
        with self.pool._lock:
            self.pool._waiting.remove(self)

    def claim(self) -> None:
        with self.pool._lock:
            self.claims += 1

    def release(self) -> None:
        with self.pool._lock:
            self.claims -= 1
            if self.idle and not self.claims:
                if self.pool._is_too_large():
                    self.idle = False
                    self.jobs.put(_nothing)  # to end
                else:
                    self.pool._wake_one()  # what no thread could be started for

    def _run(self) -> None:
        here.worker = self
        while (job := self._next()) is not None:
            job()
            del job  # what the job holds is not to live until the next one

    def _next(self) -> Job | None:
        pool = self.pool
        while True:
            with pool._lock:
                was_woken, self.woken = self.woken, False
                if was_woken:
                    pool._waking = False
                if self.jobs.empty():
                    if pool._shared and pool._may_take(self):
                        return pool._take()
                    superfluous = not self.claims and pool._is_too_large()
                    if self.stopping or pool._stopped or superfluous:
                        self.ended = True
                        if self in pool._workers:
                            pool._workers.remove(self)
                        return None
                    self.idle = True
                    if self.claims:
                        pool._wake_one()  # it rests for its request; another may run instead
                if was_woken:
                    pool._wake_one()  # it was to take a job and has another one to do first
            job = self.jobs.get()
            if job is not _nothing:
                return job


class WorkerPool:
    """Threads for sync callables, at most `size` of them at work, started when they are needed.

    A job goes to whichever thread is free, or to a certain one with
    `Worker.submit`. A thread to which a request will come back (`Worker.claim`)
    is left alone by other requests: one that holds a connection of a database, say, might
    have to wait behind another that waits for a connection. Such a thread, and one that waits for a
    coroutine, does not count as being at work; others take their place, up to `limit`. Only beyond that
    do requests share threads.

    :param size: the largest number of threads that are at work.
    :param name: the threads are called ``name_0``, ``name_1``, and so on.
    """

    def __init__(self, size: int, name: str) -> None:
        if size < 1:
            raise ValueError(f"A worker pool needs at least one thread, not {size}; set WORKER_THREADS.")
        self.size = size
        #: The largest number of threads, with those that requests will come back to. Then they are shared.
        # It does not follow from the size: the fewer are at work, the longer do requests last.
        self.limit = size + RESTING
        self.name = name
        self._lock = threading.Lock()
        # Each with the thread that may be waiting for it.
        self._shared: deque[tuple[Job, Worker | None]] = deque()
        self._workers: list[_PoolWorker] = []
        # Threads in the middle of a job that waits for a coroutine, which may need a thread.
        self._waiting: list[_PoolWorker] = []
        self._started = 0
        self._stopped = False
        # True from waking a thread until it looks: one that is on its way takes the next job too.
        self._waking = False

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads that are alive now."""
        return [worker.thread for worker in self._workers]

    def has_room(self) -> bool:
        """Whether a job submitted now would be run at once."""
        with self._lock:
            return self._has_room()

    def _has_room(self) -> bool:
        return self._at_work() < self.size and (
            len(self._workers) < self.limit or any(worker.idle for worker in self._workers)
        )

    def _at_work(self) -> int:
        return sum(not worker.idle for worker in self._workers) - len(self._waiting)

    def _may_take(self, worker: _PoolWorker) -> bool:
        """Whether a thread that has just become free may run any job."""
        if worker.claims and len(self._workers) < self.limit:
            return False
        return len(self._workers) <= self.size or self._at_work() <= self.size

    def _is_too_large(self) -> bool:
        return len(self._workers) > self.size and (
            sum(not worker.claims for worker in self._workers) > self.size
        )

    def submit(self, job: Job, waiting: Worker | None = None) -> None:
        """Let any of the threads run the job. Callable from any thread.

        :param waiting: a thread of the pool that waits for the job, or may come to. When no other is free it
            runs the job itself.
        """
        with self._lock:
            if waiting is not None and waiting in self._waiting and not self._has_room():
                waiting.jobs.put(job)
                return
            self._shared.append((job, waiting))
            self._wake_one()

    def _wake_one(self) -> None:
        if self._waking or not self._shared:
            return
        claimed = None
        for worker in reversed(self._workers):
            if worker.idle:
                if not worker.claims:
                    break
                claimed = worker
        else:
            if len(self._workers) >= self.size and self._at_work() >= self.size:
                return  # who has done its job takes this one
            if len(self._workers) < self.limit:
                self._start_one()
                return
            if claimed is None:
                return
            worker = claimed
        worker.idle = False
        worker.woken = self._waking = True
        worker.jobs.put(_nothing)

    def _take(self) -> Job:
        job, _ = self._shared.popleft()
        # Should this job wait for something, the next one must not wait with it.
        self._wake_one()
        return job

    def _hand_over(self, worker: Worker) -> None:
        """Give a waiting thread those jobs that it may be waiting for."""
        for entry in [entry for entry in self._shared if entry[1] is worker]:
            self._shared.remove(entry)
            worker.jobs.put(entry[0])

    def _start_one(self) -> bool:
        worker = _PoolWorker(self, f"{self.name}_{self._started}")
        try:
            worker.thread.start()
        except RuntimeError:
            # The system gives no more threads; those there are will get to the job.
            if not self._workers:
                self._shared.pop()
                raise
            return False
        self._started += 1
        self._waking = True
        self._workers.append(worker)
        return True

    def stop(self, wait: bool = False) -> None:
        """End the threads once they have nothing left to do. A later job starts one that ends after it.

        :param wait: return only when they have ended. A sync callable cannot be
            interrupted, so this lasts as long as the longest of them.
        """
        while True:
            with self._lock:
                self._stopped = True
                stopped, self._workers = self._workers, []
                self._waking = False
                for worker in stopped:
                    worker.stopping = True
                    worker.jobs.put(_nothing)
            if not wait or not stopped:
                return
            for worker in stopped:  # the last of the jobs may have started another one
                if worker.thread is not threading.current_thread():
                    worker.thread.join()


@cache
def shared_pool() -> WorkerPool:
    """The threads for what runs outside of any application."""
    return WorkerPool(8, "asyncflask-shared")
