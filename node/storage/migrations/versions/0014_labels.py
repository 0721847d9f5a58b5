"""Labels that the regulator certified, and the developments of a bank."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regulator_labels",
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("rho", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("secret_key", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "length(submission) = 32", name=op.f("ck_regulator_labels_submission_length")
        ),
        sa.CheckConstraint(
            "(certificate IS NULL) = (expires IS NULL)",
            name=op.f("ck_regulator_labels_end_beside_certificate"),
        ),
        sa.CheckConstraint(
            "(certificate IS NULL) = (secret_key IS NULL)",
            name=op.f("ck_regulator_labels_key_beside_certificate"),
        ),
        sa.CheckConstraint(
            "(certificate IS NULL) = (public_key IS NULL)",
            name=op.f("ck_regulator_labels_keys_together"),
        ),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_regulator_labels")),
    )
    op.create_index(op.f("ix_regulator_labels_bank"), "regulator_labels", ["bank"])
    op.create_table(
        "bank_developments",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("secret_key", sa.LargeBinary(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bank_developments")),
    )
    op.create_table(
        "bank_counts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("installed", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=True),
        sa.Column("counts", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name", "holder", name=op.f("pk_bank_counts")),
    )
