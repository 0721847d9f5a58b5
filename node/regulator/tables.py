"""The regulator's tables. Scorecards and model keys are in them sealed, or not at all."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    Table,
    Text,
)

from node.storage.schema import metadata

regulator_grants = Table(
    "regulator_grants",
    metadata,
    Column("member", Text, primary_key=True),
    Column("not_before", BigInteger, primary_key=True, autoincrement=False),
    Column("request", LargeBinary, nullable=False),
    Column("grant", LargeBinary, nullable=False),
)
"""Every grant, with the request that it answers."""

regulator_decisions = Table(
    "regulator_decisions",
    metadata,
    Column("submission", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False, index=True),
    Column("model", LargeBinary, nullable=False, index=True),
    Column("catalogue", LargeBinary, nullable=False),
    Column("decided", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("content", LargeBinary, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Column("certificate", LargeBinary),
    Column("secret_key", LargeBinary),
    CheckConstraint("length(submission) = 32", name="submission_length"),
    CheckConstraint("(certificate IS NULL) = (secret_key IS NULL)", name="key_beside_certificate"),
    CheckConstraint("(certificate IS NULL) = (expires IS NULL)", name="end_beside_certificate"),
)
"""What was decided about each submission. `submission` is SHA-256 of the sealed submission.

`content` is the submission under the regulator's storage key: later submissions are judged
together with it. `report` and `secret_key` are sealed to the bank, for a repeat of the request;
nobody else opens them, the regulator included. A refusal has no certificate.
"""

regulator_verdicts = Table(
    "regulator_verdicts",
    metadata,
    Column("submission", LargeBinary, primary_key=True),
    Column("verdict", LargeBinary, nullable=False),
    CheckConstraint("length(submission) = 32", name="submission_length"),
)
"""The policy's verdict on each decided submission, under the regulator's storage key: what was
certified before and which thresholds held is not known any more when it is read again."""

regulator_vouchers = Table(
    "regulator_vouchers",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
    CheckConstraint("length(id) = 16", name="id_length"),
)
"""Vouchers of peer chains' regulators that were used, until they would be refused as expired."""

