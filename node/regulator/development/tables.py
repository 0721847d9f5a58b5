"""The regulator's decisions about labels. What was submitted is in a file, sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, Table, Text

from node.storage.schema import metadata

regulator_labels = Table(
    "regulator_labels",
    metadata,
    Column("submission", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False, index=True),
    Column("decided", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("rho", BigInteger, nullable=False),
    Column("report", LargeBinary, nullable=False),
    Column("certificate", LargeBinary),
    Column("secret_key", LargeBinary),
    Column("public_key", LargeBinary),
    CheckConstraint("length(submission) = 32", name="submission_length"),
    CheckConstraint("(certificate IS NULL) = (expires IS NULL)", name="end_beside_certificate"),
    CheckConstraint("(certificate IS NULL) = (secret_key IS NULL)", name="key_beside_certificate"),
    CheckConstraint("(certificate IS NULL) = (public_key IS NULL)", name="keys_together"),
)
"""`submission` is the hash of the submission's head, which names its labels by hash; `rho` is what
the certificate cost, in 10⁻⁹, 0 for a refusal. `report` and `secret_key` are sealed to the bank."""
