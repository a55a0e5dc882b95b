"""The driver and the threads by themselves: one coroutine, two places, and every way to disturb it."""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar, Token
from queue import SimpleQueue
from typing import Any

import anyio
import pytest

from asyncflask.concurrency import Walk, current_walk, inner_walk
from asyncflask.concurrency.ending import Ending
from asyncflask.concurrency.in_worker import run_in_worker
from asyncflask.concurrency.pool import WorkerPool
from asyncflask.concurrency.waiting import async_to_sync, run_sync
from asyncflask.concurrency.worker import Worker, current_worker

from .loops import LOOPS, WAYS, Cancelling, Hang, eventually, run_on

FOREVER = 3600.0

variable: ContextVar[str] = ContextVar("variable", default="unset")
other_variable: ContextVar[str] = ContextVar("other_variable", default="unset")


@pytest.fixture(params=LOOPS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_pool() -> Iterator[Callable[[int], WorkerPool]]:
    pools: list[WorkerPool] = []

    def make(size: int) -> WorkerPool:
        pools.append(WorkerPool(size, f"test-{len(pools)}"))
        return pools[-1]

    yield make
    for pool in pools:
        threads = pool.threads
        pool.stop()
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive(), f"{thread.name} has not ended"


@pytest.fixture
def pool(make_pool: Callable[[int], WorkerPool]) -> WorkerPool:
    return make_pool(4)


async def walk(pool: WorkerPool, body: Callable[[Walk], Coroutine[Any, Any, Any]]) -> Any:
    """Run `body` as a walk of its own, as the middleware does with a request."""
    running = inner_walk(pool)
    return await running.run(body(running))


def thread_name() -> str:
    return threading.current_thread().name


async def on_loop() -> str:
    return thread_name()


# -- where things run ---------------------------------------------------------------------------------------


def test_async_callables_run_on_the_loop_and_sync_ones_in_the_pool(kind: str, pool: WorkerPool) -> None:
    async def body(walk: Walk) -> list[str]:
        return [await walk.call(f) for f in (thread_name, on_loop, thread_name, on_loop)]

    sync_1, async_1, sync_2, async_2 = run_on(kind, lambda: walk(pool, body))
    assert async_1 == async_2 == f"test-{kind}"
    assert sync_1 == sync_2
    assert sync_1.startswith("test-0_")


def test_sync_callables_of_a_walk_share_a_thread_whatever_comes_between(kind: str, pool: WorkerPool) -> None:
    local = threading.local()

    def own(number: int) -> tuple[int, int | None]:
        before = getattr(local, "walk", None)
        local.walk = number
        return threading.get_ident(), before

    async def one(number: int) -> None:
        async def body(walk: Walk) -> None:
            first, _ = await walk.call(own, number)
            for _ in range(4):
                await walk.call(asyncio.sleep, random.uniform(0, 0.002))
                ident, before = await walk.call(own, number)
                assert ident == first
                assert walk.worker is not None
                del before

        await walk(pool, body)

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(40)))

    run_on(kind, main)
    eventually(lambda: len(pool.threads) <= pool.size, "no thread is left over")


class CountingWorker(Worker):
    """A thread of the test's own that counts how often a walk comes to it."""

    def __init__(self) -> None:
        super().__init__()
        self.visits = 0
        self.ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        self.visits += 1
        super().submit(job)

    def _run(self) -> None:
        from asyncflask.concurrency.worker import borrowed

        with borrowed(self):
            while not self.ended:
                self.jobs.get()()

    def end(self) -> None:
        self.ended = True
        super().submit(lambda: None)
        self.thread.join(5)


@pytest.mark.parametrize(
    ("calls", "hops"),
    [
        ("", 0),
        ("a", 0),
        ("aaaa", 0),
        ("s", 1),
        ("ssss", 1),
        ("sa", 1),
        ("asa", 1),
        ("ssaass", 2),
        ("sasasa", 3),
    ],
)
def test_hops_are_changes_between_sync_and_async(kind: str, calls: str, hops: int) -> None:
    worker = CountingWorker()

    async def body(walk: Walk) -> None:
        for call in calls:
            await walk.call(thread_name if call == "s" else on_loop)

    async def main() -> None:
        running = inner_walk(WorkerPool(1, "unused"))
        running.worker = worker
        await running.run(body(running))

    run_on(kind, main)
    worker.end()
    assert worker.visits == hops


def test_a_walk_of_async_callables_needs_no_thread(kind: str, make_pool: Callable[[int], WorkerPool]) -> None:
    pool = make_pool(1)

    async def body(walk: Walk) -> None:
        await walk.call(on_loop)
        await walk.to_loop()

    run_on(kind, lambda: walk(pool, body))
    assert pool.threads == []


# -- context variables --------------------------------------------------------------------------------------


def test_context_variables_pass_between_sync_and_async_and_leak_nowhere(kind: str, pool: WorkerPool) -> None:
    def set_in_thread(value: str) -> Token[str]:
        return variable.set(value)

    async def set_on_loop(value: str) -> None:
        variable.set(value)

    async def get_on_loop() -> str:
        return variable.get()

    async def reset_on_loop(token: Token[str]) -> None:
        variable.reset(token)

    async def body(walk: Walk) -> None:
        token = await walk.call(set_in_thread, "thread")
        assert await walk.call(get_on_loop) == "thread"
        assert variable.get() == "thread"
        await walk.call(set_on_loop, "loop")
        assert await walk.call(variable.get) == "loop"
        await walk.call(reset_on_loop, token)
        assert await walk.call(variable.get) == "unset"
        await walk.call(set_in_thread, "left")

    async def main() -> None:
        await walk(pool, body)
        assert variable.get() == "unset"
        await walk(pool, lambda walk: _expect(walk, "unset"))
        variable.set("outside")
        await walk(pool, lambda walk: _expect(walk, "outside"))

    async def _expect(walk: Walk, value: str) -> None:
        assert await walk.call(variable.get) == value
        assert await walk.call(get_on_loop) == value

    run_on(kind, main)
    assert variable.get() == "unset"


