"""Tables of the chain's signed documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, Table, Text

from node.storage.schema import metadata

chain_documents = Table(
    "chain_documents",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash_length"),
)
"""Signed documents (DSSE JSON) and the catalogue.

`number` is an epoch's or batch's, else 0; `name` the member's, holder's or certificate's, else
empty. The primary key is what a second document would have to share: see ChainStore.put.
"""
