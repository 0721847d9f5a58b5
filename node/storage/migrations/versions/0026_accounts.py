"""Accounts of the people who use a node's pages: sessions, second factors, attempts, sign-ins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("duties", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_used", sa.BigInteger(), nullable=False),
        sa.Column("totp_demanded", sa.Boolean(), nullable=False),
        sa.Column("external", sa.LargeBinary(), nullable=True),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("signed_in", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
        sa.UniqueConstraint("external", name=op.f("uq_accounts_external")),
    )
    for column in ("state", "added", "signed_in"):
        op.create_index(op.f(f"ix_accounts_{column}"), "accounts", [column])
    op.create_table(
        "account_recovery",
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "tag", name=op.f("pk_account_recovery")),
    )
    op.create_table(
        "account_sessions",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_account_sessions")),
    )
    for column in ("account", "started", "seen"):
        op.create_index(op.f(f"ix_account_sessions_{column}"), "account_sessions", [column])
    op.create_table(
        "account_pending",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_account_pending")),
    )
    for column in ("account", "until"):
        op.create_index(op.f(f"ix_account_pending_{column}"), "account_pending", [column])
    op.create_table(
        "account_attempts",
        sa.Column("bucket", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_account_attempts")),
    )
    op.create_index(op.f("ix_account_attempts_last"), "account_attempts", ["last"])
    op.create_table(
        "account_signins",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_signins")),
    )
    op.create_index("ix_account_signins_account_time", "account_signins", ["account", "time"])
    op.create_index("ix_account_signins_time", "account_signins", ["time"])
