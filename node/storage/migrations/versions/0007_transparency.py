"""Tree, checkpoints and cosignatures of a log, what its entries name, and what a witness saw."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# A checkpoint may be signed again with a new key, with the same size and root.
_FINAL = {"log_nodes": "UPDATE", "log_checkpoints": "UPDATE OF size, root"}
_SQLITE = """
    CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table}
    BEGIN SELECT RAISE(ABORT, 'what a checkpoint was made of is never changed'); END
"""
_POSTGRESQL = (
    """
    CREATE FUNCTION log_tree_final() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what a checkpoint was made of is never changed'
            USING ERRCODE = '23000';
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_no_{name} BEFORE {what} ON {table} FOR EACH {each}
        EXECUTE FUNCTION log_tree_final()
        """
        for table, update in _FINAL.items()
        for name, what, each in (
            ("change", f"{update} OR DELETE", "ROW"),
            ("truncate", "TRUNCATE", "STATEMENT"),
        )
    ),
)


def upgrade() -> None:
    _log()
    op.create_table(
        "witness_logs",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_witness_logs_root_length")),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witness_logs")),
    )
    op.create_table(
        "hub_logs",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_hub_logs")),
    )
    # The hub's envelopes are the first attachments.
    op.execute("INSERT INTO log_attachments (hash, body) SELECT hash, body FROM hub_envelopes")
    op.drop_table("hub_envelopes")
    if op.get_bind().dialect.name == "sqlite":
        for table, update in _FINAL.items():
            op.execute(_SQLITE.format(table=table, name="update", what=update))
            op.execute(_SQLITE.format(table=table, name="delete", what="DELETE"))
    else:
        for statement in _POSTGRESQL:
            op.execute(statement)


def _log() -> None:
    index = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level > 0", name=op.f("ck_log_nodes_above_leaves")),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_log_nodes_hash_length")),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_log_nodes")),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", index, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_log_checkpoints_root_length")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoints")),
    )
    op.create_table(
        "log_cosignatures",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_log_cosignatures")),
    )
    op.create_table(
        "log_attachments",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_log_attachments_hash_length")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_log_attachments")),
    )
