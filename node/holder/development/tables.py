"""Certified labels at a holder, and what it released of them: hashes, statements, costs."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, Table, Text

from node.storage.schema import metadata

holder_labels = Table(
    "holder_labels",
    metadata,
    Column("certificate", LargeBinary, primary_key=True),
    Column("signed", LargeBinary, nullable=False),
    Column("installed_at", BigInteger, nullable=False),
)
"""Development certificates, as signed (DSSE JSON), whose labels are on disk."""

holder_counts = Table(
    "holder_counts",
    metadata,
    Column("certificate", LargeBinary, primary_key=True),
    Column("bank", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("rho", BigInteger, nullable=False),
    Column("released_at", BigInteger, nullable=False, index=True),
    CheckConstraint("length(hash) = 32", name="hash_length"),
    CheckConstraint("rho > 0", name="rho_costs"),
)
"""The one release under a certificate. Its primary key is the defence against a second one, whose
noise would be another; `rho`, in 10⁻⁹, is what the budgets sum."""
