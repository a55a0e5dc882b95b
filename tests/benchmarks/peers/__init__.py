"""The benchmarked application, once for each peer, each as its own users would write it for speed.

Every module offers one or more of these functions; a peer takes part in the cases whose function it has, but
for those that ``WITHOUT`` names:

``create_app(extra_routes=0)``
    The small routes, preceded by that many others (every second one with an int parameter).
``create_hooks_app()``
    A view behind two before hooks and one after hook that do next to nothing; async where the peer can.
``create_hooks_sync_app()``
    The same with ``def`` functions.
``create_full_app()``
    A page behind two before hooks and one after hook, with session and template; async where the peer can.
``create_full_sync_app()``
    The same with ``def`` functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..cases import Case

PEERS = ("asyncflask", "starlette", "flask", "quart", "fastapi", "litestar", "falcon", "blacksheep", "raw")


def load_peer(name: str) -> ModuleType:
    """The module of a peer."""
    return importlib.import_module(f".{name}_app", __name__)


def load_peers(names: Iterable[str]) -> dict[str, ModuleType]:
    """The modules of peers; those that cannot be imported are named on standard output."""
    modules = {}
    for name in names:
        try:
            modules[name] = load_peer(name)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return modules


def takes_part(peer: ModuleType, case: Case) -> bool:
    """Whether the peer has what the case asks for."""
    return hasattr(peer, case.application) and case.name not in getattr(peer, "WITHOUT", ())
