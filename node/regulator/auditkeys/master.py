"""The audit master key, under which the secret halves of all audit keys are wrapped.

It is in a file that only the audit's user need read, or in the database, sealed by a token. The
process that serves never has it: evidence that somebody exports from the pages is opened by a
process of its own (`node.regulator.evidence.opening`). `check` in the database is a keyed tag of a
constant: it tells the right key from another without wrapped data, and says nothing of the key.
"""

from __future__ import annotations

import hmac
from pathlib import Path

from sqlalchemy import Connection, Row, insert, select, update

from node.config import RegulatorConfig
from node.keys import KeyEncryptionKey, read_secret
from node.regulator.auditkeys.errors import MasterKeyError
from node.regulator.auditkeys.tables import regulator_audit_master
from node.regulator.auditkeys.token import open_by_token

_CHECK = b"regulator/audit-master"
_REMEDY = "restore it, or recover it from its shares (yinxin regulator audit-key recover)"


def check_value(master: bytes) -> bytes:
    """What the database keeps to tell this master key from another, 32 bytes."""
    return KeyEncryptionKey(master).tag(_CHECK, b"")


def load_master(config: RegulatorConfig, connection: Connection) -> bytes:
    """The 32 bytes of the master key. Raises MasterKeyError, SecretFileError, TokenError."""
    row = master_row(connection)
    if uses_token(config):
        if row is None or row.wrapped is None:
            raise MasterKeyError(
                "the database has no audit master key sealed by a token; run "
                "yinxin regulator audit-key issue, or recover it from its shares"
            )
        master = open_by_token(config.audit_token, bytes(row.wrapped))
        if not _is_right(master, row):
            raise MasterKeyError(f"the token gives another audit master key; {_REMEDY}")
        return master
    path = master_path(config)
    # A change of keys that was cut short leaves the new key beside the old one.
    for candidate in (path, next_path(path)):
        if candidate.exists():
            master = read_secret(candidate)
            if row is None or _is_right(master, row):
                return master
    if not path.exists():
        raise MasterKeyError(f"{path} does not exist; {_REMEDY}")
    raise MasterKeyError(f"{path} is not the key that wraps this regulator's audit keys; {_REMEDY}")


def uses_token(config: RegulatorConfig) -> bool:
    """Whether a token keeps the master key; else it is in a file."""
    return config.audit_token.module is not None


def master_path(config: RegulatorConfig) -> Path:
    """The master key's file. Raises MasterKeyError where a token keeps it."""
    if config.audit_key is None:
        raise MasterKeyError("audit_key: is not configured; a token keeps the master key")
    return config.audit_key


def next_path(path: Path) -> Path:
    """Where a new master key waits until the database is changed to it."""
    return path.with_name(f"{path.name}.next")


def master_row(connection: Connection) -> Row[tuple[int, bytes, bytes | None, int]] | None:
    """The row about the master key, or None before the first key was issued."""
    return connection.execute(select(regulator_audit_master)).first()


def put_master(connection: Connection, master: bytes, wrapped: bytes | None, now: int) -> None:
    """Makes this the master key of the database."""
    values = {"check": check_value(master), "wrapped": wrapped, "since": now}
    if master_row(connection) is None:
        connection.execute(insert(regulator_audit_master).values(id=1, **values))
    else:
        connection.execute(update(regulator_audit_master).values(**values))


def is_master(master: bytes, connection: Connection) -> bool:
    """Whether this is the master key of the database."""
    row = master_row(connection)
    return row is not None and _is_right(master, row)


def _is_right(master: bytes, row: Row[tuple[int, bytes, bytes | None, int]]) -> bool:
    return hmac.compare_digest(check_value(master), bytes(row.check))
