"""How Alembic reaches the database: through the application, which is the current one."""

from __future__ import annotations

from alembic import context

from examples.large.extensions import db
from examples.large.models import Base

with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
