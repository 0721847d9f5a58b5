"""Audit keys: the regulator's, wrapped under its audit master key, and the statements hubs have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regulator_audit_master",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regulator_audit_master")),
    )
    op.create_table(
        "regulator_audit_keys",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("erased", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(sealed IS NULL) = (erased IS NOT NULL)",
            name=op.f("ck_regulator_audit_keys_secret_unless_erased"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regulator_audit_keys")),
    )
    op.create_index("ix_regulator_audit_keys_month", "regulator_audit_keys", ["month"])
    op.create_table(
        "hub_audit_keys",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_audit_keys")),
    )
    op.create_index("ix_hub_audit_keys_month", "hub_audit_keys", ["month"])
