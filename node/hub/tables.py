"""The hub's tables. It keeps no answer, and no code, consent or hash of one in the clear."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from node.storage.schema import metadata

hub_consents = Table(
    "hub_consents",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary),
    Column("uses", Integer, nullable=False),
    Column("cancelled_at", BigInteger, index=True),
    Column("registration", LargeBinary),
    Column("cancellation", LargeBinary),
    Column("kept_at", BigInteger, index=True),
    Column("expires", BigInteger, index=True),
    Column("permitted", Integer),
    Column("bank", Text),
    Column("purpose", Text),
    Index("ix_hub_consents_uses", "uses"),
    Index("ix_hub_consents_in_force", "cancelled_at", "expires", "permitted", "uses"),
    Index("ix_hub_consents_bank_kept_at", "bank", "kept_at"),
    Index("ix_hub_consents_purpose_kept_at", "purpose", "kept_at"),
)
"""The consent registry. `tag` is HMAC(registry key, consent hash ‖ firm); `sealed` is the consent,
padded and encrypted at rest, absent for one that was cancelled before it was seen.
`registration` and `cancellation` are the log entries, so that a repetition has the same receipt.
For the operator there are, in the clear, when it was kept and what it says of bank, purpose, end
and number of uses: as the permits under it do, and nothing of the firm. Erased with `sealed`."""

hub_consent_epochs = Table(
    "hub_consent_epochs",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
)
"""In which epochs a consent was used; `month` is that of the epoch's opening, YYYYMM."""

hub_permits = Table(
    "hub_permits",
    metadata,
    Column("query", LargeBinary, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("permit", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("named", LargeBinary, nullable=False),
)
"""Issued permits, so that a repeated query gets them again. `query` is a tag, as above."""

hub_elements = Table(
    "hub_elements",
    metadata,
    Column("blinded", LargeBinary, primary_key=True),
)

hub_routes = Table(
    "hub_routes",
    metadata,
    Column("member", Text, primary_key=True),
    Column("address", Text, nullable=False),
)
"""Where the hub reaches holders, HOST:PORT."""

hub_logs = Table(
    "hub_logs",
    metadata,
    Column("member", Text, primary_key=True),
    Column("address", Text, nullable=False),
)
"""Where members serve their logs, HOST:PORT."""

hub_uses = Table(
    "hub_uses",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("month", Integer, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Who asked about a firm, for the firm itself (`node.hub.uses`). `tag` is HMAC(registry key,
firm ‖ number), so that rows of one firm have nothing in common; `sealed` is the use, padded;
`month`, YYYYMM in China, is what retention goes by."""

hub_audit_keys = Table(
    "hub_audit_keys",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("month", Integer, nullable=False, index=True),
    Column("statement", LargeBinary, nullable=False),
)
"""The regulator's signed statements of the keys to which evidence is sealed; `month` is YYYYMM."""

hub_directories = Table(
    "hub_directories",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("issued", BigInteger, nullable=False),
    Column("directory", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
)
"""The newest directory (DSSE JSON) that the hub of a peer chain handed over, with the state that it
names (a serialised ChainState): what banks are given, whether or not the peer can be reached."""

hub_routed = Table(
    "hub_routed",
    metadata,
    Column("permit", LargeBinary, primary_key=True),
)
"""Permits of peer chains that were passed on, by payload hash: each is logged once."""

hub_usage = Table(
    "hub_usage",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("bank", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("party", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Queries counted in the unit of work that keeps their permits; `day` is when a day in China began,
unix seconds. `party` is a holder that was asked; empty for the query itself, or the hub of the peer
chain to which it was passed on."""

hub_seen = Table(
    "hub_seen",
    metadata,
    Column("member", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
"""When a member last asked for the chain's state, to a minute."""

hub_dispute_calls = Table(
    "hub_dispute_calls",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("day", BigInteger, nullable=False, index=True),
    Column("count", Integer, nullable=False),
)
"""How often a firm had a message about a dispute relayed on a day in China. `tag` is
HMAC(storage key, day ‖ firm): it names no firm, and no two days of one have it in common."""
