"""Disputes: what a holder keeps of them, how often a firm writes, and an enterprise's own agent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _holder()
    _agent()
    op.create_table(
        "hub_dispute_calls",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_hub_dispute_calls")),
    )
    op.create_index(op.f("ix_hub_dispute_calls_day"), "hub_dispute_calls", ["day"])


def _holder() -> None:
    op.create_table(
        "holder_dispute_keys",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder_dispute_keys")),
    )
    op.create_table(
        "holder_disputes",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("firm", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("answered_by", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("answer_entry", sa.LargeBinary()),
        sa.Column("erased_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder_disputes")),
    )
    for columns in (
        ("received_at",),
        ("answered_at", "due"),
        ("outcome", "answered_at"),
        ("firm", "received_at"),
    ):
        op.create_index(f"ix_holder_disputes_{'_'.join(columns)}", "holder_disputes", list(columns))
    op.create_index(
        "ix_holder_disputes_firm_statement", "holder_disputes", ["firm", "statement"], unique=True
    )


def _agent() -> None:
    op.create_table(
        "agent_consents",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("chains", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("registered", sa.Text(), nullable=False),
        sa.Column("cancelled", sa.Text(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_consents")),
    )
    for columns in (("issued_at",), ("expires",), ("bank", "issued_at"), ("purpose", "issued_at")):
        op.create_index(f"ix_agent_consents_{'_'.join(columns)}", "agent_consents", list(columns))
    op.create_table(
        "agent_receipts",
        sa.Column("consent", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("consent", "chain", "action", name=op.f("pk_agent_receipts")),
    )
    op.create_table(
        "agent_uses",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("consent", sa.LargeBinary(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("permits", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("pk_agent_uses")),
    )
    for columns in (("time",), ("bank", "time"), ("purpose", "time"), ("consent", "time")):
        op.create_index(f"ix_agent_uses_{'_'.join(columns)}", "agent_uses", list(columns))
    op.create_table(
        "agent_disputes",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger()),
        sa.Column("due", sa.BigInteger()),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("outcome", sa.Text()),
        sa.Column("receipt", sa.LargeBinary()),
        sa.Column("answer", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_disputes")),
    )
    for columns in (("opened_at",), ("state", "due"), ("holder", "opened_at")):
        op.create_index(f"ix_agent_disputes_{'_'.join(columns)}", "agent_disputes", list(columns))
