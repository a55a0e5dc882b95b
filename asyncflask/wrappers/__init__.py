"""The request and the response: Werkzeug's, over ASGI."""

# The last two are here because they are in Flask's module.
from .. import json as json
from ..globals import current_app as current_app
from .request import Request as Request
from .response import Response as Response
