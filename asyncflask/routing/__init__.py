"""URLs and the rules of an application.

`rules` are what is registered; `matching` and `target` lead from a path to one of them, `building` from an
endpoint to a URL. `adapter` makes Werkzeug's adapter, which is asked for whatever the two do not know.
`route` shows a rule as one of Starlette's routes.
"""

from .adapter import create_url_adapter
from .building import UrlBuilder, build_url
from .matching import NOWHERE, RouteMatcher
from .route import RuleRoute
from .rules import IntegerConverter, Map, Rule
from .target import Target, convert

__all__ = [
    "NOWHERE",
    "IntegerConverter",
    "Map",
    "RouteMatcher",
    "Rule",
    "RuleRoute",
    "Target",
    "UrlBuilder",
    "build_url",
    "convert",
    "create_url_adapter",
]
