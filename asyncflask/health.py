"""Whether the process is alive, and whether it is to be sent requests: for Kubernetes, load balancers,
systemd.

Alive and ready are two questions (https://kubernetes.io/docs/concepts/workloads/pods/probes/). A process that
is not alive is restarted, which helps against a process that hangs and not against a database that is away.
One that is not ready gets no requests, until it is ready again.
"""

from __future__ import annotations

import asyncio
import json
from asyncio import Task
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload
from weakref import proxy

from .environ import route_path
from .lifespan import call, channels
from .typing import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from .app import Flask

F = TypeVar("F", bound=Callable[..., Any])

State = Literal["ready", "draining"]
Outcome = Literal["ok", "failed", "timeout"]


@dataclass
class Check:
    """Something that has to be all right.

    :param function: raises an exception, or returns False, when it is not.
    :param timeout: seconds that it may take.
    """

    name: str
    function: Callable[[], Any]
    timeout: float
    running: dict[asyncio.AbstractEventLoop, Task[None]] = field(default_factory=dict)


class Health:
    """Answers of an application to the question how it is::

        health = Health(app)

        @health.check
        async def database():
            await engine.execute("SELECT 1")

    ``GET /healthz`` is 200 for as long as the event loop runs. ``GET /readyz`` is 200 when all checks are all
    right, and 503 when one is not, and from the moment that `drain` is called. Both are answered before the
    application is asked: no hooks run, nobody has to be logged in, and any ``Host`` will do, since probes
    send the address.

    :param app: the application; referred to weakly. It has this as ``app.extensions["health"]``.
    :param path: where to ask whether the process is alive; None for nowhere.
    :param ready_path: where to ask whether it is ready; None for nowhere.
    :param delay: seconds between not being ready and draining, in which load balancers notice: longer than
        the time between two of their questions, times the answers that they want to have. 5 unless given.
    :param timeout: seconds that a check may take; 2 unless given. Probes wait for a second or so: let theirs
        be longer.
    :raises ValueError: for a path that is none.
    """

    def __init__(
        self,
        app: Flask,
        path: str | None = "/healthz",
        ready_path: str | None = "/readyz",
        *,
        delay: float = 5.0,
        timeout: float = 2.0,
    ) -> None:
        for each in (path, ready_path):
            if each is not None and not each.startswith("/"):
                raise ValueError(f"A path begins with a slash: '/{each}', not {each!r}.")
        self._app: Flask = cast("Flask", proxy(app))
        self.delay = delay
        self.timeout = timeout
        self.state: State = "ready"
        self._checks: dict[str, Check] = {}
        self._drain_functions: list[Callable[[], Any]] = []
        answers = {path: self.is_alive, ready_path: self.is_ready}
        answers.pop(None, None)
        app.extensions["health"] = self
        app.add_middleware(HealthMiddleware, cast(Any, answers))

    @overload
    def check(self, function: F, *, name: str | None = None, timeout: float | None = None) -> F: ...

    @overload
    def check(self, *, name: str | None = None, timeout: float | None = None) -> Callable[[F], F]: ...

    def check(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Have a function called whenever it is asked whether the process is ready: ``@health.check``, or
        ``@health.check(name="db", timeout=0.5)``.

        It raises an exception, or returns False, when something is not all right; what it raises is logged,
        and not told. It may be ``def``, and runs in a worker thread then, or ``async def``; it has an
        application context. All checks run at the same time. While one runs it is not begun again, also when
        its time is over.

        :param name: what it is called in the answer; the function's name, unless given.
        :param timeout: seconds that it may take, before it counts as failed.
        """
        if function is None:
            return partial(self._add, name=name, timeout=timeout)
        return self._add(function, name, timeout)

    def _add(self, function: F, name: str | None = None, timeout: float | None = None) -> F:
        name = name or function.__name__
        if name in self._checks:
            raise ValueError(f"There is a check {name!r} already: pass another 'name'.")
        self._checks[name] = Check(name, function, self.timeout if timeout is None else timeout)
        return function

    def on_drain(self, function: F) -> F:
        """Call a function, sync or async, when draining begins: to tell clients to go elsewhere, say."""
        self._drain_functions.append(function)
        return function

    async def is_alive(self) -> tuple[bool, dict[str, Any]]:
        """Whether the process is alive, and what is told of it."""
        return True, {"status": "alive"}

    async def is_ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is to be sent requests, and what is told of it."""
        if self.state != "ready":
            return False, {"status": self.state}
        names = list(self._checks)
        outcomes = await asyncio.gather(*(self._outcome(check) for check in self._checks.values()))
        is_ready = all(outcome == "ok" for outcome in outcomes)
        if self.state != "ready":  # meanwhile
            return False, {"status": self.state}
        status = "ready" if is_ready else "not ready"
        return is_ready, {"status": status, "checks": dict(zip(names, outcomes, strict=True))}

    async def _outcome(self, check: Check) -> Outcome:
        loop = asyncio.get_running_loop()
        task = check.running.get(loop)
        if task is None:
            task = check.running[loop] = loop.create_task(self._run(check), context=Context())
            task.add_done_callback(lambda _: check.running.pop(loop))
        done, _ = await asyncio.wait([task], timeout=check.timeout)
        if not done:
            self._app.logger.warning("The check %r has taken longer than %g s", check.name, check.timeout)
            return "timeout"
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self._app.logger.warning("The check %r has failed: %r", check.name, error)
        return "ok" if error is None else "failed"

    async def _run(self, check: Check) -> None:
        if await call(self._app, check.function) is False:
            raise RuntimeError(f"{check.name!r} has returned False")

    async def drain(self) -> None:
        """Be ready no more; wait until that is noticed; and then have everything end that would go on for
        ever.

        For the server to call when it is told to stop, before it closes its socket. Meanwhile all requests
        are answered: those that come during the `delay`, too. Then the functions of `on_drain` are called,
        and subscriptions to channels end, and with them the websockets and streams of events that
        `asyncflask.channels` sends. What fails is logged. A second call returns at once.
        """
        if self.state == "draining":
            return
        self.state = "draining"
        await asyncio.sleep(self.delay)
        for function in self._drain_functions:
            try:
                await call(self._app, function)
            except Exception:
                self._app.logger.exception("Exception while the application was draining")
        await channels(self._app, "end")


class HealthMiddleware:
    """Answers the questions, and passes everything else on.

    :param app: the application.
    :param answers: what gives an answer, by path.
    """

    def __init__(
        self, app: ASGIApp, answers: dict[str, Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]]
    ) -> None:
        self._app = app
        self._answers = answers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[Any]:
        if scope["type"] == "http":
            path = route_path(scope) if scope.get("root_path") else scope["path"]
            if path in self._answers:
                return self._answer(path, scope, send)
        return self._app(scope, receive, send)

    async def _answer(self, path: str, scope: Scope, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if scope["method"] in ("GET", "HEAD"):
            is_well, told = await self._answers[path]()
            status, body = 200 if is_well else 503, json.dumps(told).encode()
        else:
            status, body = 405, b'{"status": "method not allowed"}'
            headers.append((b"allow", b"GET, HEAD"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
