"""Developments of the bank. Keys, heads of submissions and counts are in them sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from node.storage.schema import metadata

bank_developments = Table(
    "bank_developments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("begun", BigInteger, nullable=False),
    Column("submission", LargeBinary, nullable=False),
    Column("certificate", LargeBinary),
    Column("public_key", LargeBinary),
    Column("secret_key", LargeBinary),
    Column("epoch", BigInteger),
)
"""`submission` is what was asked, with the number of good and bad firms; the rest comes with the
certificate, `epoch` with the first counts: a holder answers in one epoch only."""

bank_counts = Table(
    "bank_counts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("installed", BigInteger, nullable=False),
    Column("received", BigInteger),
    Column("counts", LargeBinary),
)
"""What each holder has and returned; `counts` are decrypted, and sealed here."""
