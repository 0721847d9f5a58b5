"""By what officers find queries, what became of batches' questions, how models do in use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_bank_asked_officer_time", ("officer", "time")),
    ("ix_bank_asked_officer_reference", ("officer", "reference")),
    ("ix_bank_asked_officer_model", ("officer", "model", "time")),
    ("ix_bank_asked_officer_purpose", ("officer", "purpose", "time")),
    ("ix_bank_asked_officer_state", ("officer", "state", "time")),
    ("ix_bank_asked_officer_firm", ("officer", "firm", "time")),
    ("ix_bank_asked_consent", ("consent",)),
    ("ix_bank_asked_part_of", ("part_of",)),
)


def upgrade() -> None:
    op.create_table(
        "bank_asked",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("part_of", sa.LargeBinary(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("officer", sa.LargeBinary(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=False),
        sa.Column("named", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("firm", sa.LargeBinary(), nullable=False),
        sa.Column("consent", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_asked")),
    )
    for name, columns in _INDEXES:
        op.create_index(name, "bank_asked", list(columns))
    with op.batch_alter_table("bank_batches") as batch:
        batch.add_column(sa.Column("officer", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("size", sa.BigInteger(), nullable=True))
    op.create_index("ix_bank_batches_officer_created", "bank_batches", ["officer", "created"])
    op.create_table(
        "bank_batch_items",
        sa.Column("batch", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.Column("problem", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("batch", "number", name=op.f("pk_bank_batch_items")),
    )
    op.create_table(
        "bank_watches",
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("computed", sa.BigInteger(), nullable=False),
        sa.Column("answers", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("certificate", name=op.f("pk_bank_watches")),
    )
