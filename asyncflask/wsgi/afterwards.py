"""What is to be done when a response has been sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class Afterwards:
    """Keeps what is to be done until the response has been sent. The methods may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_sent = False
        self._kept: Sequence[Callable[[], None]] = ()

    def add(self, starts: Sequence[Callable[[], None]]) -> None:
        """Call them then."""
        with self._lock:
            if not self._is_sent:
                self._kept = [*self._kept, *starts]
                return
        for start in starts:
            start()

    def begin(self) -> None:
        """The response has been sent, or nobody wants it any more."""
        with self._lock:
            self._is_sent = True
            starts, self._kept = self._kept, ()
        for start in starts:
            start()
