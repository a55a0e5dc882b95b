"""Python code typed into the page, run among the names of a frame."""

from __future__ import annotations

import ast
import asyncio
import threading
import traceback
import weakref
from codeop import CommandCompiler
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from inspect import CO_COROUTINE
from pprint import pformat
from queue import SimpleQueue
from types import CodeType
from typing import Any

from .aside import interrupt
from .output import LIMIT, Output, caught_streams, set_output
from .raised import Namespace
from .text import clean

FILE = "<console>"

#: A value, and the traceback of what was raised instead: as text, its frames would lead back to it.
Outcome = tuple[Any, str | None]
_Job = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What running code has led to."""

    #: What was printed, the value at the end, and the traceback.
    output: str = ""
    #: Whether it ended in an exception.
    failed: bool = False
    #: Whether the code is not complete yet.
    more: bool = False


class Console:
    """Runs code among the names of a frame, statement by statement.

    One with an ``await`` runs on the event loop, as any async code does. All others run in a thread of
    the console, so that they do not hold up the loop, whatever they do. The names are copies: what is
    assigned stays in the console. As all of them are global there, functions and comprehensions see them.

    :param namespace: the globals and locals of the frame.
    :param context: the context to run in, of the console alone.
    """

    def __init__(self, namespace: Namespace, context: Context) -> None:
        module, names = namespace
        self.names = {**module, **names}
        self._context = context
        self._lock = asyncio.Lock()
        self._compile = CommandCompiler()
        self._compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._thread: _Thread | None = None

    async def run(self, code: str) -> Result:
        """Run code; cancelled, it is interrupted as by Ctrl-C."""
        async with self._lock:
            if self._thread is not None and self._thread.is_busy:
                return Result("What was stopped before has not ended yet.\n", failed=True)
            try:
                if self._compile(code, FILE, "exec") is None:
                    return Result(more=True)
                statements = list(_compiled(code))
            except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError) as error:
                return Result("".join(traceback.format_exception_only(error)), failed=True)
            output = Output()
            self._context.run(set_output, output)
            with caught_streams():
                failed = await self._run_all(statements, output)
            return Result(output.text(), failed)

    async def _run_all(self, statements: list[CodeType], output: Output) -> bool:
        value = None
        for statement in statements:
            is_async = bool(statement.co_flags & CO_COROUTINE)
            value, failure = await (self._on_loop(statement) if is_async else self._in_thread(statement))
            if failure is not None:
                output.write(failure)
                return True
        if value is None:
            return False
        self.names["_"] = value
        text, failure = await self._call(lambda: _value_text(value))
        output.write(text if failure is None else f"The value cannot be shown:\n{failure}")
        return failure is not None

    async def _on_loop(self, code: CodeType) -> Outcome:
        coroutine: Coroutine[Any, Any, Any] = eval(code, self.names)

        async def run() -> Outcome:
            try:
                return await coroutine, None
            except BaseException as error:  # a SystemExit would end the server
                return None, _traceback_text(error)

        return await asyncio.get_running_loop().create_task(run(), context=self._context)

    async def _in_thread(self, code: CodeType) -> Outcome:
        return await self._call(lambda: eval(code, self.names))

    async def _call(self, func: Callable[[], Any]) -> Outcome:
        if self._thread is None:
            self._thread = _Thread()
            weakref.finalize(self, self._thread.stop)
        return await self._thread.call(self._context, func)


class _Thread:
    """The thread of a console: one, since some things may be used in the thread only that made them."""

    #: Whether it is running something, perhaps what somebody has given up waiting for.
    is_busy = False

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._jobs,), name="asyncflask-debug-console", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._jobs.put(None)

    async def call(self, context: Context, func: Callable[[], Any]) -> Outcome:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def job() -> None:
            try:
                outcome: Outcome = context.run(func), None
            except BaseException as error:
                outcome = None, _traceback_text(error)
            self.is_busy = False
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_finish, done, outcome)

        self.is_busy = True
        self._jobs.put(job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            interrupt(self._thread, KeyboardInterrupt)
            raise


def _finish(done: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not done.done():
        done.set_result(outcome)


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while True:
        try:
            job = jobs.get()
            if job is None:
                return
            job()
            del job
        except KeyboardInterrupt:
            continue  # it came when the code was over


def _compiled(code: str) -> list[CodeType]:
    """The statements one by one; the last, if it is an expression, as one, to give its value."""
    statements = ast.parse(code, FILE).body
    compiled = []
    for statement in statements:
        tree: ast.Expression | ast.Module = ast.Module([statement], [])
        mode = "exec"
        if statement is statements[-1] and isinstance(statement, ast.Expr):
            tree, mode = ast.Expression(statement.value), "eval"
        compiled.append(compile(tree, FILE, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True))
    return compiled


def _value_text(value: Any) -> str:
    text = pformat(value, width=100) if type(value) in (dict, list, set, tuple) else repr(value)
    return clean(text, LIMIT)


def _traceback_text(error: BaseException) -> str:
    """The traceback, from the console's own code on."""
    try:
        found = traceback.TracebackException.from_exception(error, limit=-50)
        for number, frame in enumerate(found.stack):
            if frame.filename == FILE:
                del found.stack[:number]
                break
        return clean("".join(found.format()), LIMIT)
    except Exception:
        return f"{type(error).__name__}, whose traceback cannot be shown\n"
