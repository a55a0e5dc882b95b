"""The larger example: its own tests, as its README has them, in a process where Flask is asyncflask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_its_tests(tmp_path: Path) -> None:
    for name in ("aiosqlite", "alembic", "flask_login", "flask_sqlalchemy"):
        pytest.importorskip(name, reason="the example needs it: it is in the group 'tests'")
    command = [
        "-m",
        "pytest",
        "-p",
        "asyncflask.as_flask",
        "-p",
        "no:xdist",
        "-W",
        "default",
        "examples/large",
    ]
    done = subprocess.run(
        [sys.executable, *command, f"--basetemp={tmp_path / 'large'}", "-q"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
