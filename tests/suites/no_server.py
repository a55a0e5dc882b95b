"""A pytest plugin that lets no test listen on a port: one that means to mock the server, and does not, fails
at once instead of serving until it is stopped."""

from __future__ import annotations

import errno
import socket

import pytest


def _refuse(self: socket.socket, backlog: int = 0) -> None:
    raise OSError(errno.EACCES, "These tests do not serve anything")


def pytest_configure(config: pytest.Config) -> None:
    socket.socket.listen = _refuse  # type: ignore[method-assign]
