"""What they serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data import GREETING, SECRET_KEY

__all__ = ["GREETING", "SECRET_KEY"]

FOLDER = Path(__file__).parent
CHUNK = b"a chunk of forty bytes, as they come now\n"
CHUNKS = 1000
ROWS = [(number, f"name {number} & more", f"user{number}@example.com", number * 1.5) for number in range(100)]
EVENT = {"id": 7, "text": "an event of some size"}
EVENTS = 1000
LARGE: list[dict[str, Any]] = [
    {
        "id": number,
        "name": f"name {number}",
        "mail": f"user{number}@example.com",
        "score": number * 1.5,
        "tags": ["one", "two"],
        "active": number % 2 == 0,
        "note": None,
    }
    for number in range(1000)
]
HEADERS = [(f"X-Header-{number}", f"value {number}") for number in range(5)]
ROUTES = [
    (f"part{part}", f"/part{part}/items{number}/<int:item_id>") for part in range(5) for number in range(10)
]
