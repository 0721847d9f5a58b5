"""The tables of an enterprise's own agent. What names the firm or says what it wrote is sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from node.storage.schema import metadata

agent_consents = Table(
    "agent_consents",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("chains", Text, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("registered", Text, nullable=False),
    Column("cancelled", Text, nullable=False),
    Column("cancelled_at", BigInteger),
    Index("ix_agent_consents_issued_at", "issued_at"),
    Index("ix_agent_consents_expires", "expires"),
    Index("ix_agent_consents_bank_issued_at", "bank", "issued_at"),
    Index("ix_agent_consents_purpose_issued_at", "purpose", "issued_at"),
)
"""Consents that were given, by their id (`jti`). `chains` are those that the consent names,
`registered` and `cancelled` those whose hubs gave a receipt; each joined by commas. `cancelled_at`
is when the firm first asked for it."""

agent_receipts = Table(
    "agent_receipts",
    metadata,
    Column("consent", LargeBinary, primary_key=True),
    Column("chain", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("receipt", LargeBinary, nullable=False),
)
"""A hub's receipt for a consent that was registered or cancelled, canonical JSON."""

agent_uses = Table(
    "agent_uses",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("bank", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("consent", LargeBinary, nullable=False),
    Column("fields", Text, nullable=False),
    Column("permits", Text, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Index("ix_agent_uses_time", "time"),
    Index("ix_agent_uses_bank_time", "bank", "time"),
    Index("ix_agent_uses_purpose_time", "purpose", "time"),
    Index("ix_agent_uses_consent_time", "consent", "time"),
)
"""Who asked, as the hub of a chain lists it; `permits` in hexadecimal, joined by commas."""

agent_disputes = Table(
    "agent_disputes",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("chain", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", BigInteger),
    Column("due", BigInteger),
    Column("answered_at", BigInteger),
    Column("outcome", Text),
    Column("receipt", LargeBinary),
    Column("answer", LargeBinary),
    Index("ix_agent_disputes_opened_at", "opened_at"),
    Index("ix_agent_disputes_state_due", "state", "due"),
    Index("ix_agent_disputes_holder_opened_at", "holder", "opened_at"),
)
"""Disputes by hash: the signed form, the seed of the reply key, and what the holder said, sealed.
`state` is `unsent` until the holder has it, then as the holder says."""
