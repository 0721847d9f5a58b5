"""Encrypted labels at a holder, and the one release of counts under each certificate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holder_labels",
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("installed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("certificate", name=op.f("pk_holder_labels")),
    )
    op.create_table(
        "holder_counts",
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("rho", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_holder_counts_hash_length")),
        sa.CheckConstraint("rho > 0", name=op.f("ck_holder_counts_rho_costs")),
        sa.PrimaryKeyConstraint("certificate", name=op.f("pk_holder_counts")),
    )
    op.create_index(op.f("ix_holder_counts_released_at"), "holder_counts", ["released_at"])
