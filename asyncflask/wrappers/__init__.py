"""The request and the response: Werkzeug's, over ASGI."""

from .request import Request
from .response import Response

__all__ = ["Request", "Response"]
