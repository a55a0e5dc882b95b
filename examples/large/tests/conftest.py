from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asyncflask import Flask
from examples.large import create_app

pytest_plugins = ["asyncflask.testing.plugin"]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app("testing", {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'tasks.sqlite'}"})


@pytest.fixture
def user(client: Any) -> Any:
    """A client that is logged in."""
    client.post("/account/login", data={"name": "demo", "password": "demo"})
    return client
