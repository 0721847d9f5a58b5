"""How alembic runs a migration here: on the connection, and in the transaction, it is handed."""

from __future__ import annotations

from alembic import context

from node.storage.schema import metadata

# SQLite's DDL is transactional once BEGIN is explicit, as it is in node.storage.engine.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
