"""The iterable that a call of the application gives to WSGI."""

from __future__ import annotations

from .call import Call


class ResponseBody:
    """The body of a response. Handed back untouched to the server that the request came from, it is sent
    without a thread.

    :param call: what gives it.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        #: Whether somebody has begun to take it.
        self.is_touched = False

    def __iter__(self) -> ResponseBody:
        return self

    def __next__(self) -> bytes:
        self.is_touched = True
        piece = self.call.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """End the response; to be called by who has it at the end (PEP 3333, "Specification Details")."""
        self.is_touched = True
        self.call.close()

    def __del__(self) -> None:
        if not self.call.is_over:
            self.call.abandon()