def test_context_variables_of_walks_at_the_same_time_do_not_cross(kind: str, pool: WorkerPool) -> None:
    async def one(name: str) -> None:
        async def set_on_loop(value: str) -> None:
            other_variable.set(value)

        async def body(walk: Walk) -> None:
            for turn in range(10):
                value = f"{name}.{turn}"
                await walk.call(variable.set, value)
                await walk.call(asyncio.sleep, random.uniform(0, 0.001))
                await walk.call(set_on_loop, value)
                assert await walk.call(variable.get) == value
                assert await walk.call(other_variable.get) == value

        await walk(pool, body)

    async def main() -> None:
        await asyncio.gather(*(one(str(number)) for number in range(50)))

    run_on(kind, main)


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_what_a_callable_in_a_worker_sets_is_seen_after_it(kind: str, pool: WorkerPool, fails: bool) -> None:
    def set_it() -> None:
        variable.set("from the worker")
        if fails:
            raise ValueError

    async def body(walk: Walk) -> str:
        with suppress(ValueError):
            await run_in_worker(pool, set_it)
        return variable.get()

    assert run_on(kind, lambda: walk(pool, body)) == "from the worker"


def test_ensure_sync_passes_context_variables_both_ways(kind: str, pool: WorkerPool) -> None:
    async def change() -> str:
        seen = variable.get()
        await asyncio.sleep(0)
        variable.set("from the coroutine")
        return seen

    def sync() -> tuple[str, str]:
        variable.set("from the thread")
        return async_to_sync(change, pool)(), variable.get()

    async def body(walk: Walk) -> Any:
        return await walk.call(sync)

    assert run_on(kind, lambda: walk(pool, body)) == ("from the thread", "from the coroutine")


# -- exceptions ---------------------------------------------------------------------------------------------


class Stop(BaseException):
    """What is not an Exception."""


