"""The hub's consent registry, permits and routes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hub_consents",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("registration", sa.LargeBinary(), nullable=True),
        sa.Column("cancellation", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_hub_consents")),
    )
    op.create_table(
        "hub_consent_epochs",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tag", "month", "epoch", name=op.f("pk_hub_consent_epochs")),
    )
    op.create_table(
        "hub_permits",
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("permit", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("named", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("query", "position", name=op.f("pk_hub_permits")),
    )
    op.create_table(
        "hub_elements",
        sa.Column("blinded", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("blinded", name=op.f("pk_hub_elements")),
    )
    op.create_table(
        "hub_envelopes",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_hub_envelopes")),
    )
    op.create_table(
        "hub_routes",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_hub_routes")),
    )
