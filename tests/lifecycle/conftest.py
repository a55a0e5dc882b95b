"""What the tests of the request's life have in common."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def only_own_objects_are_collected() -> Iterator[None]:
    """Each test looks for what it has left behind; what was there before takes the collector long."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
