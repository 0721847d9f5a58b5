"""The query log, and the row that is rewritten to learn whether the database can be written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE = (
    """
    CREATE TRIGGER log_entries_dense BEFORE INSERT ON log_entries
    WHEN NEW."index" IS NOT (SELECT coalesce(max("index") + 1, 0) FROM log_entries)
    BEGIN SELECT RAISE(ABORT, 'a log entry takes the next index'); END
    """,
    """
    CREATE TRIGGER log_entries_no_update BEFORE UPDATE ON log_entries
    BEGIN SELECT RAISE(ABORT, 'a log entry is never changed'); END
    """,
    """
    CREATE TRIGGER log_entries_no_delete BEFORE DELETE ON log_entries
    BEGIN SELECT RAISE(ABORT, 'a log entry is never deleted'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE FUNCTION log_entries_dense() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW."index" <> (SELECT coalesce(max("index") + 1, 0) FROM log_entries) THEN
            RAISE EXCEPTION 'a log entry takes the next index' USING ERRCODE = '23000';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE FUNCTION log_entries_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a log entry is never changed or deleted' USING ERRCODE = '23000';
    END $$
    """,
    """
    CREATE TRIGGER log_entries_dense BEFORE INSERT ON log_entries
    FOR EACH ROW EXECUTE FUNCTION log_entries_dense()
    """,
    """
    CREATE TRIGGER log_entries_no_change BEFORE UPDATE OR DELETE ON log_entries
    FOR EACH ROW EXECUTE FUNCTION log_entries_final()
    """,
    """
    CREATE TRIGGER log_entries_no_truncate BEFORE TRUNCATE ON log_entries
    FOR EACH STATEMENT EXECUTE FUNCTION log_entries_final()
    """,
)


def upgrade() -> None:
    index = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_entries",
        sa.Column("index", index, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("index", name="pk_log_entries"),
        sa.CheckConstraint("length(leaf_hash) = 32", name="ck_log_entries_leaf_hash_length"),
        sa.CheckConstraint("length(entry) <= 65535", name="ck_log_entries_entry_length"),
        sa.CheckConstraint("length(kind) BETWEEN 1 AND 64", name="ck_log_entries_kind_length"),
    )
    op.create_index("ix_log_entries_kind", "log_entries", ["kind"])
    probe = op.create_table(
        "storage_probe",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("writes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_storage_probe"),
    )
    op.bulk_insert(probe, [{"id": 1, "writes": 0}])
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        op.execute(statement)
