"""``python -m asyncflask``: the same as the command ``asyncflask``."""

from __future__ import annotations

from .cli import main

main()
