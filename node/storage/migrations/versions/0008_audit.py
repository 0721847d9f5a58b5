"""The regulator's mirror of all logs, and what its audit found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _mirror()
    _audit()


def _mirror() -> None:
    op.create_table(
        "mirror_logs",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("cosigned_size", sa.BigInteger(), nullable=False),
        sa.Column("cosigned_note", sa.LargeBinary(), nullable=True),
        sa.Column("uncosigned_since", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_mirror_logs")),
    )
    op.create_table(
        "mirror_entries",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("ctx", sa.LargeBinary(), nullable=True),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "index", name=op.f("pk_mirror_entries")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mirror_entries_document", "mirror_entries", ["document"])
    op.create_table(
        "mirror_attachments",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", "digest", name=op.f("pk_mirror_attachments")),
    )


def _audit() -> None:
    op.create_table(
        "audit_queries",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("uscc_tag", sa.LargeBinary(), nullable=False),
        sa.Column("uscc", sa.LargeBinary(), nullable=False),
        sa.Column("consent", sa.LargeBinary(), nullable=True),
        sa.Column("consent_expires", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.CheckConstraint("length(id) = 32", name=op.f("ck_audit_queries_id_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_queries")),
    )
    op.create_index("ix_audit_queries_time", "audit_queries", ["time"])
    op.create_index("ix_audit_queries_uscc_tag", "audit_queries", ["uscc_tag"])
    op.create_table(
        "audit_findings",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("length(id) = 16", name=op.f("ck_audit_findings_id_length")),
        sa.CheckConstraint(
            "state IN ('open', 'explained', 'confirmed')",
            name=op.f("ck_audit_findings_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_findings")),
    )
    op.create_index("ix_audit_findings_query", "audit_findings", ["query"])
    op.create_index("ix_audit_findings_state", "audit_findings", ["state"])
    op.create_table(
        "audit_progress",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_progress")),
    )
