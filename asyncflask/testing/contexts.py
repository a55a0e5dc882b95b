"""The contexts that a client keeps."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack

from ..ctx import AppContext


class KeptContexts:
    """The contexts of the last request, which stay active in a client's ``with`` block."""

    def __init__(self) -> None:
        self._new: list[AppContext] = []
        self._entered: list[AppContext] = []

    def keep(self, context: AppContext) -> None:
        """Add one, to be entered."""
        self._new.append(context)

    def forget_new(self) -> None:
        """Drop those that have not been entered."""
        self._new.clear()

    def enter(self) -> None:
        while self._new:
            context = self._new.pop(0)
            context.__enter__()
            self._entered.append(context)

    def leave(self) -> None:
        """Leave all of them; the first exception is raised at the end."""
        with ExitStack() as stack:
            while self._entered:
                stack.push(self._entered.pop(0))

    async def leave_async(self) -> None:
        """`leave`, from a task."""
        async with AsyncExitStack() as stack:
            while self._entered:
                stack.push_async_exit(self._entered.pop(0))
