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

peer_documents = Table(
    "peer_documents",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash_length"),
)
"""The same of peer chains: `chain` is the name under which the regulator pinned it."""
