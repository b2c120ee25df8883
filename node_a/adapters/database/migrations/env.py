"""Alembic's way in: runs on the connection that `migration.py` hands over."""

from alembic import context
from sqlalchemy import Connection

from node_a.adapters.database.migration import COMPARISON
from node_a.adapters.database.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, **COMPARISON)
with context.begin_transaction():
    context.run_migrations()
