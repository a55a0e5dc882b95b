"""What the applications of all peers serve."""

from __future__ import annotations

import asyncio
import time
from typing import Any

GREETING = "Hello, World!"
ARTICLE: dict[str, Any] = {"author": "Ada", "id": 7, "tags": ["fast", "async"], "title": "Hello"}
ITEMS = [f"Item {number} & more" for number in range(20)]
SECRET_KEY = "a key for measuring only"
PAUSE_SECONDS = 0.1


async def pause() -> None:
    """Wait, as for a database."""
    await asyncio.sleep(PAUSE_SECONDS)


def pause_sync() -> None:
    """Wait, and hold the thread."""
    time.sleep(PAUSE_SECONDS)
