"""The body of a request: received from the server, kept, parsed."""

from __future__ import annotations

from .multipart import MultipartForm, parse_multipart
from .receiving import AHEAD_SIZE, MEMORY_SIZE, Body, nothing_to_receive
from .streams import MemoryStream

__all__ = [
    "AHEAD_SIZE",
    "MEMORY_SIZE",
    "Body",
    "MemoryStream",
    "MultipartForm",
    "nothing_to_receive",
    "parse_multipart",
]
