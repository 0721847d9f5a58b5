"""The holder's snapshots, closures, models, contexts, tables, permits and banks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holder_snapshots",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", sa.BigInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_holder_snapshots")),
    )
    op.create_table(
        "holder_closures",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_holder_closures")),
    )
    op.create_table(
        "holder_models",
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("certificate", name=op.f("pk_holder_models")),
    )
    op.create_table(
        "holder_contexts",
        sa.Column("ctx", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("stated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ctx", name=op.f("pk_holder_contexts")),
    )
    op.create_index(op.f("ix_holder_contexts_epoch"), "holder_contexts", ["epoch"])
    op.create_table(
        "holder_tables",
        sa.Column("ctx", sa.LargeBinary(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_holder_tables_hash_length")),
        sa.PrimaryKeyConstraint("ctx", "bucket", name=op.f("pk_holder_tables")),
    )
    op.create_index(op.f("ix_holder_tables_epoch"), "holder_tables", ["epoch"])
    op.create_table(
        "holder_permits",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("blinded", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("consent_tag", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder_permits")),
        sa.UniqueConstraint("blinded", name=op.f("uq_holder_permits_blinded")),
    )
    op.create_index(
        op.f("ix_holder_permits_bank_answered_at"), "holder_permits", ["bank", "answered_at"]
    )
    op.create_table(
        "holder_banks",
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("budget", sa.Integer()),
        sa.PrimaryKeyConstraint("bank", name=op.f("pk_holder_banks")),
    )
