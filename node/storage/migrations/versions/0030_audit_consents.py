"""An index by which queries of a period are counted whose consents still hold."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_audit_queries_time_consent_expires", "audit_queries", ["time", "consent_expires"]
    )
