"""What a test needs and may not be there: it is skipped then, except in CI, where it fails."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NoReturn

import pytest


def installed(**modules: str) -> None:
    """Skip the rest of the test module unless these extensions are installed.

    :param modules: names of modules and of the projects on the package index that have them.
    """
    missing = [project for module, project in modules.items() if find_spec(module) is None]
    if missing:
        absent(f"{', '.join(missing)} not installed: 'nox -s extensions' has it")


def absent(reason: str) -> NoReturn:
    """Skip what is running; with ``CI=true`` in the environment, fail."""
    __tracebackhide__ = True
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
