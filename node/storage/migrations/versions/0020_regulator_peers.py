"""Vouchers that were used, and what regulators of peer chains told of certified scorecards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regulator_vouchers",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(id) = 16", name=op.f("ck_regulator_vouchers_id_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regulator_vouchers")),
    )
    op.create_index(op.f("ix_regulator_vouchers_expires"), "regulator_vouchers", ["expires"])
    op.create_table(
        "regulator_told",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("catalogue", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "length(certificate) = 32", name=op.f("ck_regulator_told_certificate_length")
        ),
        sa.PrimaryKeyConstraint("chain", "certificate", name=op.f("pk_regulator_told")),
    )
    op.create_index(op.f("ix_regulator_told_bank"), "regulator_told", ["bank"])
    op.create_table(
        "regulator_told_affiliates",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("affiliate", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "chain", "bank", "affiliate", name=op.f("pk_regulator_told_affiliates")
        ),
    )
