"""What a log has beside its entries: tree, checkpoints, cosignatures, and what entries name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Table,
    Text,
    cast,
)

from node.storage.schema import LogIndex, metadata

log_nodes = Table(
    "log_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("level > 0", name="above_leaves"),
    CheckConstraint("length(hash) = 32", name="hash_length"),
)
"""Roots of complete subtrees of 256^level leaves: the hash tiles above level 0, whose hashes are
`log_entries.leaf_hash`. Written with the checkpoint that first covers them."""

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", LogIndex, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    CheckConstraint("length(root) = 32", name="root_length"),
)
"""Checkpoints of this node's log as it signed them; that a size has one is what the key says."""

log_cosignatures = Table(
    "log_cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),
    Column("line", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
)
"""Signature lines of witnesses under the checkpoint of that size; `time` is when one arrived."""

log_attachments = Table(
    "log_attachments",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash_length"),
)
"""Documents and sealed envelopes that entries name by SHA-256. They lie beside the log, so that one
can be erased and the log still verifies."""

witness_logs = Table(
    "witness_logs",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    CheckConstraint("length(root) = 32", name="root_length"),
)
"""The largest tree of each log that this node cosigned as a witness."""


def blob(column: Column[Any]) -> ColumnElement[bytes]:
    """The bytes of a column, under its name.

    SQLite lets whoever edits its file leave text where bytes were, and then the driver gives text,
    or fails to decode it; an edited log is to be read as what it is, and named.
    """
    return cast(column, LargeBinary).label(column.name)
