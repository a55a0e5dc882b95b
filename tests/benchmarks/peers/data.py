"""What the applications of all peers serve."""

from __future__ import annotations

from typing import Any

GREETING = "Hello, World!"
ARTICLE: dict[str, Any] = {"author": "Ada", "id": 7, "tags": ["fast", "async"], "title": "Hello"}
ITEMS = [f"Item {number} & more" for number in range(20)]
SECRET_KEY = "a key for measuring only"
