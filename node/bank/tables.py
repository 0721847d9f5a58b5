"""The agent's tables. What is secret or names an enterprise is sealed under the storage key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from node.storage.schema import metadata

bank_submissions = Table(
    "bank_submissions",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)
"""Scorecards on their way to the regulator, so that a repetition is the same submission."""

bank_models = Table(
    "bank_models",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("version", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("scorecard", LargeBinary, nullable=False),
    Column("secret_key", LargeBinary, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Column("chain", Text),
    Column("number", BigInteger, nullable=False, unique=True),
)
"""Certified models by the certificate's hash. Scorecard, secret key and report are sealed; `chain`
is that of a peer chain's model, empty for the bank's own; `number` is the order in which they came:
two can come within a second."""

bank_installs = Table(
    "bank_installs",
    metadata,
    Column("model", LargeBinary, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
)

bank_keys = Table(
    "bank_keys",
    metadata,
    Column("ctx", LargeBinary, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("statement", LargeBinary, nullable=False),
)
"""The holders' logged key statements (JSON), verified before they were kept, and when read."""

bank_buckets = Table(
    "bank_buckets",
    metadata,
    Column("ctx", LargeBinary, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("answers", LargeBinary, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("closes", BigInteger, nullable=False),
)
"""Padded tables, sealed; the holders' signatures on them; erased when the epoch has closed."""

bank_queries = Table(
    "bank_queries",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("key", name="uq_bank_queries_key"),
    Index("ix_bank_queries_state_created", "state", "created", "id"),
)
"""Queries. `key` is a tag of the caller's idempotency key, `body` one of what was asked; `sealed`
is the query with its scalars while it is open, then the result with its evidence."""

bank_batches = Table(
    "bank_batches",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("officer", LargeBinary),
    Column("size", BigInteger),
    UniqueConstraint("key", name="uq_bank_batches_key"),
    Index("ix_bank_batches_officer_created", "officer", "created"),
)
"""Batches of queries, sealed: they name enterprises. `officer` is a keyed tag of who uploaded
one on a page, `size` the number of its questions."""

bank_batch_items = Table(
    "bank_batch_items",
    metadata,
    Column("batch", LargeBinary, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("result", LargeBinary),
    Column("problem", LargeBinary),
)
"""What became of a batch's questions, as they are settled: the id of the query, or of the question
to several chains, or the problem, sealed."""

bank_asked = Table(
    "bank_asked",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("part_of", LargeBinary),
    Column("time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("officer", LargeBinary, nullable=False),
    Column("reference", LargeBinary, nullable=False),
    Column("named", LargeBinary, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("epoch", BigInteger),
    Column("firm", LargeBinary, nullable=False),
    Column("consent", LargeBinary, nullable=False),
    Index("ix_bank_asked_officer_time", "officer", "time"),
    Index("ix_bank_asked_officer_reference", "officer", "reference"),
    Index("ix_bank_asked_officer_model", "officer", "model", "time"),
    Index("ix_bank_asked_officer_purpose", "officer", "purpose", "time"),
    Index("ix_bank_asked_officer_state", "officer", "state", "time"),
    Index("ix_bank_asked_officer_firm", "officer", "firm", "time"),
    Index("ix_bank_asked_consent", "consent"),
    Index("ix_bank_asked_part_of", "part_of"),
)
"""By what an officer finds queries and questions to several chains (`node.bank.asked`). `officer`,
`reference`, `firm` and `consent` are keyed tags, `named` is the reference, sealed: the table names
nobody and tells no score."""

bank_watches = Table(
    "bank_watches",
    metadata,
    Column("certificate", LargeBinary, primary_key=True),
    Column("computed", BigInteger, nullable=False),
    Column("answers", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""How models do in use, as last computed from so many answers; sealed."""

bank_directories = Table(
    "bank_directories",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("issued", BigInteger, nullable=False),
    Column("directory", LargeBinary, nullable=False),
)
"""The newest directory of each peer chain that was verified: no older one is believed."""

bank_joint = Table(
    "bank_joint",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("key", name="uq_bank_joint_key"),
)
"""Questions to several chains at once, sealed: which chains under which models, then the result."""

bank_failures = Table(
    "bank_failures",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("report", LargeBinary, nullable=False),
    Column("delivered", BigInteger),
)
"""Signed reports of answers that did not verify, until the regulator has a receipt for them."""

bank_business = Table(
    "bank_business",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger),
)
"""Applications and loans under the bank's own references, as they stand in its log."""

bank_registered_batches = Table(
    "bank_registered_batches",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("officer", Text, nullable=False),
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("registered", BigInteger, nullable=False),
)
"""Post-loan batches that were registered before they ran, with the time in which they run."""

bank_refusals = Table(
    "bank_refusals",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("refused", BigInteger, nullable=False, index=True),
    Column("catalogue", LargeBinary, nullable=False),
    Column("submission", LargeBinary, nullable=False),
    Column("verdict", LargeBinary, nullable=False),
)
"""Refused submissions by their id. `catalogue` is the catalogue's digest; submission and verdict
are sealed."""

bank_outcomes = Table(
    "bank_outcomes",
    metadata,
    Column("query", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""What became of the firms that were asked about, by the query's id; sealed."""
