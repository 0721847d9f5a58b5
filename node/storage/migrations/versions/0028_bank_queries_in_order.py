"""A bank's answered queries in their order, some at a time."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_bank_queries_state_created", "bank_queries", ["state", "created", "id"])
