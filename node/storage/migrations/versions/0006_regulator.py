"""The regulator's grants, decisions about submissions, and reports of failed records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regulator_grants",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("grant", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("member", "not_before", name=op.f("pk_regulator_grants")),
    )
    op.create_table(
        "regulator_decisions",
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("catalogue", sa.LargeBinary(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("secret_key", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "length(submission) = 32", name=op.f("ck_regulator_decisions_submission_length")
        ),
        sa.CheckConstraint(
            "(certificate IS NULL) = (secret_key IS NULL)",
            name=op.f("ck_regulator_decisions_key_beside_certificate"),
        ),
        sa.CheckConstraint(
            "(certificate IS NULL) = (expires IS NULL)",
            name=op.f("ck_regulator_decisions_end_beside_certificate"),
        ),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_regulator_decisions")),
    )
    op.create_index("ix_regulator_decisions_bank", "regulator_decisions", ["bank"])
    op.create_index("ix_regulator_decisions_model", "regulator_decisions", ["model"])
    op.create_table(
        "regulator_failures",
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("document", name=op.f("pk_regulator_failures")),
    )
