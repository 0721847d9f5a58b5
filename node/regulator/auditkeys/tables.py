"""The audit keys' tables. No secret is in them but wrapped under the audit master key."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Table, Text

from node.storage.schema import metadata

regulator_audit_master = Table(
    "regulator_audit_master",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("check", LargeBinary, nullable=False),
    Column("wrapped", LargeBinary),
    Column("since", BigInteger, nullable=False),
)
"""One row, 1. `check` tells the right master key from another; `wrapped` is the master key as the
token sealed it, absent where it is in a file."""

regulator_audit_keys = Table(
    "regulator_audit_keys",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("month", Integer, nullable=False, index=True),
    Column("subjects", Text, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
    Column("erased", BigInteger),
    CheckConstraint("(sealed IS NULL) = (erased IS NOT NULL)", name="secret_unless_erased"),
)
"""Every key that was ever issued. `statement` is its signed document, `sealed` its seed under the
master key, absent since `erased` (unix seconds)."""
