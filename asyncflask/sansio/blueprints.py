"""``flask.sansio.blueprints``, which is `asyncflask.blueprints`."""

from __future__ import annotations

from ..blueprints import Blueprint, BlueprintSetupState, DeferredSetupFunction
from ..scaffold import Scaffold, _endpoint_from_view_func, setupmethod

__all__ = [
    "Blueprint",
    "BlueprintSetupState",
    "DeferredSetupFunction",
    "Scaffold",
    "_endpoint_from_view_func",
    "setupmethod",
]
