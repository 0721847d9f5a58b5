"""What a hub has of peer chains' hubs, and which permits of theirs it passed on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hub_directories",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("directory", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_hub_directories")),
    )
    op.create_table(
        "hub_routed",
        sa.Column("permit", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("permit", name=op.f("pk_hub_routed")),
    )