def fail_with(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("place", ["call", "run_in_worker", "ensure_sync", "nested"])
def test_stop_iteration_is_an_error_and_not_a_hang(kind: str, pool: WorkerPool, place: str) -> None:
    def nested() -> Any:
        async def inner() -> Any:
            return await run_in_worker(pool, next, iter(()))

        return async_to_sync(inner, pool)()

    async def coroutine() -> Any:
        return next(iter(()))

    async def body(walk: Walk) -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            if place == "call":
                await walk.call(next, iter(()))
            elif place == "run_in_worker":
                await run_in_worker(pool, next, iter(()))
            elif place == "ensure_sync":
                await walk.call(async_to_sync(coroutine, pool))
            else:
                await walk.call(nested)

    run_on(kind, lambda: walk(pool, body))


@pytest.mark.parametrize("error", [ValueError("x"), Stop("x"), asyncio.CancelledError("x")])
@pytest.mark.parametrize("place", ["call", "run_in_worker", "after the loop"])
def test_an_exception_of_a_sync_callable_arrives_as_it_is(
    kind: str, pool: WorkerPool, error: BaseException, place: str
) -> None:
    async def body(walk: Walk) -> str:
        try:
            if place == "call":
                await walk.call(fail_with, error)
            elif place == "run_in_worker":
                await run_in_worker(pool, fail_with, error)
            else:
                await walk.call(thread_name)
                await walk.call(on_loop)
                await walk.call(fail_with, error)
        except BaseException as raised:
            assert type(raised) is type(error)
            return str(await walk.call(on_loop)) + str(await walk.call(thread_name))
        raise AssertionError("nothing was raised")

    assert run_on(kind, lambda: walk(pool, body))


@pytest.mark.parametrize("error", [ValueError("x"), Stop("x"), asyncio.CancelledError("x")])
@pytest.mark.parametrize("last", ["sync", "async"])
def test_an_exception_ends_the_walk(kind: str, pool: WorkerPool, error: BaseException, last: str) -> None:
    async def async_fail() -> None:
        raise error

    async def body(walk: Walk) -> None:
        await walk.call(thread_name)
        await walk.call(async_fail if last == "async" else functools.partial(fail_with, error))

    async def main() -> None:
        try:
            await walk(pool, body)
        except BaseException as raised:
            assert raised is error
        else:
            raise AssertionError("nothing was raised")

    run_on(kind, main)


def test_a_failed_walk_is_not_kept_alive_by_its_exception(kind: str, pool: WorkerPool) -> None:
    """`pool` has a thread that is idle afterwards: it must not hold on to the last job."""

    class Payload:
        pass

    async def main() -> weakref.ref[Payload]:
        payload = Payload()

        async def body(walk: Walk) -> None:
            held = payload
            await walk.call(fail_with, ValueError("x"))
            del held

        with suppress(ValueError):
            await walk(pool, body)
        return weakref.ref(payload)

    reference = run_on(kind, main)
    gc.collect()
    assert reference() is None


# -- awaitables from sync callables -------------------------------------------------------------------------


class Later:
    """An awaitable that is neither a coroutine nor a future."""

    def __await__(self) -> Any:
        return on_loop().__await__()


def test_an_awaitable_that_a_sync_callable_returns_is_awaited_on_the_loop(
    kind: str, pool: WorkerPool
) -> None:
    seen: list[str] = []

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def decorated() -> Any:
            seen.append(thread_name())
            return function()

        return decorated

    async def body(walk: Walk) -> None:
        assert await walk.call(around(on_loop)) == f"test-{kind}"
        assert await walk.call(around(Later)) == f"test-{kind}"
        assert await walk.call(around(around(on_loop))) == f"test-{kind}"
        # and back in the thread as if nothing had been
        assert await walk.call(thread_name) == seen[0]

    run_on(kind, lambda: walk(pool, body))
    assert len(set(seen)) == 1
    assert seen[0] != f"test-{kind}"


def test_a_partial_and_an_object_with_an_async_call_are_async(kind: str, pool: WorkerPool) -> None:
    class Callable_:
        async def __call__(self) -> str:
            return thread_name()

        async def method(self) -> str:
            return thread_name()

    async def body(walk: Walk) -> None:
        for function in (
            functools.partial(on_loop),
            Callable_(),
            Callable_().method,
            functools.partial(Callable_()),
        ):
            assert await walk.call(function) == f"test-{kind}"

    run_on(kind, lambda: walk(pool, body))
    assert pool.threads == []


def test_awaiting_in_the_thread_is_an_error(kind: str, pool: WorkerPool) -> None:
    """Only the framework's own code could do it, and must hear of it."""

    async def body(walk: Walk) -> None:
        await walk.to_thread()
        with pytest.raises(RuntimeError, match="awaited in a worker thread"):
            await asyncio.sleep(0)

    run_on(kind, lambda: walk(pool, body))


# -- cancellation -------------------------------------------------------------------------------------------


class Life:
    """What happens in one walk: whether a sync callable runs, and how often it was torn down."""

    def __init__(self) -> None:
        self.sync_running = 0
        self.torn_down = 0
        self.finished = False
        self.met_by_a_cancellation = False
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def block(self, seconds: float) -> None:
        with self._lock:
            self.sync_running += 1
        time.sleep(seconds)
        with self._lock:
            self.sync_running -= 1

    def tear_down(self) -> None:
        if self.sync_running:
            self.wrong.append("torn down while a sync callable was running")
        self.torn_down += 1

    async def async_tear_down(self) -> None:
        self.tear_down()
        try:
            await asyncio.sleep(0.002)
            await asyncio.sleep(0)
            self.finished = True
        except asyncio.CancelledError:
            self.met_by_a_cancellation = True
            raise

    def sync_tear_down(self) -> None:
        self.tear_down()
        time.sleep(0.001)
        self.finished = True

    async def end(self, walk: Walk, *functions: Callable[..., Any]) -> None:
        ending = Ending(walk, is_cancelled=True)
        await ending.do(walk.settled)
        for function in functions:
            await ending.call(function)
        ending.raise_first()

    def check(self, *, can_be_met: bool = False) -> None:
        assert not self.wrong, self.wrong
        assert self.torn_down == 1
        assert self.finished or (can_be_met and self.met_by_a_cancellation), "the teardown was cut short"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("teardown", ["sync", "async"])
@pytest.mark.parametrize(
    "moment",
    [
        "in a sync callable",
        "in a sync callable before an async one",
        "in an async callable",
        "in an awaitable of a sync callable",
        "in ensure_sync",
        "in a worker",
        "in the teardown",
    ],
)
def test_cancelled_at_a_moment_it_is_torn_down_once(
    kind: str, pool: WorkerPool, moment: str, teardown: str, way: str
) -> None:
    life = Life()

    async def main() -> None:
        cancelling = Cancelling(way)
        loop = asyncio.get_running_loop()

        def cancel_from_thread() -> None:
            loop.call_soon_threadsafe(cancelling.cancel)
            life.block(0.01)

        async def cancel_on_loop() -> None:
            cancelling.cancel()
            await asyncio.sleep(FOREVER)

        async def cancel_and_end() -> None:
            cancelling.cancel()
            await asyncio.sleep(0.01)

        async def tear_down_async() -> None:
            if moment == "in the teardown":
                cancelling.cancel()
            await life.async_tear_down()

        def tear_down_sync() -> None:
            if moment == "in the teardown":
                loop.call_soon_threadsafe(cancelling.cancel)
            life.sync_tear_down()

        async def body(walk: Walk) -> None:
            try:
                if moment == "in a sync callable":
                    await walk.call(cancel_from_thread)
                elif moment == "in a sync callable before an async one":
                    await walk.call(cancel_from_thread)
                    await walk.call(asyncio.sleep, FOREVER)
                elif moment == "in an async callable":
                    await walk.call(cancel_on_loop)
                elif moment == "in an awaitable of a sync callable":
                    await walk.call(lambda: cancel_on_loop())
                elif moment == "in ensure_sync":
                    await walk.call(async_to_sync(cancel_on_loop, pool))
                elif moment == "in a worker":
                    await run_in_worker(pool, cancel_from_thread)
            finally:
                await life.end(walk, tear_down_sync if teardown == "sync" else tear_down_async)

        cancelled = await cancelling.around(walk(pool, body))
        if moment not in ("in the teardown", "in a sync callable"):
            assert cancelled

    run_on(kind, main, timeout=10)
    life.check(can_be_met=moment == "in the teardown" or way == "repeatedly")


def test_a_cancellation_ends_the_function_that_it_meets_and_no_other(kind: str, pool: WorkerPool) -> None:
    async def main() -> None:
        seen: list[str] = []

        async def met() -> None:
            try:
                await asyncio.sleep(FOREVER)
            finally:
                seen.append("met")

        async def later() -> None:
            await asyncio.sleep(0.001)
            seen.append("later")

        async def body(walk: Walk) -> None:
            ending = Ending(walk)
            for function in (met, later, lambda: seen.append("sync")):
                await ending.call(function)
            ending.raise_first()
            seen.append("after")

        task = asyncio.create_task(walk(pool, body))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["met", "later", "sync"]

    run_on(kind, main)


def test_what_runs_at_the_end_can_use_timeouts_of_its_own(kind: str, pool: WorkerPool) -> None:
    async def main() -> None:
        seen: list[str] = []

        async def part() -> None:
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(FOREVER)
            except TimeoutError:
                seen.append("asyncio")
            with anyio.move_on_after(0.01):
                await asyncio.sleep(FOREVER)
            seen.append("anyio")

        async def body(walk: Walk) -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                try:
                    await asyncio.sleep(0)
                finally:
                    await Ending(walk, is_cancelled=True).call(part)

        await walk(pool, body)
        assert seen == ["asyncio", "anyio"]

    run_on(kind, main)


def test_what_runs_at_the_end_runs_also_after_a_cancellation_in_the_thread(
    kind: str, pool: WorkerPool
) -> None:
    """What is to be released has to be, from the moment on at which a cancellation is only pending."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[str] = []

        async def part() -> None:
            await asyncio.sleep(0)
            seen.append("part")

        def block(task: asyncio.Task[Any]) -> None:
            loop.call_soon_threadsafe(task.cancel)
            time.sleep(0.02)

        async def body(walk: Walk) -> None:
            task = asyncio.current_task()
            assert task is not None
            await walk.call(block, task)
            # still in the thread: nobody has raised the cancellation yet
            ending = Ending(walk)
            await ending.call(part)
            ending.raise_first()
            seen.append("after")

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(walk(pool, body))
        assert seen == ["part"]

    run_on(kind, main)


@pytest.mark.parametrize("way", WAYS)
def test_random_cancellations(kind: str, make_pool: Callable[[int], WorkerPool], way: str) -> None:
    """Hundreds of walks at a time, cancelled whenever: each is torn down once, with its own values."""
    pool = make_pool(5)
    rng = random.Random(f"{kind}{way}")
    lives: list[Life] = []

    def sync_step(life: Life, number: str, seconds: float) -> None:
        if variable.get() != number:
            life.wrong.append(f"{number} saw {variable.get()}")
        life.block(seconds)

    async def async_step(life: Life, number: str, seconds: float) -> None:
        if variable.get() != number:
            life.wrong.append(f"{number} saw {variable.get()}")
        await asyncio.sleep(seconds)

    def returns_awaitable(life: Life, number: str, seconds: float) -> Awaitable[None]:
        return async_step(life, number, seconds)

    def through_ensure_sync(life: Life, number: str, seconds: float) -> None:
        async_to_sync(async_step, pool)(life, number, seconds)

    async def in_a_worker(life: Life, number: str, seconds: float) -> None:
        await run_in_worker(pool, sync_step, life, number, seconds)

    def there_and_back(life: Life, number: str, seconds: float) -> None:
        async_to_sync(in_a_worker, pool)(life, number, seconds)

    kinds = [sync_step, async_step, returns_awaitable, through_ensure_sync, in_a_worker, there_and_back]

    async def one(name: str) -> None:
        life = Life()
        lives.append(life)
        steps = [(rng.choice(kinds), rng.choice([0, 0.0003, 0.001])) for _ in range(rng.randint(1, 4))]
        teardown = rng.choice(["sync", "async"])
        delay = rng.uniform(0, 0.006)

        async def body(walk: Walk) -> None:
            variable.set(name)
            try:
                for step, seconds in steps:
                    await walk.call(step, life, name, seconds)
            finally:
                await life.end(
                    walk, check_name, life.sync_tear_down if teardown == "sync" else life.async_tear_down
                )

        def check_name() -> None:
            if variable.get() != name:
                life.wrong.append(f"{name} was torn down as {variable.get()}")

        cancelling = Cancelling(way)
        asyncio.get_running_loop().call_later(delay, cancelling.cancel)
        await cancelling.around(walk(pool, body))
        assert variable.get() == "unset"

    async def main() -> None:
        for turn in range(15):
            await asyncio.gather(*(one(f"{turn}.{number}") for number in range(40)))
        await asyncio.sleep(0.01)  # the last of the timers

    run_on(kind, main, timeout=30)
    assert len(lives) == 600
    for life in lives:
        life.check(can_be_met=True)
    eventually(lambda: len(pool.threads) <= pool.size, "no thread is left over")


def test_a_sync_callable_that_is_cancelled_early_does_not_wait_forever_later(
    kind: str, pool: WorkerPool
) -> None:
    """The cancellation comes while the callable computes; only then does it wait for a coroutine."""

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def sync(task: asyncio.Task[Any]) -> None:
            loop.call_soon_threadsafe(task.cancel)
            time.sleep(0.03)
            async_to_sync(asyncio.sleep, pool)(FOREVER)

        async def body(walk: Walk) -> None:
            task = asyncio.current_task()
            await walk.call(sync, task)

        task = asyncio.create_task(walk(pool, body))
        await asyncio.sleep(0.1)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=3)
        assert done, "the cancelled request waits for a coroutine that it would have to cancel"

    run_on(kind, main, timeout=6)


def test_a_cancellation_reaches_a_coroutine_that_a_worker_waits_for(kind: str, pool: WorkerPool) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def wait() -> None:
            started.set()
            await asyncio.sleep(FOREVER)

        async def body(walk: Walk) -> None:
            try:
                await run_in_worker(pool, async_to_sync(wait, pool))
            finally:
                await walk.settled()

        task = asyncio.create_task(walk(pool, body))
        await started.wait()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=3)
        assert done, "the cancelled request waits for a coroutine that it would have to cancel"

    run_on(kind, main, timeout=6)


# -- nesting, and a pool without a free thread --------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 40])
@pytest.mark.parametrize("depth", [1, 3])
def test_nested_sync_and_async_never_hang(
    kind: str, make_pool: Callable[[int], WorkerPool], size: int, depth: int
) -> None:
    """sync → ensure_sync(async) → sync_to_async(sync) → ..., 64 at a time."""
    pool = make_pool(size)

    def sync(levels: int, name: str) -> int:
        assert variable.get() == name
        return 0 if not levels else async_to_sync(asynchronous, pool)(levels, name)

    async def asynchronous(levels: int, name: str) -> int:
        await asyncio.sleep(0)
        return 1 + await run_in_worker(pool, sync, levels - 1, name)

    async def one(name: str) -> None:
        async def body(walk: Walk) -> None:
            variable.set(name)
            assert await walk.call(sync, depth, name) == depth
            assert await walk.call(asynchronous, depth, name) == depth

        await walk(pool, body)

    async def main() -> None:
        await asyncio.gather(*(one(str(number)) for number in range(64)))

    run_on(kind, main)
    eventually(lambda: len(pool.threads) <= size, "no thread is left over")


@pytest.mark.parametrize("size", [1, 3])
def test_several_callables_at_once_in_a_full_pool(
    kind: str, make_pool: Callable[[int], WorkerPool], size: int
) -> None:
    pool = make_pool(size)

    def sync(value: int) -> int:
        return async_to_sync(add_up, pool)(value) if value else 1

    async def add_up(value: int) -> int:
        return sum(await asyncio.gather(*(run_in_worker(pool, sync, value - 1) for _ in range(3))))

    async def one() -> None:
        async def body(walk: Walk) -> None:
            assert await walk.call(sync, 2) == 9

        await walk(pool, body)

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(16)))

    run_on(kind, main)
    eventually(lambda: len(pool.threads) <= size, "no thread is left over")


def test_a_sync_callable_can_wait_for_a_task_that_needs_a_thread(
    kind: str, make_pool: Callable[[int], WorkerPool]
) -> None:
    """An async hook has started the task; the pool has no other thread than the one that waits."""
    pool = make_pool(1)

    async def body(walk: Walk) -> str:
        async def start() -> asyncio.Task[str]:
            async def work() -> str:
                await asyncio.sleep(0.02)
                return await run_in_worker(pool, lambda: "done")

            return asyncio.create_task(work())

        task = await walk.call(start)

        async def wait_for_it() -> str:
            return await task

        return str(await walk.call(async_to_sync(wait_for_it, pool)))

    assert run_on(kind, lambda: walk(pool, body), timeout=5) == "done"


def test_walks_that_hold_what_others_wait_for_go_on(
    kind: str, make_pool: Callable[[int], WorkerPool]
) -> None:
    """Streams, say, that hold a database connection between their pieces, more than there are connections."""
    pool = make_pool(1)
    connections = threading.Semaphore(2)
    begun = 0

    async def one(everyone: asyncio.Event) -> None:
        async def body(walk: Walk) -> None:
            nonlocal begun
            await walk.call(thread_name)  # the thread is the walk's from here on
            begun += 1
            if begun == 100:
                everyone.set()
            await walk.call(everyone.wait)
            assert await walk.call(connections.acquire, timeout=2), "no connection"
            await walk.call(asyncio.sleep, 0)
            await walk.call(connections.release)

        await walk(pool, body)

    async def main() -> None:
        everyone = asyncio.Event()
        await asyncio.gather(*(one(everyone) for _ in range(100)))

    run_on(kind, main)


def test_a_walk_begins_when_another_ends_where_no_thread_can_be_started(
    kind: str, make_pool: Callable[[int], WorkerPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(2)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        end = asyncio.Event()

        async def first(walk: Walk) -> None:
            await walk.call(thread_name)
            monkeypatch.setattr(threading.Thread, "start", refuse)
            await walk.call(end.wait)

        async def second(walk: Walk) -> None:
            await walk.call(thread_name)

        running = [asyncio.ensure_future(walk(pool, first))]
        await asyncio.sleep(0.05)
        running.append(asyncio.ensure_future(walk(pool, second)))
        await asyncio.sleep(0.05)
        end.set()
        await asyncio.wait_for(asyncio.gather(*running), 3)

    run_on(kind, main, timeout=8)


@pytest.mark.parametrize("worker", ["of the pool", "of a caller that goes away"])
def test_a_task_that_outlives_its_walk_still_gets_a_thread(kind: str, pool: WorkerPool, worker: str) -> None:
    """A test client, a command: what waits for the walk lends it a thread, for as long as it waits."""

    async def main() -> str:
        tasks: list[asyncio.Task[str]] = []

        async def start() -> None:
            async def work() -> str:
                await asyncio.sleep(0.05)
                return await run_in_worker(pool, lambda: "done")

            tasks.append(asyncio.create_task(work()))

        async def body(walk: Walk) -> None:
            await walk.call(thread_name)
            await walk.call(start)

        walking = inner_walk(pool)
        lent = CountingWorker() if worker == "of a caller that goes away" else None
        if lent is not None:
            walking.worker = lent
        await walking.run(body(walking))
        if lent is not None:
            lent.end()
        return await asyncio.wait_for(tasks[0], 3)

    assert run_on(kind, main, timeout=8) == "done"


def test_a_task_that_outlives_its_walk_is_not_queued_behind_another_request(
    kind: str, make_pool: Callable[[int], WorkerPool]
) -> None:
    pool = make_pool(4)

    async def main() -> float:
        async def work() -> float:
            await asyncio.sleep(0.05)
            start = time.perf_counter()
            await run_in_worker(pool, thread_name)
            return time.perf_counter() - start

        tasks = []

        async def start() -> None:
            tasks.append(asyncio.create_task(work()))

        async def first(walk: Walk) -> None:
            await walk.call(thread_name)
            await walk.call(start)

        async def second(walk: Walk) -> None:
            await walk.call(time.sleep, 0.4)

        await walk(pool, first)
        busy = [asyncio.create_task(walk(pool, second)) for _ in range(2)]
        took = await tasks[0]
        await asyncio.gather(*busy)
        return took

    assert run_on(kind, main) < 0.25


def test_tasks_that_go_on_do_not_hold_back_the_end(kind: str, pool: WorkerPool) -> None:
    """Pollers that a view has started use threads without a pause; the request still comes to its end."""

    async def main() -> None:
        pollers: list[asyncio.Task[None]] = []
        ended = asyncio.Event()

        async def poll() -> None:
            while not ended.is_set():
                await run_in_worker(pool, time.sleep, 0.003)

        async def start() -> None:
            pollers.extend(asyncio.create_task(poll()) for _ in range(3))
            await asyncio.sleep(0.01)

        async def body(walk: Walk) -> None:
            await walk.call(start)
            await walk.settled()

        task = asyncio.create_task(walk(pool, body))
        done, _ = await asyncio.wait({task}, timeout=2)
        ended.set()
        await asyncio.gather(*pollers)
        await task
        assert done, "the request waited for tasks that are not part of it"

    run_on(kind, main)


# -- sync_to_async under a timeout --------------------------------------------------------------------------


@pytest.mark.parametrize("within_a_walk", [True, False])
@pytest.mark.parametrize("kind_of_timeout", ["asyncio", "anyio", "wait_for"])
def test_a_timeout_around_a_sync_callable_returns_on_time(
    kind: str, pool: WorkerPool, kind_of_timeout: str, within_a_walk: bool
) -> None:
    finished = threading.Event()

    def block() -> None:
        time.sleep(0.3)
        finished.set()

    async def limited() -> float:
        start = time.perf_counter()
        if kind_of_timeout == "anyio":
            with anyio.move_on_after(0.05) as scope:
                await run_in_worker(pool, block)
            assert scope.cancelled_caught
        else:
            with pytest.raises(TimeoutError):
                if kind_of_timeout == "asyncio":
                    async with asyncio.timeout(0.05):
                        await run_in_worker(pool, block)
                else:
                    await asyncio.wait_for(run_in_worker(pool, block), 0.05)
        return time.perf_counter() - start

    async def body(walk: Walk) -> float:
        try:
            return float(await walk.call(limited))
        finally:
            await walk.settled()
            assert finished.is_set()

    async def main() -> float:
        return float(await (walk(pool, body) if within_a_walk else limited()))

    assert run_on(kind, main) < 0.25
    assert finished.wait(3)


def test_what_a_timeout_has_left_behind_belongs_to_the_walk_also_within_ensure_sync(
    kind: str, pool: WorkerPool
) -> None:
    running: list[int] = []

    def block(number: int, seconds: float) -> None:
        running.append(number)
        time.sleep(seconds)
        running.remove(number)

    async def limited() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.03):
                await asyncio.gather(
                    run_in_worker(pool, block, 1, 0.06),
                    run_in_worker(pool, block, 2, 0.4),
                )

    async def body(walk: Walk) -> None:
        await walk.call(async_to_sync(limited, pool))
        await walk.settled()
        assert running == []

    run_on(kind, lambda: walk(pool, body))


def test_a_callable_whose_turn_never_came_is_not_called_after_its_timeout(
    kind: str, make_pool: Callable[[int], WorkerPool]
) -> None:
    pool = make_pool(1)
    called: list[str] = []

    async def main() -> None:
        busy = asyncio.create_task(run_in_worker(pool, time.sleep, 0.1))
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_in_worker(pool, called.append, "too late")
        await busy
        await run_in_worker(pool, called.append, "in time")

    run_on(kind, main)
    assert called == ["in time"]


def test_after_a_timeout_the_walk_can_still_use_threads(kind: str, pool: WorkerPool) -> None:
    async def body(walk: Walk) -> float:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await run_in_worker(pool, time.sleep, 0.4)
        start = time.perf_counter()
        await run_in_worker(pool, thread_name)
        took = time.perf_counter() - start
        await walk.settled()
        return took

    assert run_on(kind, lambda: walk(pool, body)) < 0.3


# -- the loop stops -----------------------------------------------------------------------------------------


class OwnLoop:
    """A loop in a thread, to be stopped under the feet of what runs there."""

    def __init__(self, kind: str) -> None:
        self.loop = LOOPS[kind]()
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def stop(self, close: bool) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        assert not self.thread.is_alive()
        if close:
            self.loop.close()


@pytest.mark.parametrize("close", [False, True], ids=["stopped", "closed"])
def test_a_thread_that_waits_for_a_stopped_loop_gets_an_error(
    kind: str, pool: WorkerPool, close: bool, recwarn: pytest.WarningsRecorder
) -> None:
    own = OwnLoop(kind)
    waiting = threading.Event()
    result: SimpleQueue[BaseException | None] = SimpleQueue()

    async def wait() -> None:
        waiting.set()
        await asyncio.sleep(FOREVER)

    def sync() -> None:
        try:
            async_to_sync(wait, pool)()
        except BaseException as error:
            result.put(error)
            raise
        result.put(None)

    async def body(walk: Walk) -> None:
        await walk.call(sync)

    asyncio.run_coroutine_threadsafe(walk(pool, body), own.loop)
    assert waiting.wait(5)
    own.stop(close)
    error = result.get(timeout=5)
    assert isinstance(error, RuntimeError)
    assert "stopped" in str(error)
    if not close:
        own.loop.close()
    gc.collect()


@pytest.mark.parametrize("teardown", ["sync", "sync then async"])
def test_a_sync_callable_that_outlives_its_loop_is_still_torn_down(
    kind: str, pool: WorkerPool, teardown: str
) -> None:
    """Without the loop async teardown cannot run any more; what is sync can, and must."""
    own = OwnLoop(kind)
    working, go_on = threading.Event(), threading.Event()
    torn_down: list[str] = []

    def sync() -> None:
        working.set()
        go_on.wait(10)

    async def async_teardown() -> None:
        await asyncio.sleep(0)

    async def body(walk: Walk) -> None:
        try:
            await walk.call(sync)
            await walk.call(on_loop)
        finally:
            ending = Ending(walk)
            await ending.call(lambda: torn_down.append("sync"))
            if teardown != "sync":
                await ending.call(async_teardown)

    asyncio.run_coroutine_threadsafe(walk(pool, body), own.loop)
    assert working.wait(5)
    own.stop(close=True)
    go_on.set()
    for _ in range(400):
        if torn_down:
            break
        time.sleep(0.005)
    assert torn_down == ["sync"]
    gc.collect()


@pytest.mark.parametrize("teardown", ["sync", "async"])
def test_a_walk_that_is_dropped_with_its_loop_is_torn_down(
    kind: str, pool: WorkerPool, teardown: str
) -> None:
    """The loop stops while an async callable waits, and is never run again."""
    torn_down: list[str] = []

    async def async_teardown() -> None:
        torn_down.append("async")

    async def body(walk: Walk) -> None:
        try:
            await walk.call(thread_name)
            await walk.call(asyncio.sleep, FOREVER)
        finally:
            await Ending(walk).call(
                async_teardown if teardown == "async" else lambda: torn_down.append("sync")
            )

    loop = LOOPS[kind]()
    coroutine = walk(pool, body)
    running: asyncio.Future[Any] = asyncio.ensure_future(coroutine, loop=loop)
    loop.run_until_complete(asyncio.wait({running}, timeout=0.1))
    assert not running.done()
    loop.set_exception_handler(lambda _, context: None)  # "Task was destroyed but it is pending!" is true
    del running
    coroutine.close()
    loop.close()
    gc.collect()
    assert torn_down == [teardown]


def test_run_in_worker_of_a_loop_that_is_closed_meanwhile_ends_its_thread(
    kind: str, pool: WorkerPool
) -> None:
    own = OwnLoop(kind)
    working, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def sync() -> None:
        working.set()
        go_on.wait(10)
        over.set()

    asyncio.run_coroutine_threadsafe(run_in_worker(pool, sync), own.loop)
    assert working.wait(5)
    own.stop(close=True)
    go_on.set()
    assert over.wait(5)
    # and the thread is there for the next one
    assert run_on(kind, lambda: run_in_worker(pool, lambda: "next")) == "next"
    gc.collect()


# -- run_sync -----------------------------------------------------------------------------------------------


async def framework(*callables: Callable[..., Any]) -> list[Any]:
    """A coroutine such as the framework's own."""
    walk = current_walk()
    return [await walk.call(function) for function in callables]


async def without_waiting() -> str:
    return thread_name()


async def waits() -> str:
    await asyncio.sleep(0.001)
    return thread_name()


def test_run_sync_of_sync_callables_needs_neither_loop_nor_thread(pool: WorkerPool) -> None:
    assert run_sync(framework(thread_name, thread_name), pool) == ["MainThread", "MainThread"]
    assert pool.threads == []


def test_run_sync_elsewhere_runs_coroutines_on_a_loop_and_the_rest_here(pool: WorkerPool) -> None:
    sync_1, asynchronous, sync_2 = run_sync(framework(thread_name, waits, thread_name), pool)
    assert sync_1 == sync_2 == "MainThread"
    assert asynchronous != "MainThread"


def test_run_sync_on_the_loop_runs_what_does_not_wait(kind: str, pool: WorkerPool) -> None:
    async def main() -> list[Any]:
        return run_sync(framework(thread_name, without_waiting, lambda: without_waiting()), pool)

    assert run_on(kind, main) == [f"test-{kind}"] * 3


@pytest.mark.parametrize("wrapped", [False, True])
def test_run_sync_on_the_loop_says_what_to_do_when_it_has_to_wait(
    kind: str, pool: WorkerPool, wrapped: bool
) -> None:
    cleaned_up: list[str] = []

    async def waits_and_cleans_up() -> None:
        try:
            await asyncio.sleep(0.001)
        finally:
            cleaned_up.append("yes")

    async def main() -> None:
        function = (lambda: waits_and_cleans_up()) if wrapped else waits_and_cleans_up
        with pytest.raises(RuntimeError, match=r"event loop, which cannot wait.*await"):
            run_sync(framework(thread_name, function), pool)
        # and the loop is none the worse for it
        await asyncio.sleep(0.01)
        assert run_sync(framework(without_waiting), pool) == [f"test-{kind}"]

    run_on(kind, main)
    assert cleaned_up == ["yes"]


def test_run_sync_in_a_thread_of_a_walk_uses_its_loop_and_its_thread(kind: str, pool: WorkerPool) -> None:
    async def body(walk: Walk) -> list[Any]:
        def sync() -> list[Any]:
            return [thread_name(), *run_sync(framework(thread_name, waits, thread_name), pool)]

        return list(await walk.call(sync))

    here, sync_1, asynchronous, sync_2 = run_on(kind, lambda: walk(pool, body))
    assert here == sync_1 == sync_2
    assert asynchronous == f"test-{kind}"


@pytest.mark.parametrize("error", [ValueError("x"), Stop("x"), SystemExit(3), KeyboardInterrupt()])
def test_run_sync_raises_what_is_raised(pool: WorkerPool, error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    for callables in (
        [functools.partial(fail_with, error)],
        [waits, functools.partial(fail_with, error)],
        [fail],
    ):
        with pytest.raises(type(error)) as caught:
            run_sync(framework(*callables), pool)
        assert caught.value is error


# -- the pool -----------------------------------------------------------------------------------------------


def test_threads_are_started_when_needed_named_and_reused(make_pool: Callable[[int], WorkerPool]) -> None:
    pool = make_pool(3)
    assert pool.threads == []
    names: SimpleQueue[str] = SimpleQueue()
    seen = set()
    for _ in range(50):
        pool.submit(lambda: names.put(thread_name()))
        seen.add(names.get(timeout=5))
    assert len(seen) <= pool.size
    assert {thread.name for thread in pool.threads} >= seen


@pytest.mark.parametrize("switch_interval", [1e-6, 0.005])
def test_jobs_are_never_left_lying(make_pool: Callable[[int], WorkerPool], switch_interval: float) -> None:
    """Walks that come back to their threads, and new ones, at the same time: nobody may be forgotten."""
    pool = make_pool(8)
    before = sys.getswitchinterval()
    finished = [0]

    async def one() -> None:
        async def body(walk: Walk) -> None:
            for _ in range(3):
                await walk.call(thread_name)
                await walk.call(asyncio.sleep, 0)

        await walk(pool, body)

    async def main() -> None:
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            tasks = [asyncio.create_task(one()) for _ in range(32)]
            _, pending = await asyncio.wait(tasks, timeout=5)
            if pending:
                raise Hang(f"{len(pending)} walks wait for a thread, and every thread waits for a job")
            finished[0] += 32

    sys.setswitchinterval(switch_interval)
    try:
        run_on("asyncio", main, timeout=10)
    finally:
        sys.setswitchinterval(before)
    assert finished[0]


def test_a_job_for_anyone_does_not_wait_behind_one_for_a_certain_thread(
    make_pool: Callable[[int], WorkerPool],
) -> None:
    for _ in range(20):
        pool = make_pool(2)
        first: SimpleQueue[Worker | None] = SimpleQueue()
        pool.submit(lambda first=first: first.put(current_worker()))  # type: ignore[misc]
        worker = first.get(timeout=5)
        assert worker is not None
        time.sleep(0.002)  # until it is idle
        for_anyone, release = threading.Event(), threading.Event()
        pool.submit(for_anyone.set)
        worker.submit(lambda release=release: release.wait(5) and None)  # type: ignore[misc]
        in_time = for_anyone.wait(1)
        release.set()
        assert in_time, "an idle pool has left a job lying"


def test_two_loops_at_the_same_time(make_pool: Callable[[int], WorkerPool]) -> None:
    """Two servers in one process, say: what threads finish for one loop must not disturb the other."""
    pools = [make_pool(4), make_pool(4)]
    before = sys.getswitchinterval()
    failures: list[BaseException] = []

    def serve(pool: WorkerPool) -> None:
        async def one() -> None:
            async def body(walk: Walk) -> None:
                for _ in range(3):
                    await walk.call(async_to_sync(on_loop, pool))
                    await walk.call(on_loop)

            await walk(pool, body)

        async def main() -> None:
            end = time.monotonic() + 1
            while time.monotonic() < end:
                _, pending = await asyncio.wait([asyncio.create_task(one()) for _ in range(16)], timeout=5)
                if pending:
                    raise Hang(f"{len(pending)} walks never end")

        try:
            run_on("asyncio", main, timeout=10)
        except BaseException as error:
            failures.append(error)

    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=serve, args=(pool,), daemon=True) for pool in pools]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    finally:
        sys.setswitchinterval(before)
    assert not failures, failures


