"""Policy's verdicts: a bank's refused submissions, and the regulator's own copy of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bank_refusals",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("catalogue", sa.LargeBinary(), nullable=False),
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_refusals")),
    )
    op.create_index(op.f("ix_bank_refusals_refused"), "bank_refusals", ["refused"])
    op.create_table(
        "regulator_verdicts",
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "length(submission) = 32", name=op.f("ck_regulator_verdicts_submission_length")
        ),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_regulator_verdicts")),
    )
