"""The newest directory of each peer chain that the bank has verified, kept against rollback."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from federation.interchain.directory import Directory
from federation.signed import Signed
from node.bank.tables import bank_directories


def kept_directory(connection: Connection, chain: str) -> Directory | None:
    """The newest one of a chain; verified when it was kept."""
    columns = bank_directories.c
    raw = connection.execute(
        select(columns.directory).where(columns.chain == chain)
    ).scalar_one_or_none()
    return None if raw is None else Directory.parse(Signed.from_json(bytes(raw)).payload)


def keep_directory(connection: Connection, chain: str, signed: Signed) -> None:
    """Keeps a verified directory unless a newer one is kept: another process may have it."""
    directory, kept = Directory.parse(signed.payload), kept_directory(connection, chain)
    values = {"issued": directory.issued, "directory": signed.to_json()}
    if kept is None:
        connection.execute(insert(bank_directories).values(chain=chain, **values))
    elif kept.issued < directory.issued:
        connection.execute(
            update(bank_directories).where(bank_directories.c.chain == chain).values(**values)
        )
