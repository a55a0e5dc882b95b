"""What is collected: the larger example where Flask is asyncflask, ``pytest -p asyncflask.as_flask``."""

from __future__ import annotations

import sys

import asyncflask

collect_ignore = [] if sys.modules.get("flask") is asyncflask else ["large"]
