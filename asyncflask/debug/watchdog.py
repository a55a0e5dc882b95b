"""What holds the event loop up, found by a thread that looks at it from outside."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import weakref
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import unwrap
from linecache import getline
from types import FrameType
from typing import Any

from .source import definition_line, library_path

#: Seconds after which a callback that is still at it is reported for the first time.
STILL = 5.0
MAX_FRAMES = 200

#: What is told about a callback: where it was seen, for how many seconds, whether it has ended.
Report = Callable[["Place", float, bool], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the loop was seen to be busy."""

    file: str
    line: int
    function: str
    #: The scope of the request that it was busy for, if that is known.
    scope: Mapping[str, Any] | None = None

    @property
    def code(self) -> str:
        return getline(self.file, self.line).strip()

    def __hash__(self) -> int:
        return hash((self.file, self.line))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and (self.file, self.line) == (other.file, other.line)


class Watchdog:
    """Asks an event loop for a sign of life, several times in `limit`; when none comes, looks at its stack.

    Its thread ends by itself when the loop is stopped or closed.

    :param limit: seconds that the loop may be busy without a pause.
    :param report: called in the watchdog's thread.
    """

    def __init__(self, limit: float, report: Report) -> None:
        self.limit = limit
        self._interval = max(limit / 4, 0.005)
        self._report = report
        #: The scopes of the requests that are under way, by their tasks.
        self.requests: weakref.WeakKeyDictionary[asyncio.Task[Any], Mapping[str, Any]] = (
            weakref.WeakKeyDictionary()
        )
        self._outside: set[int] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Watch the running loop, in whose thread this is called."""
        if self.is_running:
            return
        loop = weakref.ref(asyncio.get_running_loop())
        self._stopped.clear()
        self._outside = _frames_around_the_loop()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, threading.get_ident()), name="asyncflask-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _watch(self, reference: weakref.ref[AbstractEventLoop], ident: int) -> None:
        while not self._stopped.wait(self._interval):
            loop = reference()
            if loop is None or not loop.is_running():
                return
            alive = threading.Event()
            asked = time.perf_counter()
            try:
                loop.call_soon_threadsafe(alive.set)
            except RuntimeError:
                return  # it is closed
            if alive.wait(self._interval):
                continue
            seen = self._sample_until(alive, loop, ident, asked)
            # It was busy before it was asked, for half an interval on average.
            seconds = time.perf_counter() - asked + self._interval / 2
            if seconds >= self.limit and seen:
                self._report(seen.most_common(1)[0][0], seconds, True)
            del loop

    def _sample_until(
        self, alive: threading.Event, loop: AbstractEventLoop, ident: int, asked: float
    ) -> Counter[Place]:
        """Look at the loop's stack until it answers; how often it was seen where."""
        seen: Counter[Place] = Counter()
        is_reported = False
        while True:
            place = self._look(loop, ident)
            if place is not None:
                seen[place] += 1
            seconds = time.perf_counter() - asked
            if seconds > STILL and not is_reported and seen:
                is_reported = True
                self._report(seen.most_common(1)[0][0], seconds, False)
            if alive.wait(self._interval if seconds < 1 else 0.1):
                return seen
            if self._stopped.is_set() or not loop.is_running():
                return Counter()

    def _look(self, loop: AbstractEventLoop, ident: int) -> Place | None:
        """Where the loop's thread is now; None if it is waiting for events, or in the framework only."""
        frame: FrameType | None = sys._current_frames().get(ident)
        scope = self._current_scope(loop)
        innermost = frame
        for _ in range(MAX_FRAMES):
            if frame is None or id(frame) in self._outside:
                break
            if library_path(frame.f_code.co_filename) is None:
                return _place(frame, scope)
            frame = frame.f_back
        # No code of the application. But what a view has returned may be large.
        if innermost is None or id(innermost) in self._outside or scope is None:
            return None
        return _place_of_view(scope)

    def _current_scope(self, loop: AbstractEventLoop) -> Mapping[str, Any] | None:
        task = asyncio.current_task(loop)
        return None if task is None else self.requests.get(task)


def _frames_around_the_loop() -> set[int]:
    """The identities of the frames that called the running loop, which stay while it runs. The
    application's own may be among them: that of ``app.run()``."""
    coroutine: Any = getattr(asyncio.current_task(), "get_coro", lambda: None)()
    frame: FrameType | None = getattr(coroutine, "cr_frame", None)
    found = set()
    while frame is not None:
        frame = frame.f_back
        # These two are the loop's own, of the present callback.
        if frame is not None and frame.f_code.co_name not in ("_run", "_run_once"):
            found.add(id(frame))
    return found


def _place(frame: FrameType, scope: Mapping[str, Any] | None) -> Place:
    line = frame.f_lineno or 0
    template = frame.f_globals.get("__jinja_template__")
    if template is not None:  # it runs as Python code, with other lines
        line = template.get_corresponding_lineno(line)
    return Place(frame.f_code.co_filename, line, frame.f_code.co_qualname, scope)


def _place_of_view(scope: Mapping[str, Any]) -> Place | None:
    code = getattr(unwrap(scope["endpoint"]), "__code__", None) if callable(scope.get("endpoint")) else None
    if code is None:
        return None
    return Place(code.co_filename, definition_line(code), code.co_qualname, scope)


def describe(place: Place, seconds: float, has_ended: bool) -> str:
    """What to log."""
    view = None if place.scope is None else place.scope.get("endpoint")
    name = getattr(view, "__qualname__", None)
    lines = [
        f"The event loop {'was' if has_ended else 'is still'} blocked for {round(seconds * 1000)} ms"
        + (f" by the view {name!r}:" if name else ":"),
        f'  File "{place.file}", line {place.line}, in {place.function}',
    ]
    if place.code:
        lines.append(f"    {place.code}")
    lines.append(
        "Nothing else could run meanwhile. Await something that does not block, or run it in a thread: a view"
        " that is 'def' is."
    )
    return "\n".join(lines)
