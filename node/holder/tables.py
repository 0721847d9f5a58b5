"""The holder's tables: commitments, public statements and counters. No secret, no subject.

What an epoch's root protects lies in files (`node.holder.vault`); these tables hold its hashes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from node.storage.schema import metadata

holder_snapshots = Table(
    "holder_snapshots",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("file", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("known", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("loaded_at", BigInteger, nullable=False),
    Column("submitted_at", BigInteger),
)
"""The data of an epoch: one row, hence one manifest, an epoch. `salt` is sealed."""

holder_closures = Table(
    "holder_closures",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
)
"""Epochs that are over. Nothing is made for one from its row on; `erased_at` is set when nothing
of its secrets is left on disk."""

holder_models = Table(
    "holder_models",
    metadata,
    Column("certificate", LargeBinary, primary_key=True),
    Column("installed_at", BigInteger, nullable=False),
)

holder_contexts = Table(
    "holder_contexts",
    metadata,
    Column("ctx", LargeBinary, primary_key=True),
    Column("epoch", BigInteger, nullable=False, index=True),
    Column("certificate", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("stated_at", BigInteger, nullable=False),
)
"""One key statement a ctx, as signed (DSSE JSON) and as logged."""

holder_tables = Table(
    "holder_tables",
    metadata,
    Column("ctx", LargeBinary, primary_key=True),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False, index=True),
    Column("hash", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash_length"),
)
"""The one table of a bucket that may leave. Its primary key is the defence against T − T′."""

holder_permits = Table(
    "holder_permits",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("blinded", LargeBinary, nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
    Column("bank", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("consent_tag", LargeBinary, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Index("ix_holder_permits_bank_answered_at", "bank", "answered_at"),
    Index("ix_holder_permits_answered_at", "answered_at"),
    Index("ix_holder_permits_purpose_answered_at", "purpose", "answered_at"),
    Index("ix_holder_permits_epoch_answered_at", "epoch", "answered_at"),
)
"""Answered permits. `consent_tag` is random to whoever lacks its key: it names no enterprise."""

holder_banks = Table(
    "holder_banks",
    metadata,
    Column("bank", Text, primary_key=True),
    Column("stopped", Boolean, nullable=False),
    Column("budget", Integer),
)
"""What the administrator decided about a bank; a bank without a row has the defaults."""

holder_statistics = Table(
    "holder_statistics",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("before", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    Column("epsilon", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False, index=True),
)
"""Published statistics, signed, and what each spent, in millionths of ε. `before` 0: no month
before. One row an epoch pair: the same question has one answer, and is paid for once."""

holder_answer_days = Table(
    "holder_answer_days",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("bank", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Answered permits, counted in the unit of work that keeps them; `day` is when a day in China
began, unix seconds."""

holder_rejections = Table(
    "holder_rejections",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("field", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Index("ix_holder_rejections_epoch_field", "epoch", "field"),
    Index("ix_holder_rejections_epoch_reason", "epoch", "reason"),
)
"""What was wrong with rejected rows, as the report file has it: no value, no code."""

holder_features = Table(
    "holder_features",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("feature", Text, primary_key=True),
    Column("missing", BigInteger, nullable=False),
)
"""For how many of the firms that this holder knows a feature is missing."""

holder_dispute_keys = Table(
    "holder_dispute_keys",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
)
"""Keys to which firms seal disputes: the signed statement by its hash, and the sealed seed."""

holder_disputes = Table(
    "holder_disputes",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("firm", LargeBinary, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("answered_at", BigInteger),
    Column("answered_by", Text),
    Column("outcome", Text),
    Column("answer", LargeBinary),
    Column("answer_entry", LargeBinary),
    Column("erased_at", BigInteger),
    Index("ix_holder_disputes_received_at", "received_at"),
    Index("ix_holder_disputes_answered_at_due", "answered_at", "due"),
    Index("ix_holder_disputes_outcome_answered_at", "outcome", "answered_at"),
    Index("ix_holder_disputes_firm_received_at", "firm", "received_at"),
    Index("ix_holder_disputes_firm_statement", "firm", "statement", unique=True),
)
"""Disputes by the hash of their signed form. `firm` is a tag that only the storage key makes,
`statement` the id that the firm gave (`jti`), `sealed` the signed form and `answer` the signed
answer, both under the storage key; they go when the term of keeping is over, the row stays, so that
an old dispute does not begin anew."""