def test_stopping_joins_the_threads_and_the_next_job_starts_new_ones(
    make_pool: Callable[[int], WorkerPool],
) -> None:
    pool = make_pool(3)
    done = threading.Event()
    pool.submit(lambda: time.sleep(0.05))
    pool.submit(lambda: (time.sleep(0.05), done.set())[1])
    threads = pool.threads
    pool.stop(wait=True)
    assert done.is_set()
    assert not any(thread.is_alive() for thread in threads)
    again = threading.Event()
    pool.submit(again.set)
    assert again.wait(5)


def test_a_walk_goes_on_after_its_pool_was_stopped(kind: str, pool: WorkerPool) -> None:
    """A server that shuts down stops the pool; a request that is under way has its teardown to come."""

    async def body(walk: Walk) -> str:
        await walk.call(thread_name)
        await walk.call(asyncio.sleep, 0)  # which settles the thread that it will come back to
        pool.stop()
        await asyncio.sleep(0.05)
        return str(await walk.call(lambda: "torn down"))

    assert run_on(kind, lambda: walk(pool, body), timeout=5) == "torn down"


def test_jobs_that_wait_when_the_pool_is_stopped_are_done(make_pool: Callable[[int], WorkerPool]) -> None:
    pool = make_pool(1)
    done: SimpleQueue[int] = SimpleQueue()
    started = threading.Event()
    pool.submit(lambda: (started.set(), time.sleep(0.05)) and None)
    started.wait(5)
    for number in range(5):
        pool.submit(functools.partial(done.put, number))
    pool.stop(wait=True)
    assert sorted(done.get(timeout=2) for _ in range(5)) == [0, 1, 2, 3, 4]


def test_without_any_thread_it_is_an_error_and_the_walk_is_torn_down(
    kind: str, make_pool: Callable[[int], WorkerPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may give no more threads."""
    pool = make_pool(2)
    torn_down: list[str] = []

    async def tear_down() -> None:
        torn_down.append("yes")

    async def body(walk: Walk) -> None:
        try:
            await walk.call(thread_name)
        finally:
            await walk.call(tear_down)

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("test-0_"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await walk(pool, body)

    run_on(kind, main, timeout=5)
    assert torn_down == ["yes"]


def test_a_pool_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="WORKER_THREADS"):
        WorkerPool(0, "x")
