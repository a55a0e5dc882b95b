"""The threads that run sync callables."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from time import monotonic

from .fork import renewed_after_fork
from .queue import JobQueue
from .worker import Job, Worker, become, current_worker

#: How many threads of a pool may rest for their requests. Each takes some 20 KiB.
RESTING = 2000

#: Seconds after which a system that gave no more threads is asked for some again.
PATIENCE = 30.0

#: Seconds that a job may wait for a thread before somebody is told.
LONG_WAIT = 0.1

logger = logging.getLogger(__name__)


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
            if not self.ended:
                self.idle = False
                self.jobs.put(job)
                return
        self.pool.submit(job)  # the pool was stopped: any other thread will do

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
        become(self)
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
                    if pool.queue and pool._may_take(self):
                        job, waited = pool.queue.take()
                        # Should this job wait for something, the next one must not wait with it.
                        pool._wake_one()
                        break
                    superfluous = not self.claims and pool._is_too_large()
                    if self.stopping or pool._stopped or superfluous:
                        self.ended = True
                        pool._alive -= 1
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
        if waited >= LONG_WAIT and pool.on_wait is not None:
            pool.on_wait(waited)
        return job


class WorkerPool:
    """Threads for sync callables, at most `size` of them at work, started when they are needed.

    A job goes to whichever thread is free, or to a certain one with
    `Worker.submit`. A thread to which a request will come back (`Worker.claim`)
    is left alone by other requests: one that holds a connection of a database, say, might
    have to wait behind another that waits for a connection. Such a thread, and one that waits for a
    coroutine, does not count as being at work; others take their place, up to `limit`. Only beyond that,
    or when the system gives no more threads, do requests share them.

    :param size: the largest number of threads that are at work.
    :param name: the threads are called ``name_0``, ``name_1``, and so on.
    :param queue_limit: how many jobs may wait for a thread until the queue counts as full; None for any
        number. It is for those who take requests on to look at, and to be obeyed by nobody: what has begun
        is finished.
    :param on_wait: told, in the thread that has taken a job, that it has waited for more than `LONG_WAIT`.
    """

    def __init__(
        self,
        size: int,
        name: str,
        queue_limit: int | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"A worker pool needs at least one thread, not {size}; set WORKER_THREADS.")
        self.size = size
        #: The largest number of threads, with those that requests will come back to. Then they are shared.
        # It does not follow from the size: the fewer are at work, the longer do requests last.
        self.limit = self._largest_limit = size + RESTING
        self.name = name
        self.on_wait = on_wait
        self._stopped = False
        self._queue_limit = queue_limit
        self._start_over()
        renewed_after_fork(self)

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        #: What waits for a thread.
        self.queue = JobQueue(self._queue_limit)
        self._workers: list[_PoolWorker] = []
        # Threads in the middle of a job that waits for a coroutine, which may need a thread.
        self._waiting: list[_PoolWorker] = []
        self._started = 0
        # How many threads have not ended yet, with those of a pool that was stopped.
        self._alive = 0
        # True from waking a thread until it looks: one that is on its way takes the next job too.
        self._waking = False
        # When the system last gave no thread.
        self._refused: float | None = None

    def renew(self) -> None:
        """Begin anew in a child process: the threads are the parent's, and so are the jobs."""
        worker = current_worker()
        self._start_over()
        if isinstance(worker, _PoolWorker) and worker.pool is self:
            worker.stopping = True  # the child's only one, which is no longer of the pool

    @property
    def threads(self) -> list[threading.Thread]:
        """The threads that are alive now."""
        return [worker.thread for worker in self._workers]

    def has_room(self) -> bool:
        """Whether a job submitted now would be run at once."""
        with self._lock:
            return self._has_room()

    def is_overloaded(self) -> bool:
        """Whether as many jobs wait as may, besides those that threads are about to take."""
        if not self.queue.is_full or self.queue.limit is None:
            return False
        with self._lock:
            return len(self.queue) - self._free() >= self.queue.limit

    def _free(self) -> int:
        """How many jobs of the queue threads are about to take."""
        return max(self.size - self._at_work(), 0) + self._waking

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

    def submit(self, job: Job, waiting: Worker | None = None) -> bool:
        """Let any of the threads run the job. Callable from any thread.

        :param waiting: a thread of the pool that waits for the job, or may come to. When no other is free it
            runs the job itself.
        :returns: whether it may have to wait until a thread has done what it does now.
        :raises RuntimeError: when there is no thread, and the system gives none.
        """
        with self._lock:
            if waiting is not None and waiting in self._waiting and not self._has_room():
                waiting.jobs.put(job)
                return False
            queue = self.queue
            queue.append((job, waiting, monotonic()))
            if queue.limit is not None:
                queue.look()
            self._wake_one()
            if not self._alive:
                queue.pop()
                raise RuntimeError("can't start new thread: the system gives none")
            # Most often nobody else waits for the one that wakes up.
            return len(queue) > self._waking and len(queue) > self._free()

    def withdraw(self, job: Job) -> bool:
        """Take a job back, if no thread has taken it yet."""
        with self._lock:
            return self.queue.withdraw(job)

    def _wake_one(self) -> None:
        if self._waking or not self.queue:
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
            if len(self._workers) < self._limit_now() and self._start_one():
                return
            if claimed is None:
                return
            worker = claimed
        worker.idle = False
        worker.woken = self._waking = True
        worker.jobs.put(_nothing)

    def _hand_over(self, worker: Worker) -> None:
        """Give a waiting thread those jobs that it may be waiting for."""
        for job in self.queue.take_for(worker):
            worker.jobs.put(job)

    def _start_one(self) -> bool:
        worker = _PoolWorker(self, f"{self.name}_{self._started}")
        try:
            worker.thread.start()
        except RuntimeError:
            self._make_do()
            return False
        self._started += 1
        self._alive += 1
        self._waking = True
        self._workers.append(worker)
        return True

    def _make_do(self) -> None:
        """The system gives no more threads (a container's limit on processes, ``ulimit -u``): those there
        are get to all jobs, those that rest for their requests too."""
        if self._refused is None:
            logger.warning(
                "The system gives no more than %d threads, so requests that wait share them. A limit on"
                " processes (of a container, 'ulimit -u', systemd's TasksMax) counts threads.",
                len(self._workers),
            )
        self._refused = monotonic()
        self.limit = max(len(self._workers), 1)

    def _limit_now(self) -> int:
        """`limit`, or what it was before the system gave no more threads, once in a while."""
        if self._refused is not None and monotonic() - self._refused > PATIENCE:
            self.limit = self._largest_limit
        return self.limit

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
