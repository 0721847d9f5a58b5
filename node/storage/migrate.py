"""Brings a database to the schema of this program, or refuses to touch it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine

from node.errors import SchemaError
from node.storage.engine import reading, writing

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> str:
    """Applies the missing migrations in one transaction and returns the schema's revision.

    Processes that start together wait for each other. Raises SchemaError when the database holds
    a revision this program does not know, StorageUnavailable when it cannot be reached.
    """
    head = latest()
    with reading(engine) as connection:
        current = revision(connection)
    if current != head:
        with writing(engine) as connection:
            _migrate(connection)
    return head


def latest() -> str:
    """The newest revision this program ships."""
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    except CommandError as error:
        raise SchemaError(
            "the migrations do not form one line; let each name the one before it"
        ) from error
    if head is None:
        raise SchemaError("the program ships no migrations; install it again")
    return head


def revision(connection: Connection) -> str | None:
    """The revision of the database, or None before its first migration."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS))
    current = revision(connection)
    if current is not None and current not in {step.revision for step in script.walk_revisions()}:
        raise SchemaError(
            f"the database has schema {current}, newer than this program's {latest()}; "
            "start the program that wrote it, or a later one"
        )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
