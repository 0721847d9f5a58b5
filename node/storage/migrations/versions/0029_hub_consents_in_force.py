"""A hub's consents in force are counted by an index, without their rows."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_hub_consents_in_force", "hub_consents", ["cancelled_at", "expires", "permitted", "uses"]
    )
