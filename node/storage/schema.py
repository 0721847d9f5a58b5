"""The tables that every node has, and the metadata that the roles' tables join.

One metadata and one migration tree serve all roles: a node's database holds the tables of every
role, and those of other roles stay empty. That costs a few kilobytes; in return there is a single
schema number, a demo or test may put any role on any database, and no role can be upgraded
without the tables it shares with the others. A role declares its tables on `metadata` in a module
`node/<role>/tables.py` and adds a migration; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

MAX_ENTRY_BYTES = 65_535
"""The length of an entry in a tlog-tiles bundle is a u16."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows itself only in a column of type INTEGER; as such the index is the row's
# address, so that appending touches one page.
LogIndex = BigInteger().with_variant(Integer(), "sqlite")

log_entries = Table(
    "log_entries",
    metadata,
    Column("index", LogIndex, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    CheckConstraint("length(leaf_hash) = 32", name="leaf_hash_length"),
    CheckConstraint(f"length(entry) <= {MAX_ENTRY_BYTES}", name="entry_length"),
    CheckConstraint("length(kind) BETWEEN 1 AND 64", name="kind_length"),
)

storage_probe = Table(
    "storage_probe",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("writes", BigInteger, nullable=False),
)
"""One row, rewritten to learn whether the database can be written again."""
