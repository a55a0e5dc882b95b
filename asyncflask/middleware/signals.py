"""Signals during a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blinker import Signal

from ..concurrency import current_walk

if TYPE_CHECKING:
    from ..app import Flask


async def emit(signal: Signal, app: Flask, **values: Any) -> None:
    """Call the receivers of a signal, sync and async ones, each in its place."""
    if signal.is_muted:
        return
    walk = current_walk()
    for receiver in signal.receivers_for(app):
        await walk.call(receiver, app, **values)