regulator_told = Table(
    "regulator_told",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("certificate", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False, index=True),
    Column("decided", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("catalogue", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    CheckConstraint("length(certificate) = 32", name="certificate_length"),
)
"""What peer chains' regulators told of certified scorecards. It stays in use when a chain is not
trusted any more. `content` is the scorecard under the regulator's storage key, `catalogue` the
digest of its catalogue, which is kept with the peer chain's documents."""

regulator_told_affiliates = Table(
    "regulator_told_affiliates",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("bank", Text, primary_key=True),
    Column("affiliate", Text, primary_key=True),
)
"""Who is judged as one with a bank, as a peer chain's regulator told last."""

regulator_peers = Table(
    "regulator_peers",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("heard", BigInteger),
    Column("problem", Text, nullable=False),
)
"""When the regulator of a peer chain last answered, and why it did not since; `problem` is empty
when it did."""

regulator_failures = Table(
    "regulator_failures",
    metadata,
    Column("document", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
)
"""Banks' reports of records that failed; `document` is the payload's hash."""

mirror_logs = Table(
    "mirror_logs",
    metadata,
    Column("log", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("clock", BigInteger, nullable=False),
    Column("note", LargeBinary),
    Column("seen_at", BigInteger, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("cosigned_size", BigInteger, nullable=False),
    Column("cosigned_note", LargeBinary),
    Column("uncosigned_since", BigInteger),
    Column("state", Text, nullable=False),
    Column("fault", Text),
)
"""The mirrored log of each member, itself included, by SPIFFE id.

`size`, `root` and `frontier` (peaks, 32 bytes each) are of the entries that are mirrored, `note` is
the newest checkpoint that its owner signed, `cosigned_note` the newest that a quorum cosigned.
`seen_at` is when the log last answered, `checked_at` when it was last in order, `clock` the `clock`
of its last entry. `state` is `ok`, `away` or `faulty`, with the kind of `fault`.
"""

mirror_entries = Table(
    "mirror_entries",
    metadata,
    Column("log", Text, primary_key=True),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("clock", BigInteger, nullable=False),
    Column("document", LargeBinary, index=True),
    Column("ctx", LargeBinary),
    Column("entry", LargeBinary, nullable=False),
    # In order of the key: the audit reads them so, log by log.
    sqlite_with_rowid=False,
)
"""Mirrored entries; those from `mirror_logs.size` on are not established yet.

`document` is what entries of different logs have in common (`federation.audit.records.subject_of`).
`time` is the entry's own; `clock` orders the logs among each other: it never goes back within a
log and is never later than when the entry was mirrored, whatever a log says of its times. `kind` is
empty for an entry that cannot be read.
"""

mirror_attachments = Table(
    "mirror_attachments",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""What entries name by hash. `digest` is SHA-256 of the body: the hash of a signed document leaves
its signature out, and nobody may put a false signature in the place of a true one."""

audit_queries = Table(
    "audit_queries",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("index", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False, index=True),
    Column("bank", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("uscc_tag", LargeBinary, nullable=False, index=True),
    Column("uscc", LargeBinary, nullable=False),
    Column("consent", LargeBinary),
    Column("consent_expires", BigInteger),
    Column("model", LargeBinary, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("named", Boolean, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    CheckConstraint("length(id) = 32", name="id_length"),
    Index("ix_audit_queries_bank_time", "bank", "time"),
    Index("ix_audit_queries_purpose_time", "purpose", "time"),
    Index("ix_audit_queries_officer_time", "officer", "time"),
    Index("ix_audit_queries_verified_time", "verified", "time"),
    Index("ix_audit_queries_time_consent_expires", "time", "consent_expires"),
)
"""Every permit of the hub's log once it was verified; `id` is the permit's hash, `index` that of
its entry. The enterprise is there tagged, to find its queries, and sealed; both are empty where the
evidence did not show it. `record` is the rest, as JSON (`node.regulator.audit.records`)."""

audit_days = Table(
    "audit_days",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("bank", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("queries", BigInteger, nullable=False),
    Column("verified", BigInteger, nullable=False),
    Column("consented", BigInteger, nullable=False),
)
"""How many of `audit_queries` a day has (`day`: when it begins in China, unix seconds): of each
bank and purpose (`holder` empty), and of these by each holder in the permit's audience. `consented`
are those of which the evidence showed a consent. Kept in the unit of work that keeps the queries,
so that nothing counts them when somebody looks."""

audit_findings = Table(
    "audit_findings",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("query", LargeBinary, index=True),
    Column("subject", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("first_seen", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("length(id) = 16", name="id_length"),
    CheckConstraint("state IN ('open', 'explained', 'confirmed')", name="state_known"),
    Index("ix_audit_findings_first_seen", "first_seen"),
    Index("ix_audit_findings_severity_state", "severity", "state"),
    Index("ix_audit_findings_kind_first_seen", "kind", "first_seen"),
)
"""What was found, once each; `state` and `note` are the inspector's."""

audit_progress = Table(
    "audit_progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""How far the audit is, so that it goes on where it was ended."""

regulator_shares = Table(
    "regulator_shares",
    metadata,
    Column("peer", Text, primary_key=True),
    Column("direction", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("positions", Text, nullable=False),
    CheckConstraint("direction IN ('given', 'received')", name="direction_known"),
)
"""Audit shares given to peer chains' regulators and received from them, by the peer chain's name.

`document` is the signed share, `content` what was sealed beside it, under the regulator's storage
key; `time` is when it was made or received. `positions` says, of a share that was given, where in
each log the next one begins, as JSON.
"""

regulator_shared_findings = Table(
    "regulator_shared_findings",
    metadata,
    Column("peer", Text, primary_key=True),
    Column("finding", LargeBinary, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""Which findings the peer was told, in which share: each once."""
