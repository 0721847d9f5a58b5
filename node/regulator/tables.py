"""The regulator's tables. Scorecards and model keys are in them sealed, or not at all."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, Table, Text

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

regulator_failures = Table(
    "regulator_failures",
    metadata,
    Column("document", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
)
"""Banks' reports of records that failed; `document` is the payload's hash."""
