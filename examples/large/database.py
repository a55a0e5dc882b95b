"""An engine for ``async def`` code, on the same database as that of Flask-SQLAlchemy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from asyncflask import Flask, request

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


async def lifespan(app: Flask) -> AsyncIterator[dict[str, Any]]:
    """One engine from the server's start to its end; views find it in ``request.state``."""
    url = make_url(app.config["SQLALCHEMY_DATABASE_URI"])
    engine = create_async_engine(url.set(drivername=_DRIVERS[url.get_backend_name()]))
    yield {"sessions": async_sessionmaker(engine, expire_on_commit=False)}
    await engine.dispose()


def async_session() -> AsyncSession:
    """A session for an ``async with``."""
    return cast(AsyncSession, request.state["sessions"]())
